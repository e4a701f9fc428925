"""The configuration as text: answers written into the example, whose comments stay."""

import json
import re
from collections.abc import Mapping, Sequence

from bot.domain.errors import InvariantError

Scalar = str | int | bool
Value = Scalar | Sequence[str] | Sequence[Mapping[str, str]]
_SECTION = re.compile(r"\[(\w+)\]")
_KEY = re.compile(r"(\w+) = ")


def fill_example(example: str, values: Mapping[tuple[str, str], Value]) -> str:
    """Return the example with some keys set to other values; every other line stays as it is.

    Args:
        example: a TOML text with one line a key.
        values: by section and key.

    Raises:
        InvariantError: the example has no such key.
    """
    section, open_keys, lines = "", dict(values), []
    for line in example.splitlines():
        if found := _SECTION.match(line):
            section = found[1]
        key = _KEY.match(line)
        if key and (section, key[1]) in open_keys:
            lines.append(f"{key[1]} = {encode_value(open_keys.pop((section, key[1])))}")
        else:
            lines.append(line)
    if open_keys:
        raise InvariantError(f"the example has no key {next(iter(open_keys))}")
    return "\n".join(lines) + "\n"


def encode_value(value: Value) -> str:
    """Write a value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # A JSON string is a TOML string, but for one character that JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return "[" + ", ".join(_item(item) for item in value) + "]"


def _item(item: str | Mapping[str, str]) -> str:
    if isinstance(item, str):
        return encode_value(item)
    pairs = ", ".join(f"{key} = {encode_value(value)}" for key, value in item.items())
    return "{ " + pairs + " }"
