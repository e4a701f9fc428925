"""DSSE 1.0 envelopes (github.com/secure-systems-lab/dsse) with exactly one Ed25519 signature.

The key id is the signing key itself in hexadecimal (docs/spec/formats.md section 7).
"""

from dataclasses import dataclass

from bot.crypto import ed25519
from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.encoding import encode_b64, parse_b64, parse_hex
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import sha256

MAX_TYPE = 65_536  # as any string (formats.md section 12)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, its type and one signature; parsed, not yet verified."""

    payload_type: str
    payload: bytes
    key: bytes
    signature: bytes

    @property
    def pae(self) -> bytes:
        """The bytes that are signed."""
        return encode_pae(self.payload_type, self.payload)

    @property
    def digest(self) -> bytes:
        """SHA-256(PAE): of a receipt's envelope, this is the receipt hash."""
        return sha256(self.pae)


def encode_pae(payload_type: str, payload: bytes) -> bytes:
    """Join type and payload by DSSE's pre-authentication encoding; lengths count bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload_type: str, payload: bytes, private_key: bytes) -> Envelope:
    """Sign a payload with an Ed25519 seed of 32 bytes."""
    return Envelope(
        payload_type=payload_type,
        payload=payload,
        key=ed25519.public_key_of(private_key),
        signature=ed25519.sign(private_key, encode_pae(payload_type, payload)),
    )


def verify_envelope(envelope: Envelope, *, payload_type: str, key: bytes) -> None:
    """Check that an envelope of this type is signed by this public key.

    Raises:
        FormatError: `key` is not an Ed25519 public key.
        MismatchError: another type, another key, or a false signature.
    """
    if envelope.payload_type != payload_type:
        raise MismatchError(f"the payload type is not {payload_type}")
    if envelope.key != key:
        raise MismatchError("the envelope names another signing key")
    ed25519.verify(key, envelope.pae, envelope.signature)


def envelope_to_json(envelope: Envelope) -> JsonValue:
    """Turn an envelope into its JSON object."""
    signature = {"keyid": envelope.key.hex(), "sig": encode_b64(envelope.signature)}
    return {
        "payload": encode_b64(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": [signature],
    }


def envelope_from_json(value: JsonValue) -> Envelope:
    """Read an envelope from its parsed JSON object.

    Raises:
        FormatError: a key is missing or unknown, a value has another type or length, or there
            is not exactly one signature.
    """
    match value:
        case {
            "payload": str(payload),
            "payloadType": str(payload_type),
            "signatures": [{"keyid": str(keyid), "sig": str(sig), **other_fields}],
            **others,
        } if not others and not other_fields:
            if len(payload_type) > MAX_TYPE:
                raise FormatError(f"a payload type has at most {MAX_TYPE} characters")
            signature = parse_b64(sig)
            if len(signature) != ed25519.SIGNATURE_BYTES:
                raise FormatError("an Ed25519 signature is 64 bytes")
            key = parse_hex(keyid, ed25519.KEY_BYTES)
            return Envelope(payload_type, parse_b64(payload), key, signature)
        case _:
            raise FormatError("not a DSSE envelope with exactly one signature")


def encode_envelope(envelope: Envelope) -> bytes:
    """Encode as canonical JSON."""
    return encode_canonical(envelope_to_json(envelope))


def parse_envelope(data: bytes) -> Envelope:
    """Parse canonical JSON.

    Raises:
        FormatError: the bytes are not such an envelope.
    """
    return envelope_from_json(parse_canonical(data))
