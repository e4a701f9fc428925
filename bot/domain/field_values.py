"""A receipt's salted fields as JSON values, and the root over them (formats.md section 7.1)."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.crypto.canonical import JsonValue, encode_canonical
from bot.crypto.encoding import encode_b64
from bot.crypto.errors import FormatError
from bot.crypto.merkle import leaf_hash, root_of
from bot.crypto.sealing import derive_salt
from bot.crypto.vrf import PROOF_BYTES
from bot.domain.fields import (
    Choice,
    Counts,
    Fields,
    Finish,
    LeftOut,
    MessagePart,
    ReplyEvent,
    Span,
    SpanKind,
    check_parts,
    check_turn,
)
from bot.domain.ids import SlotInput
from bot.domain.reading import ObjectReader
from bot.domain.terms import MAX_REDRAWS

HASH_BYTES = 32
MAX_LEFT_OUT = 262_144
_SLOT_KEYS = "platform bot chat thread message"
_FINISHES = tuple(finish.value for finish in Finish)
_KINDS = tuple(kind.value for kind in SpanKind)
Read = Callable[[ObjectReader, str], dict[str, Any]]


def fields_to_json(fields: Fields) -> dict[str, JsonValue]:
    """Turn the fields into their JSON values by name, in the order of the format."""
    slot, older = fields.slot, fields.choice.older
    return {
        "slot": {
            "bot": slot.bot,
            "chat": slot.chat,
            "message": slot.message,
            "platform": slot.platform,
            "thread": slot.thread,
        },
        "conversation": {"id": fields.conversation.hex()},
        "turn": {"n": fields.turn, "previous": _hex_or_null(fields.previous)},
        "message": {"parts": [{"id": part.id, "text": part.text} for part in fields.parts]},
        "spans": [_span_to_json(span) for span in fields.spans],
        "context": {"tokens": fields.context},
        "output": {"tokens": fields.output},
        "reply": {
            "finish": fields.finish.value,
            "rejected": fields.rejected,
            "text": fields.text,
        },
        "event": {
            "halt": fields.event.halt,
            "regenerate": fields.event.regenerate,
            "replaces": _hex_or_null(fields.event.replaces),
        },
        "choice": {
            "older": None if older is None else _left_to_json(older),
            "start": fields.choice.start,
        },
        "counts": {"context": fields.counts.context, "output": fields.counts.output},
        "seed": {"vrf_proof": encode_b64(fields.vrf_proof)},
    }


def fields_from_json(values: Mapping[str, JsonValue]) -> Fields:
    """Read the fields from their JSON values by name.

    Raises:
        FormatError: a field is missing, unknown or of another shape.
    """
    reader = ObjectReader(values, "fields", " ".join(FIELD_NAMES))
    parts: dict[str, Any] = {}
    for name, read in _READERS.items():
        parts |= read(reader, name)
    return Fields(**parts)


def check_field(name: str, value: JsonValue) -> None:
    """Check that a value has the form of the field of that name.

    Raises:
        FormatError: it has not, or there is no such field.
    """
    reader = ObjectReader({name: value}, "fields", name if name in _READERS else "")
    _READERS[name](reader, name)


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


def _read_slot(reader: ObjectReader, name: str) -> dict[str, Any]:
    slot = reader.object(name, _SLOT_KEYS)
    return {"slot": SlotInput(**{key: slot.text(key) for key in _SLOT_KEYS.split()})}


def _read_conversation(reader: ObjectReader, name: str) -> dict[str, Any]:
    return {"conversation": reader.object(name, "id").hex("id", HASH_BYTES)}


def _read_turn(reader: ObjectReader, name: str) -> dict[str, Any]:
    turn = reader.object(name, "n previous")
    number, previous = turn.integer("n", minimum=1), turn.hex_or_null("previous", HASH_BYTES)
    check_turn(number, previous)
    return {"turn": number, "previous": previous}


def _read_message(reader: ObjectReader, name: str) -> dict[str, Any]:
    parts = reader.object(name, "parts").items("parts", _read_part)
    check_parts(parts)
    return {"parts": parts}


def _read_spans(reader: ObjectReader, name: str) -> dict[str, Any]:
    return {"spans": reader.items(name, _read_span)}


def _read_tokens(reader: ObjectReader, name: str) -> dict[str, Any]:
    return {name: reader.object(name, "tokens").tokens("tokens")}


def _read_reply(reader: ObjectReader, name: str) -> dict[str, Any]:
    reply = reader.object(name, "finish rejected text")
    reply.constant("finish", *_FINISHES)
    return {
        "finish": Finish(reply.text("finish")),
        "rejected": reply.integer("rejected", maximum=MAX_REDRAWS),
        "text": reply.text("text", minimum=1),
    }


def _read_event(reader: ObjectReader, name: str) -> dict[str, Any]:
    event = reader.object(name, "halt regenerate replaces")
    return {
        "event": ReplyEvent(
            regenerate=event.text_or_null("regenerate"),
            replaces=event.hex_or_null("replaces", HASH_BYTES),
            halt=event.text_or_null("halt"),
        )
    }


def _read_choice(reader: ObjectReader, name: str) -> dict[str, Any]:
    choice = reader.object(name, "older start")
    older = None
    if choice.value("older") is not None:
        left = choice.object("older", "receipt tokens")
        tokens = left.integer("tokens", minimum=1, maximum=MAX_LEFT_OUT)
        older = LeftOut(left.hex("receipt", HASH_BYTES), tokens)
    return {"choice": Choice(choice.integer("start", minimum=1), older)}


def _read_counts(reader: ObjectReader, name: str) -> dict[str, Any]:
    counts = reader.object(name, "context output")
    return {"counts": Counts(counts.integer("context"), counts.integer("output"))}


def _read_seed(reader: ObjectReader, name: str) -> dict[str, Any]:
    seed = reader.object(name, "vrf_proof")
    return {"vrf_proof": seed.base64("vrf_proof", PROOF_BYTES)}


_READERS: dict[str, Read] = {
    "slot": _read_slot,
    "conversation": _read_conversation,
    "turn": _read_turn,
    "message": _read_message,
    "spans": _read_spans,
    "context": _read_tokens,
    "output": _read_tokens,
    "reply": _read_reply,
    "event": _read_event,
    "choice": _read_choice,
    "counts": _read_counts,
    "seed": _read_seed,
}
FIELD_NAMES = tuple(_READERS)
"""The fields' names in their order."""


def _read_part(value: JsonValue, path: str) -> MessagePart:
    reader = ObjectReader(value, path, "id text")
    return MessagePart(id=reader.text("id"), text=reader.text("text"))


def _read_span(value: JsonValue, path: str) -> Span:
    reader = ObjectReader(value, path, "kind receipt tokens")
    reader.constant("kind", *_KINDS)
    span = Span(
        kind=SpanKind(reader.text("kind")),
        tokens=reader.tokens("tokens"),
        receipt=reader.hex_or_null("receipt", HASH_BYTES),
    )
    if span.receipt is None and not span.tokens:
        raise FormatError(f"{path}: a {span.kind} span without tokens")
    return span


def _left_to_json(left: LeftOut) -> JsonValue:
    return {"receipt": left.receipt.hex(), "tokens": left.tokens}


def _span_to_json(span: Span) -> JsonValue:
    return {"kind": span.kind.value, "receipt": _hex_or_null(span.receipt), "tokens": span.tokens}


def _hex_or_null(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()
