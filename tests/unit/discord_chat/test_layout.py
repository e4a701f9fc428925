"""How replies are cut into messages."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord_chat.layout import Frame, split_text, webhook_name
from bot.ports.chat import ReplyShown

PIECES = st.sampled_from(["word ", "Sentence. ", "\n", "\n\n", "```\n", "```py\n", "x" * 300, "é"])
TEXTS = st.lists(PIECES, max_size=60).map("".join)
REPLY = ReplyShown(
    "r" * 22,
    "Hi.",
    "https://t.example/r/x#k=K",
    "https://t.example/r/x",
    2_000_000,
    "TPT",
    "Nova",
    "end",
)


@given(TEXTS)
def test_every_part_fits_and_has_whole_fences(text: str) -> None:
    for part in split_text(text):
        assert len(part) <= 1800
        assert part.count("```") % 2 == 0


@given(TEXTS, TEXTS)
def test_finished_parts_stay_when_the_text_grows(text: str, more: str) -> None:
    earlier = split_text(text.strip() + "!")
    later = split_text(text.strip() + "!" + more)

    assert later[: len(earlier) - 1] == earlier[:-1]


@given(st.text(alphabet="ab \n", max_size=6000))
def test_no_word_is_lost(text: str) -> None:
    assert "".join("".join(split_text(text)).split()) == "".join(text.split())


def test_cut_fence_is_opened_again_with_its_language() -> None:
    first, second = split_text("```py\n" + "line of code\n" * 150 + "```")

    assert first.endswith("\n```")
    assert second.startswith("```py\nline of code")


@pytest.mark.parametrize("private", [True, False])
def test_label_names_the_twin_the_fee_and_the_link_for_its_readers(*, private: bool) -> None:
    (part,) = Frame("Nova", "", private).final(REPLY)

    assert part.startswith("Hi.\n-# AI twin Nova · [proof](<https://t.example/r/x")
    assert part.endswith("0.002 TPT")
    assert ("#k=K" in part) is private


def test_label_of_a_very_long_address_gets_a_part_of_its_own() -> None:
    frame = Frame("Nova" * 90, "", private=False)

    parts = frame.growing("x" * 1700)

    assert len(parts) == 2
    assert all(len(part) <= 2000 for part in parts)


def test_webhook_names_avoid_what_discord_keeps_for_itself() -> None:
    for name in ("Clyde of Discord", "Nova", "N" * 200):
        shown = webhook_name(name)
        assert len(shown) <= 80
        assert shown.endswith("(AI twin)")
        assert "clyde" not in shown.lower()
        assert "discord" not in shown.lower()


MARK = r"\*\*|__|~~|\|\||`|\*|_"
MARKS = ("**", "__", "~~", "||", "`", "*", "_")
WORDS = st.integers(1, 700).map(lambda count: " ".join(f"w{n}" for n in range(count)))
SPANS = st.tuples(st.sampled_from(("", *MARKS)), WORDS).map(lambda s: s[0] + s[1] + s[0])
STYLED = st.lists(SPANS, min_size=1, max_size=12).map(" ".join)


def visible(text: str) -> list[str]:
    return re.sub(r"[*_~|`\s]+", " ", text).split()


@given(STYLED)
def test_words_stay_and_every_part_has_whole_spans(text: str) -> None:
    parts = split_text(text)

    assert visible("\n".join(parts)) == visible(text)
    for part in parts:
        assert len(part) <= 1800
        assert all(count % 2 == 0 for count in Counter(re.findall(MARK, part)).values())


@given(
    st.lists(
        st.sampled_from(
            ["**", "*", "_", "`", "||", "a b", "[x](https://a.b/c)", "\n\n", "y" * 500]
        ),
        max_size=80,
    ).map("".join),
    st.text(alphabet="*`_ |a\n", max_size=900),
)
def test_finished_parts_stay_when_styled_text_grows(text: str, more: str) -> None:
    earlier = split_text(text.strip() + "!")
    later = split_text(text.strip() + "!" + more)

    assert later[: len(earlier) - 1] == earlier[:-1]
    assert all(len(part) <= 1800 for part in later)


@pytest.mark.parametrize("mark", MARKS)
def test_short_span_at_the_limit_goes_whole_into_the_next_part(mark: str) -> None:
    span = f"{mark}these words belong together{mark}"
    first, second = split_text("word " * 337 + span + " end." * 30)

    assert mark not in first
    assert second.startswith(span)


@pytest.mark.parametrize("mark", MARKS)
def test_span_longer_than_a_message_is_closed_and_opened_again(mark: str) -> None:
    parts = split_text(mark + "word " * 600 + "end" + mark)

    assert len(parts) == 2
    assert all(part.startswith(mark) and part.endswith(mark) for part in parts)


def test_link_at_the_limit_is_not_cut() -> None:
    link = "[the harbour of my home](https://harbour.example/a_b/c)"
    _, second = split_text("word " * 337 + link + " end." * 30)

    assert second.startswith(link)


def test_lone_marks_stay_as_they_were_written() -> None:
    assert split_text("2 * 3, snake_case, 5 *stars") == ["2 * 3, snake_case, 5 *stars"]
