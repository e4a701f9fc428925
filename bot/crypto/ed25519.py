"""Ed25519 (RFC 8032 section 5.1): raw 32-byte keys, 64-byte signatures.

A public key and a signature's point R are canonical encodings of points of prime order (formats.md
section 1), so that every implementation of the verification equation gives the same answer, and
no key makes one signature fit any message.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from nacl import bindings

from bot.crypto.errors import FormatError, MismatchError

KEY_BYTES = 32
SIGNATURE_BYTES = 64


@lru_cache(maxsize=16)  # the operator's few keys; deriving one is a scalar multiplication
def public_key_of(private_key: bytes) -> bytes:
    """Derive the public key of a 32-byte seed."""
    return _private(private_key).public_key().public_bytes_raw()


def sign(private_key: bytes, message: bytes) -> bytes:
    """Sign with a 32-byte seed; the same input always gives the same signature."""
    return _private(private_key).sign(message)


def check_public_key(public_key: bytes) -> None:
    """Check that a key is the canonical encoding of a point of prime order.

    Raises:
        FormatError: another length, another spelling, no point, or one with a small-order part.
    """
    if len(public_key) != KEY_BYTES:
        raise FormatError("an Ed25519 public key is 32 bytes")
    if not bindings.crypto_core_ed25519_is_valid_point(public_key):
        raise FormatError("not an Ed25519 public key of prime order")


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature.

    Raises:
        FormatError: the key is not of prime order, or key or signature has another length.
        MismatchError: the signature is not by this key over this message.
    """
    check_public_key(public_key)
    if len(signature) != SIGNATURE_BYTES:
        raise FormatError("an Ed25519 signature is 64 bytes")
    if not bindings.crypto_core_ed25519_is_valid_point(signature[:KEY_BYTES]):
        raise MismatchError("the Ed25519 signature is false")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature as error:
        raise MismatchError("the Ed25519 signature is false") from error


@lru_cache(maxsize=16)
def _private(private_key: bytes) -> Ed25519PrivateKey:
    if len(private_key) != KEY_BYTES:
        raise FormatError("an Ed25519 private key is a seed of 32 bytes")
    return Ed25519PrivateKey.from_private_bytes(private_key)
