"""The connection to Discord: refused, broken, replayed, back again."""

import asyncio

import pytest

from bot.domain.errors import (
    ConfigurationError,
    EngineOverloadedError,
    TransientError,
)
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.limits import Order
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import MANAGE_WEBHOOKS

MESSAGES = r"POST /channels/\d+/messages"


@pytest.fixture
def plain(rig: Rig) -> Rig:
    """A server where the bot has no webhooks."""
    rig.guild.allowed = everything_but(MANAGE_WEBHOOKS)
    return rig


async def test_refusal_by_cloudflare_leaves_the_reply_for_the_next_connection(plain: Rig) -> None:
    limits = plain.platform.rest.limits
    limits.orders.append(Order(MESSAGES, 9, retry_after=0.2, via=False))
    await plain.start()
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await until(lambda: plain.inbox.asked and not plain.inbox.running)
    await asyncio.sleep(0.5)
    assert plain.inbox.confirmed == []
    plain.leave_in_outbox()
    limits.orders.clear()

    await plain.platform.gateway.drop()
    await plain.answered()

    assert len(plain.seen()) == 1
    assert plain.inbox.lost == []


@pytest.mark.parametrize("how", ["close", "reconnect", "invalid"])
async def test_broken_connection_comes_back_and_replayed_events_are_answered_once(
    plain: Rig, how: str
) -> None:
    gateway = plain.platform.gateway
    await plain.start()
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} one")
    await plain.people.command(plain.ana, plain.room, "talk", twin="nova", text="two")
    await plain.answered(2)
    opened = len(gateway.opened)

    match how:
        case "close":
            await gateway.drop(code=1001)
        case "reconnect":
            await gateway.ask_to_reconnect()
        case _:
            await gateway.invalidate()
    await until(lambda: len(gateway.opened) > opened)
    await gateway.wait_connected()
    await gateway.replay(20 if how != "invalid" else 0)
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} three")
    await plain.answered(3)

    assert gateway.opened[-1] == (2 if how == "invalid" else 6)
    assert [message.text for message in plain.inbox.asked] == ["one", "two", "three"]
    assert len(plain.seen()) == 3


async def test_missing_heartbeat_acknowledgement_makes_the_client_resume(plain: Rig) -> None:
    gateway = plain.platform.gateway
    gateway.heartbeat_ms = 200
    chat = await plain.start()
    assert chat._client is not None
    chat._client._connection.heartbeat_timeout = 0.8  # a minute is too long for a test
    await gateway.drop()
    await until(lambda: gateway.opened == [2, 6])

    gateway.beats = False
    await until(lambda: len(gateway.opened) > 2)
    gateway.beats = True
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await plain.answered()

    assert set(gateway.opened[2:]) == {6}


async def test_without_the_content_intent_the_bot_still_talks(rig: Rig) -> None:
    rig.world.content_allowed = False
    chat = await rig.start()
    assert not chat.reads_messages

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    await rig.people.say(rig.ana, rig.room, "and now?", reply_to=rig.seen()[0]["id"])
    await until(lambda: len(rig.seen()) == 2)
    about = await rig.people.command(rig.ana, rig.room, "about")
    await until(lambda: "".join(private(about)))

    assert "Press Reply" in rig.seen()[1]["content"]
    assert "message-content intent: off" in private(about)[0]
    assert [message.text for message in rig.inbox.asked] == ["hello"]


async def test_bad_token_is_a_configuration_error(rig: Rig) -> None:
    chat = rig.chat(token="wrong")  # noqa: S106  nobody's

    with pytest.raises(ConfigurationError):
        await chat.start()
    with pytest.raises(ConfigurationError):
        await chat.run()


async def test_delivery_that_could_not_be_told_is_told_later(plain: Rig) -> None:
    plain.inbox.fail_delivery = EngineOverloadedError("busy")
    await plain.start()
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await until(plain.seen)
    await until(lambda: "proof" in plain.seen()[0]["content"])
    plain.inbox.fail_delivery = None
    plain.leave_in_outbox()

    await plain.platform.gateway.drop()
    await plain.answered()

    assert len(plain.seen()) == 1


async def test_unreachable_discord_is_transient_and_run_waits_for_it(rig: Rig) -> None:
    chat = rig.chat()
    api = chat._api_base
    chat._api_base = "http://127.0.0.1:9/api/v10"
    with pytest.raises(TransientError):
        await chat.start()

    running = asyncio.create_task(chat.run())
    await asyncio.sleep(0.3)
    assert not running.done()
    chat._api_base = api
    await rig.platform.gateway.wait_connected()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    await chat.stop()

    async with asyncio.timeout(5):
        await running


async def test_token_revoked_while_running_ends_the_surface_with_its_reason(rig: Rig) -> None:
    chat = rig.chat()
    running = asyncio.create_task(chat.run())
    await rig.platform.gateway.wait_connected()
    await until(chat._connected.is_set)

    rig.world.token = "another"  # noqa: S105  nobody's
    await rig.platform.gateway.invalidate()

    with pytest.raises(ConfigurationError):
        async with asyncio.timeout(15):
            await running
    assert isinstance(chat.failure, ConfigurationError)


async def test_fans_on_both_of_two_shards_are_answered(rig: Rig) -> None:
    rig.platform.gateway.shards = 2
    # A server's shard follows from its id: make servers until each shard has one.
    rooms = {int(rig.guild.id) >> 22 & 1: rig.room}
    while len(rooms) < 2:
        guild = rig.world.guild(rig.world.person("olga"))
        rooms.setdefault(int(guild.id) >> 22 & 1, rig.world.room(guild))
        await asyncio.sleep(0.001)
    await rig.start()
    await until(rig.chats[0]._connected.is_set)

    for count, room in enumerate(rooms.values(), 1):
        await rig.people.say(rig.ana, room, f"{rig.mention} hello")
        await rig.answered(2 * count - 1)
        await rig.people.command(rig.bo, room, "talk", twin="nova", text="and you?")
        await rig.answered(2 * count)

    assert {session.shard for session in rig.platform.gateway.sessions} == {0, 1}
    assert rig.platform.gateway.opened == [2, 2]
    assert [len(rig.seen(room)) for room in rooms.values()] == [2, 2]


async def test_stop_while_the_connection_comes_back_ends(plain: Rig) -> None:
    chat = await plain.start()
    for session in plain.platform.gateway.sessions:
        session.valid = False
    await plain.platform.gateway.drop()
    await until(lambda: plain.platform.gateway.opened == [2, 6])  # the next one waits 5 s
    await asyncio.sleep(0.2)

    async with asyncio.timeout(4):
        await chat.stop()
