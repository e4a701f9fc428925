"""A surface that dies in the middle of a reply, and the next one that finds what it left."""

import asyncio

import pytest

from adapters.discord_chat.chat import DiscordChat
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import MANAGE_WEBHOOKS, Channel


async def kill(rig: Rig, before: set[asyncio.Task[object]]) -> None:
    """End every task that the surface has made, as the end of its process does."""
    client = rig.chats[-1]._client
    rig.chats.pop()
    doomed = [t for t in asyncio.all_tasks() - before if t is not asyncio.current_task()]
    ours = [t for t in doomed if "RequestHandler" not in repr(t.get_coro())]
    for task in ours:
        task.cancel()
    await asyncio.wait(ours, timeout=5)
    if client is not None:
        await client.http.close()
    rig.platform.gateway.sessions.clear()
    rig.inbox.running.clear()


async def start_and_kill_mid_stream(rig: Rig, room: Channel, *, way: str) -> None:
    before = asyncio.all_tasks()
    rig.inbox.gate = asyncio.Semaphore(1)
    await rig.start()
    if way == "talk":
        await rig.people.command(rig.ana, room, "talk", twin="nova", text="hello")
    else:
        await rig.people.say(rig.ana, room, f"{rig.mention} hello")
    await until(lambda: any("Ships" in m["content"] for m in rig.seen(room)))
    await until(lambda: rig.state.posts)
    await kill(rig, before)
    rig.inbox.gate = None
    # The core comes back first and finishes the reply; then the surface starts.
    message = rig.inbox.asked[0]
    rig.inbox._shown[message.surface, message.message_id] = rig.inbox._commit(
        message, rig.inbox.cards[0]
    )
    rig.leave_in_outbox()


@pytest.mark.parametrize("way", ["mention", "talk"])
@pytest.mark.parametrize("hooks", [True, False])
@pytest.mark.parametrize("remembered", [True, False])
async def test_reply_cut_by_a_crash_is_finished_in_its_place_once(
    rig: Rig, way: str, *, hooks: bool, remembered: bool
) -> None:
    rig.guild.allowed = rig.guild.allowed if hooks else everything_but(MANAGE_WEBHOOKS)
    await start_and_kill_mid_stream(rig, rig.room, way=way)
    if not remembered:  # killed between the platform's answer and our own note of it
        rig.state.posts.clear()

    await rig.start()
    await rig.answered()

    (reply,) = rig.seen()
    assert "Ships come home." in reply["content"]
    assert ("discord.com/channels" in reply["content"]) is (hooks and way == "mention")
    assert rig.inbox.confirmed == ["receipt-00000000000001"]


async def test_reply_of_a_direct_message_is_finished_too(rig: Rig) -> None:
    direct = rig.world.direct(rig.ana)
    await start_and_kill_mid_stream(rig, direct, way="mention")

    await rig.start()
    await rig.answered()

    assert [m["content"].count("Ships come home.") for m in rig.seen(direct)] == [1]


async def test_reply_whose_channel_is_gone_is_undelivered(rig: Rig) -> None:
    await start_and_kill_mid_stream(rig, rig.room, way="mention")
    rig.guild.channels.clear()
    del rig.world.channels[rig.room.id]

    chat: DiscordChat = await rig.start()
    await until(lambda: rig.inbox.lost)

    assert chat.failure is None
    assert rig.inbox.confirmed == []


async def test_stop_between_a_restart_and_the_recovered_reply_gets_one_clear_answer(
    rig: Rig,
) -> None:
    await start_and_kill_mid_stream(rig, rig.room, way="mention")
    (left,) = rig.inbox.outbox
    rig.inbox.outbox.clear()  # what recovery has made is not told yet
    await rig.start()
    await until(rig.chats[-1]._connected.is_set)
    reply = rig.seen()[0]["id"]

    pressed = await rig.people.press(rig.ana, rig.room, reply, "Stop")
    await until(lambda: private(pressed))
    rig.inbox.outbox.append(left)
    await rig.platform.gateway.drop()
    await rig.answered()

    assert private(pressed) == ["This reply has ended already."]
    (shown,) = rig.seen()
    assert shown["id"] == reply
    assert "Ships come home." in shown["content"]
    assert rig.inbox.confirmed == ["receipt-00000000000001"]
