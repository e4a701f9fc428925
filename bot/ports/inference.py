"""Running the model: what a generation needs, what it yields, what a replay finds.

The engine is a pure function of the request: the same request gives the same tokens on any
machine that holds the exact profile (docs/spec/formats.md sections 4 and 5).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.generation.sampling import SamplerPolicy

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Everything that determines one reply.

    Attributes:
        context: token ids of the rendered context.
        prefix_tokens: how many leading ids are the persona's, and so may be copied from a hot KV.
        seed: 32 bytes, docs/spec/formats.md section 4.
        stop_tokens: ids that end the reply and are not part of it.
        stop_strings: texts before which the reply is cut.
    """

    context: tuple[int, ...]
    prefix_tokens: int
    seed: bytes
    sampler: SamplerPolicy
    stop_tokens: tuple[int, ...]
    stop_strings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text that may be shown now, to be appended to what was shown before."""

    text: str


@dataclass(frozen=True, slots=True)
class Generated:
    """A finished generation.

    Attributes:
        tokens: committed output ids, without the stop token.
        finish: `end`, `length` or `stop`; `halted` where somebody ended it before the model did:
            then the tokens are those that were made until then, perhaps none, and the text is
            theirs, which holds no stop string.
    """

    tokens: tuple[int, ...]
    text: str
    finish: str


GenerationEvent = TextDelta | Generated


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """A claimed reply to be recomputed: the request that made it and what it claims to have made.

    Attributes:
        texts: (text, token ids) pairs whose tokenisation is to be checked.
        spans: token ids of what people and personas said; no control token may stand there.
    """

    request: GenerationRequest
    tokens: tuple[int, ...]
    finish: str
    text: str
    texts: tuple[tuple[str, tuple[int, ...]], ...]
    spans: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplayedToken:
    """One output position: what the receipt says and what the model gives.

    Attributes:
        claimed: token id of the receipt; None at the end of an ended reply.
        recomputed: token id that the sampler gives here.
        text: the recomputed token as text, malformed bytes replaced.
    """

    position: int
    claimed: int | None
    recomputed: int
    text: str
    same: bool


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """What a replay found; `exact` only if every part is the same."""

    tokens: tuple[ReplayedToken, ...]
    tokenisation_same: bool
    finish_same: bool
    text_same: bool

    @property
    def exact(self) -> bool:
        """Whether the replay gives the same reply in every part."""
        return (
            all(token.same for token in self.tokens)
            and self.tokenisation_same
            and self.finish_same
            and self.text_same
        )


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a loaded model says of itself and of the machine that it runs on.

    Attributes:
        chat_template: the Jinja template in the file.
        end_tokens: ids that end a turn.
        context_tokens: longest context that the runner accepts.
        profile_exact: whether the startup self-check found the exact profile to hold here.
        begin_text: the control token that begins every context; empty if none does.
        end_text: the control token that ends a turn.
    """

    name: str
    chat_template: str
    end_tokens: tuple[int, ...]
    context_tokens: int
    vocabulary: int
    profile_exact: bool
    begin_text: str = ""
    end_text: str = ""


class ModelRunner(Protocol):
    """The model itself, one working sequence; synchronous, owned by one thread."""

    def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        ...

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`; `special` reads control tokens written in it."""
        ...

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token stands for; empty for control tokens."""
        ...

    def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Compute and keep the state of a persona prefix, evicting the coldest if need be."""
        ...

    def evaluate(self, tokens: tuple[int, ...], *, prefix_tokens: int, rows: int) -> Logits:
        """Bring the working sequence to `tokens` and return the last `rows` rows of logits.

        Returns:
            A copy of shape (rows, vocabulary), binary32.

        Raises:
            EngineCrashedError: the library refused the batch.
        """
        ...


def never() -> bool:
    """Halt nothing."""
    return False


class LocalEngine(Protocol):
    """The engine inside its own process; synchronous, one request at a time.

    `info` and `tokenize` alone may be called from another thread meanwhile.
    """

    def info(self) -> ModelInfo:
        """Return what the loaded model says of itself."""
        ...

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        ...

    def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Prefill a persona prefix and keep it hot."""
        ...

    def generate(
        self, request: GenerationRequest, halted: Callable[[], bool] = never
    ) -> Iterator[GenerationEvent]:
        """Yield text as it becomes safe to show, then one `Generated`.

        Args:
            request: what determines the reply.
            halted: asked before each token; once it is true, no more tokens are made.
        """
        ...

    def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply and compare it token by token."""
        ...


class InferenceEngine(Protocol):
    """The engine as the service sees it, over a process boundary.

    Requests queue up to a bound. An iterator that is closed early cancels its generation. Errors
    that may leave it: EngineOverloadedError (queue full), EngineCrashedError (the process died;
    the next request starts a new one), MessageTooLongError.
    """

    async def info(self) -> ModelInfo:
        """Return what the loaded model says of itself."""
        ...

    async def tokenize(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        ...

    async def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Prefill a persona prefix and keep it hot."""
        ...

    def generate(
        self, request: GenerationRequest, halt: asyncio.Event | None = None
    ) -> AsyncIterator[GenerationEvent]:
        """Yield text as it becomes safe to show, then one `Generated`.

        Args:
            request: what determines the reply.
            halt: when it is set, the generation ends after the token at hand, or at once where it
                is still queued: the rest of its text follows, then a `Generated` that was `halted`.
                A generation that has ended by itself before that is simply finished.
        """
        ...

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply and compare it token by token."""
        ...

    async def close(self) -> None:
        """Stop the process; running requests fail with EngineCrashedError."""
        ...
