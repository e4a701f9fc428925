"""What goes wrong on Discord: no answer twice, none lost, no fee for what nobody saw."""

import asyncio
import logging
from itertools import pairwise

import pytest

from bot.domain.errors import (
    AdmissionError,
    EngineOverloadedError,
)
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.limits import Order
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import MANAGE_WEBHOOKS, READ_HISTORY, SEND_MESSAGES

MESSAGES = r"POST /channels/\d+/messages"


@pytest.fixture
def plain(rig: Rig) -> Rig:
    """A server where the bot has no webhooks."""
    rig.guild.allowed = everything_but(MANAGE_WEBHOOKS)
    return rig


async def test_streaming_edits_are_few_and_the_last_one_is_whole(plain: Rig) -> None:
    plain.inbox.words = [f"word{n} " for n in range(60)]
    plain.inbox.gate = asyncio.Semaphore(0)
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    for _ in range(61):
        plain.inbox.gate.release()
        await asyncio.sleep(0.05)
    await plain.answered()

    edits = [when for verb, _, _, when in plain.platform.rest.log if verb == "PATCH"]
    assert 1 <= len(edits) <= 4
    gaps = [later - earlier for earlier, later in pairwise(edits[:-1])]
    assert all(gap >= 1.15 for gap in gaps)
    (reply,) = plain.seen()
    assert "word59" in reply["content"]
    assert plain.platform.rest.limits.hits == 0


async def test_growing_reply_says_that_it_is_ai(plain: Rig) -> None:
    plain.inbox.gate = asyncio.Semaphore(1)
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await until(plain.seen)
    growing = plain.seen()[0]["content"]
    for _ in range(5):
        plain.inbox.gate.release()
    await plain.answered()

    assert "Ships" in growing
    assert "AI twin Nova is writing" in growing


async def test_slow_engine_is_acknowledged_in_time(plain: Rig) -> None:
    plain.inbox.gate = asyncio.Semaphore(0)
    await plain.start()

    asked = await plain.people.command(plain.ana, plain.room, "talk", twin="nova", text="hi")
    await asyncio.sleep(3.3)
    assert (asked.answer or {})["type"] == 5
    for _ in range(5):
        plain.inbox.gate.release()
    await plain.answered()

    assert plain.platform.hooks.late == 0


async def test_long_answer_is_split_and_keeps_its_code_fences(plain: Rig) -> None:
    plain.inbox.words = ["Look:\n```py\n" + "x = 1  # a line of code\n" * 180 + "```\nDone."]
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} code!")
    await plain.answered()

    parts = [reply["content"] for reply in plain.seen()]
    assert len(parts) >= 3
    assert all(len(part) <= 2000 and part.count("```") % 2 == 0 for part in parts)
    assert sum(part.count("x = 1  # a line of code") for part in parts) == 180
    assert "proof" in parts[-1]
    buttons = [bool(reply["components"]) for reply in plain.seen()]
    assert buttons == [False] * (len(parts) - 1) + [True]


async def test_rate_limit_delays_and_loses_nothing(plain: Rig) -> None:
    plain.platform.rest.limits.orders.append(Order(MESSAGES, 2, retry_after=0.2))
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await plain.answered()

    assert len(plain.seen()) == 1


async def test_missing_permission_makes_the_reply_undelivered(plain: Rig) -> None:
    plain.inbox.gate = asyncio.Semaphore(0)
    await plain.start()
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await until(lambda: plain.inbox.asked)

    plain.room.denied = SEND_MESSAGES
    for _ in range(5):
        plain.inbox.gate.release()
    await until(lambda: plain.inbox.lost)

    assert plain.inbox.confirmed == []


async def test_closed_direct_channel_makes_the_reply_undelivered(rig: Rig) -> None:
    direct = rig.world.direct(rig.ana)
    rig.inbox.gate = asyncio.Semaphore(0)
    await rig.start()
    await rig.people.say(rig.ana, direct, "hello")
    await until(lambda: rig.inbox.asked)

    rig.ana.closed = True
    for _ in range(5):
        rig.inbox.gate.release()
    await until(lambda: rig.inbox.lost)

    assert rig.inbox.confirmed == []


async def test_webhook_deleted_while_the_reply_grows_is_replaced(rig: Rig) -> None:
    rig.inbox.gate = asyncio.Semaphore(1)
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await until(rig.seen)

    rig.world.hooks.clear()
    for _ in range(5):
        rig.inbox.gate.release()
    await rig.answered()

    assert "Ships come home." in rig.seen()[-1]["content"]
    assert len(rig.world.hooks) == 1


async def test_sentences_for_fans_reach_them(plain: Rig) -> None:
    await plain.start()
    plain.inbox.fail = AdmissionError("You have used up today's messages.")
    asked = await plain.people.command(plain.ana, plain.room, "talk", twin="nova", text="hi")
    await until(lambda: private(asked))
    plain.inbox.fail = EngineOverloadedError("full", retry_after_s=7)
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await until(plain.seen)

    assert private(asked) == ["You have used up today's messages."]
    assert "try again in 7 s" in plain.seen()[0]["content"]
    assert plain.inbox.confirmed == []


async def test_logs_hold_no_words_no_token_no_key(
    plain: Rig, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} xylophone")
    await plain.answered()

    said = caplog.text + "".join(capsys.readouterr())
    for secret in ("xylophone", "Ships", plain.world.token, "#k="):
        assert secret not in said


async def test_answer_of_discord_that_was_lost_makes_no_second_message(plain: Rig) -> None:
    plain.platform.rest.limits.orders.append(Order(MESSAGES, 1, status=502, applied=True))
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await plain.answered()

    assert plain.platform.requests("POST", f"/channels/{plain.room.id}/messages") == 2
    assert len(plain.seen()) == 1
    assert "Ships come home." in plain.seen()[0]["content"]


async def test_failure_in_the_middle_replaces_what_was_shown(plain: Rig) -> None:
    plain.inbox.gate = asyncio.Semaphore(1)
    plain.inbox.fail, plain.inbox.fail_after = EngineOverloadedError("gone", retry_after_s=3), 1
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await until(lambda: plain.seen() and "again in 3 s" in plain.seen()[0]["content"])

    assert "Ships" not in plain.seen()[0]["content"]
    assert plain.inbox.confirmed + plain.inbox.lost == []


async def test_command_whose_room_closes_tells_its_fan(rig: Rig) -> None:
    rig.inbox.gate = asyncio.Semaphore(0)
    await rig.start()
    asked = await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="hi")
    await until(lambda: rig.inbox.asked)

    rig.world.hooks.clear()
    rig.room.denied = MANAGE_WEBHOOKS | SEND_MESSAGES
    for _ in range(5):
        rig.inbox.gate.release()
    await until(lambda: "nothing was charged" in "".join(private(asked)))

    assert len(rig.inbox.lost) == 1


async def test_room_whose_history_is_closed_is_answered_without_a_reference(plain: Rig) -> None:
    plain.room.denied = READ_HISTORY
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await plain.answered()

    (reply,) = plain.seen()
    assert "message_reference" not in reply
    assert f"to <@{plain.ana.id}>" in reply["content"]
