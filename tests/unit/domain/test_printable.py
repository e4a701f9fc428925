"""Foreign text is shown, and can do nothing."""

import pytest

from bot.domain.printable import indented, printable


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain words, ünïcode, 日本", "plain words, ünïcode, 日本"),
        ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
        ("\x9b8mhidden", "\\u{9b}8mhidden"),
        ("a\rb\bc", "a\\u{d}b\\u{8}c"),
        ("\u202eright to left", "\\u{202e}right to left"),
        ("half \ud800", "half \\u{d800}"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_controls_become_visible_and_words_stay(foreign: str, shown: str) -> None:
    assert printable(foreign) == shown


def test_a_line_of_somebody_else_never_begins_at_the_margin() -> None:
    assert indented("hello\nVerified: everything", "  | ") == "hello\n  | Verified: everything"
