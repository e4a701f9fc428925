"""Proof bundles: all that a stranger needs to verify one reply (formats.md section 9).

A parsed bundle is untrusted; `bot.receipts.verify` alone makes a verified receipt of it.
"""

from dataclasses import dataclass

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.dsse import Envelope, envelope_from_json, envelope_to_json
from bot.crypto.eip712 import encode_signature, parse_signature
from bot.crypto.encoding import encode_b64
from bot.crypto.errors import FormatError
from bot.crypto.tlog_proof import parse_proof
from bot.domain.ids import receipt_id_of
from bot.domain.reading import ObjectReader
from bot.ports.anchors import Anchor
from bot.receipts.anchor import anchor_to_json, read_anchor
from bot.receipts.steps import evidence

VERSION = "twinproof-bundle/2"
MAX_BUNDLE_BYTES = 4 * 1024 * 1024
MAX_SEALS = 8
_KEYS = "v receipt manifest log outcome revocation anchor seals sealed"


@dataclass(frozen=True, slots=True)
class LogProof:
    """A leaf's bytes and the text that proves its place (`bot.crypto.tlog_proof`)."""

    leaf: bytes
    proof: str


@dataclass(frozen=True, slots=True)
class OutcomeProof:
    """A signed outcome statement and its place in the log."""

    statement: Envelope
    log: LogProof


@dataclass(frozen=True, slots=True)
class RevocationProof:
    """The creator's order (canonical bytes, 65 bytes of signature) and its place in the log."""

    body: bytes
    signature: bytes
    log: LogProof


@dataclass(frozen=True, slots=True)
class ProofBundle:
    """The parts of a bundle; nothing of it is verified.

    Attributes:
        manifest: canonical bytes.
        manifest_signature: 65 bytes.
        log: of the reply.
        outcome: the latest one.
        revocation: of the twin or of this version of it.
        anchor: a commitment on a chain that covers the reply.
        seals: of the logs before the one that gave the proofs, oldest first.
        sealed: the encrypted openings; None in a public bundle.
    """

    receipt: Envelope
    manifest: bytes
    manifest_signature: bytes
    log: LogProof
    outcome: OutcomeProof | None = None
    revocation: RevocationProof | None = None
    anchor: Anchor | None = None
    seals: tuple[Envelope, ...] = ()
    sealed: bytes | None = None

    @property
    def receipt_id(self) -> str:
        """The 22 characters that name the receipt in links."""
        return receipt_id_of(self.receipt.digest)

    @property
    def checkpoint(self) -> str:
        """The signed note that the proofs lead to.

        Raises:
            FormatError: the reply's log proof is none.
        """
        return parse_proof(self.log.proof).checkpoint


def encode_bundle(bundle: ProofBundle) -> bytes:
    """Encode as canonical JSON."""
    return encode_canonical(bundle_to_json(bundle))


def bundle_to_json(bundle: ProofBundle) -> JsonValue:
    """Turn a bundle into its JSON object."""
    outcome, revocation, sealed = bundle.outcome, bundle.revocation, bundle.sealed
    return {
        "v": VERSION,
        "receipt": envelope_to_json(bundle.receipt),
        "manifest": _signed_to_json(bundle.manifest, bundle.manifest_signature),
        "log": _place_to_json(bundle.log),
        "outcome": None
        if outcome is None
        else {"statement": envelope_to_json(outcome.statement), **_place_to_json(outcome.log)},
        "revocation": None
        if revocation is None
        else {
            **_signed_to_json(revocation.body, revocation.signature),
            **_place_to_json(revocation.log),
        },
        "anchor": None if bundle.anchor is None else anchor_to_json(bundle.anchor),
        "seals": [envelope_to_json(seal) for seal in bundle.seals],
        "sealed": None if sealed is None else encode_b64(sealed),
    }


def parse_bundle(data: bytes) -> ProofBundle:
    """Parse canonical JSON, every byte of it; log proofs stay text.

    Raises:
        MalformedProofError: step 1, the bytes are not a bundle of version 2.
    """
    with evidence(1):
        check_size(data)
        return bundle_from_json(parse_canonical(data), "bundle")


def check_size(data: bytes) -> None:
    """Refuse what is larger than any bundle, before it is parsed.

    Raises:
        FormatError: it is.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise FormatError(f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes")


def bundle_from_json(value: JsonValue, path: str) -> ProofBundle:
    """Read a bundle from its parsed JSON object.

    Raises:
        FormatError: it is not a bundle of version 2.
    """
    reader = ObjectReader(value, path, _KEYS)
    reader.constant("v", VERSION)
    manifest = reader.object("manifest", "body signature")
    seals = reader.items("seals", lambda seal, _path: envelope_from_json(seal))
    if len(seals) > MAX_SEALS:
        raise FormatError(f"{path}.seals: more than {MAX_SEALS}")
    return ProofBundle(
        receipt=envelope_from_json(reader.value("receipt")),
        manifest=manifest.base64("body"),
        manifest_signature=manifest.convert("signature", parse_signature),
        log=_read_place(reader.object("log", "leaf proof")),
        outcome=_read_outcome(reader),
        revocation=_read_revocation(reader),
        anchor=None
        if reader.value("anchor") is None
        else read_anchor(reader.value("anchor"), f"{path}.anchor"),
        seals=seals,
        sealed=None if reader.value("sealed") is None else reader.base64("sealed"),
    )


def _read_outcome(bundle: ObjectReader) -> OutcomeProof | None:
    if bundle.value("outcome") is None:
        return None
    reader = bundle.object("outcome", "statement leaf proof")
    return OutcomeProof(envelope_from_json(reader.value("statement")), _read_place(reader))


def _read_revocation(bundle: ObjectReader) -> RevocationProof | None:
    if bundle.value("revocation") is None:
        return None
    reader = bundle.object("revocation", "body signature leaf proof")
    signature = reader.convert("signature", parse_signature)
    return RevocationProof(reader.base64("body"), signature, _read_place(reader))


def _read_place(reader: ObjectReader) -> LogProof:
    return LogProof(reader.base64("leaf"), reader.text("proof"))


def _place_to_json(place: LogProof) -> dict[str, JsonValue]:
    return {"leaf": encode_b64(place.leaf), "proof": place.proof}


def _signed_to_json(body: bytes, signature: bytes) -> dict[str, JsonValue]:
    return {"body": encode_b64(body), "signature": encode_signature(signature)}
