"""What the budget pays for one server in a day: all its channels together, with the real core."""

from dataclasses import replace

import pytest

from bot.twins.charging import SpendingCaps
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import Channel
from tests.credit_rig import open_rig
from tests.stage import MIRA, PRICE, Stage, memory_stage

OVER = "Today's free replies for everybody here are used up."


@pytest.fixture
async def core(rig: Rig) -> Stage:
    """Answer with the real use cases; the budget pays two replies a server."""
    stage = memory_stage()
    caps = SpendingCaps(server_nano=2 * PRICE)
    await open_rig(stage, files=(replace(MIRA, free_daily=9),), caps=caps, rates=())
    rig.core = stage.make_inbox()
    return stage


async def said(rig: Rig, room: Channel) -> str:
    """Mention the bot in a room; return what stands there then."""
    before = len(rig.seen(room))
    await rig.people.say(rig.ana, room, f"{rig.mention} hello")

    def found() -> list[str]:
        contents = [one["content"] for one in rig.seen(room)[before:]]
        return [one for one in contents if "[proof]" in one or "/r/" in one or OVER in one]

    await until(found)
    return "capped" if OVER in found()[0] else "answered"


@pytest.mark.usefixtures("core")
async def test_channels_and_threads_of_a_server_share_its_cap(rig: Rig) -> None:
    other = rig.world.room(rig.guild)
    thread = rig.world.room(rig.guild, parent=other)
    castle = rig.world.room(rig.world.guild(rig.world.person("otto")))
    await rig.start()

    first = [await said(rig, room) for room in (rig.room, thread)]
    then = [await said(rig, room) for room in (other, rig.room, thread)]
    elsewhere = await said(rig, castle)
    alone = [await said(rig, rig.world.direct(rig.ana)) for _ in range(3)]

    assert first == ["answered"] * 2
    assert then == ["capped"] * 3
    assert elsewhere == "answered"
    assert alone == ["answered"] * 3


@pytest.mark.usefixtures("core")
async def test_commands_and_another_reply_count_for_the_server(rig: Rig) -> None:
    other = rig.world.room(rig.guild)
    await rig.start()

    asked = await rig.people.command(rig.ana, rig.room, "talk", twin="mira", text="hello")
    await until(lambda: any("Your proof" in one for one in private(asked)))
    first = rig.seen()[0]["content"]
    await rig.people.press(rig.ana, rig.room, rig.seen()[0]["id"], "Another reply")
    await until(lambda: rig.seen()[0]["content"] != first and "[proof]" in rig.seen()[0]["content"])
    told = await rig.people.command(rig.bo, other, "talk", twin="mira", text="hello")
    await until(lambda: any(OVER in one for one in private(told)) or OVER in str(rig.seen(other)))

    assert not any("[proof]" in one["content"] for one in rig.seen(other))
