"""Foreign text on a terminal: nothing in it moves the cursor, hides, or looks like our lines."""

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """Return text with every control, format and line-breaking character made visible.

    The zero-width joiner stays: it moves nothing, and emoji need it.
    """
    return "".join(_shown(char) for char in text)


def indented(text: str, margin: str) -> str:
    """Return text made printable line by line, each further line after a margin."""
    return f"\n{margin}".join(printable(line) for line in text.split("\n"))


def _shown(char: str) -> str:
    if char == "\u200d" or unicodedata.category(char) not in _HIDDEN:
        return char
    return f"\\u{{{ord(char):x}}}"
