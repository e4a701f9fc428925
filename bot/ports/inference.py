"""Running the model: what a generation needs, what it yields, what a replay finds.

The engine is a pure function of the request: the same request gives the same tokens on any
machine that holds the exact profile (docs/spec/formats.md sections 4 and 5).
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bot.domain.model_record import TemplateIds
from bot.generation.sampling import SamplerPolicy


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Everything that determines one reply.

    Attributes:
        context: token ids of the rendered context.
        prefix_tokens: how many leading ids are the persona's, and so may be copied from a hot KV.
        seed: 32 bytes, docs/spec/formats.md section 4.
        stop_tokens: ids that end the reply and are not part of it.
        stop_strings: texts before which the reply is cut.
        refused: outputs that are not kept (formats.md section 5.1): of an output that may still
            become one of them nothing is shown.
    """

    context: tuple[int, ...]
    prefix_tokens: int
    seed: bytes
    sampler: SamplerPolicy
    stop_tokens: tuple[int, ...]
    stop_strings: tuple[str, ...]
    refused: tuple[tuple[int, ...], ...] = ()


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
        margin: by how much logits must shift for the claimed token to be the one (0: it is).
        room: by how much they must shift for any other than the recomputed one to be it.
    """

    position: int
    claimed: int | None
    recomputed: int
    text: str
    same: bool
    margin: float = 0.0
    room: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """What a replay found; `exact` only if every part is the same.

    Attributes:
        engine_exact: whether the engine that replayed holds the exact profile.
        redrawn_same: whether each attempt that is said to be rejected right before this reply
            repeats another one; True where there is none.
    """

    tokens: tuple[ReplayedToken, ...]
    tokenisation_same: bool
    finish_same: bool
    text_same: bool
    engine_exact: bool = True
    redrawn_same: bool = True

    @property
    def formal(self) -> bool:
        """Whether all is the same that does not hang on the logits."""
        return self.tokenisation_same and self.finish_same and self.text_same

    @property
    def exact(self) -> bool:
        """Whether the replay gives the same reply in every part."""
        return self.formal and self.redrawn_same and all(token.same for token in self.tokens)


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
        template: the chat template as token ids, compiled when the model was added; None where
            nobody has done that: then no manifest can be drafted.
    """

    name: str
    chat_template: str
    end_tokens: tuple[int, ...]
    context_tokens: int
    vocabulary: int
    profile_exact: bool
    begin_text: str = ""
    end_text: str = ""
    template: TemplateIds | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a reply is made: what decides turns and memory, and never the reply itself.

    Attributes:
        fan: whose turn it is; requests of one fan wait for each other's sake.
        twin: likewise.
        conversation: under which name the state is kept between turns; empty: not kept.
        patience_s: a request that has not begun after so many seconds is refused.
    """

    fan: str = ""
    twin: str = ""
    conversation: str = ""
    patience_s: float = 600.0


ANYONE = Caller()


@dataclass(frozen=True, slots=True)
class Queued:
    """A request waits for its turn.

    Attributes:
        ahead: how many requests come before it.
        wait_s: how long that will take, estimated from what the last requests took.
    """

    ahead: int
    wait_s: float


GenerationEvent = Queued | TextDelta | Generated


class ConversationStates(Protocol):
    """What engines keep of conversations between turns, in memory and on disk."""

    async def forget(self, conversation: str) -> None:
        """Destroy what is kept of a conversation; nothing happens where nothing is kept."""
        ...


class InferenceEngine(Protocol):
    """The engine as the service sees it, over a process boundary.

    Many requests run at once; more queue up to a bound. An iterator that is closed early cancels
    its generation. Errors that may leave it: EngineOverloadedError (queue full, or waited in vain;
    `retry_after_s` is an estimate), EngineCrashedError (the process died; the next request starts a
    new one), MessageTooLongError.
    """

    async def info(self) -> ModelInfo:
        """Return what the loaded model says of itself."""
        ...

    async def tokenize(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        ...

    async def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Prefill a persona prefix, if that was never done, and keep it on disk."""
        ...

    def generate(
        self,
        request: GenerationRequest,
        halt: asyncio.Event | None = None,
        caller: Caller = ANYONE,
    ) -> AsyncIterator[GenerationEvent]:
        """Yield `Queued` while it waits, text as it becomes safe to show, then one `Generated`.

        Args:
            request: what determines the reply.
            caller: for whom; does not determine the reply.
            halt: when it is set, the generation ends after the token at hand, or at once where it
                is still queued: the rest of its text follows, then a `Generated` that was `halted`.
                A generation that has ended by itself before that is simply finished.
        """
        ...

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply and compare it token by token."""
        ...

    async def forget(self, conversation: str) -> None:
        """Destroy what the engine keeps of a conversation, in memory and on disk."""
        ...

    async def close(self) -> None:
        """Stop the process; running requests fail with EngineCrashedError."""
        ...
