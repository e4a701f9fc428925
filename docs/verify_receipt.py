"""Check a Twinproof proof, alone: this file, Python 3.11 and the package `cryptography`.

Written from docs/spec/formats.md (version 2) only; shares no code with the service and imports
nothing of it. It talks to no network and writes no file.

One file, longer than the project allows elsewhere, so that somebody who trusts nobody can copy it
to another machine and read it in an hour. It follows the specification's sections: 1 notation,
JSON, curves; 2 and 3 persona, manifest, EIP-712; 4 seed; 5.2 fixed answers; 7 receipt; 8 log;
9 bundle; 11 the ten steps; the command line. What `cryptography` lacks stands here in plain
Python: Keccak-256, key recovery on secp256k1, points of edwards25519, ECVRF (RFC 9381). Nothing
here is secret but the opening key, which meets no curve, so nothing needs constant time.
"""

import argparse
import base64
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Json = dict[str, Any]


class VerificationError(Exception):
    """The proof is false or unreadable: the first step of section 11 that fails, and why."""

    def __init__(self, step: int, sentence: str) -> None:
        super().__init__(f"step {step}: {sentence}")
        self.step, self.sentence = step, sentence


class RefusalError(Exception):
    """Something does not hold; the step that asked gives it its number."""


def require(condition: object, sentence: str) -> None:
    """Refuse with this sentence unless the condition holds."""
    if not condition:
        raise RefusalError(sentence)


# ---- Section 12: limits ----

MAX_BYTES, MAX_DEPTH, MAX_ITEMS, MAX_TEXT = 4 * 2**20, 32, 65536, 65536
MAX_PATH, MAX_LINES = 63, 16
INT, POSITIVE, TOKEN = range(2**53), range(1, 2**53), range(2**31)


# ---- Section 1: hashes, base64 ----


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the joined parts."""
    return hashlib.sha256(b"".join(parts)).digest()


def tagged(tag: str, *parts: bytes | str) -> bytes:
    """H(tag, p1, …, pn)."""
    raw = [part.encode() if isinstance(part, str) else part for part in parts]
    framed = (len(part).to_bytes(4, "big") + part for part in raw)
    return sha256(b"twinproof/v1/", tag.encode(), b"\0", *framed)


def unb64(text: str, size: int | None = None) -> bytes:
    """RFC 4648 base64 in its one spelling, of `size` bytes if that is given."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as why:
        raise RefusalError("not base64") from why
    require(base64.b64encode(raw).decode() == text, "base64 in another spelling")
    require(size in (None, len(raw)), f"not {size} bytes")
    return raw


def b64url(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_key(text: str) -> bytes:
    """The opening key of section 10: 32 bytes, 43 characters."""
    require(re.fullmatch("[A-Za-z0-9_-]{43}", text), "a key is 43 letters, digits, - or _")
    raw = base64.urlsafe_b64decode(text + "=")
    require(b64url(raw) == text, "the key's last letter has unused bits that are not zero")
    return raw


# ---- Section 1: canonical JSON (RFC 8785 without floating-point numbers) ----


def _integer(digits: str) -> int:
    require(len(digits) <= len(str(-INT[-1])), f"a number of {len(digits)} digits")
    require(abs(int(digits)) in INT, "an integer outside of 2^53 - 1")
    return int(digits)


def _no_integer(_: str) -> None:
    raise RefusalError("a number that is no integer")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Keys in the order of their UTF-16 code units, whatever was read (RFC 8785 section 3.2.3)."""
    found = dict(sorted(pairs, key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass")))
    require(len(found) == len(pairs), "a key that stands twice")
    return found


def _within_limits(value: object) -> None:
    if isinstance(value, dict | list):
        require(len(value) <= MAX_ITEMS, f"more than {MAX_ITEMS} items")
        for item in value.values() if isinstance(value, dict) else value:
            _within_limits(item)


_MARKS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)


def _not_too_deep(data: bytes) -> None:
    """Count the nesting before anything is parsed: deep enough, it ends the interpreter."""
    depth = 0
    for mark in _MARKS.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(mark[0], 0)
        require(depth <= MAX_DEPTH, f"JSON nested more than {MAX_DEPTH} deep")


def loads(data: bytes) -> Any:  # noqa: ANN401 (JSON; a shape follows)
    """JSON in any spelling, within the limits, with no number that is no integer."""
    require(len(data) <= MAX_BYTES, "larger than 4 MiB")
    _not_too_deep(data)
    hooks: Json = {"parse_int": _integer, "parse_float": _no_integer, "parse_constant": _no_integer}
    try:
        value = json.loads(data.decode(), object_pairs_hook=_object, **hooks)
    except UnicodeDecodeError as why:
        raise RefusalError("not UTF-8") from why
    except ValueError as why:
        raise RefusalError("not JSON") from why
    _within_limits(value)
    return value


def jcs(value: object) -> bytes:
    """The canonical bytes of a value that `loads` gave (it ordered the keys)."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as why:
        raise RefusalError("half of a surrogate pair, which no UTF-8 has") from why


def canonical(data: bytes) -> Any:  # noqa: ANN401 (JSON; a shape follows)
    """JSON that is canonical to the byte."""
    value = loads(data)
    require(jcs(value) == data, "not canonical JSON: another spelling of the same values")
    return value


# ---- Section 1: shapes. They look like the specification's: {…} has these members and no other,
# ---- [shape, most, least] is an array, (…) a choice, a range integers, a pattern strings.


def conform(value: object, shape: object) -> None:
    """Refuse a value that is not of the shape."""
    if isinstance(shape, dict):
        _conform_members(value, shape)
    elif isinstance(shape, list):
        item, most = shape[0], shape[1] if len(shape) > 1 else MAX_ITEMS
        least = shape[2] if len(shape) > 2 else 0
        found: list[object] = value if isinstance(value, list) else []
        require(isinstance(value, list), "not an array")
        require(least <= len(found) <= most, f"{len(found)} items, not {least} to {most}")
        for each in found:
            conform(each, item)
    elif isinstance(shape, range):
        require(type(value) is int and value in shape, f"not an integer {shape[0]} to {shape[-1]}")
    elif isinstance(shape, re.Pattern):
        require(isinstance(value, str) and shape.fullmatch(value), "not a string of the form")
    elif isinstance(shape, tuple):
        if not any(value == choice for choice in shape if choice is None or choice == str(choice)):
            others = [choice for choice in shape if choice is not None and choice != str(choice)]
            require(others, f"not one of {shape}")
            conform(value, others[0])
    elif callable(shape):
        shape(value)
    else:
        require(isinstance(value, str) and value == shape, f"not {shape}")


def _conform_members(value: object, shape: Json) -> None:
    found: Json = value if isinstance(value, dict) else {}
    require(isinstance(value, dict), "not an object")
    require(found.keys() <= shape.keys(), "a member that the format does not know")
    require(found.keys() == shape.keys(), "a member is missing")
    for name, member in shape.items():
        try:
            conform(found[name], member)
        except RefusalError as why:
            raise RefusalError(f"{name}: {why}") from why


def where(shape: object, rule: Callable[[Any], object], sentence: str) -> Callable[[object], None]:
    """A shape with a rule about the whole value."""

    def check(value: object) -> None:
        conform(value, shape)
        try:
            require(rule(value), sentence)
        except ValueError as why:
            raise RefusalError(sentence) from why

    return check


def b64(value: object) -> None:
    """Base64; these strings alone have no limit of their own."""
    require(isinstance(value, str), "not a string")
    unb64(str(value))


def b64_of(size: int) -> Callable[[object], None]:
    """Base64 of so many bytes."""
    return where(b64, lambda value: len(unb64(value)) == size, f"not {size} bytes")


def text(most: int = MAX_TEXT, least: int = 0) -> re.Pattern[str]:
    """Any string of this length."""
    return re.compile(f"(?s:.{{{least},{most}}})")


SPACE = r"[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"  # section 5
CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"  # Cc, Zl, Zp
FORMAT = (  # Cf of Unicode 17.0
    r"\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)


def line(most: int, forbidden: str = CONTROL) -> re.Pattern[str]:
    """A line: no control character, not blank."""
    return re.compile(f"(?!{SPACE}*\\Z)[^{forbidden}]{{1,{most}}}")


def title(most: int) -> re.Pattern[str]:
    """A line that holds no formatting character either."""
    return line(most, CONTROL + FORMAT)


_DEC = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?")
_TIME = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}Z")
HEX32, HEX16 = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{32}")
SIGNATURE = re.compile("0x[0-9a-f]{130}")
KEY_NAME = re.compile("[!-*,-~]{1,128}")  # U+0021 to U+007E without `+`
DEC = where(_DEC, lambda value: Decimal(value) > 0, "zero")
DEC_TO_1 = where(DEC, lambda value: Decimal(value) <= 1, "above 1")
DEC0_TO_1 = where(_DEC, lambda value: Decimal(value) <= 1, "above 1")
DEC0_TO_2 = where(_DEC, lambda value: Decimal(value) <= Decimal(2), "above 2")
TIME = where(_TIME, datetime.fromisoformat, "no such time")


# ---- Curves: sums of scalar times point, four bits at a time (Straus) ----

Point = tuple[int, ...]
Add = Callable[[Point, Point], Point]
WINDOW = 16


@lru_cache(512)
def _multiples(add: Add, zero: Point, point: Point) -> list[Point]:
    table = [zero, point]
    while len(table) < WINDOW:
        table.append(add(table[-1], point))
    return table


def combine(add: Add, double: Callable[[Point], Point], zero: Point, *terms: Any) -> Point:  # noqa: ANN401 (pairs of scalar and point)
    """The sum of the terms (scalar below 2^256, point)."""
    tables = [(scalar, _multiples(add, zero, point)) for scalar, point in terms]
    total = zero
    for shift in range(252, -4, -4):
        if total is not zero:
            total = double(double(double(double(total))))
        for scalar, table in tables:
            if digit := scalar >> shift & 15:
                total = add(total, table[digit])
    return total


# ---- edwards25519 in extended coordinates (RFC 8032 section 5.1) ----

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)
E_ZERO: Point = (0, 1, 1, 0)
IDENTITY = (1).to_bytes(32, "little")


def e_add(a: Point, b: Point) -> Point:
    """RFC 8032 section 5.1.4; complete."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * D * a[3] * b[3] % P, 2 * a[2] * b[2] % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return w * x % P, y * z % P, x * y % P, w * z % P


def e_double(a: Point) -> Point:
    """RFC 8032 section 5.1.4."""
    e, f = a[0] * a[0] % P, a[1] * a[1] % P
    w, g, z = e + f - (a[0] + a[1]) ** 2, e - f, e + f
    x = 2 * a[2] * a[2] + g
    return w * x % P, g * z % P, x * g % P, w * z % P


def e_sum(*terms: tuple[int, Point]) -> Point:
    """Sum of scalar times point."""
    return combine(e_add, e_double, E_ZERO, *terms)


def e_encode(a: Point) -> bytes:
    """RFC 8032 section 5.1.2."""
    inverse = pow(a[2], -1, P)
    return (a[1] * inverse % P | (a[0] * inverse % P & 1) << 255).to_bytes(32, "little")


@lru_cache(4096)
def e_decode(raw: bytes) -> Point | None:
    """RFC 8032 section 5.1.3; None for what is no canonical encoding of a point."""
    sign, y = divmod(int.from_bytes(raw, "little"), 2**255)
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    x = x if v * x * x % P == u else x * ROOT % P
    if y >= P or v * x * x % P != u or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


E_BASE = e_decode((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or E_ZERO


@lru_cache(1024)
def has_prime_order(raw: bytes) -> bool:
    """Section 1: the canonical encoding of a point of prime order."""
    point = e_decode(raw)
    if point is None or raw == IDENTITY:
        return False
    x, y, z, _ = e_sum((L, point))
    return x == 0 and y == z


PUBLIC_KEY = where(HEX32, lambda value: has_prime_order(bytes.fromhex(value)), "not of prime order")


def verify_ed25519(key: bytes, signature: bytes, message: bytes, what: str) -> None:
    """RFC 8032 as section 1 narrows it.

    The library checks S < L and the equation without cofactor. Under it, with a key of prime
    order, R = S·B - k·A is of prime order too or the identity, which is refused here.
    """
    r = signature[:32]
    require(has_prime_order(key) and len(signature) == 64, f"{what} is false")
    require(e_decode(r) is not None and r != IDENTITY, f"{what} is false")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature as why:
        raise RefusalError(f"{what} is false") from why


# ---- Section 4: ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381) ----


def _hash_to_curve(key: bytes, alpha: bytes) -> Point:
    """RFC 9381 section 5.4.1.1, try and increment; the salt is the key."""
    for counter in range(256):
        digest = hashlib.sha512(b"\x03\x01" + key + alpha + bytes([counter, 0])).digest()
        point = e_sum((8, e_decode(digest[:32]) or E_ZERO))
        if e_encode(point) != IDENTITY:
            return point
    raise RefusalError("the VRF's input maps to no point")


@lru_cache(1024)
def vrf_output(key: bytes, alpha: bytes, proof: bytes) -> bytes:
    """RFC 9381 section 5.3 with key validation: beta, if the proof of 80 bytes is true."""
    public, gamma = e_decode(key), e_decode(proof[:32])
    c, s = (int.from_bytes(part, "little") for part in (proof[32:48], proof[48:]))
    if public is None or gamma is None or s >= L or not has_prime_order(key):
        raise RefusalError("the VRF proof can't be decoded")
    point = _hash_to_curve(key, alpha)
    u, v = (
        e_sum((s, base), (c, (P - x, y, z, P - t)))
        for base, (x, y, z, t) in ((E_BASE, public), (point, gamma))
    )
    parts = (key, e_encode(point), proof[:32], e_encode(u), e_encode(v))
    challenge = hashlib.sha512(b"\x03\x02" + b"".join(parts) + b"\0").digest()[:16]
    require(challenge == proof[32:48], "the VRF proof is false")
    return hashlib.sha512(b"\x03\x03" + e_encode(e_sum((8, gamma))) + b"\0").digest()


# ---- Keccak-256 (with the padding of Ethereum, not of SHA-3) ----


def _keccak_tables() -> tuple[list[tuple[int, int, int]], list[int]]:
    """Steps rho and pi as (from, to, rotation); the constants of iota from their LFSR."""
    moves, x, y = [(0, 0, 0)], 1, 0
    for step in range(24):
        moves.append((x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5), (step + 1) * (step + 2) // 2 % 64))
        x, y = y, (2 * x + 3 * y) % 5
    constants, register = [0] * 24, 1
    for bit in range(24 * 7):
        constants[bit // 7] |= (register & 1) << (2 ** (bit % 7) - 1)
        register = register << 1 ^ (register >> 7) * 0x171
    return moves, constants


MOVES, CONSTANTS = _keccak_tables()
MASK = 2**64 - 1


def _keccak_f(a: list[int]) -> list[int]:
    for constant in CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[x - 1] ^ (c[x - 4] << 1 & MASK | c[x - 4] >> 63) for x in range(5)]
        b = [0] * 25
        for source, target, turn in MOVES:
            lane = a[source] ^ d[source % 5]
            b[target] = lane << turn & MASK | lane >> (64 - turn)
        rows = [b[y : y + 5] for y in range(0, 25, 5)]
        a = [r[x] ^ (~r[x - 4] & r[x - 3]) for r in rows for x in range(5)]
        a[0] ^= constant
    return a


@lru_cache(4096)
def keccak(data: bytes) -> bytes:
    """Keccak-256."""
    padded = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % 136))
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), 136):
        for i in range(17):
            lanes[i] ^= int.from_bytes(padded[start + 8 * i : start + 8 * i + 8], "little")
        lanes = _keccak_f(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def checksummed(address: str) -> str:
    """EIP-55."""
    digits = address[2:].lower()
    marked = zip(digits, keccak(digits.encode()).hex(), strict=False)
    return "0x" + "".join(digit.upper() if mark >= "8" else digit for digit, mark in marked)


_ADDRESS = re.compile("0x[0-9A-Fa-f]{40}")
ADDRESS = where(_ADDRESS, lambda value: checksummed(value) == value, "not spelled by EIP-55")


# ---- secp256k1: who signed (SEC 1 section 4.1.6) ----

Q = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
K_X = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
K_Y = 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8


def k_add(a: Point, b: Point) -> Point:
    """Complete, projective: Renes, Costello, Batina 2016, algorithm 7; 21 is three times b."""
    xx, yy, zz = a[0] * b[0] % Q, a[1] * b[1] % Q, 21 * a[2] * b[2] % Q
    xy, yz = (a[0] * b[1] + a[1] * b[0]) % Q, (a[1] * b[2] + a[2] * b[1]) % Q
    xz = 21 * (a[0] * b[2] + a[2] * b[0]) % Q
    low, high, xx = yy - zz, yy + zz, 3 * xx
    return (xy * low - yz * xz) % Q, (low * high + xx * xz) % Q, (high * yz + xx * xy) % Q


def k_double(a: Point) -> Point:
    """The same paper, algorithm 9."""
    yy, yz, zz = a[1] * a[1] % Q, a[1] * a[2] % Q, 21 * a[2] * a[2] % Q
    low = yy - 3 * zz
    return 2 * low * a[0] * a[1] % Q, (8 * zz * yy + low * (yy + zz)) % Q, 8 * yz * yy % Q


@lru_cache(1024)
def recover(digest: bytes, signature: str) -> str | None:
    """The address whose key made these 65 bytes, low-s and with v 27 or 28; None if none did."""
    raw = bytes.fromhex(signature[2:])
    r, s, v = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64]
    y = pow(r**3 + 7, (Q + 1) // 4, Q)
    if not (0 < r < N and 0 < s <= N // 2 and v in (27, 28)) or (y * y - r**3 - 7) % Q:
        return None
    y, inverse = y if y & 1 == v - 27 else Q - y, pow(r, -1, N)
    z = int.from_bytes(digest, "big")
    terms = (-z * inverse % N, (K_X, K_Y, 1)), (s * inverse % N, (r, y, 1))
    point = combine(k_add, k_double, (0, 1, 0), *terms)
    if point[2] == 0:
        return None
    scale = pow(point[2], -1, Q)
    key = b"".join((part * scale % Q).to_bytes(32, "big") for part in point[:2])
    return checksummed("0x" + keccak(key)[12:].hex())


# ---- Section 3: EIP-712 ----

DOMAIN_TYPE = "EIP712Domain(string name,string version)"
MANIFEST_TYPE = (
    "TwinManifest(string name,bytes32 twin,bytes32 persona,bytes32 model,bytes32 manifest,"
    "string price,string split,address payout,bytes32 operatorKey,string logOrigin,"
    "string validFrom,string validUntil)"
)
ORDER_TYPE = (
    "TwinOrder(string action,string name,bytes32 twin,bytes32 manifest,bytes32 order,"
    "string logOrigin,string issued,string expires)"
)


def _struct(kind: str, values: Json) -> bytes:
    """hashStruct: strings by their hash, bytes32 (hexadecimal) as they are, addresses padded."""
    words = [keccak(kind.encode())]
    for of, name in re.findall("(string|bytes32|address) ([A-Za-z]+)", kind):
        value = values[name]
        raw = value.encode() if of == "string" else bytes.fromhex(value.removeprefix("0x"))
        words.append(keccak(raw) if of == "string" else raw.rjust(32, b"\0"))
    return keccak(b"".join(words))


def typed_hash(kind: str, values: Json) -> bytes:
    """What a wallet signs, in the domain ("Twinproof", "1")."""
    domain = _struct(DOMAIN_TYPE, {"name": "Twinproof", "version": "1"})
    return keccak(b"\x19\x01" + domain + _struct(kind, values))


def manifest_digest(m: Json, body: bytes) -> bytes:
    """Section 3: what the creator signs."""
    coins, rest = divmod(m["price"]["nano"], 10**9)
    amount = f"{coins}.{rest:09d}".rstrip("0").rstrip(".")
    shares = ((who, divmod(m["split"][f"{who}_bp"], 100)) for who in ("creator", "operator"))
    derived = {
        "model": m["model"]["gguf"],
        "manifest": sha256(body).hex(),
        "price": f"{amount} {m['price']['token']} per reply, {m['price']['free_daily']} a day free",
        "split": ", ".join(f"{who} {percent}.{bp:02d} %" for who, (percent, bp) in shares),
        "operatorKey": m["operator"]["signing_key"],
        "logOrigin": m["log"]["origin"],
        "validFrom": m["valid_from"],
        "validUntil": m["valid_until"],
    }
    return typed_hash(MANIFEST_TYPE, m | derived)


def order_digest(order: Json, body: bytes, name: str) -> bytes:
    """Section 3.1: what the creator signs."""
    cited = {"manifest": order["manifest"] or "00" * 32, "order": sha256(body).hex()}
    return typed_hash(ORDER_TYPE, order | cited | {"name": name, "logOrigin": order["log"]})


# ---- Section 8: keys of logs and witnesses ----

LOG_KEY, WITNESS_KEY = b"\x01", b"\x04"


@lru_cache(1024)
def parse_vkey(vkey: str, kind: bytes) -> tuple[str, bytes, bytes]:
    """C2SP: name+hex(key hash)+b64(kind || key). The name, the key hash, the key."""
    name, _, rest = vkey.partition("+")
    require(KEY_NAME.fullmatch(name) and rest[8:9] == "+", "not a vkey")
    raw = unb64(rest[9:], 33)
    require(raw[:1] == kind, "a vkey of another kind")
    key_hash = sha256(name.encode(), b"\n", raw)[:4]
    require(rest[:8] == key_hash.hex(), "the vkey's hash is not that of its key")
    require(has_prime_order(raw[1:]), "a vkey whose key is not of prime order")
    return name, key_hash, raw[1:]


LOG_VKEY = where(text(), lambda value: parse_vkey(value, LOG_KEY), "not a log's vkey")
WITNESS_VKEY = where(text(), lambda value: parse_vkey(value, WITNESS_KEY), "not a witness's vkey")


# ---- Section 5.2: fixed answers (docs/spec/rules.json; a rule never changes) ----

CRISIS_PHRASES = (
    "kill myself|killing myself|end my life|ending my life|take my own life|taking my own life|"
    "take my life|want to die|wanna die|wish i was dead|wish i were dead|better off dead|suicide|"
    "suicidal|hurt myself|hurting myself|harm myself|harming myself|cut myself|cutting myself|"
    "self harm|self harming|dont want to live|do not want to live|dont want to be alive|"
    "do not want to be alive|no reason to live"
)
CRISIS_NOT = (
    "suicide squad|kill myself laughing|killing myself laughing|want to die laughing|"
    "hurt myself laughing|cut myself shaving|cut myself a slice|cut myself a piece|"
    "cut myself some slack|cutting myself some slack"
)
CRISIS_TEXT = (
    "I'm an AI, and what you wrote worries me. Please talk to a person now. If you are in danger, "
    "call your local emergency number (112 in Europe, 911 in the US and Canada, 999 in the UK). "
    "In the US and Canada you can call or text 988 at any hour; findahelpline.com lists free, "
    "confidential lines in other countries. You don't have to go through this alone."
)
RULES = {"crisis/1": (CRISIS_PHRASES, CRISIS_NOT, CRISIS_TEXT)}
SMALL = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
APOSTROPHES = dict.fromkeys((0x27, 0x2019))


def _standing(words: list[str], phrases: str) -> Iterable[tuple[int, int]]:
    """Where phrases stand: from which word, up to which; in the order of the words."""
    by_first: dict[str, list[list[str]]] = {}
    for phrase in (phrase.split() for phrase in phrases.split("|")):
        by_first.setdefault(phrase[0], []).append(phrase)
    for i, word in enumerate(words):
        for phrase in by_first.get(word, ()):
            if words[i : i + len(phrase)] == phrase:
                yield i, i + len(phrase)


def _reach(words: list[str], phrases: str) -> list[int]:
    """For each word, how far a phrase goes on that begins there or earlier."""
    reach = [0] * len(words)
    for start, end in _standing(words, phrases):
        reach[start] = max(reach[start], end)
    return list(accumulate(reach, max))


def first_rule(rules: Iterable[str], message: str) -> str | None:
    """The first of the manifest's rules that applies to the message."""
    words = re.findall("[a-z]+", message.translate(SMALL | APOSTROPHES))
    for rule in rules:
        excused = _reach(words, RULES[rule][1])
        if any(excused[start] < end for start, end in _standing(words, RULES[rule][0])):
            return rule
    return None


# ---- Shapes of sections 2, 3, 3.1, 7, 7.1, 8, 9 and 11.3, laid out as the specification does ----

RECEIPT_TYPE, OUTCOME_TYPE, SEAL_TYPE = (
    f"application/vnd.twinproof.{name}+json" for name in ("receipt", "outcome", "seal")
)
OUTCOMES = ("delivered", "undelivered", "withdrawn", "refunded")
PAYERS = {  # section 7, and what it means
    "free": "nobody pays",
    "sponsor": "the operator's budget pays; free for the fan",
    "paid": "the fan's bought credit pays",
    "promotional": "credit that the operator gave away pays; the creator earns nothing from it",
}
TOKENS, EVENT_ID = [TOKEN], (None, text(200, 1))
# fmt: off
SLUG, COIN = re.compile("[a-z0-9][a-z0-9_-]{0,63}"), re.compile("[A-Za-z0-9._-]{1,16}")
LOG = where({"origin": KEY_NAME, "key": LOG_VKEY},
            lambda log: parse_vkey(log["key"], LOG_KEY)[0] == log["origin"], "not the key's name")
SPLIT = where({"creator_bp": range(10001), "operator_bp": range(3001)},
              lambda split: sum(split.values()) == 10000, "not 10000 in all")
ENVELOPE = {"payload": b64, "payloadType": text(),
            "signatures": [{"keyid": HEX32, "sig": b64_of(64)}, 1, 1]}
SPAN = where({"kind": ("persona", "fan", "twin", "message"), "receipt": (None, HEX32),
              "tokens": TOKENS},
             lambda span: span["receipt"] if span["kind"] in ("fan", "twin")
             else span["receipt"] is None and span["tokens"],
             "receipt: set exactly for fan and twin; tokens: some, of persona and message")
FIELDS: Json = {
    "slot": dict.fromkeys(("bot", "chat", "message", "platform", "thread"), text()),
    "conversation": {"id": HEX32},
    "turn": where({"n": POSITIVE, "previous": (None, HEX32)},
                  lambda turn: (turn["n"] == 1) == (turn["previous"] is None),
                  "previous: null exactly in turn 1"),
    "message": where({"parts": [{"id": text(), "text": text()}, 16, 1]},
                     lambda m: len({part["id"] for part in m["parts"]}) == len(m["parts"]),
                     "a part that stands twice"),
    "spans": [SPAN],
    "context": {"tokens": TOKENS},
    "output": {"tokens": TOKENS},
    "reply": {"finish": ("end", "length", "stop", "stopped", "cut", "fixed"), "rejected": range(5),
              "text": text(MAX_TEXT, 1)},
    "event": where({"halt": EVENT_ID, "regenerate": EVENT_ID, "replaces": (None, HEX32)},
                   lambda event: (event["regenerate"] is None) == (event["replaces"] is None),
                   "regenerate and replaces are not both set or both null"),
    "choice": {"older": (None, {"receipt": HEX32, "tokens": range(1, 262145)}),
               "start": POSITIVE},
    "counts": {"context": INT, "output": INT},
    "seed": {"vrf_proof": b64_of(80)},
}
BUNDLE = {
    "v": "twinproof-bundle/2", "receipt": ENVELOPE,
    "manifest": {"body": b64, "signature": SIGNATURE},
    "log": {"leaf": b64, "proof": text()},
    "outcome": (None, {"statement": ENVELOPE, "leaf": b64, "proof": text()}),
    "revocation": (None, {"body": b64, "signature": SIGNATURE, "leaf": b64, "proof": text()}),
    "anchor": (None, {"chain": POSITIVE, "contract": ADDRESS, "epoch": POSITIVE, "size": INT,
                      "root": HEX32, "inclusion": [b64, MAX_PATH]}),
    "seals": [ENVELOPE, 8], "sealed": (None, b64),
}
FIELD = {"name": tuple(FIELDS), "salt": b64_of(16), "value": lambda _: None}  # value: see step 5
PATH = [b64_of(32), MAX_PATH]
SHAPES: Json = {
    "persona": {
        "v": "twinproof-persona/1", "name": title(64), "role": title(200),
        "facts": [line(1000), 100], "off_limits": [line(1000), 100],
        "examples": [{"fan": line(1000), "twin": line(1000)}, 100]},
    "manifest": {
        "v": "twinproof-manifest/2", "twin": HEX32, "slug": SLUG, "name": title(64),
        "version": POSITIVE, "previous": (None, HEX32), "persona": HEX32,
        "model": {"name": title(64), "gguf": HEX32, "size_bytes": POSITIVE, "lora": (None,)},
        "engine": {"library": title(64), "profile": "exact/1", "isa": "x86-64-v3"},
        "rendering": {"program": "typed-spans/1", "span_prefix": text(64),
                      "before_persona": TOKENS, "persona_to_fan": TOKENS, "fan_to_twin": TOKENS,
                      "twin_to_fan": TOKENS, "window_tokens": range(1, 65537)},
        "sampler": {"algorithm": "gumbel-max/1", "temperature": DEC, "top_k": range(1, 257),
                    "top_p": DEC_TO_1, "min_p": DEC0_TO_1, "presence_penalty": DEC0_TO_2,
                    "frequency_penalty": DEC0_TO_2, "max_tokens": range(1, 65537)},
        "filter": {"policy": "stop-repeat/1", "stop_tokens": TOKENS,
                   "stop_strings": [text(64, 1)], "redraws": range(5)},
        "rules": where([tuple(RULES), 16], lambda rules: rules == sorted(set(rules)),
                       "not ascending, each once"),
        "knowledge": (None,),
        "price": {"nano": INT, "token": COIN, "free_daily": range(10001)}, "split": SPLIT,
        "creator": ADDRESS, "payout": ADDRESS,
        "operator": {"signing_key": PUBLIC_KEY, "vrf_key": PUBLIC_KEY}, "log": LOG,
        "beacon": (None,), "valid_from": TIME, "valid_until": TIME},
    "order": where(
        {"v": "twinproof-order/1", "twin": HEX32, "action": ("pause", "resume", "revoke"),
         "number": POSITIVE, "manifest": (None, HEX32), "log": KEY_NAME,
         "issued": TIME, "expires": TIME},
        lambda order: order["manifest"] is None or order["action"] == "revoke",
        "only a revocation names a manifest"),
    "receipt": where(
        {"v": "twinproof-receipt/2", "type": ("reply", "fixed"), "twin": HEX32, "manifest": HEX32,
         "seq": POSITIVE, "attempt": range(65536), "numbering": ("operator", "platform"),
         "model": {"gguf": HEX32, "library": text(64, 1), "build": HEX32, "profile": "exact/1",
                   "verdict": ("exact", "tolerant")},
         "seed": {"slot_tag": HEX16, "beacon": (None,)},
         "fields": {"root": HEX32, "count": range(12, 13)},
         "price": {"nano": INT, "token": text(64, 1), "creator_nano": INT, "operator_nano": INT,
                   "free_daily": INT},
         "rule": (None, text()), "rate_table": (None, HEX32), "payer": tuple(PAYERS),
         "registry_block": (None, {"chain": POSITIVE, "number": INT, "hash": HEX32}),
         "operator": HEX32, "time": TIME},
        lambda receipt: (receipt["type"] == "fixed") == (receipt["rule"] is not None),
        "rule: set exactly in a fixed receipt"),
    "outcome": {"v": "twinproof-outcome/2", "receipt": HEX32, "outcome": OUTCOMES},
    "seal": where(
        {"v": "twinproof-seal/1", "log": LOG_VKEY, "size": INT, "root": HEX32, "kept": INT,
         "successor": LOG_VKEY},
        lambda seal: seal["kept"] <= seal["size"], "kept is above size"),
    "bundle": BUNDLE,
    "openings": where(
        {"v": "twinproof-openings/2", "persona": lambda _: None, "fields": [FIELD, 12, 12]},
        lambda openings: [part["name"] for part in openings["fields"]] == list(FIELDS),
        "fields out of order"),
    "disclosure": where(
        {"v": "twinproof-disclosure/1", "bundle": BUNDLE | {"sealed": (None,)},
         "persona": lambda _: None, "fields": [FIELD | {"path": lambda _: None}, 12]},
        lambda it: (it["fields"] or it["persona"]) and _in_order(it["fields"]),
        "nothing is disclosed, or fields are out of order"),
    "policy": where(
        {"v": "twinproof-policy/1", "creators": [ADDRESS, 256], "logs": [LOG_VKEY, 256],
         "witnesses": [WITNESS_VKEY, 256], "needed": range(257), "auditors": [PUBLIC_KEY, 256],
         "anchors": [{"chain": POSITIVE, "contract": ADDRESS}, 256],
         "revoked": [{"manifest": HEX32, "log": KEY_NAME, "size": INT}, 256]},
        lambda policy: policy["needed"] <= len(policy["witnesses"])
        and _different(policy["witnesses"], WITNESS_KEY),
        "needed is above the number of witnesses, or a key or a name stands twice"),
}
# fmt: on


def _in_order(parts: list[Json]) -> bool:
    names = [part["name"] for part in parts]
    return names == [name for name in FIELDS if name in names]


def _different(vkeys: list[str], kind: bytes) -> bool:
    """No name stands twice, and no key."""
    parsed = [parse_vkey(vkey, kind) for vkey in vkeys]
    return len({name for name, _, _ in parsed}) == len({key for _, _, key in parsed}) == len(vkeys)


@lru_cache(64)
def read(shape: str, body: bytes) -> Json:
    """Canonical JSON of this shape. Shared between calls: nobody changes it."""
    value = canonical(body)
    conform(value, SHAPES[shape])
    return dict(value)


def pae(envelope: Json) -> bytes:
    """Section 7, DSSE: what is signed and hashed."""
    kind, body = envelope["payloadType"].encode(), unb64(envelope["payload"])
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def verify_envelope(envelope: Json, kind: str, key: bytes) -> None:
    """One signature by this key, of a payload of this type."""
    signature = envelope["signatures"][0]
    require(envelope["payloadType"] == kind, f"the payload's type is not {kind}")
    require(signature["keyid"] == key.hex(), "the envelope names another key")
    verify_ed25519(key, unb64(signature["sig"]), pae(envelope), "the envelope's signature")


# ---- Section 8: trees, proofs, notes, seals ----


def tree_root(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 section 2.1, over leaf hashes."""
    if len(hashes) == 1:
        return hashes[0]
    left = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01", tree_root(hashes[:left]), tree_root(hashes[left:]))


def proved_root(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2: the root to which an inclusion proof leads."""
    require(index < size, "the index is not in a tree of this size")
    at, last, root = index, size - 1, leaf_hash
    for node in path:
        require(last, "the inclusion proof is too long")
        if at & 1 or at == last:
            root = sha256(b"\x01", node, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = sha256(b"\x01", root, node)
        at, last = at >> 1, last >> 1
    require(last == 0, "the inclusion proof is too short")
    return root


@dataclass(frozen=True)
class LogProof:
    """Section 9.1: a leaf's index, its way to the root, and the checkpoint."""

    index: int
    path: list[bytes]
    note: str  # the checkpoint with its signature lines
    signed: str  # its three lines: what the log signs
    size: int
    root: bytes
    lines: list[tuple[str, bytes]]  # of each signature line the name, and key hash || signature


def _number(digits: str) -> int:
    require(re.fullmatch("0|[1-9][0-9]{0,15}", digits) and int(digits) in INT, "not a number")
    return int(digits)


def _signature_line(row: str) -> tuple[str, bytes]:
    match = re.fullmatch("\u2014 ([^ ]+) ([^ ]+)", row)
    if match is None or KEY_NAME.fullmatch(match[1]) is None:
        raise RefusalError("not a signature line")
    require(len(unb64(match[2])) > 4, "a signature line without a signature")
    return match[1], unb64(match[2])


def parse_proof(proof: str, origin: str) -> LogProof:
    """Section 9.1 (C2SP tlog-proof) and tlog-checkpoint, every byte consumed."""
    head, _, note = proof.partition("\n\n")
    signed, _, signatures = note.partition("\n\n")
    header, _, rest = head.partition("\n")
    index, *hashes = rest.split("\n")
    rows, lines = signed.split("\n"), signatures.split("\n")
    require(header == "c2sp.org/tlog-proof@v1" and index.startswith("index "), "not a tlog-proof")
    require(len(hashes) <= MAX_PATH, f"more than {MAX_PATH} hashes")
    require(len(rows) == 3 and lines.pop() == "", "not a checkpoint")
    require(rows[0] == origin, "the checkpoint is of another origin")
    require(len(lines) <= MAX_LINES, f"more than {MAX_LINES} signature lines")
    return LogProof(
        _number(index[6:]),
        [unb64(row, 32) for row in hashes],
        note,
        signed + "\n",
        _number(rows[1]),
        unb64(rows[2], 32),
        [_signature_line(row) for row in lines],
    )


def signed_by(proof: LogProof, vkey: str, kind: bytes) -> bool:
    """Whether this key has a line. A false one is refused, and so are two.

    A log signs the checkpoint's text (C2SP signed-note); a witness signs it with a time before it
    (docs/spec/log.md section 3).
    """
    name, key_hash, public = parse_vkey(vkey, kind)
    found = [raw[4:] for owner, raw in proof.lines if (owner, raw[:4]) == (name, key_hash)]
    require(len(found) <= 1, f"two signature lines of {name}")
    for signature in found:
        message = proof.signed
        if kind == WITNESS_KEY:
            time = int.from_bytes(signature[:8], "big")
            require(time < 2**63, f"the cosignature of {name} has an impossible time")
            message = f"cosignature/v1\ntime {time}\n{message}"
        split = 8 if kind == WITNESS_KEY else 0
        verify_ed25519(public, signature[split:], message.encode(), f"the signature of {name}")
    return bool(found)


def verify_inclusion(proof: LogProof, leaf: bytes, expected: bytes, what: str) -> None:
    """The leaf is the expected one, and in the tree of the checkpoint."""
    require(leaf == expected, f"the leaf does not encode {what}")
    root = proved_root(sha256(b"\0", leaf), proof.index, proof.size, proof.path)
    require(root == proof.root, f"the inclusion proof of {what} leads to another root")


def follow_seals(first: str, seals: list[Json]) -> tuple[list[str], list[int]]:
    """Section 8.1: the keys from the manifest's log to the one that goes on, and the kept sizes."""
    logs, kept = [first], []
    for envelope in seals:
        seal = read("seal", unb64(envelope["payload"]))
        require(seal["log"] == logs[-1], "a seal of another log")
        verify_envelope(envelope, SEAL_TYPE, parse_vkey(logs[-1], LOG_KEY)[2])
        logs.append(seal["successor"])
        kept.append(seal["kept"])
    require(_different(logs, LOG_KEY), "seals: an origin or a key stands twice")
    return logs, kept


# ---- Section 11: the ten steps ----

OK, LEFT_OUT, FAILED = "ok", "left out", "FAILED"
Report = tuple[str, str]


@dataclass
class Proof:
    """One proof on its way through the steps: what was given, and what each step found."""

    data: bytes
    key: bytes | None = None
    policy: Json | None = None
    receipt_id: str | None = None
    bundle: Json = field(default_factory=dict)  # found by step 1
    disclosure: Json | None = None
    receipt: Json = field(default_factory=dict)
    receipt_hash: bytes = b""
    receipt_tag: bytes = b""  # what log and statements call the receipt
    manifest: Json = field(default_factory=dict)
    fields: Json = field(default_factory=dict)  # by step 5: what was opened or disclosed
    persona: Json | None = None
    logs: list[str] = field(default_factory=list)  # by step 8: keys, oldest first
    kept: list[int] = field(default_factory=list)
    at: LogProof = LogProof(0, [], "", "", 0, b"", [])
    cosigned: int = 0
    outcome: str | None = None  # by step 9
    revoked: str | None = None
    steps: list[tuple[int, str, str, str]] = field(default_factory=list)  # number, name, mark, why
    failure: VerificationError | None = None

    @property
    def opened(self) -> bool:
        """Whether steps 5 to 7 had the key."""
        return self.key is not None

    @property
    def levels(self) -> list[str]:
        """L0 and L1, if no step failed."""
        asked = self.policy is not None and self.policy["needed"] >= 1
        return ["L0", "L1" if asked else "L1-unwitnessed"]

    @property
    def trust(self) -> str:
        """What the result rests on."""
        return "self-consistent" if self.policy is None else "policy"


def step_1_bundle(p: Proof) -> Report:
    """Canonical, known, within the limits; keys of prime order; the receipt that was asked for."""
    value = canonical(p.data)
    if isinstance(value, dict) and value.get("v") == "twinproof-disclosure/1":
        conform(value, SHAPES["disclosure"])
        p.disclosure, value = value, value["bundle"]
    conform(value, BUNDLE)
    p.bundle = value
    p.receipt = read("receipt", unb64(p.bundle["receipt"]["payload"]))
    p.manifest = read("manifest", unb64(p.bundle["manifest"]["body"]))
    p.receipt_hash = sha256(pae(p.bundle["receipt"]))
    p.receipt_tag = tagged("receipt", p.receipt_hash)
    found = b64url(p.receipt_hash[:16])
    require(p.receipt_id in (None, found), f"this is receipt {found}, not the one asked for")
    return OK, f"receipt {found}, read to the last byte"


def step_2_signature(p: Proof) -> Report:
    """The operator's signature, by the key that the manifest names."""
    operator = p.receipt["operator"]
    require(p.manifest["operator"]["signing_key"] == operator, "the manifest names another key")
    verify_envelope(p.bundle["receipt"], RECEIPT_TYPE, bytes.fromhex(operator))
    return OK, "signed by the operator that the manifest names"


def step_3_manifest(p: Proof) -> Report:
    """The manifest that the receipt cites, signed by the creator."""
    body, creator = unb64(p.bundle["manifest"]["body"]), p.manifest["creator"]
    require(sha256(body).hex() == p.receipt["manifest"], "the receipt cites another manifest")
    twin = tagged("twin", bytes.fromhex(creator[2:]), p.manifest["slug"]).hex()
    require(twin == p.manifest["twin"], "the twin's id is not of this creator and slug")
    signer = recover(manifest_digest(p.manifest, body), p.bundle["manifest"]["signature"])
    require(signer == creator, "the creator has not signed the manifest")
    return OK, f"version {p.manifest['version']}, signed by the creator {creator}"


def step_4_terms(p: Proof) -> Report:
    """Time, twin, model, payer, price and split as the manifest says."""
    receipt, manifest = p.receipt, p.manifest
    in_time = manifest["valid_from"] <= receipt["time"] <= manifest["valid_until"]
    require(in_time, "the receipt's time is outside of the manifest's validity")
    require(receipt["twin"] == manifest["twin"], "another twin")
    require(receipt["model"]["gguf"] == manifest["model"]["gguf"], "another model")
    for name in ("library", "profile"):
        require(receipt["model"][name] == manifest["engine"][name], f"another {name}")
    if receipt["type"] == "fixed":
        require(receipt["rule"] in manifest["rules"], "a rule that is not in the manifest")
        require(receipt["attempt"] == 0, "a fixed answer that is not the first attempt")
    _payment(receipt, manifest)
    return OK, "time, twin, model, price and split are what the creator signed"


def _payment(receipt: Json, manifest: Json) -> None:
    """Section 7, payer: whose money it is, and what follows for price and rate table."""
    terms, payer = manifest["price"], receipt["payer"]
    costs_nothing = terms["nano"] == 0 or receipt["type"] == "fixed"
    require((payer == "free") == costs_nothing, f"the terms do not allow the payer {payer!r}")
    nano = 0 if payer == "free" else terms["nano"]
    shared = nano if payer in ("sponsor", "paid") else 0
    creator = shared * manifest["split"]["creator_bp"] // 10000
    expected = terms | {"nano": nano, "creator_nano": creator, "operator_nano": shared - creator}
    require(receipt["price"] == expected, "another price or split")
    named = receipt["rate_table"] is not None
    require(named == (payer == "paid"), "rate_table: set exactly where bought credit pays")


def step_5_openings(p: Proof) -> Report:
    """The sealed part, or what is disclosed of it, is what the receipt commits to."""
    if p.disclosure is not None:
        return _disclosed(p, p.disclosure)
    if p.key is None:
        return LEFT_OUT, "no key: what was said stays sealed"
    require(p.bundle["sealed"], "this bundle is public: it can't be opened")
    try:
        box = AESGCM(derive(p.key, "seal", 32))
        plain = box.decrypt(bytes(12), unb64(p.bundle["sealed"]), p.receipt_hash)
    except (InvalidTag, ValueError) as why:
        raise RefusalError("the key does not open the sealed part") from why
    openings = canonical(plain)
    conform(openings, SHAPES["openings"])
    hashes = [_field(p, part) for part in openings["fields"]]
    for part in openings["fields"]:
        salt = derive(p.key, f"salt/{part['name']}", 16)
        require(unb64(part["salt"]) == salt, f"{part['name']}: a salt that is not of this key")
    require(tree_root(hashes).hex() == p.receipt["fields"]["root"], "not the committed fields")
    first, finish = p.fields["message"]["parts"][0]["id"], p.fields["reply"]["finish"]
    require(first == p.fields["slot"]["message"], "the first part is not the slot's message")
    halted = finish in ("stopped", "cut")
    require(halted == (p.fields["event"]["halt"] is not None), "halt: set exactly if halted")
    _persona(p, openings["persona"])
    return OK, "the key opens twelve fields and the persona, as committed"


def _disclosed(p: Proof, disclosure: Json) -> Report:
    """Section 9.3: in place of step 5, each field's path leads to the root."""
    require(p.key is None, "a disclosure is public: it can't be opened")
    for part in disclosure["fields"]:
        leaf, place = _field(p, part), list(FIELDS).index(part["name"])
        conform({"path": part["path"]}, {"path": PATH})
        root = proved_root(leaf, place, len(FIELDS), [unb64(node) for node in part["path"]])
        require(root.hex() == p.receipt["fields"]["root"], f"{part['name']}: not as committed")
    if disclosure["persona"] is not None:
        _persona(p, disclosure["persona"])
    return OK, "the disclosed parts are what the receipt commits to"


def derive(key: bytes, info: str, size: int) -> bytes:
    """HKDF-SHA-256(K, salt = "", info, size)."""
    return HKDF(SHA256(), size, b"", f"twinproof/v1/{info}".encode()).derive(key)


def _field(p: Proof, part: Json) -> bytes:
    """Section 7.1: a field's form, and its leaf hash."""
    name, value = part["name"], part["value"]
    conform({name: value}, {name: FIELDS[name]})
    p.fields[name] = value
    salt = unb64(part["salt"])
    return sha256(b"\0twinproof/v1/field\0", name.encode(), b"\0", salt, jcs(value))


def _persona(p: Proof, persona: Json) -> None:
    """Section 2."""
    conform({"persona": persona}, {"persona": SHAPES["persona"]})
    require(sha256(jcs(persona)).hex() == p.manifest["persona"], "another persona than signed")
    p.persona = persona


NUMBERING = dict.fromkeys(("terminal", "web"), "operator")
NUMBERING |= dict.fromkeys(("discord", "telegram"), "platform")
# Section 4: (bot, chat, thread, message). Another spelling would be another seed to choose from.
ID = "[1-9][0-9]{0,19}"
SLOT_FORMS = {
    "discord": (ID, ID, f"({ID})?", ID),
    "telegram": (ID, f"-?{ID}", f"({ID})?", ID),
    "terminal": ("local", "(?s:.*)", "(?s:.*)", "(?s:.*)"),
}
SLOT_FORMS["web"] = SLOT_FORMS["terminal"]


def step_6_seed(p: Proof) -> Report:
    """Section 4: the seed follows from the message's slot."""
    if not p.opened:
        return LEFT_OUT, "needs the key"
    slot, attempt, rejected = p.fields["slot"], p.receipt["attempt"], p.fields["reply"]["rejected"]
    require(slot["platform"] in NUMBERING, "a platform that the specification does not know")
    numbering = NUMBERING[slot["platform"]]
    require(p.receipt["numbering"] == numbering, "somebody else numbers this platform's messages")
    names = ("bot", "chat", "thread", "message")
    for name, form in zip(names, SLOT_FORMS[slot["platform"]], strict=True):
        require(re.fullmatch(form, slot[name]), f"{name}: no {slot['platform']} spells it so")
    parts = (slot["platform"], *(slot[name] for name in names))
    alpha = tagged("slot-input", bytes.fromhex(p.manifest["twin"]), *parts)
    key, seed = bytes.fromhex(p.manifest["operator"]["vrf_key"]), p.receipt["seed"]
    beta = vrf_output(key, alpha, unb64(p.fields["seed"]["vrf_proof"]))
    require(tagged("slot", beta)[:16].hex() == seed["slot_tag"], "another slot tag")
    require(rejected <= attempt, "more rejected attempts than attempts")
    wished = p.fields["event"]["regenerate"] is not None
    require(wished == (attempt > rejected), "a wish for another reply exactly if there was one")
    return OK, "the message's place in its chat decided the seed"


def step_7_context(p: Proof) -> Report:
    """The model was given persona, earlier turns and message, and nothing else."""
    if not p.opened:
        return LEFT_OUT, "needs the key"
    for name, count in p.fields["counts"].items():
        require(count == len(p.fields[name]["tokens"]), f"counts: {name} has another length")
    rule = first_rule(p.manifest["rules"], message_text(p.fields))
    if p.receipt["type"] == "fixed":
        _fixed_answer(p, rule)
        return OK, f"the message calls for the fixed answer of {rule}, and this is it"
    require(rule is None, f"the fixed answer of {rule} applies, and something was generated")
    pairs = _pairs(p)
    _quotes(p.fields, [fan["receipt"] for fan, _ in pairs])
    _choice(p, [fan["receipt"] for fan, _ in pairs])
    _redraws(p, pairs)
    _finish(p, pairs)
    return OK, "persona, earlier turns and message make up all of the context; the end fits"


def message_text(fields: Json) -> str:
    """The texts of the message's parts, joined by line feeds."""
    return "\n".join(part["text"] for part in fields["message"]["parts"])


def _fixed_answer(p: Proof, rule: str | None) -> None:
    """Sections 5.2 and 7.1, of a receipt of type `fixed`."""
    fields, start = p.fields, p.fields["turn"]["n"]
    require(rule is not None and rule == p.receipt["rule"], "another rule applies, or none")
    expected = {"finish": "fixed", "rejected": 0, "text": RULES[str(rule)][2]}
    require(fields["reply"] == expected, "not the fixed answer of the rule")
    tokens = fields["spans"] + fields["context"]["tokens"] + fields["output"]["tokens"]
    require(not tokens, "tokens in a fixed answer")
    require(fields["choice"] == {"older": None, "start": start}, "a choice in a fixed answer")
    require(set(fields["event"].values()) == {None}, "an event in a fixed answer")


def _pairs(p: Proof) -> list[tuple[Json, Json]]:
    """Section 6: the grammar of spans, and what they render to."""
    spans, rendering = p.fields["spans"], p.manifest["rendering"]
    grammar = ["persona", *["fan", "twin"] * (len(spans) // 2 - 1), "message"]
    fits = [span["kind"] for span in spans] == grammar
    require(fits, "the spans are not a persona, pairs of fan and twin, and a message")
    pairs = list(zip(spans[1:-1:2], spans[2:-1:2], strict=True))
    fixed = len(rendering["before_persona"]) + len(rendering["persona_to_fan"])
    between = len(rendering["fan_to_twin"]) + len(rendering["twin_to_fan"])
    size = fixed + between * len(pairs) + len(rendering["fan_to_twin"])
    size += sum(len(span["tokens"]) for span in spans)
    # Before it is built: a small bundle can describe a context of gigabytes.
    require(size <= rendering["window_tokens"], "a context longer than the window")
    context = rendering["before_persona"] + spans[0]["tokens"] + rendering["persona_to_fan"]
    for fan, twin in pairs:
        context += fan["tokens"] + rendering["fan_to_twin"]
        context += twin["tokens"] + rendering["twin_to_fan"]
    context += spans[-1]["tokens"] + rendering["fan_to_twin"]
    require(context == p.fields["context"]["tokens"], "the spans render to another context")
    same = all(fan["receipt"] == twin["receipt"] for fan, twin in pairs)
    require(same, "the two spans of a pair cite two receipts")
    return pairs


def _quotes(fields: Json, cited: list[str]) -> None:
    """Step 7: which receipts the pairs cite."""
    turn, replaces = fields["turn"], fields["event"]["replaces"]
    require(len(set(cited)) == len(cited), "two pairs cite one receipt")
    require(len(cited) < turn["n"], "more earlier turns than there were")
    require(not cited or cited[-1] == turn["previous"], "the last pair is not the previous turn")
    quoted = replaces is not None and replaces in [*cited, turn["previous"]]
    require(not quoted, "the reply that is replaced is quoted, or is the previous turn")


def _choice(p: Proof, cited: list[str]) -> None:
    """Section 7.1, `choice`: which turns could have been quoted."""
    older, turn = p.fields["choice"]["older"], p.fields["turn"]
    available = turn["n"] - p.fields["choice"]["start"]
    require(available >= 0, "choice: the chain starts after this turn")
    if older is None:
        require(len(cited) == available, "choice: not all turns of the chain are quoted")
        return
    require(len(cited) < available, "choice: a turn left out, and all of them are quoted")
    with_it = p.fields["counts"]["context"] + older["tokens"]
    window = p.manifest["rendering"]["window_tokens"]
    require(with_it > window, "choice: the turn left out would have fitted")
    others = [*cited, p.fields["event"]["replaces"]]
    require(older["receipt"] not in others, "choice: the turn left out is quoted, or replaced")
    latest = cited or older["receipt"] == turn["previous"]
    require(latest, "choice: nothing is quoted, and the turn left out is not the previous one")


def _redraws(p: Proof, pairs: list[tuple[Json, Json]]) -> None:
    """Section 5.1: what the filter rejects."""
    reply, redraws = p.fields["reply"], p.manifest["filter"]["redraws"]
    message, output = p.fields["spans"][-1]["tokens"], p.fields["output"]["tokens"]
    others = [twin["tokens"] for fan, twin in pairs if fan["tokens"] != message]
    require(reply["rejected"] <= redraws, "more rejected attempts than the manifest allows")
    kept_anyway = reply["rejected"] == redraws or reply["finish"] in ("stopped", "cut")
    repeats = output and output in others
    require(kept_anyway or not repeats, "the filter rejects this output, and it was kept")
    require(not reply["rejected"] or others, "rejected attempts, and nothing to repeat")


def _finish(p: Proof, pairs: list[tuple[Json, Json]]) -> None:
    """Section 5: the reply ends as it says."""
    rules, reply, output = p.manifest["filter"], p.fields["reply"], p.fields["output"]["tokens"]
    size, longest = len(output), p.manifest["sampler"]["max_tokens"]
    require(size <= longest, "an output longer than the manifest allows")
    consistent = {
        "end": size < longest,
        "length": size == longest,
        "stop": size >= 1 and rules["stop_strings"],
        "stopped": 1 <= size < longest,
        "cut": 1 <= size < longest,
    }
    require(consistent.get(reply["finish"]), "the finish does not fit the output")
    stops = set(rules["stop_tokens"])
    require(stops.isdisjoint(output), "a stop token in the output")
    require(all(stops.isdisjoint(twin["tokens"]) for _, twin in pairs), "a stop token in a pair")
    require(output or reply["text"] == "\u2026", "a text, and no tokens that it is made of")
    found = _holds_one(reply["text"], set(rules["stop_strings"]))
    require(reply["text"] == "\u2026" or not found, "a stop string in the text")


def _holds_one(words: str, strings: set[str]) -> bool:
    """Whether one of the strings stands in the text; at most 64 looks at each place of it."""
    sizes = {len(string) for string in strings}
    return any(words[i : i + size] in strings for size in sizes for i in range(len(words)))


def step_8_log(p: Proof) -> Report:
    """Sections 8, 8.1, 9.1: the receipt stands in the log under a signed checkpoint."""
    p.logs, p.kept = follow_seals(p.manifest["log"]["key"], p.bundle["seals"])
    name, _, public = parse_vkey(p.logs[-1], LOG_KEY)
    p.at = parse_proof(p.bundle["log"]["proof"], name)
    r = p.receipt
    ids = (bytes.fromhex(r["twin"])[:8], bytes.fromhex(r["manifest"])[:8])
    slot = bytes.fromhex(r["seed"]["slot_tag"]) + r["attempt"].to_bytes(2, "big")
    leaf = unb64(p.bundle["log"]["leaf"])
    # Without the key `rejected` is any number that there can be.
    counts = [p.fields["reply"]["rejected"]] if p.opened else range(5)
    leaves = [b"".join((b"\x01", p.receipt_tag, slot, bytes([it]), *ids)) for it in counts]
    require(leaf in leaves, "the leaf does not encode this receipt")
    require(p.at.index not in p.kept[-1:], "the reply stands where the last seal has to stand")
    require(signed_by(p.at, p.logs[-1], LOG_KEY), "the log has not signed the checkpoint")
    verify_inclusion(p.at, leaf, leaf, "this receipt")
    if anchor := p.bundle["anchor"]:
        path = [unb64(node, 32) for node in anchor["inclusion"]]
        root = proved_root(sha256(b"\0", leaf), p.at.index, anchor["size"], path)
        require(root.hex() == anchor["root"], "the anchor's proof leads to another root")
        same = anchor["size"] != p.at.size or root == p.at.root
        require(same, "anchor and checkpoint have one size and two roots")
    for witness in p.policy["witnesses"] if p.policy else ():
        own = parse_vkey(witness, WITNESS_KEY)[2] == public  # the log's own key never counts
        p.cosigned += signed_by(p.at, witness, WITNESS_KEY) and not own
    return OK, f"leaf {p.at.index} of {p.at.size}, under a head that {name} signed"


def step_9_outcome(p: Proof) -> Report:
    """What became of the reply, and a revocation."""
    if p.bundle["outcome"] is not None:
        _outcome(p, p.bundle["outcome"])
    if p.bundle["revocation"] is not None:
        _revocation(p, p.bundle["revocation"])
    found = [said for said in (p.outcome, p.revoked) if said]
    return OK, "; ".join(found) or "no outcome is claimed, and no revocation"


def _other_leaf(p: Proof, given: Json, expected: bytes, what: str) -> int:
    """Another leaf under the same checkpoint: its index."""
    proof = parse_proof(given["proof"], p.logs[-1].partition("+")[0])
    require(proof.note == p.at.note, f"{what} has another checkpoint")
    verify_inclusion(proof, unb64(given["leaf"]), expected, what)
    return proof.index


def _outcome(p: Proof, given: Json) -> None:
    """Section 8, outcome statement."""
    statement = given["statement"]
    verify_envelope(statement, OUTCOME_TYPE, bytes.fromhex(p.receipt["operator"]))
    body = read("outcome", unb64(statement["payload"]))
    require(body["receipt"] == p.receipt_tag.hex(), "the outcome is of another receipt")
    code = bytes([OUTCOMES.index(body["outcome"]) + 1])
    leaf = b"\x02" + sha256(pae(statement)) + p.receipt_tag + code
    index = _other_leaf(p, given, leaf, "this outcome")
    require(index > p.at.index, "the outcome stands in the log before the reply")
    p.outcome = body["outcome"]


def _revocation(p: Proof, given: Json) -> None:
    """Section 3.1."""
    body = unb64(given["body"])
    order = read("order", body)
    require(order["action"] == "revoke", "the order is no revocation")
    require(order["twin"] == p.receipt["twin"], "the order is of another twin")
    require(order["manifest"] in (None, p.receipt["manifest"]), "it revokes another version")
    origins = [log.partition("+")[0] for log in p.logs[-2:]]
    require(order["log"] in origins, "the order is for another log")
    signer = recover(order_digest(order, body, p.manifest["name"]), given["signature"])
    require(signer == p.manifest["creator"], "the creator has not signed the order")
    leaf = b"\x05" + sha256(body) + bytes.fromhex(order["twin"])[:8]
    index = _other_leaf(p, given, leaf, "this order")
    what = "this version" if order["manifest"] else "the twin"
    when = "AFTER it was revoked" if index < p.at.index else "before that"
    p.revoked = f"the creator revoked {what}; this reply was logged {when}"


def step_10_trust(p: Proof) -> Report:
    """Section 11.3: creator and log are those that the verifier was given."""
    if p.policy is None:
        return LEFT_OUT, "no trust policy: the proof agrees with itself, and with nothing else"
    require(p.manifest["creator"] in p.policy["creators"], "not a creator of your policy")
    require({p.logs[0], p.logs[-1]} & set(p.policy["logs"]), "not a log of your policy")
    for place, log in enumerate(p.logs):
        here = {"manifest": p.receipt["manifest"], "log": log.partition("+")[0]}
        revoked = (entry["size"] for entry in p.policy["revoked"] if entry == entry | here)
        # What a successor logged itself, from `kept` on, came later than all of this log.
        early = all(p.at.index < min(size, *p.kept[place:], size) for size in revoked)
        require(early, "your policy revokes what this manifest signed so late")
    needed = p.policy["needed"]
    require(p.cosigned >= needed, f"{p.cosigned} of your witnesses cosigned, {needed} are needed")
    return OK, f"creator and log are yours; {p.cosigned} of your witnesses cosigned"


STEPS: dict[str, Callable[[Proof], Report]] = {
    "Bundle": step_1_bundle,
    "Receipt signature": step_2_signature,
    "Manifest": step_3_manifest,
    "Terms": step_4_terms,
    "Openings": step_5_openings,
    "Seed": step_6_seed,
    "Context": step_7_context,
    "Log": step_8_log,
    "Outcome": step_9_outcome,
    "Trust policy": step_10_trust,
}


def check(p: Proof) -> Proof:
    """Take the steps and note what each says; after one that fails, none is taken."""
    for number, (name, step) in enumerate(STEPS.items(), 1):
        try:
            mark, sentence = step(p) if p.failure is None else (LEFT_OUT, "not reached")
        except RefusalError as why:
            mark, sentence = FAILED, str(why)
            p.failure = VerificationError(number, sentence)
        p.steps.append((number, name, mark, sentence))
    return p


def verify(
    data: bytes,
    key: bytes | None = None,
    policy: Json | None = None,
    receipt_id: str | None = None,
) -> Proof:
    """Verify a bundle or a disclosure.

    Args:
        data: The file's bytes.
        key: The opening key, 32 bytes.
        policy: A trust policy that conforms to its shape.
        receipt_id: The receipt that the link names.

    Returns:
        The proof, with all that the steps found.

    Raises:
        VerificationError: The first step of section 11 that fails.
    """
    proof = check(Proof(data, key, policy, receipt_id))
    if proof.failure is not None:
        raise proof.failure
    return proof


def not_proved(p: Proof) -> list[str]:
    """Section 11.1, as far as it belongs to this proof."""
    operators = p.receipt["numbering"] == "operator"
    halted = p.fields.get("reply", {}).get("finish") in ("stopped", "cut")
    # fmt: off
    listed = {
        "That the reply is true.": True,
        "That the model gives these tokens, and that they spell this text: replay it (L3).":
            p.receipt["type"] == "reply",
        "That the operator can't read the conversation.": True,
        "That everybody sees this log: no witness of yours cosigned it.": "L1" not in p.levels,
        "That a blockchain vouches for anything: this program asks none.": True,
        "Which person the creator is: the proof knows an address.": True,
        "That the time is right: the operator states it.": True,
        "That the outcome is right: the operator states it.": p.outcome,
        "That the fan is a stranger to the operator, who could pose as one and try messages until "
        "a wanted reply comes, and that a creator who is the operator did not try versions: there "
        "is no public beacon in the seed.": True,
        "That nobody chose the message's number, which decides the seed.": operators,
        "That chat, thread and number are the platform's: the operator says so, and the platform "
        "has signed nothing. The fan can compare them.": not operators,
        "That the earlier turns are quoted rightly, that none was left out, and that this is the "
        "turn it says it is: each turn has its own proof.": p.receipt["type"] == "reply",
        "That a replay gives the same bits: the operator's machine failed the self-check.":
            p.receipt["model"]["verdict"] == "tolerant",
        "That the fan, or the creator, asked for it: the operator says so.":
            p.receipt["attempt"] > 0 or halted,
        "Anything about what was said" + (" beyond these parts" if p.disclosure else "")
        + ": there was no key.": not p.opened,
        "That creator and log are the ones you mean: you gave no policy.": p.policy is None,
        "That nothing revoked it, and nothing followed its outcome, that this file leaves out: a "
        "monitor of the log knows.": True,
    }
    # fmt: on
    return [sentence for sentence, applies in listed.items() if applies]


# ---- Command line ----


def shown(words: str) -> str:
    """Text that plays no tricks on a terminal: controls and formatting characters as escapes."""
    safe = re.sub(f"(?!\n)[{CONTROL}{FORMAT}]", lambda it: f"\\u{{{ord(it[0]):x}}}", words)
    return safe.replace("\n", "\n        ")


def summary(p: Proof) -> Json:
    """Everything that was found, for `--json`."""
    names = ("number", "name", "mark", "sentence")
    found: Json = {
        "verified": p.failure is None,
        "step": p.failure and p.failure.step,
        "steps": [dict(zip(names, step, strict=True)) for step in p.steps],
    }
    if p.failure is None:
        found |= {"levels": p.levels, "trust": p.trust, "opened": p.opened}
        found |= {"receipt": p.receipt, "manifest": p.manifest, "log": p.logs[-1]}
        found |= {"receipt_id": b64url(p.receipt_hash[:16]), "index": p.at.index}
        found |= {"size": p.at.size, "outcome": p.outcome, "revocation": p.revoked}
        found |= {"fields": p.fields or None, "persona": p.persona, "not_proved": not_proved(p)}
    return found


def cost(receipt: Json, outcome: str | None) -> str:
    """Price, payer and shares in words; payer and outcome are the operator's word."""
    price, payer = receipt["price"], receipt["payer"]
    names = ("nano", "creator_nano", "operator_nano")
    whole, creator, operator = (f"{Decimal(price[name]) / 10**9:f}" for name in names)
    said = f"{whole} {price['token']}: {PAYERS[payer]}"
    if payer != "free" and outcome in ("undelivered", "refunded"):
        return f"nothing, for it was {outcome} ({said})"
    shared = payer in ("sponsor", "paid")
    return said + (f"; creator {creator}, operator {operator}" if shared else "")


def report(p: Proof) -> list[str]:
    """The lines for a person."""
    rows = [f"{n:>2} {name:<17} {mark:<8}  {shown(said)}" for n, name, mark, said in p.steps]
    if p.failure is not None:
        return [*rows, "", f"NOT VERIFIED. Step {p.failure.step}: {shown(p.failure.sentence)}."]
    m = p.manifest
    rows += [
        "",
        f"VERIFIED: {', '.join(p.levels)}; trust: {p.trust}.",
        f"  who:  {shown(m['name'])} ({m['slug']}, version {m['version']}) of {m['creator']}",
        f"  when: {p.receipt['time']}",
        f"  cost: {cost(p.receipt, p.outcome)}",
    ]
    if p.revoked:
        rows.append(f"  NOTE: {p.revoked}")
    if "message" in p.fields:
        rows.append(f"  fan:  {shown(message_text(p.fields))}")
    if "reply" in p.fields:
        rows.append(f"  twin: {shown(p.fields['reply']['text'])}")
    if p.disclosure is not None:
        names = [*p.fields, *(["persona"] if p.persona else [])]
        rows.append(f"  disclosed: {', '.join(names)} (--json shows them)")
    return [*rows, "", "NOT proved:", *(f"  - {sentence}" for sentence in not_proved(p))]


def answer_case(case: Json) -> Json:
    """One line of `--cases`, answered. A policy that can't be read holds no key: step 10."""
    try:
        key = None if case.get("key") is None else read_key(case["key"])
    except RefusalError:
        key = b""  # opens nothing: step 5
    policy, unreadable = case.get("policy"), False
    try:
        conform(policy, (None, SHAPES["policy"]))
    except RefusalError:
        policy, unreadable = None, True
    data = case["bundle"].encode(errors="surrogatepass")  # half a pair is no UTF-8: step 1
    proof = check(Proof(data, key, policy, case.get("receipt_id")))
    if proof.failure is not None or unreadable:
        return {"step": proof.failure.step if proof.failure else len(STEPS)}
    return {"levels": proof.levels, "trust": proof.trust, "opened": proof.opened}


CASE = {"bundle": str, "key": str | None, "policy": dict | None, "receipt_id": str | None}


def run_cases(rows: Iterable[bytes]) -> int:
    """Answer JSON lines with JSON lines."""
    for number, row in enumerate(rows, 1):
        try:
            case = json.loads(row)
            fits = all(isinstance(case.get(name), kind) for name, kind in CASE.items())
            require(fits, "a member is missing or of another type")
        except (ValueError, AttributeError, RecursionError, RefusalError) as why:
            sys.stderr.write(f"verify_receipt: line {number} is no case: {why}\n")
            return 2
        sys.stdout.write(json.dumps(answer_case(case), separators=(",", ":")) + "\n")
    return 0


EPILOG = """\
Get a bundle from {base}/r/{receipt id}.json; the key is what follows #k= in the fan's link, and
never leaves your machine. A disclosure (some fields, without the key) is verified in the same way.

Without --policy the result is "self-consistent": everything in the file fits together, under keys
that the file itself brings. To know that it is YOUR creator and YOUR log, write down what you
learned by another way than the link:
  {"v":"twinproof-policy/1","creators":["0x…"],"logs":["name+hash+key"],"witnesses":[],"needed":0,
   "auditors":[],"anchors":[],"revoked":[]}

L0: the operator signed this under terms that the creator signed (and with the key: these words,
this seed, this context). L1: it stands in the log, and as many of your witnesses as your policy
needs have cosigned it; L1-unwitnessed if it needs none. A chain (L2), a replay (L3) and auditors
(L4) are not asked here.

Exit code: 0 verified, 1 not true, 2 the arguments can't be read.
--cases reads lines {"bundle":str,"key":str|null,"policy":{…}|null,"receipt_id":str|null} and
answers each with {"step":n}, the first step that fails, or {"levels":[…],"trust":…,"opened":…}.
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="verify_receipt.py",
        description="Check the proof of a twin's reply: ten steps, offline, trusting nobody.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", nargs="?", help="bundle or disclosure, or FILE#k=KEY; - for stdin")
    parser.add_argument("--key", help="the opening key: 43 characters")
    parser.add_argument("--policy", help="file with the creators, logs and witnesses you trust")
    parser.add_argument("--receipt-id", help="the receipt that it must be (22 characters)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--cases", action="store_true", help="answer JSON lines from stdin")
    return parser


def read_input(name: str) -> bytes:
    """What stands in a file or in standard input; no more than is refused anyway."""
    with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a narrow terminal is no reason to fail
    parser = arguments()
    given = parser.parse_args(argv)
    if given.cases:
        return run_cases(sys.stdin.buffer)
    name, linked, key = (given.file or "").partition("#k=")
    try:
        require(name, "which FILE? --help says more")
        require(not linked or given.key is None, "the key is given twice")
        given.key = key if linked else given.key
        opening = None if given.key is None else read_key(given.key)
        policy = None if given.policy is None else loads(read_input(given.policy))
        conform({"policy": policy}, {"policy": (None, SHAPES["policy"])})
        data = read_input(name)
    except (RefusalError, OSError) as why:
        parser.error(str(why))
    proof = check(Proof(data, opening, policy, given.receipt_id))
    sys.stdout.write(json.dumps(summary(proof)) if given.json else "\n".join(report(proof)))
    sys.stdout.write("\n")
    return 0 if proof.failure is None else 1


if __name__ == "__main__":
    sys.exit(main())
