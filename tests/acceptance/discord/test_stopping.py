"""Stop and Another reply: who may press them, what they leave, and that they survive restarts."""

import asyncio

import pytest

from bot.domain.errors import EngineOverloadedError
from tests.acceptance.discord.conftest import BASE, Rig
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import MANAGE_WEBHOOKS, Channel, Json

FIRST, SECOND = "receipt-00000000000001", "receipt-00000000000002"


def labels(message: Json) -> list[str]:
    return [button["label"] for row in message["components"] for button in row["components"]]


def let_go(rig: Rig, count: int = 9) -> None:
    assert rig.inbox.gate is not None
    for _ in range(count):
        rig.inbox.gate.release()


async def growing(rig: Rig, channel: Channel | None = None) -> str:
    """Have a reply grow to its first word; return its message."""
    rig.inbox.gate = asyncio.Semaphore(1)
    await rig.people.say(rig.ana, channel or rig.room, f"{rig.mention} hello")
    await until(lambda: any("Ships" in m["content"] for m in rig.seen(channel)))
    await until(lambda: rig.state.posts)
    return str(rig.seen(channel)[0]["id"])


async def replied(rig: Rig) -> str:
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    return str(rig.seen()[0]["id"])


@pytest.mark.parametrize("hooks", [True, False])
async def test_the_asker_stops_a_reply_and_it_says_so(rig: Rig, *, hooks: bool) -> None:
    rig.guild.allowed = rig.guild.allowed if hooks else everything_but(MANAGE_WEBHOOKS)
    await rig.start()
    reply = await growing(rig)
    assert labels(rig.room.messages[reply]) == ["Stop"]

    pressed = await rig.people.press(rig.ana, rig.room, reply, "Stop")
    await until(lambda: rig.inbox.stops)
    let_go(rig)
    await rig.answered()

    shown = rig.room.messages[reply]
    assert rig.inbox.stops == [(rig.inbox.asked[0].message_id, pressed.id)]
    assert "Ships" in shown["content"]
    assert "come home" not in shown["content"]
    assert "-# AI twin Nova · stopped · [proof]" in shown["content"]
    assert labels(shown) == ["Reply", "Another reply", "Proof"]
    assert private(pressed) == []


async def test_nobody_else_stops_a_reply(rig: Rig) -> None:
    await rig.start()
    reply = await growing(rig)

    pressed = await rig.people.press(rig.bo, rig.room, reply, "Stop")
    await until(lambda: private(pressed))
    let_go(rig)
    await rig.answered()

    assert private(pressed) == ["Only the person who was answered may do that."]
    assert rig.inbox.stops == []
    assert "Ships come home." in rig.seen()[0]["content"]


async def test_stop_in_a_direct_channel_works_and_the_end_offers_another_reply(rig: Rig) -> None:
    direct = rig.world.direct(rig.ana)
    await rig.start()
    reply = await growing(rig, direct)

    await rig.people.press(rig.ana, direct, reply, "Stop")
    await until(lambda: rig.inbox.stops)
    let_go(rig)
    await rig.answered()

    assert "· stopped ·" in direct.messages[reply]["content"]
    assert labels(direct.messages[reply]) == ["Another reply"]


async def test_stop_of_a_reply_that_has_ended_is_told(rig: Rig) -> None:
    await rig.start()
    reply = await growing(rig)
    pressed_on = dict(rig.room.messages[reply])
    let_go(rig)
    await rig.answered()

    rig.room.messages[reply]["components"] = pressed_on["components"]  # an old view of it
    pressed = await rig.people.press(rig.ana, rig.room, reply, "Stop")
    await until(lambda: private(pressed))

    assert private(pressed) == ["This reply has ended already."]


async def test_a_cut_reply_says_that_it_is_refunded(rig: Rig) -> None:
    rig.inbox.finish = "cut"
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    assert "cut off by its creator" in rig.seen()[0]["content"]
    assert "0.002 TPT refunded" in rig.seen()[0]["content"]


@pytest.mark.parametrize("hooks", [True, False])
async def test_another_reply_takes_the_place_of_the_first_with_a_proof_of_its_own(
    rig: Rig, *, hooks: bool
) -> None:
    rig.guild.allowed = rig.guild.allowed if hooks else everything_but(MANAGE_WEBHOOKS)
    reply = await replied(rig)
    header = rig.seen()[0]["content"].partition("\n")[0]
    rig.inbox.words = ["Ships ", "stay ", "out."]

    await rig.people.press(rig.ana, rig.room, reply, "Another reply")
    await rig.answered(2)

    (shown,) = rig.seen()
    assert shown["id"] == reply
    assert "Ships stay out." in shown["content"]
    assert f"{BASE}/r/{SECOND}>" in shown["content"]
    assert header in shown["content"] or not hooks
    assert rig.inbox.confirmed == [FIRST, SECOND]
    assert (await rig.state.post(reply)).receipt == SECOND  # type: ignore[union-attr]


async def test_another_reply_keeps_the_question_of_a_command_above_it(rig: Rig) -> None:
    await rig.start()
    await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="where to?")
    await rig.answered()

    await rig.people.press(rig.ana, rig.room, rig.seen()[0]["id"], "Another reply")
    await rig.answered(2)

    assert rig.seen()[0]["content"].startswith(f"-# <@{rig.ana.id}>: where to?\n")


@pytest.mark.parametrize("where", ["direct", "thread"])
async def test_another_reply_in_direct_channels_and_threads(rig: Rig, where: str) -> None:
    room = (
        rig.world.direct(rig.ana)
        if where == "direct"
        else rig.world.room(rig.guild, parent=rig.room)
    )
    await rig.start()
    await rig.people.say(rig.ana, room, f"{rig.mention} hello")
    await rig.answered()
    reply = rig.seen(room)[0]["id"]
    rig.inbox.words = ["Ships ", "stay."]

    await rig.people.press(rig.ana, room, reply, "Another reply")
    await rig.answered(2)

    (shown,) = rig.seen(room)
    assert shown["id"] == reply
    assert "Ships stay." in shown["content"]
    assert ("#k=" in shown["content"]) is (where == "direct")


async def test_another_reply_where_the_webhook_is_gone_is_refused_in_words(rig: Rig) -> None:
    reply = await replied(rig)
    await rig.chats[-1].stop()
    rig.world.hooks.clear()
    await rig.start()

    pressed = await rig.people.press(rig.ana, rig.room, reply, "Another reply")
    await until(lambda: private(pressed))

    assert private(pressed) == ["I can't change this message any more. Please ask again."]
    assert len(rig.inbox.asked) == 1


async def test_parts_that_are_too_many_are_taken_away(rig: Rig) -> None:
    rig.inbox.words = ["a long word " * 300]
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    first, *others = [m["id"] for m in rig.seen()]
    assert others
    rig.inbox.words = ["Short."]

    await rig.people.press(rig.ana, rig.room, others[-1], "Another reply")
    await rig.answered(2)
    await until(lambda: len(rig.seen()) == 1)

    assert rig.seen()[0]["id"] == first
    assert "Short." in rig.seen()[0]["content"]
    assert list(rig.state.posts) == [first]


async def test_another_reply_is_not_for_others_and_works_after_a_restart(rig: Rig) -> None:
    reply = await replied(rig)
    await rig.chats[-1].stop()
    await rig.start()

    foreign = await rig.people.press(rig.bo, rig.room, reply, "Another reply")
    await until(lambda: private(foreign))
    await rig.people.press(rig.ana, rig.room, reply, "Another reply")
    await rig.answered(2)

    assert private(foreign) == ["Only the person who was answered may do that."]
    assert rig.inbox.confirmed == [FIRST, SECOND]


async def test_another_reply_grows_with_a_stop_of_its_own(rig: Rig) -> None:
    reply = await replied(rig)
    rig.inbox.gate = asyncio.Semaphore(1)

    await rig.people.press(rig.ana, rig.room, reply, "Another reply")
    await until(lambda: labels(rig.room.messages[reply]) == ["Stop"])
    again = await rig.people.press(rig.ana, rig.room, reply, "Stop")
    await until(lambda: rig.inbox.stops)
    let_go(rig)
    await rig.answered(2)

    assert "· stopped ·" in rig.room.messages[reply]["content"]
    assert rig.inbox.stops[0][1] == again.id


async def test_a_failed_second_reply_leaves_the_first_as_it_was(rig: Rig) -> None:
    reply = await replied(rig)
    before = rig.room.messages[reply]["content"]
    rig.inbox.fail, rig.inbox.fail_after = EngineOverloadedError("full", retry_after_s=7), 2
    rig.inbox.gate = asyncio.Semaphore(1)

    pressed = await rig.people.press(rig.ana, rig.room, reply, "Another reply")
    await until(lambda: labels(rig.room.messages[reply]) == ["Stop"])
    let_go(rig)
    await until(lambda: private(pressed))

    assert "try again in 7 s" in private(pressed)[0]
    assert rig.room.messages[reply]["content"] == before
    assert labels(rig.room.messages[reply]) == ["Reply", "Another reply", "Proof"]
    assert (await rig.state.post(reply)).receipt == FIRST  # type: ignore[union-attr]


async def test_a_wish_that_comes_twice_makes_one_reply(rig: Rig) -> None:
    reply = await replied(rig)

    await rig.people.press(rig.ana, rig.room, reply, "Another reply")
    await rig.platform.gateway.replay(1)
    await rig.answered(2)
    await rig.platform.gateway.replay(4)
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} and?")
    await rig.answered(3)

    assert len(rig.inbox.asked) == 3
