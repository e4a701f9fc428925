"""Pictures of twins: by address on webhooks, by their bytes where the bot is the twin."""

import base64
from dataclasses import replace

from tests.acceptance.discord.conftest import BASE, Rig
from tests.acceptance.discord.limits import Order
from tests.acceptance.discord.test_twins import told
from tests.fakes.chat import NOVA

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


async def test_webhook_messages_carry_the_address_of_the_picture(rig: Rig) -> None:
    rig.inbox.cards = [replace(NOVA, avatar=PNG, version=3)]
    await rig.start()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    (sent,) = [body for verb, path, body, _ in rig.platform.rest.log
               if verb == "POST" and "/webhooks/" in path and "username" in body]  # fmt: skip
    assert sent["avatar_url"] == f"{BASE}/twin/nova/avatar?v=3"


async def test_a_new_version_changes_name_and_picture_while_the_bot_runs(rig: Rig) -> None:
    rig.inbox.cards = [replace(NOVA, avatar=PNG, version=3)]
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    rig.inbox.cards = [replace(NOVA, name="Nova Star", avatar=PNG, version=4)]
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello again")
    await rig.answered(2)

    faces = [(body["username"], body["avatar_url"]) for verb, path, body, _ in rig.platform.rest.log
             if verb == "POST" and "/webhooks/" in path and "username" in body]  # fmt: skip
    assert faces == [
        ("Nova (AI twin)", f"{BASE}/twin/nova/avatar?v=3"),
        ("Nova Star (AI twin)", f"{BASE}/twin/nova/avatar?v=4"),
    ]


async def test_a_twin_without_a_picture_names_none(rig: Rig) -> None:
    await rig.start()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    assert all("avatar_url" not in body for _, _, body, _ in rig.platform.rest.log if body)


async def test_the_bot_takes_the_picture_of_the_twin_that_it_is(rig: Rig) -> None:
    rig.inbox.cards = [replace(NOVA, avatar=PNG)]
    await rig.start()

    asked = await rig.people.command(
        rig.guild.owner, rig.room, "twin pick", twin="nova", where="server"
    )
    said = await told(rig, asked)

    assert "I have taken that name" in said
    pictures = [body["avatar"] for _, path, body, _ in rig.platform.rest.log
                if "/members/@me" in path and "avatar" in body]  # fmt: skip
    assert [base64.b64decode(one.partition(",")[2]) for one in pictures] == [PNG]
    assert rig.guild.avatar


async def test_a_picture_that_discord_does_not_take_now_leaves_the_name(rig: Rig) -> None:
    rig.inbox.cards = [replace(NOVA, avatar=PNG)]
    await rig.start()
    rig.platform.rest.limits.orders.append(
        Order(r"PATCH /guilds/\d+/members/@me", 0, retry_after=900)
    )
    order = rig.platform.rest.limits.orders[0]
    named = rig.platform.rest.limits.refusal

    def refusal(method: str, path: str, *, applied: bool = False) -> object:
        if rig.guild.nick == "Nova":
            order.times = 1
        return named(method, path, applied=applied)

    rig.platform.rest.limits = type("After", (), {"refusal": staticmethod(refusal),
        "headers": rig.platform.rest.limits.headers, "hits": 0})()  # fmt: skip
    asked = await rig.people.command(
        rig.guild.owner, rig.room, "twin pick", twin="nova", where="server"
    )
    said = await told(rig, asked)

    assert "picture could not be changed" in said
    assert rig.guild.nick == "Nova"
