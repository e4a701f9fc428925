"""Finding twins, picking who speaks where, and under which name."""

from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import (
    CHANGE_NICKNAME,
    MANAGE_CHANNELS,
    MANAGE_GUILD,
    MANAGE_WEBHOOKS,
    Interaction,
)


async def told(rig: Rig, interaction: Interaction) -> str:
    await until(lambda: "".join(private(interaction)))
    del rig
    return private(interaction)[-1]


async def test_browse_about_and_here_describe_twins(two_twins: Rig) -> None:
    rig = two_twins
    await rig.start()

    listed = await told(rig, await rig.people.command(rig.ana, rig.room, "twin browse"))
    one = await told(rig, await rig.people.command(rig.ana, rig.room, "twin about", twin="otto"))
    none = await told(rig, await rig.people.command(rig.ana, rig.room, "twin here"))

    assert "Nova" in listed
    assert "0.001 TPT per reply" in listed
    assert "lighthouse" in one
    assert "/twin pick" in none


async def test_autocomplete_suggests_what_fits(two_twins: Rig) -> None:
    rig = two_twins
    await rig.start()

    typed = await rig.people.autocomplete(rig.ana, rig.room, "talk", twin="ott")
    await until(lambda: typed.answer)

    assert typed.answer is not None
    choices = typed.answer["data"]["choices"]
    assert [choice["value"] for choice in choices] == ["otto"]


async def test_a_channel_is_picked_by_whoever_manages_channels(two_twins: Rig) -> None:
    rig = two_twins
    rig.guild.powers[rig.bo.id] = MANAGE_CHANNELS
    await rig.start()

    refused = await rig.people.command(rig.ana, rig.room, "twin pick", twin="otto")
    assert "Manage Channels" in await told(rig, refused)
    picked = await rig.people.command(rig.bo, rig.room, "twin pick", twin="otto")
    assert "Otto speaks in this channel" in await told(rig, picked)
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    assert rig.inbox.asked[0].twin == "otto"


async def test_a_server_is_picked_by_whoever_manages_it_and_the_bot_is_the_twin(
    two_twins: Rig,
) -> None:
    rig = two_twins
    rig.guild.powers |= {rig.ana.id: MANAGE_CHANNELS, rig.bo.id: MANAGE_GUILD}
    await rig.start()

    refused = await rig.people.command(rig.ana, rig.room, "twin pick", twin="otto", where="server")
    assert "Manage Server" in await told(rig, refused)
    picked = await rig.people.command(rig.bo, rig.room, "twin pick", twin="otto", where="server")
    assert "I have taken that name" in await told(rig, picked)

    assert rig.guild.nick == "Otto"


async def test_the_bot_speaks_as_itself_where_it_is_the_twin(two_twins: Rig) -> None:
    rig = two_twins
    rig.guild.nick = "Otto"
    await rig.state.pick(rig.guild.id, "", "otto")
    await rig.start()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    (reply,) = rig.seen()
    assert reply["author"]["id"] == rig.world.app.id
    assert reply["content"].startswith("Ships come home.")
    assert reply["message_reference"]["message_id"] == rig.inbox.asked[0].message_id


async def test_missing_nickname_permission_is_told(rig: Rig) -> None:
    rig.guild.allowed = everything_but(CHANGE_NICKNAME)
    await rig.start()

    picked = await rig.people.command(
        rig.guild.owner, rig.room, "twin pick", twin="nova", where="server"
    )

    assert "Change Nickname" in await told(rig, picked)
    assert rig.guild.nick is None


async def test_one_webhook_for_a_channel_serves_every_twin(two_twins: Rig) -> None:
    rig = two_twins
    first = await rig.start()
    for count, twin in enumerate(("nova", "otto"), start=1):
        await rig.people.command(rig.ana, rig.room, "talk", twin=twin, text="hi")
        await rig.answered(count)
    await first.stop()
    await rig.start()
    await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="again")
    await rig.answered(3)

    assert len(rig.world.hooks) == 1
    names = [reply["author"]["username"] for reply in rig.seen()]
    assert names == ["Nova (AI twin)", "Otto (AI twin)", "Nova (AI twin)"]


async def test_deleted_webhook_is_made_again(rig: Rig) -> None:
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    rig.world.hooks.clear()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered(2)

    assert len(rig.world.hooks) == 1
    assert len(rig.state.hooks) == 2


async def test_without_webhooks_the_bot_says_whose_words_these_are(rig: Rig) -> None:
    rig.guild.allowed = everything_but(MANAGE_WEBHOOKS)
    await rig.start()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="hi")
    await rig.answered(2)

    assert all(reply["author"]["id"] == rig.world.app.id for reply in rig.seen())
    assert all("**Nova**" in reply["content"] for reply in rig.seen())


async def test_mention_without_a_pick_asks_whom_is_meant(two_twins: Rig) -> None:
    rig = two_twins
    await rig.start()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await until(rig.seen)

    assert "/twin pick" in rig.seen()[0]["content"]
    assert rig.inbox.asked == []


async def test_unknown_twin_is_refused_for_the_fan_alone(rig: Rig) -> None:
    await rig.start()

    asked = await rig.people.command(rig.ana, rig.room, "talk", twin="nobody", text="hi")

    assert "no twin called" in await told(rig, asked)
    assert rig.seen() == []


async def test_about_and_privacy_say_what_is_true(rig: Rig) -> None:
    await rig.start()

    about = await told(rig, await rig.people.command(rig.ana, rig.room, "about"))
    privacy = await told(rig, await rig.people.command(rig.ana, rig.room, "privacy show"))

    assert "AI twins" in about
    assert "message-content intent: on" in about
    assert "Discord id" in privacy
