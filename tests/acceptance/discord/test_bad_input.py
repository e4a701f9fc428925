"""What a twin can't answer, over the real core: one clear sentence each, nothing charged."""

from typing import cast

import pytest

from adapters.discord_chat.commands import MAX_TEXT_CHARACTERS
from bot.domain.ledger import SPONSOR
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.core import Core
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import Json
from tests.stage import PRICE, Stage, memory_stage

NO_WORDS = "I can only read words: write something."
OVER_QUOTA = (
    "You have sent 1 messages in the last 24 hours, which is the limit. Please come back tomorrow."
)


def too_long(count: int) -> str:
    return f"Please write at most 1000 characters; that were {count}."


@pytest.fixture
async def stage(rig: Rig) -> Stage:
    """The real core behind the surface; one message a day and fan."""
    stage = memory_stage(daily_messages=1)
    await stage.open()
    rig.inbox = cast("Core", stage.make_inbox())  # the real one in place of the memory
    await rig.start()
    return stage


async def replied(stage: Stage) -> int:
    """Check that exactly the replies that there are were paid; count them."""
    replies = len((await stage.reader.read_all()).replies)
    assert await stage.balance(SPONSOR) == stage.budget - replies * PRICE
    return replies


async def delivered(rig: Rig, number: int) -> None:
    await until(lambda: sum("proof" in m["content"] for m in rig.seen()) == number)


@pytest.mark.parametrize(
    ("words", "files", "sentence"),
    [
        ("", 0, NO_WORDS),
        ("  \n ", 0, NO_WORDS),
        ("", 1, NO_WORDS),
        ("x" * 3977, 0, too_long(3977)),
    ],
    ids=["bare mention", "white space", "only an attachment", "too long with Nitro"],
)
async def test_mention_that_can_not_be_answered_gets_one_sentence_and_costs_nothing(
    rig: Rig, stage: Stage, words: str, files: int, sentence: str
) -> None:
    message = rig.world.write(rig.room, rig.ana.as_json(), f"{rig.mention} {words}")
    attached: list[Json] = [
        await rig.people.attach(rig.room, "harbour.png", b"png") for _ in range(files)
    ]
    message["attachments"] = attached

    await rig.platform.gateway.publish_message("MESSAGE_CREATE", message, rig.room)
    await until(rig.seen)
    (told,) = rig.seen()
    assert told["content"] == sentence
    assert await replied(stage) == 0

    # It did not count towards the one message of the day either.
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await delivered(rig, 1)
    assert await replied(stage) == 1
    assert len(rig.seen()) == 2


async def test_longest_text_of_a_command_is_refused_in_one_sentence(rig: Rig, stage: Stage) -> None:
    text = "x" * MAX_TEXT_CHARACTERS

    asked = await rig.people.command(rig.ana, rig.room, "talk", twin="mira", text=text)
    await until(lambda: private(asked) == [too_long(MAX_TEXT_CHARACTERS)])
    await until(lambda: rig.seen() == [])

    assert await replied(stage) == 0


async def test_fan_over_the_quota_is_told_once_and_others_go_on(rig: Rig, stage: Stage) -> None:
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} one")
    await delivered(rig, 1)

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} two")
    await until(lambda: len(rig.seen()) == 2)
    assert rig.seen()[1]["content"] == OVER_QUOTA
    assert await replied(stage) == 1

    await rig.people.say(rig.bo, rig.room, f"{rig.mention} three")
    await delivered(rig, 2)
    assert await replied(stage) == 2
    assert len(rig.seen()) == 3
