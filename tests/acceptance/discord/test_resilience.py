"""Discord in trouble: away for long, refusing, losing answers, deleting what grows."""

import asyncio

import pytest

from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.limits import Order
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.test_stopping import growing, let_go
from tests.acceptance.discord.world import MANAGE_WEBHOOKS, THREAD

MESSAGES = r"POST /channels/\d+/messages"
HOOK = r"POST /webhooks/\d+/[\w-]+"
HOOK_EDIT = r"PATCH /webhooks/\d+/[\w-]+/messages/\d+"
ANYTHING = r".*"


@pytest.fixture
def plain(rig: Rig) -> Rig:
    """A server where the bot has no webhooks."""
    rig.guild.allowed = everything_but(MANAGE_WEBHOOKS)
    return rig


@pytest.fixture
def quick_return(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits up to minutes between its tries to connect again; a test need not."""
    monkeypatch.setattr("discord.backoff.ExponentialBackoff.delay", lambda _: 0.2)


@pytest.mark.usefixtures("quick_return")
@pytest.mark.parametrize("remembers", [True, False])
async def test_gateway_away_for_long_loses_nothing_that_discord_still_has(
    plain: Rig, *, remembers: bool
) -> None:
    gateway = plain.platform.gateway
    plain.inbox.gate = asyncio.Semaphore(0)
    await plain.start()
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} before")
    await until(lambda: plain.inbox.asked)

    gateway.down = True
    await gateway.drop(code=1001)
    let_go(plain, 20)
    await plain.answered(1)  # requests need no gateway
    await plain.people.say(plain.bo, plain.room, f"{plain.mention} meanwhile")
    if not remembers:
        await gateway.invalidate()
    await asyncio.sleep(1.5)
    gateway.down = False
    await until(lambda: gateway.opened[-1] == (6 if remembers else 2) and len(gateway.opened) > 1)
    await gateway.wait_connected()
    await plain.people.say(plain.ana, plain.room, f"{plain.mention} after")
    texts = ["before", "meanwhile", "after"] if remembers else ["before", "after"]
    await plain.answered(len(texts))

    assert [message.text for message in plain.inbox.asked] == texts
    assert len(plain.seen()) == len(texts)


@pytest.mark.parametrize("hooks", [True, False])
async def test_global_limit_delays_and_loses_nothing(rig: Rig, *, hooks: bool) -> None:
    rig.guild.allowed = rig.guild.allowed if hooks else everything_but(MANAGE_WEBHOOKS)
    await rig.start()
    rig.platform.rest.limits.orders.append(Order(ANYTHING, 3, retry_after=0.3, everywhere=True))

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    assert [m["content"].count("Ships come home.") for m in rig.seen()] == [1]


@pytest.mark.parametrize("pattern", [HOOK, HOOK_EDIT])
async def test_limit_of_a_webhook_delays_and_loses_nothing(rig: Rig, pattern: str) -> None:
    rig.platform.rest.limits.orders.append(Order(pattern, 2, retry_after=0.2))
    await rig.start()

    await growing(rig)
    let_go(rig)
    await rig.answered()

    assert [m["content"].count("Ships come home.") for m in rig.seen()] == [1]


@pytest.mark.parametrize("applied", [True, False])
async def test_failing_webhook_is_read_back_before_it_writes_again(
    rig: Rig, *, applied: bool
) -> None:
    await rig.start()
    rig.platform.rest.limits.orders.append(Order(HOOK, 1, status=502, applied=applied))

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    assert [m["content"].count("Ships come home.") for m in rig.seen()] == [1]
    assert rig.inbox.confirmed == ["receipt-00000000000001"]


async def test_lost_answer_to_a_later_part_makes_no_second_one(rig: Rig) -> None:
    rig.inbox.words = ["a long word " * 300]
    rig.platform.rest.limits.orders.append(Order(HOOK, 0, status=502, applied=True))
    order = rig.platform.rest.limits.orders[0]
    await rig.start()
    rig.inbox.gate = asyncio.Semaphore(0)

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await until(lambda: rig.inbox.asked)
    rig.inbox.gate.release()
    await until(rig.seen)
    order.times = 1
    let_go(rig)
    await rig.answered(within_s=60)

    parts = [m["content"] for m in rig.seen()]
    assert sum(part.count("word") for part in parts) == 300
    assert len(parts) == len({part.strip() for part in parts}) == 3


@pytest.mark.parametrize("status", [500, 503])
async def test_server_errors_delay_and_lose_nothing(plain: Rig, status: int) -> None:
    plain.platform.rest.limits.orders.append(Order(MESSAGES, 2, status=status))
    await plain.start()

    await plain.people.say(plain.ana, plain.room, f"{plain.mention} hello")
    await plain.answered(within_s=30)

    assert len(plain.seen()) == 1


@pytest.mark.parametrize("hooks", [True, False])
async def test_reply_deleted_while_it_grows_is_not_forced_upon_the_room(
    rig: Rig, *, hooks: bool
) -> None:
    rig.guild.allowed = rig.guild.allowed if hooks else everything_but(MANAGE_WEBHOOKS)
    await rig.start()
    reply = await growing(rig)

    await rig.people.delete(rig.room, reply)
    let_go(rig)
    await until(lambda: rig.inbox.lost)

    assert rig.seen() == []
    assert rig.inbox.confirmed == rig.inbox.withdrawn == []


@pytest.mark.parametrize("where", ["thread", "channel"])
async def test_room_deleted_while_the_reply_grows_takes_it_back(rig: Rig, where: str) -> None:
    room = rig.world.room(rig.guild, parent=rig.room) if where == "thread" else rig.room
    assert (room.kind == THREAD) is (where == "thread")
    chat = await rig.start()
    await growing(rig, room)

    await rig.people.delete_room(room)
    await until(lambda: rig.inbox.withdrawn == [rig.inbox.asked[0].message_id])
    let_go(rig)
    await until(lambda: not rig.inbox.running)
    await until(lambda: not rig.state.posts)

    assert rig.inbox.confirmed == []
    assert chat.failure is None


@pytest.mark.parametrize("hooks", [True, False])
async def test_answer_after_fifteen_minutes_still_reaches_the_room(
    rig: Rig, *, hooks: bool
) -> None:
    rig.guild.allowed = rig.guild.allowed if hooks else everything_but(MANAGE_WEBHOOKS)
    rig.inbox.gate = asyncio.Semaphore(0)
    await rig.start()
    asked = await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="hi")
    await until(lambda: rig.inbox.asked)

    asked.expired = True
    let_go(rig)
    await rig.answered()
    await until(lambda: any("Ships come home." in m["content"] for m in rig.seen()))

    assert [m["content"].count("Ships come home.") for m in rig.seen()].count(1) == 1
    assert private(asked) in ([], [""])


async def test_interactions_and_messages_that_come_twice_do_things_once(rig: Rig) -> None:
    gateway = rig.platform.gateway
    await rig.start()

    await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="one")
    await gateway.replay(1)
    await rig.answered()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} two")
    await gateway.replay(2)
    await rig.answered(2)
    await gateway.replay(6)
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} three")
    await rig.answered(3)

    assert [message.text for message in rig.inbox.asked] == ["one", "two", "three"]
    assert len(rig.seen()) == 3


async def test_events_in_the_wrong_order_do_no_harm(rig: Rig) -> None:
    """A change of a message before the message, a button of a reply before its last edit."""
    gateway = rig.platform.gateway
    await rig.start()
    message = rig.world.write(rig.room, rig.ana.as_json(), f"{rig.mention} hello")
    rig.room.messages[message["id"]] = message

    await gateway.publish_message("MESSAGE_UPDATE", message, rig.room)
    await gateway.publish_message("MESSAGE_CREATE", message, rig.room)
    await rig.answered()
    proof = await rig.people.press(rig.ana, rig.room, rig.seen()[0]["id"], "Proof")
    await until(lambda: private(proof))

    assert len(rig.seen()) == 1
    assert "#k=" in private(proof)[0]


async def test_token_revoked_in_the_middle_of_a_reply_keeps_it_for_the_next_start(
    plain: Rig,
) -> None:
    chat = plain.chat()
    running = asyncio.create_task(chat.run())
    await plain.platform.gateway.wait_connected()
    await until(chat._connected.is_set)
    await growing(plain)
    good = plain.world.token

    plain.world.token = "another"  # noqa: S105  nobody's
    let_go(plain)
    await until(lambda: not plain.inbox.running)
    await plain.platform.gateway.invalidate()
    async with asyncio.timeout(30):
        await asyncio.wait([running])
    assert running.exception() is not None
    assert plain.inbox.confirmed + plain.inbox.lost == []
    plain.world.token = good
    plain.leave_in_outbox()
    await plain.start()
    await plain.answered()

    assert [m["content"].count("Ships come home.") for m in plain.seen()] == [1]
