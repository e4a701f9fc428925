"""What a receipt's twelve salted fields say (docs/spec/formats.md section 7.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.crypto.errors import FormatError
from bot.domain.ids import SlotInput
from bot.domain.terms import MAX_REDRAWS

MAX_PARTS = 16
MAX_EVENT = 200


class SpanKind(StrEnum):
    """What a span of the context is; nothing else can enter."""

    PERSONA = "persona"
    FAN = "fan"
    TWIN = "twin"
    MESSAGE = "message"


_EARLIER = frozenset({SpanKind.FAN, SpanKind.TWIN})


class Finish(StrEnum):
    """Why a reply ended.

    A stop token, the longest output, a stop string; the fan stopped it, or its creator cut it
    off. A fixed answer was never generated.
    """

    END = "end"
    LENGTH = "length"
    STOP = "stop"
    STOPPED = "stopped"
    CUT = "cut"
    FIXED = "fixed"

    @property
    def halted(self) -> bool:
        """Whether somebody ended it before the model did."""
        return self in {Finish.STOPPED, Finish.CUT}


@dataclass(frozen=True, slots=True)
class Span:
    """A typed part of the context, as token ids.

    Attributes:
        receipt: hash of the receipt of an earlier turn; set for fan and twin, and only there.

    Raises:
        FormatError: `receipt` is missing or out of place.
    """

    kind: SpanKind
    tokens: tuple[int, ...]
    receipt: bytes | None = None

    def __post_init__(self) -> None:
        if (self.kind in _EARLIER) != (self.receipt is not None):
            raise FormatError("fan and twin spans cite a receipt, and no other span does")


@dataclass(frozen=True, slots=True)
class MessagePart:
    """One platform message of the fan's; quick ones are merged into one turn.

    Attributes:
        id: the platform's id of it.
        text: what it said.
    """

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class ReplyEvent:
    """What people did to a reply beside asking for it.

    Attributes:
        regenerate: the platform's id of the fan's wish for another reply; set with `replaces`.
        replaces: receipt hash of the reply, of the same slot, that this one stands in for.
        halt: what ended the reply early: the platform's id of the fan's stop or of the creator's
            command, or the hash of the creator's signed order in lower-case hexadecimal; None where
            the model ended by itself.

    Raises:
        FormatError: one of `regenerate` and `replaces` alone, or an id outside the limits.
    """

    regenerate: str | None = None
    replaces: bytes | None = None
    halt: str | None = None

    def __post_init__(self) -> None:
        if (self.regenerate is None) != (self.replaces is None):
            raise FormatError("a wish for another reply names the reply that it replaces")
        for text in (self.regenerate, self.halt):
            if text is not None and not 1 <= len(text) <= MAX_EVENT:
                raise FormatError(f"an event's id has 1 to {MAX_EVENT} characters")


NO_EVENT = ReplyEvent()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An earlier turn that did not fit: its receipt hash, and the tokens that its pair has."""

    receipt: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Which earlier turns could have been quoted.

    Attributes:
        start: number of the first turn of the chain: 1, or the one after the latest turn that was
            withdrawn or has a fixed answer.
        older: the latest turn of the chain that is not quoted; None if all of it is.
    """

    start: int
    older: LeftOut | None = None


FROM_THE_FIRST = Choice(1)


@dataclass(frozen=True, slots=True)
class Counts:
    """The lengths of context and output in tokens."""

    context: int
    output: int


@dataclass(frozen=True, slots=True)
class Fields:
    """Everything about one reply that only its fan's key opens.

    Attributes:
        conversation: 32 bytes.
        turn: from 1.
        previous: receipt hash of the conversation's previous turn; None at turn 1 only.
        parts: the fan's messages that are answered, the slot's first.
        context: the rendered token ids.
        output: the committed token ids, without the stop token.
        text: the reply's text.
        choice: what was to choose the quoted turns from.
        counts: what the receipt says of the lengths of `context` and `output`.
        vrf_proof: 80 bytes, which the seed follows from.
        rejected: how many attempts right before this one the filter has rejected.

    Raises:
        FormatError: `previous` does not fit `turn`, `parts` not the slot, or `event` not `finish`.
    """

    slot: SlotInput
    conversation: bytes
    turn: int
    previous: bytes | None
    parts: tuple[MessagePart, ...]
    spans: tuple[Span, ...]
    context: tuple[int, ...]
    output: tuple[int, ...]
    finish: Finish
    text: str
    choice: Choice
    counts: Counts
    vrf_proof: bytes
    rejected: int = 0
    event: ReplyEvent = NO_EVENT

    def __post_init__(self) -> None:
        check_turn(self.turn, self.previous)
        check_parts(self.parts)
        if self.parts[0].id != self.slot.message:
            raise FormatError("the first part of the message is not the slot's")
        if not 0 <= self.rejected <= MAX_REDRAWS:
            raise FormatError(f"at most {MAX_REDRAWS} attempts in a row are rejected")
        if self.finish.halted != (self.event.halt is not None):
            raise FormatError("a reply names what halted it exactly if it was halted")

    @property
    def message(self) -> str:
        """The fan's text: the parts' texts, joined by line feeds."""
        return join_parts(self.parts)


def join_parts(parts: Sequence[MessagePart]) -> str:
    """Return the text that merged messages are answered as."""
    return "\n".join(part.text for part in parts)


def check_turn(number: int, previous: bytes | None) -> None:
    """Check that a turn cites the one before it, if there is one.

    Raises:
        FormatError: it does not, or the first turn cites one.
    """
    if (number == 1) != (previous is None):
        raise FormatError("only the first turn of a conversation has no previous receipt")


def check_parts(parts: Sequence[MessagePart]) -> None:
    """Check the parts of a message.

    Raises:
        FormatError: there are none or too many, or an id stands twice.
    """
    ids = [part.id for part in parts]
    if not 1 <= len(ids) <= MAX_PARTS or len(set(ids)) != len(ids):
        raise FormatError(f"a message has 1 to {MAX_PARTS} parts with ids of their own")


def check_span_order(spans: Sequence[Span]) -> None:
    """Check the grammar of `typed-spans/1`: persona, pairs of fan and twin, message.

    Both spans of a pair cite the same receipt, and no receipt is cited by two pairs.

    Raises:
        FormatError: the spans stand in another order.
    """
    kinds = [span.kind for span in spans]
    pairs = (len(spans) - 2) // 2
    middle = [SpanKind.FAN, SpanKind.TWIN] * max(pairs, 0)
    if kinds != [SpanKind.PERSONA, *middle, SpanKind.MESSAGE]:
        raise FormatError("the spans are not a persona, pairs of fan and twin, and a message")
    fans, twins = spans[1:-1:2], spans[2:-1:2]
    cited = [span.receipt for span in fans]
    if cited != [span.receipt for span in twins] or len(set(cited)) != len(cited):
        raise FormatError("each pair of fan and twin spans cites one receipt of its own")


def pairs_of(spans: Sequence[Span]) -> list[tuple[Span, Span]]:
    """Return the (fan, twin) spans of earlier turns, oldest first, of spans in order."""
    return list(zip(spans[1:-1:2], spans[2:-1:2], strict=True))
