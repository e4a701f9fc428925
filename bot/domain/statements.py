"""Signed statements that leaves of the log cite (formats.md section 8).

None of an operator's names a time: the log is public.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Self, TypeVar

from bot.crypto.canonical import encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.crypto.hashing import tagged_hash
from bot.crypto.signed_note import VerifierKey, parse_vkey
from bot.domain.ids import SLOT_TAG_BYTES
from bot.domain.reading import ObjectReader
from bot.domain.terms import MAX_NAME, parse_positive

OUTCOME_TYPE = "application/vnd.twinproof.outcome+json"
VOID_TYPE = "application/vnd.twinproof.void+json"
VERDICT_TYPE = "application/vnd.twinproof.verdict+json"
SEAL_TYPE = "application/vnd.twinproof.seal+json"
OUTCOME_VERSION = "twinproof-outcome/2"
VOID_VERSION = "twinproof-void/2"
VERDICT_VERSION = "twinproof-verdict/1"
SEAL_VERSION = "twinproof-seal/1"
HASH_BYTES = 32
MAX_ATTEMPT = 65_535
MAX_LOG = 128


class _Word(Enum):
    """Words of statements; the value is the code in the leaf."""

    @property
    def word(self) -> str:
        """The word for it in statements."""
        return self.name.lower()


_W = TypeVar("_W", bound=_Word)


class Outcome(_Word):
    """What became of a reply."""

    DELIVERED = 1
    UNDELIVERED = 2
    WITHDRAWN = 3
    REFUNDED = 4


class VoidReason(_Word):
    """Why an attempt ends without a reply."""

    HALTED = 1
    FAILED = 2
    EXPIRED = 3
    SUPERSEDED = 4
    WITHDRAWN = 5
    REJECTED = 6


class AuditVerdict(_Word):
    """What an auditor's replay of a reply has given."""

    EXACT = 1
    CONSISTENT = 2
    INCONSISTENT = 3
    UNDECIDED = 4


@dataclass(frozen=True, slots=True)
class OutcomeStatement:
    """The operator's word on what became of a receipt's reply."""

    receipt: bytes
    outcome: Outcome

    def encode(self) -> bytes:
        """Encode as canonical JSON: the payload of a DSSE envelope of `OUTCOME_TYPE`."""
        return encode_canonical(
            {
                "v": OUTCOME_VERSION,
                "receipt": self.receipt.hex(),
                "outcome": self.outcome.word,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse canonical JSON.

        Raises:
            FormatError: the bytes are not an outcome statement of version 2.
        """
        reader = ObjectReader(parse_canonical(data), "outcome", "v receipt outcome")
        reader.constant("v", OUTCOME_VERSION)
        return cls(
            receipt=reader.hex("receipt", HASH_BYTES),
            outcome=_read_word(reader, "outcome", Outcome),
        )


@dataclass(frozen=True, slots=True)
class VoidStatement:
    """The operator's word that an attempt ends without a reply."""

    twin: bytes
    slot_tag: bytes
    attempt: int
    reason: VoidReason

    def encode(self) -> bytes:
        """Encode as canonical JSON: the payload of a DSSE envelope of `VOID_TYPE`."""
        return encode_canonical(
            {
                "v": VOID_VERSION,
                "twin": self.twin.hex(),
                "slot_tag": self.slot_tag.hex(),
                "attempt": self.attempt,
                "reason": self.reason.word,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse canonical JSON.

        Raises:
            FormatError: the bytes are not a void statement of version 2.
        """
        reader = ObjectReader(parse_canonical(data), "void", "v twin slot_tag attempt reason")
        reader.constant("v", VOID_VERSION)
        return cls(
            twin=reader.hex("twin", HASH_BYTES),
            slot_tag=reader.hex("slot_tag", SLOT_TAG_BYTES),
            attempt=reader.integer("attempt", maximum=MAX_ATTEMPT),
            reason=_read_word(reader, "reason", VoidReason),
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """Which replies an auditor replays: drawn by a head that was signed after they were logged.

    Attributes:
        log: origin of the log.
        size: of the head; `root` its root.
        share: of the replies that the auditor holds, a decimal above 0, at most 1.
    """

    log: str
    size: int
    root: bytes
    share: str

    def holds(self, receipt: bytes) -> bool:
        """Return whether a reply belongs to it, by its receipt tag."""
        drawn = int.from_bytes(tagged_hash("sample", self.root, receipt)[:8], "big")
        return drawn < float(self.share) * 2.0**64


@dataclass(frozen=True, slots=True)
class VerdictStatement:
    """An auditor's word on what a replay of a receipt's reply has given."""

    receipt: bytes
    verdict: AuditVerdict
    sample: Sample
    library: str

    def encode(self) -> bytes:
        """Encode as canonical JSON: the payload of a DSSE envelope of `VERDICT_TYPE`."""
        return encode_canonical(
            {
                "v": VERDICT_VERSION,
                "receipt": self.receipt.hex(),
                "verdict": self.verdict.word,
                "sample": {
                    "log": self.sample.log,
                    "size": self.sample.size,
                    "root": self.sample.root.hex(),
                    "share": self.sample.share,
                },
                "library": self.library,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse canonical JSON.

        Raises:
            FormatError: the bytes are not a verdict statement of version 1.
        """
        keys = "v receipt verdict sample library"
        reader = ObjectReader(parse_canonical(data), "verdict", keys)
        reader.constant("v", VERDICT_VERSION)
        sample = reader.object("sample", "log size root share")
        return cls(
            receipt=reader.hex("receipt", HASH_BYTES),
            verdict=_read_word(reader, "verdict", AuditVerdict),
            sample=Sample(
                log=sample.text("log", minimum=1, maximum=MAX_LOG),
                size=sample.integer("size"),
                root=sample.hex("root", HASH_BYTES),
                share=sample.convert("share", _parse_share),
            ),
            library=reader.title("library", maximum=MAX_NAME),
        )


@dataclass(frozen=True, slots=True)
class SealStatement:
    """A log's last word: no head of it above `size` is true, and another log continues.

    Attributes:
        log: the sealed log's key.
        size: of the largest head of it that is known; `root` its root.
        kept: how many of its first leaves are the successor's first ones.
        successor: the key of the log that continues.
    """

    log: VerifierKey
    size: int
    root: bytes
    kept: int
    successor: VerifierKey

    def gave_up(self, size: int, root: bytes) -> bool:
        """Return whether a head may be one that the sealed log had and its successor has not."""
        return self.kept < size < self.size or (size, root) == (self.size, self.root)

    def encode(self) -> bytes:
        """Encode as canonical JSON: the payload of a DSSE envelope of `SEAL_TYPE`."""
        return encode_canonical(
            {
                "v": SEAL_VERSION,
                "log": self.log.encode(),
                "size": self.size,
                "root": self.root.hex(),
                "kept": self.kept,
                "successor": self.successor.encode(),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse canonical JSON.

        Raises:
            FormatError: the bytes are not a seal statement of version 1, more is kept than there
                was, or the successor has the sealed log's name or key.
        """
        keys = "v log size root kept successor"
        reader = ObjectReader(parse_canonical(data), "seal", keys)
        reader.constant("v", SEAL_VERSION)
        size = reader.integer("size")
        seal = cls(
            log=reader.convert("log", parse_vkey),
            size=size,
            root=reader.hex("root", HASH_BYTES),
            kept=reader.integer("kept", maximum=size),
            successor=reader.convert("successor", parse_vkey),
        )
        old, new = seal.log, seal.successor
        if old.name == new.name or old.public_key == new.public_key:
            raise FormatError("seal.successor: a log that continues has another name and key")
        return seal


def _read_word(reader: ObjectReader, key: str, words: type[_W]) -> _W:
    known = {one.word: one for one in words}
    reader.constant(key, *known)
    return known[reader.text(key)]


def _parse_share(text: str) -> str:
    if float(parse_positive(text)) > 1:
        raise FormatError("greater than 1")
    return text
