"""Honest exact replay: replies made in a churned batch, each recomputed elsewhere, bit for bit."""

import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench.measuring import Figure, Prompts, tell
from bench.models import HALF, TINY, random_model
from bench.sides import Tokens
from bench.worker import open_worker
from bot.generation.sampling import SamplerPolicy
from bot.inference.engine import Engine
from bot.ports.inference import (
    Caller,
    Generated,
    GenerationRequest,
    ReplayOutcome,
    ReplayRequest,
)
from bot.wiring.engine import STARTER
from scripts.progress_bar import ProgressBar, say

REPLIES, HALF_REPLIES = 2000, 100
CONTEXT, PARALLEL = 512, 12
PERSONAS, FANS, LONGEST = 5, 40, 32
CANCELLED = 0.05


@dataclass(slots=True)
class Churn:
    """Makes replies as a busy service does; some are cancelled, conversations grow and are cut.

    Attributes:
        made: each reply as a claim to be replayed.
    """

    engine: Engine
    vocabulary: int
    seed: int
    made: list[ReplayRequest] = field(default_factory=list)
    _turns: dict[str, Tokens] = field(default_factory=dict)
    _asked: dict[int, tuple[str, GenerationRequest]] = field(default_factory=dict)
    _number: int = 0

    def run(self, replies: int) -> None:
        """Make replies until there are so many."""
        chance = random.Random(self.seed)  # noqa: S311 - repeatable
        prompts = Prompts(self.vocabulary, seed=self.seed)
        personas = [prompts.tokens(chance.randint(40, 120)) for _ in range(PERSONAS)]
        bar = ProgressBar("replies")
        while len(self.made) < replies or self._asked:
            # Requests come in bursts, so that the batch is now full and now nearly empty.
            if len(self.made) + len(self._asked) < replies and chance.random() < 0.2:
                for _ in range(chance.randint(1, 6)):
                    self._ask(chance, prompts, personas)
            if self._asked and chance.random() < CANCELLED / LONGEST:
                number = chance.choice(list(self._asked))
                self._asked.pop(number)
                self.engine.cancel(number)
            for number, event in self.engine.step():
                if isinstance(event, Generated):
                    self._note(*self._asked.pop(number), event)
            bar.show(len(self.made), replies)
        bar.end()

    def _ask(self, chance: random.Random, prompts: Prompts, personas: list[Tokens]) -> None:
        fan = f"fan {chance.randrange(FANS)}"
        if any(fan == asking for asking, _ in self._asked.values()):
            return
        twin = int(fan.split()[1]) % PERSONAS
        persona = personas[twin]
        before = self._turns.get(fan, ())
        longest = CONTEXT - LONGEST
        message = prompts.tokens(chance.randint(4, 40))
        if len(persona) + len(before) + len(message) > longest:
            kept = chance.randint(0, min(len(before), 120))
            before = before[len(before) - kept :]  # a moved window
        self._number += 1
        request = GenerationRequest(
            context=persona + before + message,
            prefix_tokens=len(persona),
            seed=self._number.to_bytes(32, "big"),
            sampler=_sampler(chance),
            stop_tokens=(self.vocabulary - 1,),
            stop_strings=("zq",),
        )
        self._asked[self._number] = (fan, request)
        self.engine.generate(self._number, request, Caller(fan, str(twin), fan))

    def _note(self, fan: str, request: GenerationRequest, reply: Generated) -> None:
        self._turns[fan] = request.context[request.prefix_tokens :] + reply.tokens
        claim = ReplayRequest(request, reply.tokens, reply.finish, reply.text, texts=())
        self.made.append(claim)


def _sampler(chance: random.Random) -> SamplerPolicy:
    return SamplerPolicy(
        temperature=chance.choice((0.2, 0.8, 1.0)),
        top_k=40,
        top_p=chance.choice((0.9, 0.95, 1.0)),
        max_tokens=chance.randint(4, LONGEST),
        min_p=chance.choice((0.0, 0.05)),
        presence_penalty=chance.choice((0.0, 0.4)),
    )


def replay_all(engine: Engine, claims: list[ReplayRequest]) -> list[ReplayOutcome]:
    """Replay claims, many packed into each decode."""
    outcomes: dict[int, ReplayOutcome] = {}
    bar = ProgressBar("replays")
    for number, claim in enumerate(claims):
        engine.replay(number, claim)
    while not engine.idle:
        for number, event in engine.step():
            if not isinstance(event, ReplayOutcome):
                raise RuntimeError(f"a replay ended in {event}")  # noqa: TRY004
            outcomes[number] = event
        bar.show(len(outcomes), len(claims))
    bar.end()
    return [outcomes[number] for number in range(len(claims))]


async def replay(rounds: int) -> list[Figure]:
    """Replay 2,000 replies of the starter and of the tiny shape, and 100 of the 0.4B shape."""
    del rounds
    return [
        _replayed("starter model", STARTER, REPLIES),
        _replayed("tiny shape", random_model(TINY), REPLIES),
        _replayed("0.4B shape", random_model(HALF), HALF_REPLIES),
    ]


def _replayed(name: str, model: Path, replies: int) -> Figure:
    say(f"exact replay, {name}")
    # More fans than rest in memory: conversations go to disk and come back.
    with tempfile.TemporaryDirectory() as states:
        busy = open_worker(model, parallel=PARALLEL, context=CONTEXT, chunk=40, states=Path(states))
        churn = Churn(busy, busy.info().vocabulary, seed=replies)
        churn.run(replies)
    del busy
    # Another engine: other threads, another number of sequences, nothing in memory.
    fresh = open_worker(model, threads=2, parallel=5, context=CONTEXT + 128)
    outcomes = replay_all(fresh, churn.made)
    tokens = sum(len(claim.tokens) for claim in churn.made)
    exact = sum(one.exact and one.engine_exact for one in outcomes)
    note = f"{exact} of {len(outcomes)} replies, {tokens} tokens"
    label = f"exact replay, {name}"
    return tell(Figure(label, 100 * exact / len(outcomes), "%", 100.0, most=False, note=note))
