"""Makes replies as an operator might, honest or not, and replays them with what was promised.

Every number names one honest request. An operator changes something, makes the reply and passes it
off as that request's; the project's own replay recomputes it. A tampered reply is made to its first
64 tokens, and on to its end only where those are all the same: what stands at a position follows
from what stands before it, so that nothing else would come of it.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.proofs_models import (
    USUAL,
    Cache,
    Schedule,
    open_engine,
    other_weights,
)
from bot.inference.engine import Engine
from bot.ports.inference import (
    Caller,
    Generated,
    GenerationRequest,
    ReplayOutcome,
    ReplayRequest,
)
from bot.ports.runner import Failed
from scripts.calibrate_verdicts import Seen

FIRST = 64
CANDIDATES = 8
REPLAYING = Schedule(5, 128)
PATIENT = Caller(patience_s=1e9)  # on a crowded machine the last of a batch waits for long
Requests = Callable[[Engine, int], GenerationRequest]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that was passed off as a request's, and what its replay found.

    Attributes:
        exact: whether the replay gave the same reply in every part.
    """

    number: int
    tokens: tuple[int, ...]
    exact: bool
    seen: tuple[Seen, ...]

    @property
    def first(self) -> int | None:
        """Position of the first token that differs."""
        return next((n for n, one in enumerate(self.seen) if not one.same), None)

    def line(self) -> str:
        """Return it as a line of a file."""
        seen = [[one.same, one.margin, one.room] for one in self.seen]
        return json.dumps([self.number, self.tokens, self.exact, seen])

    @classmethod
    def of(cls, line: str) -> "Reply":
        """Read such a line."""
        number, tokens, exact, seen = json.loads(line)
        return cls(number, tuple(tokens), exact, tuple(Seen(*one) for one in seen))


def unchanged(request: GenerationRequest, _number: int) -> GenerationRequest:
    """Make what was promised."""
    return request


@dataclass(frozen=True, slots=True)
class Operator:
    """What somebody does who makes replies.

    Attributes:
        name: in words.
        weights: of `proofs_models.WEIGHTS`; empty for the promised ones.
        cache: None for the promised one.
        change: what they do to a request.
        best: how many seeds they try; they give out the reply with the most different tokens.
        honest: whether they keep the promise.
        schedule: how their engine works.
    """

    name: str
    weights: str = ""
    cache: Cache | None = None
    change: Callable[[GenerationRequest, int], GenerationRequest] = unchanged
    best: int = 1
    honest: bool = False
    schedule: Schedule = USUAL

    @property
    def slug(self) -> str:
        """A name for files."""
        return "".join(c if c.isalnum() else "-" for c in self.name.lower())


@dataclass(slots=True)
class Subject:
    """A promised model with its requests, and the replies that were made of them.

    Attributes:
        digest: SHA-256 of the model.
        requests: makes the honest request of a number.
        ends: whether replies end where the model ends them, or go on to their full length.
        length: longest output.
        context: longest context with its output, in tokens.
        folder: where other weights lie.
        kept: where replies are kept between runs.
        together: how many replies each operator makes in turn.
        closing: closes the engines that stay open from one operator to the next.
    """

    name: str
    path: Path
    digest: bytes
    requests: Requests
    ends: bool
    length: int
    context: int
    folder: Path
    kept: Path
    together: int
    closing: ExitStack
    _made: dict[str, dict[int, Reply]] = field(default_factory=dict)
    _open: dict[Schedule, Engine] = field(default_factory=dict)

    def replies(self, operator: Operator, numbers: Sequence[int]) -> list[Reply]:
        """Return an operator's replies, made and replayed where they are not kept."""
        found = self._load(operator)
        missing = [number for number in numbers if number not in found]
        if missing:
            with ExitStack() as closing:
                engine = self._operated(operator, closing)
                for start in range(0, len(missing), self.together):
                    numbers = missing[start : start + self.together]
                    self._keep(operator, self._make(operator, engine, numbers))
        return [found[number] for number in numbers]

    def _load(self, operator: Operator) -> dict[int, Reply]:
        if operator.slug not in self._made:
            path = self._file(operator)
            lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
            # A run that was ended amid a line has left a torn one.
            replies = [Reply.of(line) for line in lines if line.endswith("]\n")]
            self._made[operator.slug] = {reply.number: reply for reply in replies}
        return self._made[operator.slug]

    def _file(self, operator: Operator) -> Path:
        return self.kept / f"{operator.slug}.jsonl"

    def _keep(self, operator: Operator, replies: dict[int, Reply]) -> None:
        self.kept.mkdir(parents=True, exist_ok=True)
        with self._file(operator).open("a") as file:
            file.writelines(reply.line() + "\n" for reply in replies.values())
        self._made[operator.slug] |= replies

    def _operated(self, operator: Operator, closing: ExitStack) -> Engine:
        """Load what the operator runs, until `closing` is closed; what many run stays open."""
        if not operator.weights and operator.cache is None and operator.schedule == USUAL:
            return self._promised(USUAL, self.context)
        path = self.path
        if operator.weights:
            path = other_weights(operator.weights, self.path, self.folder)
        promised = not (operator.weights or operator.cache)
        opened = open_engine(
            path, operator.schedule, self.context, cache=operator.cache, promised=promised
        )
        return closing.enter_context(opened)

    def _promised(self, schedule: Schedule, context: int) -> Engine:
        """Load what was promised, once for each schedule."""
        if schedule not in self._open:
            opened = open_engine(self.path, schedule, context, cache=None, promised=True)
            self._open[schedule] = self.closing.enter_context(opened)
        return self._open[schedule]

    def _make(self, operator: Operator, engine: Engine, numbers: list[int]) -> dict[int, Reply]:
        # Another number of sequences, another context, other chunks than where it was made.
        replaying = self._promised(REPLAYING, self.context + 128)
        promised = {number: self.requests(engine, number) for number in numbers}
        wanted = {number: operator.change(one, number) for number, one in promised.items()}
        short = self.length > FIRST and not operator.honest
        length = FIRST if short else self.length
        if operator.best > 1:
            wanted = _best(engine, wanted, operator.best, length)
        claims = claims_of(engine, promised, wanted, length)
        found = replies_of(replaying, claims)
        again = {n: wanted[n] for n, reply in found.items() if short and reply.first is None}
        if again:
            longer = claims_of(engine, promised, again, self.length)
            found |= replies_of(replaying, longer)
        return found


def claims_of(
    engine: Engine,
    promised: dict[int, GenerationRequest],
    wanted: dict[int, GenerationRequest],
    length: int,
) -> dict[int, ReplayRequest]:
    """Make replies of up to so many tokens, and pass them off as what was promised."""
    made = make_all(engine, list(wanted.values()), length)
    return {
        number: ReplayRequest(
            shortened_to(promised[number], length), one.tokens, one.finish, one.text, texts=()
        )
        for number, one in zip(wanted, made, strict=True)
    }


def replies_of(engine: Engine, claims: dict[int, ReplayRequest]) -> dict[int, Reply]:
    """Replay claims, packed into the same decodes."""
    outcomes = replay_all(engine, list(claims.values()))
    found = {}
    for (number, claim), outcome in zip(claims.items(), outcomes, strict=True):
        seen = tuple(Seen(one.same, one.margin, one.room) for one in outcome.tokens)
        found[number] = Reply(number, claim.tokens, outcome.exact, seen)
    return found


def shortened_to(request: GenerationRequest, length: int) -> GenerationRequest:
    """Return a request for so many tokens."""
    return replace(request, sampler=replace(request.sampler, max_tokens=length))


def make_all(engine: Engine, requests: Sequence[GenerationRequest], length: int) -> list[Generated]:
    """Make replies in a batch.

    Raises:
        BotError: the engine gave one up.
    """
    for number, request in enumerate(requests):
        engine.generate(number, shortened_to(request, length), PATIENT)
    made: dict[int, Generated] = {}
    while not engine.idle:
        for number, event in engine.step():
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Generated):
                made[number] = event
    return [made[number] for number in range(len(requests))]


def replay_all(engine: Engine, claims: Sequence[ReplayRequest]) -> list[ReplayOutcome]:
    """Replay claims, packed into the same decodes."""
    for number, claim in enumerate(claims):
        engine.replay(number, claim)
    found: dict[int, ReplayOutcome] = {}
    while not engine.idle:
        found |= {n: event for n, event in engine.step() if isinstance(event, ReplayOutcome)}
    return [found[number] for number in range(len(claims))]


def _best(
    engine: Engine, wanted: dict[int, GenerationRequest], seeds: int, length: int
) -> dict[int, GenerationRequest]:
    """Try so many seeds for each request and return it with the one whose reply is liked best."""
    tried = [
        replace(request, seed=bytes([n + 1]) + request.seed[1:])
        for request in wanted.values()
        for n in range(seeds)
    ]
    made = make_all(engine, tried, length)
    likes = [len(set(one.tokens)) for one in made]
    groups = range(0, len(tried), seeds)
    chosen = [max(range(start, start + seeds), key=lambda n: likes[n]) for start in groups]
    return {number: tried[n] for number, n in zip(wanted, chosen, strict=True)}
