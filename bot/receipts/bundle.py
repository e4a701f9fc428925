"""Proof bundles: all that a stranger needs to verify one reply (formats.md section 9).

A parsed bundle is untrusted; `bot.receipts.verify` alone makes a verified receipt of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.dsse import Envelope, envelope_from_json, envelope_to_json
from bot.crypto.eip712 import encode_signature, parse_signature
from bot.crypto.encoding import encode_b64, parse_b64
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import HASH_BYTES, MAX_PROOF_HASHES
from bot.crypto.sealing import SALT_BYTES, derive_salt, open_sealed, seal
from bot.domain.errors import PersonaError
from bot.domain.fields import FIELD_NAMES, Fields, fields_from_json
from bot.domain.ids import receipt_id_of
from bot.domain.persona import Persona, encode_persona, persona_from_json
from bot.domain.reading import ObjectReader
from bot.domain.salted import SaltedField, salt_fields
from bot.receipts.steps import evidence

VERSION = "twinproof-bundle/1"
OPENINGS_VERSION = "twinproof-openings/1"
MAX_BUNDLE_BYTES = 4 * 1024 * 1024
_encode_persona = lru_cache(maxsize=64)(encode_persona)  # the same one in each reply of a twin


@dataclass(frozen=True, slots=True)
class LogProof:
    """A leaf's bytes, its index and its inclusion proof, leaf to root."""

    leaf: bytes
    index: int
    inclusion: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class OutcomeProof:
    """A signed outcome statement and its place in the log."""

    statement: Envelope
    log: LogProof


@dataclass(frozen=True, slots=True)
class ProofBundle:
    """The parts of a bundle; nothing of it is verified.

    Attributes:
        manifest: canonical bytes.
        manifest_signature: 65 bytes.
        checkpoint: the signed note that both inclusion proofs lead to.
        sealed: the encrypted openings.
    """

    receipt: Envelope
    manifest: bytes
    manifest_signature: bytes
    log: LogProof
    checkpoint: str
    outcome: OutcomeProof | None
    sealed: bytes

    @property
    def receipt_id(self) -> str:
        """The 22 characters that name the receipt in links."""
        return receipt_id_of(self.receipt.digest)


@dataclass(frozen=True, slots=True)
class Openings:
    """What the fan's key opens: the persona and the receipt's fields."""

    persona: Persona
    fields: Fields


def encode_bundle(bundle: ProofBundle) -> bytes:
    """Encode as canonical JSON."""
    outcome: JsonValue = None
    if bundle.outcome is not None:
        statement = envelope_to_json(bundle.outcome.statement)
        outcome = {"statement": statement, **_proof_to_json(bundle.outcome.log)}
    return encode_canonical(
        {
            "v": VERSION,
            "receipt": envelope_to_json(bundle.receipt),
            "manifest": {
                "body": encode_b64(bundle.manifest),
                "signature": encode_signature(bundle.manifest_signature),
            },
            "log": {**_proof_to_json(bundle.log), "checkpoint": bundle.checkpoint},
            "outcome": outcome,
            "sealed": encode_b64(bundle.sealed),
        }
    )


def parse_bundle(data: bytes) -> ProofBundle:
    """Parse canonical JSON, every byte of it.

    Raises:
        MalformedProofError: step 1, the bytes are not a bundle of version 1.
    """
    with evidence(1):
        if len(data) > MAX_BUNDLE_BYTES:
            raise FormatError(f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes")
        keys = "v receipt manifest log outcome sealed"
        reader = ObjectReader(parse_canonical(data), "bundle", keys)
        reader.constant("v", VERSION)
        manifest = reader.object("manifest", "body signature")
        log = reader.object("log", "leaf index inclusion checkpoint")
        outcome = None
        if reader.value("outcome") is not None:
            part = reader.object("outcome", "statement leaf index inclusion")
            outcome = OutcomeProof(envelope_from_json(part.value("statement")), _read_proof(part))
        return ProofBundle(
            receipt=envelope_from_json(reader.value("receipt")),
            manifest=manifest.base64("body"),
            manifest_signature=manifest.convert("signature", parse_signature),
            log=_read_proof(log),
            checkpoint=log.text("checkpoint"),
            outcome=outcome,
            sealed=reader.base64("sealed"),
        )


def seal_openings(key: bytes, receipt_hash: bytes, *, persona: Persona, fields: Fields) -> bytes:
    """Encrypt a reply's openings under its key (32 bytes), once."""
    return seal_salted(key, receipt_hash, persona=persona, fields=salt_fields(key, fields))


def seal_salted(
    key: bytes, receipt_hash: bytes, *, persona: Persona, fields: Sequence[SaltedField]
) -> bytes:
    """Encrypt openings whose fields were salted under the same key, once.

    They are put together from parts that are canonical already; `open_openings` parses them as a
    whole.
    """
    opened = b",".join(
        b'{"name":"%b","salt":"%b","value":%b}'
        % (one.name.encode(), encode_b64(one.salt).encode(), one.value)
        for one in fields
    )
    plaintext = b'{"fields":[%b],"persona":%b,"v":"%b"}' % (
        opened,
        _encode_persona(persona),
        OPENINGS_VERSION.encode(),
    )
    return seal(key, receipt_hash, plaintext)


def open_openings(key: bytes, receipt_hash: bytes, sealed: bytes) -> Openings:
    """Decrypt and parse a reply's openings; every salt must derive from the key.

    Raises:
        VerificationError: step 5, the key does not fit, or a salt is another one.
        MalformedProofError: step 5, the plain text is not what the format says.
    """
    with evidence(5):
        plaintext = open_sealed(key, receipt_hash, sealed)
        reader = ObjectReader(parse_canonical(plaintext), "openings", "v persona fields")
        reader.constant("v", OPENINGS_VERSION)
        opened = reader.items("fields", _read_field)
        if tuple(name for name, _, _ in opened) != FIELD_NAMES:
            raise FormatError("openings.fields: not the nine fields in their order")
        for name, salt, _ in opened:
            if salt != derive_salt(key, name):
                raise MismatchError(f"the salt of {name} does not derive from the key")
        fields = fields_from_json({name: value for name, _, value in opened})
        try:
            return Openings(persona_from_json(reader.value("persona")), fields)
        except PersonaError as error:
            raise FormatError(str(error)) from error


def _proof_to_json(proof: LogProof) -> Mapping[str, JsonValue]:
    return {
        "leaf": encode_b64(proof.leaf),
        "index": proof.index,
        "inclusion": [encode_b64(value) for value in proof.inclusion],
    }


def _read_proof(reader: ObjectReader) -> LogProof:
    inclusion = reader.items("inclusion", _read_hash)
    if len(inclusion) > MAX_PROOF_HASHES:
        raise FormatError(f"an inclusion proof has at most {MAX_PROOF_HASHES} hashes")
    return LogProof(reader.base64("leaf"), reader.integer("index"), inclusion)


def _read_hash(value: JsonValue, path: str) -> bytes:
    data = parse_b64(value) if isinstance(value, str) else b""
    if len(data) != HASH_BYTES:
        raise FormatError(f"{path}: not a hash of 32 bytes")
    return data


def _read_field(value: JsonValue, path: str) -> tuple[str, bytes, JsonValue]:
    reader = ObjectReader(value, path, "name salt value")
    return reader.text("name"), reader.base64("salt", SALT_BYTES), reader.value("value")
