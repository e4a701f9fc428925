"""The nine salted fields of a receipt (docs/spec/formats.md section 7.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.crypto.canonical import JsonValue, encode_canonical
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import leaf_hash, root_of
from bot.crypto.sealing import derive_salt
from bot.domain.ids import SlotInput
from bot.domain.reading import ObjectReader

FIELD_NAMES = (
    *("slot", "conversation", "turn", "message", "spans", "context", "output", "reply", "event"),
)
HASH_BYTES = 32
MAX_PARTS = 16
MAX_EVENT = 200
_SLOT_KEYS = "platform bot chat thread message"


class SpanKind(StrEnum):
    """What a span of the context is; nothing else can enter."""

    PERSONA = "persona"
    FAN = "fan"
    TWIN = "twin"
    MESSAGE = "message"


_EARLIER = frozenset({SpanKind.FAN, SpanKind.TWIN})


class Finish(StrEnum):
    """Why a generation ended.

    A stop token, the longest output, a stop string; the fan stopped it, or its creator cut it
    off.
    """

    END = "end"
    LENGTH = "length"
    STOP = "stop"
    STOPPED = "stopped"
    CUT = "cut"

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
        regenerate: the platform's id of the fan's wish for another reply; set, with `replaces`,
            in attempts above 0 only.
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
    event: ReplyEvent = NO_EVENT

    def __post_init__(self) -> None:
        if (self.turn == 1) != (self.previous is None):
            raise FormatError("only the first turn of a conversation has no previous receipt")
        ids = [part.id for part in self.parts]
        if not 1 <= len(ids) <= MAX_PARTS or len(set(ids)) != len(ids):
            raise FormatError(f"a message has 1 to {MAX_PARTS} parts with ids of their own")
        if ids[0] != self.slot.message:
            raise FormatError("the first part of the message is not the slot's")
        if self.finish.halted != (self.event.halt is not None):
            raise FormatError("a reply names what halted it exactly if it was halted")

    @property
    def message(self) -> str:
        """The fan's text: the parts' texts, joined by line feeds."""
        return join_parts(self.parts)


def join_parts(parts: Sequence[MessagePart]) -> str:
    """Return the text that merged messages are answered as."""
    return "\n".join(part.text for part in parts)


def fields_to_json(fields: Fields) -> dict[str, JsonValue]:
    """Turn the fields into their JSON values by name, in the order of the format."""
    slot = fields.slot
    previous = None if fields.previous is None else fields.previous.hex()
    return {
        "slot": {
            "bot": slot.bot,
            "chat": slot.chat,
            "message": slot.message,
            "platform": slot.platform,
            "thread": slot.thread,
        },
        "conversation": {"id": fields.conversation.hex()},
        "turn": {"n": fields.turn, "previous": previous},
        "message": {"parts": [{"id": part.id, "text": part.text} for part in fields.parts]},
        "spans": [_span_to_json(span) for span in fields.spans],
        "context": {"tokens": fields.context},
        "output": {"tokens": fields.output},
        "reply": {"finish": fields.finish.value, "text": fields.text},
        "event": {
            "halt": fields.event.halt,
            "regenerate": fields.event.regenerate,
            "replaces": None if fields.event.replaces is None else fields.event.replaces.hex(),
        },
    }


def fields_from_json(values: Mapping[str, JsonValue]) -> Fields:
    """Read the fields from their JSON values by name.

    Raises:
        FormatError: a field is missing, unknown or of another shape.
    """
    reader = ObjectReader(values, "fields", " ".join(FIELD_NAMES))
    slot = reader.object("slot", _SLOT_KEYS)
    turn = reader.object("turn", "n previous")
    reply = reader.object("reply", "finish text")
    reply.constant("finish", *(finish.value for finish in Finish))
    return Fields(
        slot=SlotInput(**{key: slot.text(key) for key in _SLOT_KEYS.split()}),
        conversation=reader.object("conversation", "id").hex("id", HASH_BYTES),
        turn=turn.integer("n", minimum=1),
        previous=turn.hex_or_null("previous", HASH_BYTES),
        parts=reader.object("message", "parts").items("parts", _part_from_json),
        spans=reader.items("spans", _span_from_json),
        context=reader.object("context", "tokens").tokens("tokens"),
        output=reader.object("output", "tokens").tokens("tokens"),
        finish=Finish(reply.text("finish")),
        text=reply.text("text", minimum=1),
        event=_read_event(reader.object("event", "halt regenerate replaces")),
    )


def fields_root(key: bytes, values: Mapping[str, JsonValue]) -> bytes:
    """Return the root over the salted field values under an opening key (32 bytes)."""
    leaves = [
        field_leaf(name, derive_salt(key, name), encode_canonical(values[name]))
        for name in FIELD_NAMES
    ]
    return root_of([leaf_hash(leaf) for leaf in leaves])


def field_leaf(name: str, salt: bytes, value: bytes) -> bytes:
    """Return the data of a field's leaf under that root; `value` are its canonical bytes."""
    return b"twinproof/v1/field\x00" + name.encode() + b"\x00" + salt + value


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


def check_earlier_turns(fields: Fields) -> None:
    """Check that the pairs, if there are any, end with the conversation's previous turn.

    Raises:
        FormatError: the spans are outside the grammar.
        MismatchError: more pairs than earlier turns, the last one is of another turn, or the reply
            that this one replaces counts as an earlier turn.
    """
    check_span_order(fields.spans)
    *_, last, _message = fields.spans
    if (len(fields.spans) - 2) // 2 >= fields.turn:
        raise MismatchError("the context holds more turns than the conversation has")
    if last.kind is SpanKind.TWIN and last.receipt != fields.previous:
        raise MismatchError("the last earlier turn in the context is not the previous turn")
    replaced = fields.event.replaces
    if replaced is not None and replaced in {fields.previous, *(s.receipt for s in fields.spans)}:
        raise MismatchError("the reply that is replaced counts as an earlier turn")


def _part_from_json(value: JsonValue, path: str) -> MessagePart:
    reader = ObjectReader(value, path, "id text")
    return MessagePart(id=reader.text("id"), text=reader.text("text"))


def _read_event(reader: ObjectReader) -> ReplyEvent:
    return ReplyEvent(
        regenerate=reader.text_or_null("regenerate"),
        replaces=reader.hex_or_null("replaces", HASH_BYTES),
        halt=reader.text_or_null("halt"),
    )


def _span_to_json(span: Span) -> JsonValue:
    receipt = None if span.receipt is None else span.receipt.hex()
    return {"kind": span.kind.value, "receipt": receipt, "tokens": span.tokens}


def _span_from_json(value: JsonValue, path: str) -> Span:
    reader = ObjectReader(value, path, "kind receipt tokens")
    reader.constant("kind", *(kind.value for kind in SpanKind))
    return Span(
        kind=SpanKind(reader.text("kind")),
        tokens=reader.tokens("tokens"),
        receipt=reader.hex_or_null("receipt", HASH_BYTES),
    )
