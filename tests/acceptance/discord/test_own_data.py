"""What people do about their own data and about bad replies: export, forget, report."""

import json

import pytest

from bot.domain.errors import StoreBusyError
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.test_twins import told
from tests.acceptance.discord.world import Interaction

RECEIPT = "receipt-00000000000001"


async def replied(rig: Rig) -> str:
    await rig.start()
    await rig.people.say(rig.ana, rig.room, f"{rig.mention} hello")
    await rig.answered()
    return str(rig.seen()[0]["id"])


async def report(rig: Rig, message: str, reason: str) -> Interaction:
    asked = await rig.people.menu(rig.bo, rig.room, "Report reply", message)
    await until(lambda: asked.answer)
    sent = await rig.people.submit(asked, reason)
    await until(lambda: private(sent))
    return sent


async def test_export_is_a_file_for_its_person_alone(rig: Rig) -> None:
    await replied(rig)

    asked = await rig.people.command(rig.ana, rig.room, "privacy export")
    await told(rig, asked)

    said, notes = [
        json.loads(rig.platform.files.data(file)) for file in asked.private[-1]["attachments"]
    ]
    assert said["messages"] == ["hello"]
    assert [post["message"] for post in notes["messages_that_answer_you"]] == [rig.seen()[0]["id"]]
    assert asked.private[-1]["flags"] & 64


async def test_export_beyond_what_discord_takes_is_refused_in_words(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.start()

    async def much(self: object, platform: str, fan: str) -> bytes:
        del self, platform, fan
        return b"x" * ((1 << 20) + 1)

    monkeypatch.setattr(type(rig.inbox), "export", much)
    asked = await rig.people.command(rig.ana, rig.room, "privacy export")

    assert "whoever runs this service" in await told(rig, asked)


async def test_forgetting_needs_a_confirmation_and_then_really_forgets(rig: Rig) -> None:
    reply = await replied(rig)
    await rig.people.say(rig.bo, rig.room, f"{rig.mention} me too")
    await rig.answered(2)

    asked = await rig.people.command(rig.ana, rig.room, "privacy forget")
    await told(rig, asked)
    assert rig.inbox.forgotten == []
    pressed = await rig.people.press_private(asked, "Delete for good")
    said = await told(rig, pressed)

    assert rig.inbox.forgotten == [("discord", rig.ana.id)]
    assert "1 replies" in said
    assert "1 notes" in said
    assert await rig.state.post(reply) is None
    assert {post.fan for post in rig.state.posts.values()} == {rig.bo.id}
    assert asked.private[-1]["components"] == []


async def test_confirmation_works_after_a_restart(rig: Rig) -> None:
    await replied(rig)
    asked = await rig.people.command(rig.ana, rig.room, "privacy forget")
    await told(rig, asked)
    await rig.chats[-1].stop()
    await rig.start()

    pressed = await rig.people.press_private(asked, "Delete for good")

    assert "deleted for good" in await told(rig, pressed)


async def test_report_reaches_the_core_and_names_discords_own(rig: Rig) -> None:
    reply = await replied(rig)

    sent = await report(rig, reply, "It lies.")

    assert rig.inbox.reports == [(RECEIPT, rig.bo.id, "It lies.")]
    assert "Report Message" in private(sent)[0]


async def test_report_needs_no_reason(rig: Rig) -> None:
    reply = await replied(rig)

    await report(rig, reply, "")

    assert rig.inbox.reports == [(RECEIPT, rig.bo.id, "")]


async def test_report_on_what_is_no_reply_is_refused_and_its_words_given_back(rig: Rig) -> None:
    await replied(rig)
    hook = rig.platform.hooks.add_hook(rig.room, "Nova", None)
    fake = rig.platform.hooks.webhook_message(hook, rig.room, "Nova", "Not me.", [])
    human = await rig.people.say(rig.ana, rig.room, "nothing")

    sent = await report(rig, fake["id"], "An imitation")
    asked = await rig.people.menu(rig.bo, rig.room, "Report reply", human)

    assert "no record" in private(sent)[0]
    assert "An imitation" in private(sent)[0]
    assert "no record" in await told(rig, asked)
    assert rig.inbox.reports == []


async def test_report_that_could_not_be_kept_is_given_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = await replied(rig)

    async def busy(*_: object) -> None:
        raise StoreBusyError("locked", retry_after_s=3)

    monkeypatch.setattr(type(rig.inbox), "report", busy)
    sent = await report(rig, reply, "It ``` lies.")

    assert "try again in 3 s" in private(sent)[0]
    assert "It ''' lies." in private(sent)[0]
