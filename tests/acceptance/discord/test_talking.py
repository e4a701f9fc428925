"""Every way in which a fan can talk to a twin."""

from tests.acceptance.discord.conftest import BASE, Rig
from tests.acceptance.discord.people import private, shown
from tests.acceptance.discord.server import until

KEYED = f"{BASE}/r/receipt-00000000000001#k={'A' * 43}"
PUBLIC = f"{BASE}/r/receipt-00000000000001"


async def test_direct_message_is_answered_with_the_keyed_link(rig: Rig) -> None:
    direct = rig.world.direct(rig.ana)
    await rig.start()

    asked = await rig.people.say(rig.ana, direct, "where do ships go?")
    await rig.answered()

    (reply,) = rig.seen(direct)
    assert "Ships come home." in reply["content"]
    assert "AI twin" in reply["content"]
    assert KEYED in reply["content"]
    message = rig.inbox.asked[0]
    surface = message.surface
    assert (surface.platform, surface.bot) == ("discord", rig.world.app.id)
    assert (surface.chat, surface.thread) == (direct.id, "")
    assert (message.fan, message.message_id) == (rig.ana.id, asked)
    assert (message.text, message.server) == ("where do ships go?", "")


async def test_mention_is_answered_in_the_room_without_a_key(rig: Rig) -> None:
    await rig.start()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    (reply,) = rig.seen()
    assert "Ships come home." in reply["content"]
    assert f"AI twin Nova · [proof](<{PUBLIC}>)" in reply["content"]
    assert "#k=" not in reply["content"]
    assert rig.inbox.asked[0].text == "hello"


async def test_reply_that_is_complete_at_once_is_posted_once(rig: Rig) -> None:
    await rig.start()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    written = [
        (method, path.split("/")[1])
        for method, path, *_ in rig.platform.rest.log
        if "/messages" in path or path.startswith("/webhooks/")
    ]
    assert written == [("POST", "webhooks")]
    (reply,) = rig.seen()
    (post,) = await rig.state.posts_of(rig.inbox.asked[0].message_id)
    assert (post.message, post.receipt) == (reply["id"], "receipt-00000000000001")


async def test_talk_is_answered_and_the_key_is_whispered(rig: Rig) -> None:
    await rig.start()

    asked = await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="hi")
    await rig.answered()
    await until(lambda: KEYED in "".join(private(asked)))

    assert rig.inbox.asked[0].message_id == asked.id
    assert [m["content"].count("Ships come home.") for m in rig.seen()] == [1]
    assert all("#k=" not in m["content"] for m in rig.seen())
    assert shown(asked) is None


async def test_talk_in_a_direct_channel_shows_the_keyed_link(rig: Rig) -> None:
    direct = rig.world.direct(rig.ana)
    await rig.start()

    asked = await rig.people.command(rig.ana, direct, "talk", twin="nova", text="hi")
    await rig.answered()

    assert KEYED in shown(asked)["content"]
    assert private(asked) == []


async def test_reply_to_the_twin_needs_no_mention(two_twins: Rig) -> None:
    rig = two_twins
    await rig.state.pick(rig.guild.id, "", "otto")
    await rig.start()
    await rig.people.command(rig.ana, rig.room, "talk", twin="nova", text="hi")
    await rig.answered()

    await rig.people.say(rig.bo, rig.room, "and then?", reply_to=rig.seen()[0]["id"])
    await rig.answered(2)

    assert [(m.twin, m.text) for m in rig.inbox.asked] == [("nova", "hi"), ("nova", "and then?")]


async def test_reply_button_opens_a_window_whose_text_is_answered(rig: Rig) -> None:
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    pressed = await rig.people.press(rig.bo, rig.room, rig.seen()[0]["id"], "Reply")
    await until(lambda: pressed.answer)
    assert pressed.answer is not None
    assert pressed.answer["data"]["title"] == "To Nova"
    sent = await rig.people.submit(pressed, "what about me?")
    await rig.answered(2)

    second = rig.inbox.asked[1]
    assert (second.twin, second.fan, second.text) == ("nova", rig.bo.id, "what about me?")
    assert second.message_id == sent.id
    assert "what about me?" in rig.seen()[1]["content"]


async def test_buttons_and_windows_work_after_a_restart(rig: Rig) -> None:
    first = await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    pressed = await rig.people.press(rig.ana, rig.room, rig.seen()[0]["id"], "Reply")
    await until(lambda: pressed.answer)
    await first.stop()
    await rig.start()

    proof = await rig.people.press(rig.ana, rig.room, rig.seen()[0]["id"], "Proof")
    await rig.people.submit(pressed, "still there?")
    await rig.answered(2)
    await until(lambda: KEYED in "".join(private(proof)))


async def test_proof_button_gives_the_key_to_its_fan_only(rig: Rig) -> None:
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    reply = rig.seen()[0]["id"]

    own = await rig.people.press(rig.ana, rig.room, reply, "Proof")
    foreign = await rig.people.press(rig.bo, rig.room, reply, "Proof")
    await until(lambda: PUBLIC in "".join(private(own)) and PUBLIC in "".join(private(foreign)))

    assert KEYED in private(own)[0]
    assert "#k=" not in private(foreign)[0]


async def test_thread_is_a_conversation_of_its_own(rig: Rig) -> None:
    thread = rig.world.room(rig.guild, parent=rig.room)
    await rig.start()

    await rig.people.say(rig.ana, thread, f"{rig.mention} hello")
    await rig.answered()
    await rig.people.command(rig.ana, thread, "talk", twin="nova", text="again")
    await rig.answered(2)

    surfaces = [message.surface for message in rig.inbox.asked]
    assert [(s.chat, s.thread) for s in surfaces] == [(rig.room.id, thread.id)] * 2
    assert len(rig.seen(thread)) == 2
    assert rig.seen(rig.room) == []


async def test_bots_webhooks_and_bystanders_are_not_answered(rig: Rig) -> None:
    robot = rig.world.person("robot", bot=True)
    hook = rig.platform.hooks.add_hook(rig.room, "Nova", None)
    await rig.start()

    await rig.people.say(robot, rig.room, f"{rig.mention} beep")
    await rig.people.say(rig.ana, rig.room, "talking to nobody")
    said = rig.platform.hooks.webhook_message(hook, rig.room, "Nova", f"{rig.mention} hi", [])
    await rig.platform.gateway.publish_message("MESSAGE_CREATE", said, rig.room)
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()

    assert [message.text for message in rig.inbox.asked] == ["hello"]


async def test_nobody_is_pinged_and_names_replace_ids(rig: Rig) -> None:
    rig.inbox.words = ["@everyone look"]
    await rig.start()

    await rig.people.say(rig.ana, rig.room, f"{rig.mention} do you know <@{rig.bo.id}>?")
    await rig.answered()

    assert rig.inbox.asked[0].text == "do you know @bo?"
    sent = [body for verb, _, body, _ in rig.platform.rest.log if verb == "POST" and body]
    assert all(body["allowed_mentions"]["parse"] == [] for body in sent if "content" in body)
