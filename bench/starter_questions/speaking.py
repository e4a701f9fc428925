"""Has a model speak: contexts as the service renders them, several turns, fixed seeds."""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from adapters.files.personas import load_personas as load_sample_twins
from adapters.llama.library import inspect_build, prepare_environment
from adapters.llama.states import NoStates
from bench.starter_questions.grading import Asked
from bench.starter_questions.material import Conversation
from bot.domain.terms import RenderingProgram
from bot.generation.chat_template import compile_template
from bot.generation.rendering import CommittedTurn, fit_window, persona_prefix, render
from bot.generation.repeats import Repeats, redraw_sampler
from bot.generation.sampling import SamplerPolicy
from bot.inference.engine import Engine
from bot.ports.inference import Generated, GenerationRequest, ReplayRequest
from bot.ports.runner import Feed, Logits, ModelRunner
from bot.twins.publish import STOP_STRINGS

REDRAWS = 2
SEED = b"twinproof starter_eval/1"


@dataclass(frozen=True, slots=True)
class Spoken:
    """One reply; `exact` says whether its replay was, None where it was not replayed."""

    asked: Asked
    text: str
    tokens: int
    exact: bool | None = None


class Guards(Protocol):
    """What the service does around the model; further guards hook in here.

    Attributes:
        redraws: how often a reply that an earlier message had is drawn again, at most.
    """

    redraws: int

    def request(self, asked: Asked, request: GenerationRequest) -> GenerationRequest:
        """Return the request as the service would put it."""
        ...

    def instead(self, asked: Asked) -> str | None:
        """Return a reply that the service gives without the model; None to ask the model."""
        ...

    def finish(self, asked: Asked, text: str) -> str:
        """Return the text that the fan sees."""
        ...


class NoGuards(Guards):
    """The model alone: nothing but its own end token ends a reply."""

    redraws = 0

    def request(self, asked: Asked, request: GenerationRequest) -> GenerationRequest:
        """Return the request as it is."""
        del asked
        return request

    def instead(self, asked: Asked) -> str | None:
        """Always ask the model."""
        del asked
        return None

    def finish(self, asked: Asked, text: str) -> str:
        """Return the text as it is."""
        del asked
        return text


class ServiceGuards(NoGuards):
    """What the service has today: its stop strings, and that it draws repeated replies again."""

    redraws = REDRAWS

    def request(self, asked: Asked, request: GenerationRequest) -> GenerationRequest:
        """Put the service's stop strings in."""
        del asked
        return replace(request, stop_strings=STOP_STRINGS)


def twins_sampler() -> SamplerPolicy:
    """Return the sampler policy of the sample twins.

    Raises:
        ValueError: they differ, so that "the" policy is not defined.
    """
    folder = Path(__file__).resolve().parents[2] / "personas"
    policies = {
        SamplerPolicy(float(twin.temperature), twin.top_k, float(twin.top_p), twin.max_tokens)
        for twin in load_sample_twins(folder)
    }
    if len(policies) != 1:
        raise ValueError("the sample twins have different sampler policies")
    return policies.pop()


def greedy(policy: SamplerPolicy) -> SamplerPolicy:
    """Return a policy that always takes the likeliest token."""
    return SamplerPolicy(1.0, 1, 1.0, policy.max_tokens)


class Speaker:
    """One loaded model; answers whole conversations."""

    def __init__(self, model: ModelRunner) -> None:
        self._model = model
        self._engine = Engine(model=model, states=NoStates())
        info = model.info()
        self._ends = info.end_tokens
        parts = compile_template(
            info.chat_template, begin_text=info.begin_text, end_text=info.end_text
        )
        self._prefix = parts.span_prefix
        self._program = RenderingProgram(
            span_prefix=parts.span_prefix,
            before_persona=model.tokenize(parts.before_persona, special=True),
            persona_to_fan=model.tokenize(parts.persona_to_fan, special=True),
            fan_to_twin=model.tokenize(parts.fan_to_twin, special=True),
            twin_to_fan=model.tokenize(parts.twin_to_fan, special=True),
            window_tokens=info.context_tokens - twins_sampler().max_tokens,
        )

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows."""
        return self._model.info().vocabulary

    def answer(
        self, talk: Conversation, sampler: SamplerPolicy, guards: Guards, *, replay: bool
    ) -> Iterator[Spoken]:
        """Answer a conversation's messages one after the other."""
        persona = self._tokens(talk.persona.text())
        prefix = persona_prefix(self._program, persona)
        turns: list[CommittedTurn] = []  # a turn's seed stands in for its receipt
        said: list[tuple[str, str]] = []
        for asked in questions_of(talk, said):
            message = self._tokens(asked.question.fan)
            spans = fit_window(self._program, persona=persona, turns=turns, message=message)
            request = GenerationRequest(
                context=render(self._program, spans),
                prefix_tokens=len(prefix),
                seed=seed_of(talk, len(said)),
                sampler=sampler,
                stop_tokens=self._ends,
                stop_strings=(),
            )
            request = guards.request(asked, request)
            repeats = Repeats.in_context(spans)
            tokens, text, exact = self._reply(asked, request, repeats, guards, replay=replay)
            turns.append(CommittedTurn(message, tokens, request.seed))
            yield Spoken(asked, text, len(tokens), exact)
            said.append((asked.question.fan, text))

    def _draw(
        self, request: GenerationRequest, repeats: Repeats, redraws: int
    ) -> tuple[GenerationRequest, Generated]:
        """Return what is kept, and with which seed it was drawn (formats.md section 5.1)."""
        made = self._made(request)
        for attempt in range(redraws):
            if not repeats.rejects(made.tokens):
                break
            seed = hashlib.sha256(request.seed + bytes([attempt])).digest()
            request = replace(request, seed=seed, sampler=redraw_sampler(request.sampler))
            made = self._made(request)
        return request, made

    def _made(self, request: GenerationRequest) -> Generated:
        return next(one for one in self._engine.run(request) if isinstance(one, Generated))

    def _reply(
        self,
        asked: Asked,
        request: GenerationRequest,
        repeats: Repeats,
        guards: Guards,
        *,
        replay: bool,
    ) -> tuple[tuple[int, ...], str, bool | None]:
        if (given := guards.instead(asked)) is not None:
            return self._tokens(given), given, None
        request, made = self._draw(request, repeats, guards.redraws)
        shown = guards.finish(asked, made.text)
        tokens = made.tokens if shown == made.text else self._tokens(shown)
        if not replay:
            return tokens, shown, None
        persona = asked.persona.text()
        claim = ReplayRequest(
            request=request,
            tokens=made.tokens,
            finish=made.finish,
            text=made.text,
            texts=((self._prefix + persona, self._tokens(persona)),),
        )
        return tokens, shown, self._engine.recompute(claim).exact

    def _tokens(self, text: str) -> tuple[int, ...]:
        return self._model.tokenize(self._prefix + text, special=False)

    def surprise(self, talk: Conversation) -> tuple[float, int, int]:
        """Return the reference replies' negative log-likelihood in nats, tokens and characters.

        Each reference follows the references before it; its end token counts as one token.
        """
        persona = self._tokens(talk.persona.text())
        turns: list[CommittedTurn] = []
        nats, tokens, characters = 0.0, 0, 0
        for turn, question in enumerate(talk.questions):
            message, reply = self._tokens(question.fan), self._tokens(question.say)
            spans = fit_window(self._program, persona=persona, turns=turns, message=message)
            context = render(self._program, spans)
            wide = self._rows(context + reply, len(reply) + 1).astype(np.float64)
            wide -= wide.max(axis=1, keepdims=True)
            likely = wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
            nats -= sum(float(likely[at, token]) for at, token in enumerate(reply))
            nats -= math.log(sum(math.exp(float(likely[-1, end])) for end in self._ends))
            tokens += len(reply) + 1
            characters += len(question.say)
            turns.append(CommittedTurn(message, reply, seed_of(talk, turn)))
        return nats, tokens, characters

    def _rows(self, tokens: tuple[int, ...], rows: int) -> Logits:
        """Return the last rows of logits; the engine is at rest, so its sequences are empty."""
        batch = self._model.capacity.batch
        kept = []
        for start in range(0, len(tokens), batch):
            part = tokens[start : start + batch]
            wanted = min(len(part), max(0, start + len(part) - (len(tokens) - rows)))
            kept.append(self._model.decode([Feed(0, start, part, wanted)]).copy())
        self._model.trim(0, 0)
        return np.concatenate(kept)

    def random_reply(self, talk: Conversation, turn: int) -> str:
        """Return the text of up to 24 tokens drawn evenly from the vocabulary."""
        draws = np.random.default_rng(int.from_bytes(seed_of(talk, turn), "big"))
        tokens = draws.integers(0, self.vocabulary, size=int(draws.integers(4, 25)))
        pieces = b"".join(self._model.piece(int(token)) for token in tokens)
        return pieces.decode("utf-8", errors="replace").strip()


def open_speaker(path: Path, *, threads: int) -> Speaker:
    """Load a model file as the engine process does."""
    prepare_environment()
    # The library reads the environment when it loads, so it is imported only here.
    from adapters.llama.model import LlamaModel  # noqa: PLC0415

    portable = inspect_build().portable
    return Speaker(LlamaModel(path, threads=threads, name=path.stem, portable=portable))


def questions_of(talk: Conversation, said: list[tuple[str, str]]) -> Iterator[Asked]:
    """Yield what is asked next; the caller puts each reply into `said` before the next one."""
    for turn, question in enumerate(talk.questions):
        earlier = tuple(one.fan for one in talk.questions[:turn])
        yield Asked(talk.persona, question, earlier, tuple(said))


def seed_of(talk: Conversation, turn: int) -> bytes:
    """Return a turn's seed; it depends on nothing but the place of the turn in the material."""
    return hashlib.sha256(SEED + f" {talk.number} {turn}".encode()).digest()


def say_all(talk: Conversation, reply: Callable[[Asked, int], str]) -> Iterator[Spoken]:
    """Answer a conversation without a model; for baselines."""
    said: list[tuple[str, str]] = []
    for turn, asked in enumerate(questions_of(talk, said)):
        text = reply(asked, turn)
        yield Spoken(asked, text, 0)
        said.append((asked.question.fan, text))
