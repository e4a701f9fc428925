"""Canonical JSON: RFC 8785 (JCS) without floating-point numbers.

Restricted to strings, integers within ±(2^53 - 1), booleans, null, arrays and objects
(docs/spec/formats.md section 1). A parser re-encodes what it read and refuses any byte that
differs, which fixes whitespace, key order, duplicate keys and number spellings at once.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, cast

import rfc8785

from bot.crypto.errors import FormatError
from bot.crypto.json_depth import is_deeper

JsonValue: TypeAlias = "str | int | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""What canonical JSON can hold; a parsed value is built of `list` and `dict` only."""

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32  # checked before the parser runs: CPython's own overflows the stack
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
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
        if _check_value(value, MAX_DEPTH):
            return _ENCODER.encode(value).encode()
        return rfc8785.dumps(cast("Any", value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise CanonicalJsonError(str(error)) from error


def parse_canonical(data: bytes) -> JsonValue:
    """Parse bytes that `encode_canonical` could have written, and no others.

    Raises:
        CanonicalJsonError: the bytes are not JSON, or not its one canonical spelling.
    """
    value = parse_json(data)
    if encode_canonical(value) != data:
        raise CanonicalJsonError("not canonical: it re-encodes to other bytes")
    return value


def parse_json(data: bytes) -> JsonValue:
    """Parse the same values in any spelling: white space, order of keys and escapes are free.

    Raises:
        CanonicalJsonError: the bytes are not JSON, or hold a number that canonical JSON can't.
    """
    if is_deeper(data, MAX_DEPTH):
        raise CanonicalJsonError("nested too deeply")
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
    _check_value(value, MAX_DEPTH)
    return value


def _check_value(value: JsonValue, depth: int) -> bool:
    """Check a value; return whether the standard library's encoder spells it canonically.

    It does unless a key is not ASCII: it sorts keys by code points, RFC 8785 by UTF-16 units.
    """
    if value is None or isinstance(value, (str, bool)):
        return True
    if isinstance(value, int):
        _check_integer(value)
        return True
    if isinstance(value, float):
        raise CanonicalJsonError("floating-point numbers are refused")
    if depth == 0:
        raise CanonicalJsonError("nested too deeply")
    if isinstance(value, dict):
        plain = all([_check_value(item, depth - 1) for item in value.values()])  # noqa: C419
        return plain and all(isinstance(key, str) and key.isascii() for key in value)
    if isinstance(value, (list, tuple)):
        if value and set(map(type, value)) == {int}:  # token ids: checked all at once
            _check_integer(max(value))
            _check_integer(min(value))
            return True
        # A list, not a generator: every item is checked, also after one with a foreign key.
        return all([_check_value(item, depth - 1) for item in value])  # noqa: C419
    raise CanonicalJsonError(f"{type(value).__name__} has no JSON")


def _check_integer(value: int) -> None:
    if abs(value) > MAX_INTEGER:
        raise CanonicalJsonError(f"{value} is out of range")


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
