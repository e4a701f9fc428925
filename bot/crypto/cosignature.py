"""Cosignatures on checkpoints (c2sp.org/tlog-cosignature, the Ed25519 kind, key type 0x04).

A witness signs `cosignature/v1`, the time, and the checkpoint's text. Its line in the note carries
the time before the signature: `— name base64(key hash || u64 time || signature)`.
"""

import hashlib
from dataclasses import dataclass

from bot.crypto import ed25519
from bot.crypto.encoding import encode_b64, parse_b64, parse_hex
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import NoteSignature, VerifierKey

MAX_TIME = 2**63 - 1
_COSIGNER = b"\x04"
_HASH_BYTES, _TIME_BYTES = 4, 8


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """A witness's name and Ed25519 public key.

    Raises:
        FormatError: the name or the key is not one.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        VerifierKey(self.name, self.public_key)  # the same rules

    @property
    def key_hash(self) -> bytes:
        """The 4-byte key id: SHA-256(name || newline || 0x04 || public key)[:4]."""
        data = self.name.encode() + b"\n" + _COSIGNER + self.public_key
        return hashlib.sha256(data).digest()[:_HASH_BYTES]

    def encode(self) -> str:
        """Write as `name+hex(key hash)+b64(0x04 || public key)`."""
        return f"{self.name}+{self.key_hash.hex()}+{encode_b64(_COSIGNER + self.public_key)}"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's word that this was the largest consistent head it knew at a time.

    Attributes:
        time: POSIX seconds, by the witness's clock.
        signature: 64 bytes.
    """

    witness: WitnessKey
    time: int
    signature: bytes

    @property
    def line(self) -> str:
        """The signature line for the note, with its newline."""
        data = self.witness.key_hash + self.time.to_bytes(_TIME_BYTES, "big") + self.signature
        return f"— {self.witness.name} {encode_b64(data)}\n"


def parse_witness_vkey(text: str) -> WitnessKey:
    """Parse the vkey of a witness.

    Raises:
        FormatError: it is not the vkey of an Ed25519 cosigner, or its key hash is not the key's.
    """
    parts = text.split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004 - name, hash, key
        raise FormatError("a witness's vkey is name+hash+key")
    data = parse_b64(parts[2])
    if data[:1] != _COSIGNER:
        raise FormatError("the key is not of a witness: its type is not 0x04, a cosigner's")
    key = WitnessKey(parts[0], data[1:])
    if parse_hex(parts[1], _HASH_BYTES) != key.key_hash:
        raise FormatError("the vkey's key hash is not that of its key")
    return key


def cosign(text: str, name: str, private_key: bytes, time: int) -> Cosignature:
    """Cosign a checkpoint's text with an Ed25519 seed of 32 bytes."""
    witness = WitnessKey(name, ed25519.public_key_of(private_key))
    return Cosignature(witness, time, ed25519.sign(private_key, _message(text, time)))


def read_cosignature(text: str, line: NoteSignature, witness: WitnessKey) -> Cosignature | None:
    """Return what a signature line under a checkpoint's text says, if it is this witness's.

    Raises:
        FormatError: it names the witness's key and has another length, or an impossible time.
        MismatchError: it names the witness's key and is false.
    """
    if (line.name, line.key_hash) != (witness.name, witness.key_hash):
        return None
    if len(line.signature) != _TIME_BYTES + ed25519.SIGNATURE_BYTES:
        raise FormatError("a cosignature is a time of 8 bytes and a signature of 64")
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if time > MAX_TIME:
        raise FormatError("a cosignature's time is below 2^63")
    signature = line.signature[_TIME_BYTES:]
    try:
        ed25519.verify(witness.public_key, _message(text, time), signature)
    except MismatchError as error:
        raise MismatchError(f"the cosignature by {witness.name} is false") from error
    return Cosignature(witness, time, signature)


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
