"""Strict text codecs: RFC 4648 base64 and base64url, lower-case hexadecimal.

Each byte string has exactly one accepted spelling, so that no character of a text can change
without changing the value.
"""

import base64
import binascii
import re

from bot.crypto.errors import FormatError

_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
_B64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def encode_b64(data: bytes) -> str:
    """Encode as base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def parse_b64(text: str) -> bytes:
    """Decode base64 with padding.

    Raises:
        FormatError: a foreign character, wrong padding, or unused bits that are not zero.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise FormatError("not base64") from error
    if encode_b64(data) != text:
        raise FormatError("not canonical base64")
    return data


def encode_b64url(data: bytes) -> str:
    """Encode as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def parse_b64url(text: str) -> bytes:
    """Decode base64url without padding.

    Raises:
        FormatError: a foreign character, an impossible length, or unused bits that are not zero.
    """
    if not _B64URL.fullmatch(text):
        raise FormatError("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise FormatError("not base64url") from error
    if encode_b64url(data) != text:
        raise FormatError("not canonical base64url")
    return data


def parse_hex(text: str, size: int) -> bytes:
    """Decode exactly `size` bytes of lower-case hexadecimal without prefix.

    Raises:
        FormatError: an upper-case or foreign character, or another length.
    """
    if len(text) != 2 * size or not _HEX.fullmatch(text):
        raise FormatError(f"not {size} bytes of lower-case hexadecimal")
    return bytes.fromhex(text)
