"""Inside the engine's process: the model, the states it keeps on disk, the engine over both.

`bot/inference` decides what is evaluated when (pure, tested without a model); `adapters/llama` runs
it. Nothing here crosses the process boundary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bot.domain.errors import BotError
from bot.ports.inference import (
    Caller,
    GenerationEvent,
    GenerationRequest,
    ModelInfo,
    ReplayOutcome,
    ReplayRequest,
)

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a model runner has room for.

    Attributes:
        sequences: KV streams, numbered from 0; each holds one list of token ids.
        cells: longest list that a sequence can hold, in tokens.
        batch: most tokens of one `decode`, over all sequences.
    """

    sequences: int
    cells: int
    batch: int


@dataclass(frozen=True, slots=True)
class Feed:
    """Tokens to evaluate at the end of one sequence.

    Attributes:
        start: how many tokens the sequence holds already.
        rows: how many of the last tokens give a row of logits, 0 to all.
    """

    sequence: int
    start: int
    tokens: tuple[int, ...]
    rows: int


class ModelRunner(Protocol):
    """The model itself: sequences of token ids with their state; synchronous, owned by one thread.

    The logits after a list of tokens depend on that list alone under the exact profile: not on the
    other sequences, on how the list was cut into feeds, copied, trimmed, saved or restored.
    `info`, `tokenize` and `piece` alone may be called from another thread.
    """

    @property
    def capacity(self) -> Capacity:
        """What there is room for; constant."""
        ...

    def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        ...

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`; `special` reads control tokens written in it."""
        ...

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token stands for; empty for control tokens."""
        ...

    def decode(self, feeds: Sequence[Feed]) -> Logits:
        """Evaluate the feeds, at most one for each sequence, together.

        Feeds of neighbouring sequences run as one batch inside the library; gaps split it.

        Returns:
            Shape (sum of rows, vocabulary), binary32, in the order of the feeds: a view that the
            next call overwrites.

        Raises:
            EngineCrashedError: the library refused the batch; all sequences are unknown then.
        """
        ...

    def copy(self, source: int, target: int) -> None:
        """Make `target` hold what `source` holds; what it held before is gone."""
        ...

    def trim(self, sequence: int, length: int) -> None:
        """Make a sequence hold only its first `length` tokens; 0 empties it."""
        ...

    def save(self, sequence: int) -> bytes:
        """Return a sequence's state; a sequence copied to since the last `decode` has none yet."""
        ...

    def restore(self, sequence: int, tokens: int, state: bytes) -> bool:
        """Make a sequence hold the `tokens` tokens of a saved state; False if it is refused.

        A refused sequence is empty. Whose state it is the caller knows: the library would take
        another model's of the same shape.
        """
        ...


class StateStore(Protocol):
    """Saved states on disk, of one model under one build and cache type; owned by one thread.

    A state is found again only by the very token ids that it holds. What is not found, is damaged
    or was thrown away to keep within the budget is computed again: nothing here is ever needed.
    """

    def put_prefix(self, tokens: tuple[int, ...], state: bytes) -> None:
        """Keep a persona prefix's state."""
        ...

    def get_prefix(self, tokens: tuple[int, ...]) -> bytes | None:
        """Return a persona prefix's state."""
        ...

    def has_prefix(self, tokens: tuple[int, ...]) -> bool:
        """Return whether there is a state of this persona prefix."""
        ...

    def put_conversation(self, conversation: str, tokens: tuple[int, ...], state: bytes) -> None:
        """Keep a conversation's state in place of the one before."""
        ...

    def tokens_of(self, conversation: str) -> tuple[int, ...]:
        """Return which tokens the conversation's state holds; empty if there is none."""
        ...

    def get_conversation(self, conversation: str) -> bytes | None:
        """Return the conversation's state, for the ids of `tokens_of`."""
        ...

    def forget(self, conversation: str) -> None:
        """Destroy the conversation's state, now."""
        ...


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that ended in an error of the tree."""

    error: BotError


@dataclass(frozen=True, slots=True)
class Prepared:
    """A persona prefix is ready."""


StepEvent = GenerationEvent | ReplayOutcome | Prepared | Failed


class BatchEngine(Protocol):
    """The engine inside its own process: requests go in, `step` moves all of them on.

    Owned by one thread, `info` and `tokenize` apart. Every accepted request ends in exactly one
    Generated, ReplayOutcome, Prepared or Failed event, unless it was cancelled.
    """

    def info(self) -> ModelInfo:
        """Return what the loaded model says of itself."""
        ...

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        ...

    def generate(self, number: int, request: GenerationRequest, caller: Caller) -> None:
        """Accept a reply to make, under a number of the caller's choosing.

        Raises:
            MessageTooLongError: context and output do not fit the model.
            EngineOverloadedError: the queue is full.
        """
        ...

    def prepare(self, number: int, tokens: tuple[int, ...]) -> None:
        """Accept a persona prefix to compute and keep.

        Raises:
            MessageTooLongError: it does not fit the model.
        """
        ...

    def replay(self, number: int, request: ReplayRequest) -> None:
        """Accept a claimed reply to recompute.

        Raises:
            MessageTooLongError: it does not fit the model.
        """
        ...

    def cancel(self, number: int) -> None:
        """Drop a request; nothing more is said of it. Unknown numbers are ignored."""
        ...

    def halt(self, number: int) -> None:
        """End a reply after the token at hand, or now if it has not begun."""
        ...

    def forget(self, conversation: str) -> None:
        """Destroy what is kept of a conversation, in memory and on disk."""
        ...

    def step(self) -> list[tuple[int, StepEvent]]:
        """Move on by one decode and return what came of it, by request.

        Raises:
            EngineCrashedError: the library refused; the engine can't be used any more.
        """
        ...

    @property
    def idle(self) -> bool:
        """Whether a step would find nothing to do."""
        ...
