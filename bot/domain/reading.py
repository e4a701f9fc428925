"""Strict reading of parsed canonical JSON: exact keys, exact types, named limits.

Every refusal is a `FormatError` whose sentence begins with the path of the offending value.
"""

import re
from collections.abc import Callable, Mapping
from typing import Self, TypeVar

from bot.crypto.canonical import MAX_INTEGER, JsonValue
from bot.crypto.encoding import parse_b64, parse_hex
from bot.crypto.errors import FormatError

T = TypeVar("T")

MAX_TEXT = 65_536
MAX_ITEMS = 65_536
MAX_TOKEN_ID = 2**31 - 1
MAX_QUOTED = 40
BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # categories Cc, Zl, Zp
FORMATTING = re.compile(  # category Cf of Unicode 17.0, as listed in formats.md section 1
    r"[\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    r"\U000e0020-\U000e007f]"
)


class ObjectReader:
    """Reads one JSON object that has exactly the given keys.

    Args:
        value: what the parser returned.
        path: where it stands, for sentences.
        keys: every key that must be there; no other may be.

    Raises:
        FormatError: not an object, or a key is missing or unknown.
    """

    def __init__(self, value: JsonValue, path: str, keys: str) -> None:
        if not isinstance(value, Mapping):
            raise FormatError(f"{path}: not an object")
        expected = set(keys.split())
        for key in sorted(expected.symmetric_difference(value)):
            problem = "missing" if key in expected else "unknown"
            raise FormatError(f"{path}.{_quoted(key, expected)}: {problem} key")
        self._members = value
        self._path = path

    def value(self, key: str) -> JsonValue:
        """Return a member as it is."""
        return self._members[key]

    def object(self, key: str, keys: str) -> Self:
        """Return a reader of a member that is an object with exactly these keys."""
        return type(self)(self._members[key], self._at(key), keys)

    def text(self, key: str, *, minimum: int = 0, maximum: int = MAX_TEXT) -> str:
        """Return a string whose length, in Unicode code points, is within limits."""
        return read_text(self._members[key], self._at(key), minimum=minimum, maximum=maximum)

    def text_or_null(self, key: str, *, maximum: int = MAX_TEXT) -> str | None:
        """Return a string of at most `maximum` code points, or None."""
        return None if self._members[key] is None else self.text(key, maximum=maximum)

    def title(self, key: str, *, maximum: int) -> str:
        """Return a title: one line, not blank, without invisible formatting characters."""
        text = self.text(key, minimum=1, maximum=maximum)
        if not text.strip() or BREAKING.search(text) or FORMATTING.search(text):
            raise FormatError(f"{self._at(key)}: not one line of visible characters")
        return text

    def integer(self, key: str, *, minimum: int = 0, maximum: int = MAX_INTEGER) -> int:
        """Return an integer within limits; booleans are not integers."""
        return read_integer(self._members[key], self._at(key), minimum=minimum, maximum=maximum)

    def hex(self, key: str, size: int) -> bytes:
        """Return `size` bytes written in lower-case hexadecimal."""
        return self.convert(key, lambda text: parse_hex(text, size))

    def hex_or_null(self, key: str, size: int) -> bytes | None:
        """Return `size` bytes written in lower-case hexadecimal, or None."""
        return None if self._members[key] is None else self.hex(key, size)

    def base64(self, key: str, size: int | None = None) -> bytes:
        """Return bytes written in base64, of exactly `size` if it is given."""
        data = self.convert(key, parse_b64, maximum=None)
        if size is not None and len(data) != size:
            raise FormatError(f"{self._at(key)}: {len(data)} bytes instead of {size}")
        return data

    def convert(self, key: str, parse: Callable[[str], T], *, maximum: int | None = MAX_TEXT) -> T:
        """Return what `parse` makes of a string; its FormatError gets the path."""
        text = self._members[key]
        if not isinstance(text, str) or (maximum is not None and len(text) > maximum):
            raise FormatError(f"{self._at(key)}: not a string within limits")
        try:
            return parse(text)
        except FormatError as error:
            raise FormatError(f"{self._at(key)}: {error}") from error

    def items(self, key: str, read: Callable[[JsonValue, str], T]) -> tuple[T, ...]:
        """Return the items of an array, each read by `read(value, path)`."""
        value = self._members[key]
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise FormatError(f"{self._at(key)}: not an array within limits")
        return tuple(read(item, f"{self._at(key)}[{i}]") for i, item in enumerate(value))

    def tokens(self, key: str) -> tuple[int, ...]:
        """Return an array of token ids."""
        return self.items(key, lambda v, path: read_integer(v, path, maximum=MAX_TOKEN_ID))

    def constant(self, key: str, *expected: str | int | None) -> None:
        """Require one of the values that this version of the format allows."""
        value = self._members[key]
        if not any(type(value) is type(one) and value == one for one in expected):
            allowed = " or ".join("null" if one is None else str(one) for one in expected)
            raise FormatError(f"{self._at(key)}: not {allowed}")

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}"


def read_text(value: JsonValue, path: str, *, minimum: int = 0, maximum: int = MAX_TEXT) -> str:
    """Return a string whose length, in Unicode code points, is within limits."""
    if not isinstance(value, str) or not minimum <= len(value) <= maximum:
        raise FormatError(f"{path}: not a string of {minimum} to {maximum} characters")
    return value


def read_integer(
    value: JsonValue, path: str, *, minimum: int = 0, maximum: int = MAX_INTEGER
) -> int:
    """Return an integer within limits; booleans are not integers."""
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        raise FormatError(f"{path}: not an integer from {minimum} to {maximum}")
    return value


def _quoted(key: str, known: set[str]) -> str:
    """Return a known key as it is, and a foreign one escaped and cut."""
    if key in known:
        return key
    quoted = ascii(key)
    return quoted if len(quoted) <= MAX_QUOTED else f"{quoted[: MAX_QUOTED - 1]}…"
