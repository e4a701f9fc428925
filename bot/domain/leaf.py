"""Leaves of the log, and the statements that some of them cite (formats.md section 8)."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self

from bot.crypto.canonical import encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.domain.ids import SLOT_TAG_BYTES
from bot.domain.reading import ObjectReader
from bot.domain.times import encode_time, parse_time

OUTCOME_TYPE = "application/vnd.twinproof.outcome+json"
VOID_TYPE = "application/vnd.twinproof.void+json"
OUTCOME_VERSION = "twinproof-outcome/1"
VOID_VERSION = "twinproof-void/1"
HASH_BYTES = 32
TWIN_PREFIX_BYTES = 8
MAX_ATTEMPT = 65_535
MAX_REASON = 200
_REPLY, _OUTCOME, _MANIFEST, _VOID, _ORDER = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


class Outcome(Enum):
    """What became of a reply; the value is its code in the leaf."""

    DELIVERED = 1
    UNDELIVERED = 2
    WITHDRAWN = 3
    REFUNDED = 4

    @property
    def word(self) -> str:
        """The word for it in statements."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ReplyLeaf:
    """Says that a receipt exists; `twin` is the first 8 bytes of the twin's id."""

    receipt: bytes
    slot_tag: bytes
    attempt: int
    twin: bytes

    def encode(self) -> bytes:
        """Encode to 59 bytes."""
        attempt = self.attempt.to_bytes(2, "big")
        return _sized(_REPLY + self.receipt + self.slot_tag + attempt + self.twin, 59)


@dataclass(frozen=True, slots=True)
class OutcomeLeaf:
    """Cites an outcome statement by SHA-256 of its PAE."""

    statement: bytes
    receipt: bytes
    outcome: Outcome

    def encode(self) -> bytes:
        """Encode to 66 bytes."""
        code = bytes([self.outcome.value])
        return _sized(_OUTCOME + self.statement + self.receipt + code, 66)


@dataclass(frozen=True, slots=True)
class ManifestLeaf:
    """Says that a manifest exists; `twin` is the first 8 bytes of the twin's id."""

    manifest: bytes
    twin: bytes

    def encode(self) -> bytes:
        """Encode to 41 bytes."""
        return _sized(_MANIFEST + self.manifest + self.twin, 41)


@dataclass(frozen=True, slots=True)
class VoidLeaf:
    """Cites a void statement by SHA-256 of its PAE."""

    statement: bytes
    slot_tag: bytes
    attempt: int

    def encode(self) -> bytes:
        """Encode to 51 bytes."""
        attempt = self.attempt.to_bytes(2, "big")
        return _sized(_VOID + self.statement + self.slot_tag + attempt, 51)


@dataclass(frozen=True, slots=True)
class OrderLeaf:
    """Cites a creator's order by its hash; `twin` is the first 8 bytes of the twin's id."""

    order: bytes
    twin: bytes

    def encode(self) -> bytes:
        """Encode to 41 bytes."""
        return _sized(_ORDER + self.order + self.twin, 41)


Leaf = ReplyLeaf | OutcomeLeaf | ManifestLeaf | VoidLeaf | OrderLeaf


def parse_leaf(data: bytes) -> Leaf:
    """Parse a leaf of any kind.

    Raises:
        FormatError: an unknown kind or outcome code, or another length.
    """
    kind, body = data[:1], data[1:]
    match (kind, len(data)):
        case (b"\x01", 59):
            attempt = int.from_bytes(body[48:50], "big")
            return ReplyLeaf(body[:32], body[32:48], attempt, body[50:])
        case (b"\x02", 66):
            try:
                return OutcomeLeaf(body[:32], body[32:64], Outcome(body[64]))
            except ValueError as error:
                raise FormatError("unknown outcome code") from error
        case (b"\x03", 41):
            return ManifestLeaf(body[:32], body[32:])
        case (b"\x04", 51):
            return VoidLeaf(body[:32], body[32:48], int.from_bytes(body[48:], "big"))
        case (b"\x05", 41):
            return OrderLeaf(body[:32], body[32:])
        case _:
            raise FormatError("not a leaf of a known kind and length")


@dataclass(frozen=True, slots=True)
class OutcomeStatement:
    """The operator's word on what became of a receipt's reply; `time` in whole seconds."""

    receipt: bytes
    outcome: Outcome
    time: datetime

    def encode(self) -> bytes:
        """Encode as canonical JSON: the payload of a DSSE envelope of `OUTCOME_TYPE`."""
        return encode_canonical(
            {
                "v": OUTCOME_VERSION,
                "receipt": self.receipt.hex(),
                "outcome": self.outcome.word,
                "time": encode_time(self.time),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse canonical JSON.

        Raises:
            FormatError: the bytes are not an outcome statement of version 1.
        """
        reader = ObjectReader(parse_canonical(data), "outcome", "v receipt outcome time")
        reader.constant("v", OUTCOME_VERSION)
        reader.constant("outcome", *(outcome.word for outcome in Outcome))
        return cls(
            receipt=reader.hex("receipt", HASH_BYTES),
            outcome=Outcome[reader.text("outcome").upper()],
            time=reader.convert("time", parse_time),
        )


@dataclass(frozen=True, slots=True)
class VoidStatement:
    """The operator's word that an attempt ends without a reply; `time` in whole seconds."""

    twin: bytes
    slot_tag: bytes
    attempt: int
    reason: str
    time: datetime

    def encode(self) -> bytes:
        """Encode as canonical JSON: the payload of a DSSE envelope of `VOID_TYPE`."""
        return encode_canonical(
            {
                "v": VOID_VERSION,
                "twin": self.twin.hex(),
                "slot_tag": self.slot_tag.hex(),
                "attempt": self.attempt,
                "reason": self.reason,
                "time": encode_time(self.time),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse canonical JSON.

        Raises:
            FormatError: the bytes are not a void statement of version 1.
        """
        reader = ObjectReader(parse_canonical(data), "void", "v twin slot_tag attempt reason time")
        reader.constant("v", VOID_VERSION)
        return cls(
            twin=reader.hex("twin", HASH_BYTES),
            slot_tag=reader.hex("slot_tag", SLOT_TAG_BYTES),
            attempt=reader.integer("attempt", maximum=MAX_ATTEMPT),
            reason=reader.text("reason", maximum=MAX_REASON),
            time=reader.convert("time", parse_time),
        )


def twin_prefix(twin: bytes) -> bytes:
    """Return what a leaf says of a twin: the first 8 bytes of its id."""
    return twin[:TWIN_PREFIX_BYTES]


def _sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise FormatError(f"a leaf part has a wrong length: {len(data)} bytes instead of {size}")
    return data
