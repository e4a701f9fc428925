"""Verify this reply: genuine, edited, or not ours, whatever a message looks like."""

from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until

RECEIPT = "receipt-00000000000001"


async def verdict(rig: Rig, message_id: str) -> str:
    asked = await rig.people.menu(rig.bo, rig.room, "Verify this reply", message_id)
    await until(lambda: "".join(private(asked)))
    return private(asked)[0]


async def replied(rig: Rig) -> str:
    rig.proofs.bundles[RECEIPT] = b"{}"
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    return str(rig.seen()[0]["id"])


async def test_genuine_reply_is_called_genuine(rig: Rig) -> None:
    reply = await replied(rig)

    said = await verdict(rig, reply)

    assert said.startswith("**Genuine.**")
    assert f"/r/{RECEIPT}>" in said
    assert "#k=" not in said


async def test_changed_text_is_called_edited(rig: Rig) -> None:
    reply = await replied(rig)
    message = rig.room.messages[reply]
    message["content"] = message["content"].replace("home", "never")

    assert (await verdict(rig, reply)).startswith("**Edited.**")


async def test_receipt_that_is_not_logged_is_not_called_genuine(rig: Rig) -> None:
    reply = await replied(rig)
    rig.proofs.bundles.clear()

    assert "not in the public log" in await verdict(rig, reply)


async def test_imitation_by_a_webhook_is_not_ours(rig: Rig) -> None:
    reply = await replied(rig)
    genuine = rig.room.messages[reply]
    hook = rig.platform.hooks.add_hook(rig.room, "Twinproof", None)
    fake = rig.platform.hooks.webhook_message(
        hook, rig.room, genuine["author"]["username"], genuine["content"], genuine["components"]
    )

    assert (await verdict(rig, fake["id"])).startswith("**Not ours.**")


async def test_another_reply_is_judged_by_its_own_receipt(rig: Rig) -> None:
    reply = await replied(rig)
    second = "receipt-00000000000002"
    rig.proofs.bundles[second] = b"{}"
    rig.inbox.words = ["Ships ", "stay ", "out."]
    await rig.people.press(rig.ana, rig.room, reply, "Another reply")
    await rig.answered(2)

    said = await verdict(rig, reply)

    assert said.startswith("**Genuine.**")
    assert f"/r/{second}>" in said


async def test_forgotten_reply_is_ours_without_a_receipt(rig: Rig) -> None:
    reply = await replied(rig)
    await rig.state.forget_fan(rig.ana.id)

    assert "I have no receipt for it" in await verdict(rig, reply)


async def test_message_of_a_person_is_not_ours(rig: Rig) -> None:
    reply = await replied(rig)
    copied = await rig.people.say(rig.bo, rig.room, rig.room.messages[reply]["content"])

    assert (await verdict(rig, copied)).startswith("**Not ours.**")
