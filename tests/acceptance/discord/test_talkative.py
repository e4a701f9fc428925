"""Speaking unasked: as often as the channel's managers want, and never to bots."""

import asyncio

from bot.domain.errors import AdmissionError
from bot.domain.turn_taking import speaks_unasked
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.server import until
from tests.acceptance.discord.test_twins import told
from tests.acceptance.discord.world import MANAGE_CHANNELS


async def choose(rig: Rig, percent: int) -> str:
    rig.guild.powers[rig.bo.id] = MANAGE_CHANNELS
    return await told(
        rig, await rig.people.command(rig.bo, rig.room, "twin talkative", percent=percent)
    )


async def test_a_talkative_twin_answers_everything_in_its_channel_only(two_twins: Rig) -> None:
    rig = two_twins
    other = rig.world.room(rig.guild)
    await rig.state.pick(rig.guild.id, "", "otto")
    await rig.start()
    said = await choose(rig, 100)

    await rig.people.say(rig.ana, other, "not here")
    await rig.people.say(rig.ana, rig.room, "nice weather")
    await rig.answered()

    assert "talkativeness 100" in said
    assert [(m.twin, m.text, m.may_merge) for m in rig.inbox.asked] == [
        ("otto", "nice weather", True)
    ]
    assert rig.seen(other) == []


async def test_the_decision_is_the_messages_own(rig: Rig) -> None:
    await rig.start()
    await choose(rig, 40)

    ids = [await rig.people.say(rig.ana, rig.room, f"number {n}") for n in range(12)]
    expected = [one for one in ids if speaks_unasked(one, 40)]
    await rig.answered(len(expected), within_s=40)
    await rig.platform.gateway.replay(30)
    await asyncio.sleep(0.3)

    assert [m.message_id for m in rig.inbox.asked] == expected
    assert 0 < len(expected) < 12


async def test_percentages_survive_a_restart_and_can_be_taken_back(rig: Rig) -> None:
    first = await rig.start()
    await choose(rig, 100)
    await first.stop()
    await rig.start()
    await rig.people.say(rig.ana, rig.room, "one")
    await rig.answered()

    assert "nobody else" in await choose(rig, 0)
    await rig.people.say(rig.ana, rig.room, "two")
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} three")
    await rig.answered(2)

    assert [m.text for m in rig.inbox.asked] == ["one", "three"]


async def test_bots_webhooks_and_wordless_messages_are_never_answered(rig: Rig) -> None:
    robot = rig.world.person("robot", bot=True)
    hook = rig.platform.hooks.add_hook(rig.room, "Nova", None)
    await rig.start()
    await choose(rig, 100)

    await rig.people.say(robot, rig.room, "beep")
    said = rig.platform.hooks.webhook_message(hook, rig.room, "Nova", "boop", [])
    await rig.platform.gateway.publish_message("MESSAGE_CREATE", said, rig.room)
    await rig.people.say(rig.ana, rig.room, " ")
    await rig.people.say(rig.ana, rig.room, "hello")
    await rig.answered()

    assert [m.text for m in rig.inbox.asked] == ["hello"]


async def test_nobody_is_told_why_an_unasked_reply_does_not_come(two_twins: Rig) -> None:
    rig = two_twins
    await rig.start()
    await choose(rig, 100)
    await rig.people.say(rig.ana, rig.room, "whom would it be?")
    await rig.state.pick(rig.guild.id, "", "otto")
    rig.inbox.fail = AdmissionError("You have used up today's messages.")

    await rig.people.say(rig.ana, rig.room, "hello")
    await until(lambda: rig.inbox.asked and not rig.inbox.running)
    await asyncio.sleep(0.3)

    assert rig.seen() == []


async def test_only_managers_choose_and_direct_channels_have_nothing_to_choose(rig: Rig) -> None:
    direct = rig.world.direct(rig.ana)
    await rig.start()

    refused = await rig.people.command(rig.ana, rig.room, "twin talkative", percent=50)
    nothing = await rig.people.command(rig.ana, direct, "twin talkative", percent=50)

    assert "Manage Channels" in await told(rig, refused)
    assert "answers everything" in await told(rig, nothing)
    assert rig.state.talk == {}


async def test_without_the_intent_the_command_says_that_it_has_no_effect(rig: Rig) -> None:
    rig.world.content_allowed = False
    await rig.start()

    said = await choose(rig, 100)
    await rig.people.say(rig.ana, rig.room, "hello")
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello you")
    await rig.answered()
    about = await told(rig, await rig.people.command(rig.ana, rig.room, "about"))

    assert "no effect now" in said
    assert "intent: off" in said
    assert "talkativeness 100" in about
    assert [m.text for m in rig.inbox.asked] == ["hello you"]


async def test_about_and_here_say_who_is_given_what_and_when_it_speaks(rig: Rig) -> None:
    await rig.start()
    await choose(rig, 30)

    about = await told(rig, await rig.people.command(rig.ana, rig.room, "about"))
    here = await told(rig, await rig.people.command(rig.ana, rig.room, "twin here"))

    assert (
        "In a group I see only what you say to me and what I answered you; nobody else's words "
        "enter our conversation." in about
    )
    assert "30 of 100 other messages" in about
    assert "30 of 100 other messages" in here
