"""Salts and sealing under a reply's opening key (formats.md sections 7.1 and 9).

HKDF-SHA-256 (RFC 5869) derives everything from the 32-byte key; AES-256-GCM (NIST SP 800-38D)
seals. The nonce is zero because a key belongs to one reply and seals once.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bot.crypto.errors import FormatError, MismatchError

KEY_BYTES = 32
SALT_BYTES = 16
_NONCE = bytes(12)


def derive_salt(key: bytes, name: str) -> bytes:
    """Derive the 16-byte salt of one receipt field from the opening key."""
    return _derive(key, f"twinproof/v1/salt/{name}", SALT_BYTES)


def seal(key: bytes, receipt_hash: bytes, plaintext: bytes) -> bytes:
    """Encrypt a receipt's openings; call it once for each key, with one plain text."""
    cipher = AESGCM(_derive(key, "twinproof/v1/seal", KEY_BYTES))
    return cipher.encrypt(_NONCE, plaintext, receipt_hash)


def open_sealed(key: bytes, receipt_hash: bytes, sealed: bytes) -> bytes:
    """Decrypt a receipt's openings.

    Raises:
        FormatError: the key is not 32 bytes.
        MismatchError: another key, another receipt, or changed bytes.
    """
    cipher = AESGCM(_derive(key, "twinproof/v1/seal", KEY_BYTES))
    try:
        return cipher.decrypt(_NONCE, sealed, receipt_hash)
    except InvalidTag as error:
        raise MismatchError("the sealed part does not open with this key") from error


def _derive(key: bytes, info: str, size: int) -> bytes:
    if len(key) != KEY_BYTES:
        raise FormatError("an opening key is 32 bytes")
    return HKDF(algorithm=SHA256(), length=size, salt=None, info=info.encode()).derive(key)
