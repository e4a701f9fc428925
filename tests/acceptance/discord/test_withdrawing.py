"""A deleted question takes its answer along; other deletions and edits change nothing."""

import asyncio

import pytest

from bot.domain.errors import StoreBusyError
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.limits import Order
from tests.acceptance.discord.server import until
from tests.acceptance.discord.test_stopping import growing, let_go
from tests.acceptance.discord.world import MANAGE_WEBHOOKS, Channel


async def asked(rig: Rig, room: Channel | None = None, text: str = "hello") -> str:
    count = len(rig.inbox.confirmed)
    said = await rig.people.say(rig.ana, room or rig.room, f"{rig.mention} {text}")
    await rig.answered(count + 1)
    return said


@pytest.mark.parametrize("hooks", [True, False])
async def test_deleted_question_takes_its_reply_along(rig: Rig, *, hooks: bool) -> None:
    rig.guild.allowed = rig.guild.allowed if hooks else everything_but(MANAGE_WEBHOOKS)
    rig.inbox.words = ["a long word " * 300]
    await rig.start()
    question = await asked(rig)
    assert len(rig.seen()) > 1

    await rig.people.delete(rig.room, question)
    await until(lambda: not rig.seen())
    await until(lambda: not rig.state.posts)

    assert rig.inbox.withdrawn == [question]


async def test_deletion_is_understood_after_a_restart_and_in_threads(rig: Rig) -> None:
    thread = rig.world.room(rig.guild, parent=rig.room)
    first = await rig.start()
    question = await asked(rig, thread)
    await first.stop()
    await rig.start()

    await rig.people.delete(thread, question)
    await until(lambda: not rig.seen(thread))

    assert rig.inbox.withdrawn == [question]


async def test_purge_of_a_moderator_takes_all_its_replies_along(rig: Rig) -> None:
    await rig.start()
    questions = [await asked(rig, text=f"number {n}") for n in range(3)]

    await rig.people.delete(rig.room, *questions[:2], bulk=True)
    await until(lambda: len(rig.seen()) == 1)
    await until(lambda: len(rig.inbox.withdrawn) == 2)

    assert sorted(rig.inbox.withdrawn) == sorted(questions[:2])


async def test_deleted_while_the_reply_grows_nothing_is_left(rig: Rig) -> None:
    await rig.start()
    await growing(rig)

    await rig.people.delete(rig.room, rig.inbox.asked[0].message_id)
    await until(lambda: rig.inbox.withdrawn)
    let_go(rig)
    await until(lambda: not rig.seen())
    await until(lambda: not rig.state.posts)

    assert rig.inbox.confirmed + rig.inbox.lost == []


async def test_deletion_that_outruns_its_message_is_remembered(rig: Rig) -> None:
    await rig.start()
    gateway = rig.platform.gateway
    message = rig.world.write(rig.room, rig.ana.as_json(), f"{rig.mention} hello")
    gone = {"id": message["id"], "channel_id": rig.room.id, "guild_id": rig.guild.id}

    await gateway.publish("MESSAGE_DELETE", gone, rig.room)
    await until(lambda: rig.inbox.withdrawn)
    await gateway.publish_message("MESSAGE_CREATE", message, rig.room)
    await asked(rig, text="and you?")

    assert [one.text for one in rig.inbox.asked] == ["and you?"]


async def test_our_own_message_deleted_by_a_moderator_withdraws_nothing(rig: Rig) -> None:
    await rig.start()
    await asked(rig)
    reply = rig.seen()[0]["id"]

    await rig.people.delete(rig.room, reply)
    await asked(rig, text="again")

    assert rig.inbox.withdrawn == []
    assert len(rig.inbox.confirmed) == 2


@pytest.mark.parametrize("where", ["thread", "channel"])
async def test_deleted_rooms_take_everything_along(rig: Rig, where: str) -> None:
    thread = rig.world.room(rig.guild, parent=rig.room)
    await rig.start()
    in_room, in_thread = await asked(rig), await asked(rig, thread)

    await rig.people.delete_room(thread if where == "thread" else rig.room)
    gone = [in_thread] if where == "thread" else [in_room, in_thread]
    await until(lambda: sorted(rig.inbox.withdrawn) == sorted(gone))
    await until(lambda: not any(post.asked in gone for post in rig.state.posts.values()))

    assert rig.platform.requests("DELETE", "/messages/") == 0


async def test_edited_question_changes_nothing(rig: Rig) -> None:
    await rig.start()
    question = await asked(rig)
    before = rig.seen()[0]["content"]

    await rig.people.change(rig.ana, rig.room, question, f"{rig.mention} something else")
    await asked(rig, text="next")

    assert rig.seen()[0]["content"] == before
    assert [one.text for one in rig.inbox.asked] == ["hello", "next"]
    assert rig.inbox.withdrawn == []


async def test_deletion_is_told_to_the_core_until_it_takes_it(rig: Rig) -> None:
    await rig.start()
    question = await asked(rig)
    rig.inbox.fail_withdraw = StoreBusyError("locked", retry_after_s=0.05)
    await rig.people.delete(rig.room, question)
    await asyncio.sleep(0.12)
    assert rig.seen()

    rig.inbox.fail_withdraw = None
    await until(lambda: not rig.seen())

    assert rig.inbox.withdrawn == [question]


async def test_deletion_of_our_reply_is_tried_again_when_discord_fails(rig: Rig) -> None:
    await rig.start()
    question = await asked(rig)
    rig.platform.rest.limits.orders.append(
        Order(r"DELETE /webhooks/.*", 1, retry_after=0.2, via=True)
    )

    await rig.people.delete(rig.room, question)
    await until(lambda: not rig.seen())


@pytest.mark.parametrize("restarted", [True, False])
async def test_merged_follow_up_is_taken_back_with_its_whole_turn(
    rig: Rig, *, restarted: bool
) -> None:
    rig.inbox.together = ["and more"]
    first = await rig.start()
    await asked(rig)
    follow_up = await rig.people.say(rig.ana, rig.room, f"{rig.mention} and more")
    await until(lambda: rig.inbox.merged)
    if restarted:
        await first.stop()
        await rig.start()

    await rig.people.delete(rig.room, follow_up)
    await until(lambda: not rig.seen())


async def test_merged_follow_up_gets_no_answer_of_its_own(rig: Rig) -> None:
    rig.inbox.together = ["and more"]
    await rig.start()
    await asked(rig)

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} and more")
    await until(lambda: rig.inbox.merged)
    await asked(rig, text="next")

    assert len(rig.seen()) == 2
    assert [one.may_merge for one in rig.inbox.asked] == [True, True]


async def test_commands_are_never_merged(rig: Rig) -> None:
    rig.inbox.together = ["hi"]
    await rig.start()

    await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="hi")
    await rig.answered()

    assert [one.may_merge for one in rig.inbox.asked] == [False]
