"""Replies as platform messages: nothing is lost, nothing is too long, nothing is cut through."""

import re

from hypothesis import given
from hypothesis import strategies as st
from telegram import MessageEntity

from adapters.telegram_chat.layout import (
    Mark,
    Piece,
    compose_preview,
    compose_reply,
    count_units,
    find_code,
    split_text,
)

WORDS = st.lists(
    st.sampled_from(["word", "End.", "\n", "\n\n", "😀", "👩‍👩‍👧", "`code`", "é", "x" * 40, " "]),
    min_size=1,
    max_size=60,
)


def _solid(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(WORDS, st.integers(12, 80), st.integers(1, 4))
def test_parts_hold_every_character_in_order_within_the_limits(
    words: list[str], max_units: int, max_marks: int
) -> None:
    text = " ".join(words)

    parts = split_text(Piece(text, find_code(text)), max_units=max_units, max_marks=max_marks)

    assert _solid("".join(part.text for part in parts)) == (_solid(text) or "…")
    for part in parts:
        assert 0 < count_units(part.text) <= max_units
        assert len(part.marks) <= max_marks
        for mark in part.marks:
            assert part.text[mark.start : mark.end] == "`code`"


def test_cuts_fall_between_paragraphs_before_sentences_before_words() -> None:
    paragraphs = Piece("One two three.\n\nFour. Five six")

    first = split_text(paragraphs, max_units=25, max_marks=0)
    second = split_text(Piece("One two. Three four"), max_units=14, max_marks=0)
    third = split_text(Piece("One two three"), max_units=10, max_marks=0)

    assert [part.text for part in first] == ["One two three.", "Four. Five six"]
    assert [part.text for part in second] == ["One two.", "Three four"]
    assert [part.text for part in third] == ["One two", "three"]


def test_a_mark_that_is_too_long_alone_is_continued() -> None:
    text = "x" * 25

    parts = split_text(Piece(text, (Mark("pre", 0, 25),)), max_units=10, max_marks=5)

    assert [(mark.start, mark.end) for part in parts for mark in part.marks] == [
        (0, 10),
        (0, 10),
        (0, 5),
    ]


def test_joined_characters_stay_together() -> None:
    family = "👩‍👩‍👧"
    text = "x" * 8 + family

    parts = split_text(Piece(text), max_units=11, max_marks=0)

    assert [part.text for part in parts] == ["x" * 8, family]


def test_entities_count_in_utf16_units() -> None:
    (piece,) = compose_reply("Nova 😀", "😀 `x`")

    assert piece.text == "Nova 😀 [AI twin]\n😀 `x`"
    assert piece.entities == [
        MessageEntity("bold", offset=0, length=17),
        MessageEntity("code", offset=21, length=3),
    ]


def test_the_words_of_a_short_reply_stay_as_they_are() -> None:
    text = "**Bold** _claims_ with [a link](https://example.org) &amp; <b>tags</b>"

    (piece,) = compose_reply("Nova", text, note="Proof: https://example.org/r/1")

    assert piece.text == f"Nova [AI twin]\n{text}\n\nProof: https://example.org/r/1"


def test_a_block_of_code_is_one_mark() -> None:
    marks = find_code("a ```py\nx = `1`\n``` b `c` `d")

    assert [(mark.kind, mark.start, mark.end) for mark in marks] == [
        ("pre", 2, 19),
        ("code", 22, 25),
    ]


@given(st.text(st.sampled_from("ab 😀\n"), min_size=1, max_size=9000))
def test_previews_and_replies_fit(text: str) -> None:
    preview = compose_preview("Nova", text)

    assert count_units(preview.text) <= 4096
    assert all(count_units(piece.text) <= 4096 for piece in compose_reply("N" * 64, text))
