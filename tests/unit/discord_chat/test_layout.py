"""How replies are cut into messages."""

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
