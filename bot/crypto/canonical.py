"""Canonical JSON: RFC 8785 (JCS) without floating-point numbers.

Restricted to strings, integers within ±(2^53 - 1), booleans, null, arrays and objects
(docs/spec/formats.md section 1). A parser re-encodes what it read and refuses any byte that
differs, which fixes whitespace, key order, duplicate keys and number spellings at once.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, cast

import rfc8785

from bot.crypto.errors import FormatError

JsonValue: TypeAlias = "str | int | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""What canonical JSON can hold; a parsed value is built of `list` and `dict` only."""

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32  # checked before the parser runs: CPython's own overflows the stack
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_MAX_DIGITS = 17  # sign and 16 digits; a longer number is out of range before it is converted


class CanonicalJsonError(FormatError):
    """A value or its bytes are not canonical JSON."""


def encode_canonical(value: JsonValue) -> bytes:
    """Encode a value by RFC 8785 section 3.2.

    Raises:
        CanonicalJsonError: it holds a float, an integer out of range, a lone surrogate, or is
            nested too deeply.
    """
    try:
        _check_value(value, MAX_DEPTH)
        return rfc8785.dumps(cast("Any", value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise CanonicalJsonError(str(error)) from error


def parse_canonical(data: bytes) -> JsonValue:
    """Parse bytes that `encode_canonical` could have written, and no others.

    Raises:
        CanonicalJsonError: the bytes are not JSON, or not its one canonical spelling.
    """
    _check_depth(data)
    try:
        value: JsonValue = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            parse_int=_bounded_integer,
        )
    except UnicodeDecodeError as error:
        raise CanonicalJsonError("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise CanonicalJsonError(f"not JSON: {error.msg} at character {error.pos}") from error
    if encode_canonical(value) != data:
        raise CanonicalJsonError("not canonical: it re-encodes to other bytes")
    return value


def _check_value(value: JsonValue, depth: int) -> None:
    if isinstance(value, float):
        raise CanonicalJsonError("floating-point numbers are refused")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        if depth == 0:
            raise CanonicalJsonError("nested too deeply")
        for item in value:
            _check_value(item, depth - 1)


def _check_depth(data: bytes) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            raise CanonicalJsonError("nested too deeply")


def _unique_keys(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise CanonicalJsonError("an object has a key twice")
    return members


def _bounded_integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise CanonicalJsonError("an integer is out of range")
    return int(text)


def _refuse_number(_text: str) -> NoReturn:
    raise CanonicalJsonError("a number is not an integer")
