"""Identifiers of messages: a spelling that a platform does not write would give another seed."""

from dataclasses import replace

import pytest

from bot.crypto.errors import FormatError
from bot.domain.ids import SlotInput

DISCORD = SlotInput("discord", "901", "17", "", "112233445566778899")
TELEGRAM = SlotInput("telegram", "7", "-1001", "5", "1")
WEB = SlotInput("web", "local", "any text", " ", "")


@pytest.mark.parametrize(
    "slot",
    [
        DISCORD,
        replace(DISCORD, thread="9", message="9" * 20),
        TELEGRAM,
        replace(TELEGRAM, chat="42", thread=""),
        WEB,
        replace(WEB, platform="terminal"),
    ],
)
def test_what_platforms_write_is_taken(slot: SlotInput) -> None:
    slot.check()


@pytest.mark.parametrize(
    "slot",
    [
        replace(DISCORD, message="0112233445566778899"),
        replace(DISCORD, message=" 1"),
        replace(DISCORD, message="1\n"),
        replace(DISCORD, message="\u0661"),
        replace(DISCORD, message="1" * 21),
        replace(DISCORD, message=""),
        replace(DISCORD, chat="-17"),
        replace(DISCORD, thread="0"),
        replace(DISCORD, bot=""),
        replace(TELEGRAM, chat="--1"),
        replace(TELEGRAM, chat="-0"),
        replace(TELEGRAM, message="-1"),
        replace(WEB, bot="Local"),
        replace(WEB, platform="Web"),
        replace(WEB, platform="matrix"),
    ],
)
def test_another_spelling_is_refused(slot: SlotInput) -> None:
    with pytest.raises(FormatError):
        slot.check()
