"""Leaves of the log (formats.md section 8)."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.crypto.errors import FormatError
from bot.domain.statements import AuditVerdict, Outcome, VoidReason

PREFIX_BYTES = 8
_REPLY, _OUTCOME, _MANIFEST, _VOID, _ORDER = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_VERDICT, _SEAL, _RATES = b"\x06", b"\x07", b"\x08"


@dataclass(frozen=True, slots=True)
class ReplyLeaf:
    """Says that a receipt exists.

    `receipt` is its tag, as in every leaf; `rejected` counts the rejected attempts right before
    it; `twin` is the first 8 bytes of the twin's id, `manifest` those of the manifest's hash.
    """

    receipt: bytes
    slot_tag: bytes
    attempt: int
    rejected: int
    twin: bytes
    manifest: bytes

    def encode(self) -> bytes:
        """Encode to 68 bytes."""
        attempt = self.attempt.to_bytes(2, "big") + bytes([self.rejected])
        parts = self.receipt + self.slot_tag + attempt + self.twin + self.manifest
        return _sized(_REPLY + parts, 68)


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
    reason: VoidReason

    def encode(self) -> bytes:
        """Encode to 52 bytes."""
        end = self.attempt.to_bytes(2, "big") + bytes([self.reason.value])
        return _sized(_VOID + self.statement + self.slot_tag + end, 52)


@dataclass(frozen=True, slots=True)
class OrderLeaf:
    """Cites a creator's order by its hash; `twin` is the first 8 bytes of the twin's id."""

    order: bytes
    twin: bytes

    def encode(self) -> bytes:
        """Encode to 41 bytes."""
        return _sized(_ORDER + self.order + self.twin, 41)


@dataclass(frozen=True, slots=True)
class VerdictLeaf:
    """Cites an auditor's verdict statement by SHA-256 of its PAE."""

    statement: bytes
    receipt: bytes
    verdict: AuditVerdict

    def encode(self) -> bytes:
        """Encode to 66 bytes."""
        code = bytes([self.verdict.value])
        return _sized(_VERDICT + self.statement + self.receipt + code, 66)


@dataclass(frozen=True, slots=True)
class SealLeaf:
    """Cites the seal of the log that this one continues by SHA-256 of its statement's PAE."""

    statement: bytes

    def encode(self) -> bytes:
        """Encode to 33 bytes."""
        return _sized(_SEAL + self.statement, 33)


@dataclass(frozen=True, slots=True)
class RatesLeaf:
    """Cites a rate table by its name, the SHA-256 of its PAE."""

    statement: bytes

    def encode(self) -> bytes:
        """Encode to 33 bytes."""
        return _sized(_RATES + self.statement, 33)


Leaf = (
    ReplyLeaf
    | OutcomeLeaf
    | ManifestLeaf
    | VoidLeaf
    | OrderLeaf
    | VerdictLeaf
    | SealLeaf
    | RatesLeaf
)


def parse_leaf(data: bytes) -> Leaf:
    """Parse a leaf of any kind.

    Raises:
        FormatError: an unknown kind or code, or another length.
    """
    size, read = _KINDS.get(data[:1], (0, SealLeaf))
    if not data or len(data) != size:
        raise FormatError("not a leaf of a known kind and length")
    try:
        return read(data[1:])
    except ValueError as error:
        raise FormatError("a leaf with an unknown code") from error


def twin_prefix(twin: bytes) -> bytes:
    """Return what a leaf says of a twin: the first 8 bytes of its id."""
    return twin[:PREFIX_BYTES]


def manifest_prefix(manifest: bytes) -> bytes:
    """Return what a reply's leaf says of its manifest: the first 8 bytes of its hash."""
    return manifest[:PREFIX_BYTES]


def _sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise FormatError(f"a leaf part has a wrong length: {len(data)} bytes instead of {size}")
    return data


def _reply(body: bytes) -> ReplyLeaf:
    attempt = int.from_bytes(body[48:50], "big")
    return ReplyLeaf(body[:32], body[32:48], attempt, body[50], body[51:59], body[59:])


def _void(body: bytes) -> VoidLeaf:
    attempt = int.from_bytes(body[48:50], "big")
    return VoidLeaf(body[:32], body[32:48], attempt, VoidReason(body[50]))


_KINDS: dict[bytes, tuple[int, Callable[[bytes], Leaf]]] = {
    _REPLY: (68, _reply),
    _OUTCOME: (66, lambda body: OutcomeLeaf(body[:32], body[32:64], Outcome(body[64]))),
    _MANIFEST: (41, lambda body: ManifestLeaf(body[:32], body[32:])),
    _VOID: (52, _void),
    _ORDER: (41, lambda body: OrderLeaf(body[:32], body[32:])),
    _VERDICT: (66, lambda body: VerdictLeaf(body[:32], body[32:64], AuditVerdict(body[64]))),
    _SEAL: (33, SealLeaf),
    _RATES: (33, RatesLeaf),
}
