"""ECVRF-EDWARDS25519-SHA512-TAI: RFC 9381 sections 5 and 5.5, suite 0x03, validate_key = TRUE.

Secrets meet only libsodium's constant-time arithmetic. A verifier multiplies untrusted points
with additions of its own, because libsodium refuses points outside the prime-order subgroup
where the RFC does not (all values are public there); the base point and the hashed one are of
prime order whatever the proof says.
"""

import hashlib

from nacl import bindings
from nacl.exceptions import CryptoError

from bot.crypto import ed25519
from bot.crypto.errors import FormatError, MismatchError

PROOF_BYTES = 80
OUTPUT_BYTES = 64
_SUITE = b"\x03"
_PRIME = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_CHALLENGE_BYTES = 16
_IDENTITY = b"\x01" + bytes(31)


def public_key_of(private_key: bytes) -> bytes:
    """Derive the VRF public key of a 32-byte secret key; the same derivation as Ed25519's."""
    return ed25519.public_key_of(private_key)


def validate_key(public_key: bytes) -> None:
    """Check a public key (section 5.4.5).

    Raises:
        FormatError: it is not a point, or a point of small order.
    """
    if _clear_cofactor(_decode_point(public_key)) == _IDENTITY:
        raise FormatError("the VRF key has small order")


def prove(private_key: bytes, alpha: bytes) -> bytes:
    """Return the 80-byte proof of `alpha` (section 5.1), with nonces by section 5.4.2.2."""
    expanded = bytearray(hashlib.sha512(private_key).digest())
    expanded[0] &= 248
    expanded[31] = (expanded[31] & 127) | 64
    secret, prefix = bytes(expanded[:32]), bytes(expanded[32:])
    public_key = public_key_of(private_key)
    point = _hash_to_curve(public_key, alpha)
    gamma = bindings.crypto_scalarmult_ed25519_noclamp(secret, point)
    nonce = bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(prefix + point).digest())
    challenge = _challenge(
        public_key,
        point,
        gamma,
        bindings.crypto_scalarmult_ed25519_base_noclamp(nonce),
        bindings.crypto_scalarmult_ed25519_noclamp(nonce, point),
    )
    reduced = bindings.crypto_core_ed25519_scalar_reduce(secret + bytes(32))
    product = bindings.crypto_core_ed25519_scalar_mul(challenge + bytes(16), reduced)
    return bytes(gamma + challenge + bindings.crypto_core_ed25519_scalar_add(nonce, product))


def verify(public_key: bytes, alpha: bytes, proof: bytes) -> bytes:
    """Check a proof and return its 64-byte output beta (section 5.3).

    Raises:
        FormatError: the key or the proof does not decode.
        MismatchError: the proof is not of `alpha` under this key.
    """
    validate_key(public_key)
    gamma, challenge, response = _decode_proof(proof)
    point = _hash_to_curve(public_key, alpha)
    negated = -int.from_bytes(challenge, "little")
    u = _add(_multiply_base(response), _multiply(negated, public_key))
    v = _add(_multiply_prime(response, point), _multiply(negated, gamma))
    if _challenge(public_key, point, gamma, u, v) != challenge:
        raise MismatchError("the VRF proof is false")
    return proof_to_hash(proof)


def proof_to_hash(proof: bytes) -> bytes:
    """Return the output beta of a proof that is already known to be true (section 5.2).

    Raises:
        FormatError: the proof does not decode.
    """
    gamma, _, _ = _decode_proof(proof)
    cleared = _clear_cofactor(gamma)
    return hashlib.sha512(_SUITE + b"\x03" + cleared + b"\x00").digest()


def _decode_proof(proof: bytes) -> tuple[bytes, bytes, int]:
    """Split a proof into Gamma, challenge and response (section 5.4.4)."""
    if len(proof) != PROOF_BYTES:
        raise FormatError("a VRF proof is 80 bytes")
    response = int.from_bytes(proof[48:], "little")
    if response >= _ORDER:
        raise FormatError("the VRF proof's response is not reduced")
    return _decode_point(proof[:32]), proof[32:48], response


def _hash_to_curve(public_key: bytes, alpha: bytes) -> bytes:
    """Hash to a point of prime order by try-and-increment (section 5.4.1.1)."""
    for counter in range(256):
        data = _SUITE + b"\x01" + public_key + alpha + bytes([counter, 0])
        try:
            candidate = _decode_point(hashlib.sha512(data).digest()[:32])
        except FormatError:
            continue
        point = _clear_cofactor(candidate)
        if point != _IDENTITY:
            return point
    raise MismatchError("no point found for this input")  # probability 2^-256


def _challenge(*points: bytes) -> bytes:
    """Hash five points to a 16-byte challenge (section 5.4.3)."""
    data = _SUITE + b"\x02" + b"".join(points) + b"\x00"
    return hashlib.sha512(data).digest()[:_CHALLENGE_BYTES]


def _decode_point(data: bytes) -> bytes:
    """Check the encoding of a point by RFC 8032 section 5.1.3 and return it unchanged."""
    y = int.from_bytes(data, "little") & (2**255 - 1)
    negative = len(data) == len(_IDENTITY) and data[31] >> 7
    if len(data) != len(_IDENTITY) or y >= _PRIME or (negative and y in {1, _PRIME - 1}):
        raise FormatError("not the canonical encoding of a point")
    try:
        return _add(data, _IDENTITY)
    except CryptoError as error:
        raise FormatError("not a point of the curve") from error


def _multiply(scalar: int, point: bytes) -> bytes:
    """Multiply any curve point by a public integer (double and add, not constant-time)."""
    total = _IDENTITY
    for bit in f"{abs(scalar):b}":
        total = _add(total, total)
        if bit == "1":
            total = _add(total, point)
    return bytes(bindings.crypto_core_ed25519_sub(_IDENTITY, total)) if scalar < 0 else total


def _multiply_base(scalar: int) -> bytes:
    """Multiply the base point by a reduced integer."""
    if scalar == 0:  # libsodium refuses what gives the identity
        return _IDENTITY
    return bytes(bindings.crypto_scalarmult_ed25519_base_noclamp(scalar.to_bytes(32, "little")))


def _multiply_prime(scalar: int, point: bytes) -> bytes:
    """Multiply a point of prime order by a reduced integer."""
    if scalar == 0:
        return _IDENTITY
    return bytes(bindings.crypto_scalarmult_ed25519_noclamp(scalar.to_bytes(32, "little"), point))


def _clear_cofactor(point: bytes) -> bytes:
    """Multiply a point by the curve's cofactor, 8."""
    for _ in range(3):
        point = _add(point, point)
    return point


def _add(left: bytes, right: bytes) -> bytes:
    return bytes(bindings.crypto_core_ed25519_add(left, right))
