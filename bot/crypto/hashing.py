"""Hashes: tagged SHA-256 (formats.md section 1), plain SHA-256, and Ethereum's Keccak-256."""

import hashlib

from Crypto.Hash import keccak

_DOMAIN = b"twinproof/v1/"


def tagged_hash(tag: str, *parts: bytes | str) -> bytes:
    """Hash `parts` under `tag` to 32 bytes; no two lists of parts share an input.

    The input is `"twinproof/v1/" || tag || 0x00 || u32(len p1) || p1 || …`, strings as UTF-8.
    """
    digest = hashlib.sha256(_DOMAIN + tag.encode() + b"\x00")
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()


def sha256(data: bytes) -> bytes:
    """Hash bytes with plain SHA-256 (FIPS 180-4)."""
    return hashlib.sha256(data).digest()


def keccak256(data: bytes) -> bytes:
    """Hash with Keccak-256 as Ethereum uses it (the padding before FIPS 202), not SHA3-256."""
    return bytes(keccak.new(digest_bits=256, data=data).digest())
