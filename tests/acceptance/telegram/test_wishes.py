"""What fans can wish of a reply: stop, another one, take it back, report it; merged follow-ups."""

import asyncio
from dataclasses import replace

import pytest

from adapters.telegram_chat import texts
from bot.domain.errors import UserError
from bot.ports.chat import IncomingMessage, PendingReply, ReplyShown, Surface
from tests.acceptance.telegram.conftest import (
    ADA,
    BASE,
    BEN,
    QUICK,
    Stage,
    buttons_of,
    settle,
    until,
)
from tests.acceptance.telegram.world import TIME, ChatSide, Json

GROUP = -1001000000001
FIRST, SECOND = "receipt-00000000000001", "receipt-00000000000002"
IMPATIENT = replace(QUICK, offer_s=0.05)


async def _ready(stage: Stage) -> None:
    await stage.start(pace=IMPATIENT)
    await stage.ask("/twin nova")


async def _begin(stage: Stage) -> asyncio.Semaphore:
    """Let a reply begin and show its first word."""
    await _ready(stage)
    stage.inbox.gate = asyncio.Semaphore(1)
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.running and stage.inbox.gate and stage.inbox.gate.locked())
    return stage.inbox.gate


def _chat(stage: Stage) -> ChatSide:
    return stage.server.world.private(stage.lobby, ADA)


def _replies(stage: Stage) -> list[Json]:
    return [m for m in _chat(stage).from_bot() if m.get("text", "").startswith("Nova [AI twin]")]


async def _group(stage: Stage) -> ChatSide:
    group = stage.server.world.add_group(GROUP, ADA, BEN, stage.lobby.id)
    await stage.start(pace=IMPATIENT)
    stage.server.world.post(group, ADA, "/twin@lobbybot nova")
    await stage.said_in(group)
    return group


async def test_stop_ends_a_growing_reply_with_what_there_is(stage: Stage) -> None:
    gate = await _begin(stage)

    stop = stage.server.world.say(stage.lobby, ADA, "/stop")
    await until(lambda: stage.inbox.stops)
    gate.release()
    await until(lambda: _replies(stage))

    (reply,) = _replies(stage)
    assert stage.inbox.stops == [("3", str(stop["message_id"]))]
    assert reply["text"] == "Nova [AI twin]\nShips\n\nStopped before its end, as you wished."
    assert reply["entities"][-1]["type"] == "italic"
    await until(lambda: stage.inbox.confirmed == [FIRST])


async def test_the_stop_button_appears_in_time_and_goes_with_the_reply(stage: Stage) -> None:
    gate = await _begin(stage)
    await until(lambda: texts.WRITING in stage.heard())
    offer = next(m for m in _chat(stage).from_bot() if m["text"] == texts.WRITING)
    await until(lambda: _chat(stage).drafts[-1] != {"over": True})  # the draft is there again

    stage.server.world.press(stage.lobby, ADA, offer, "Stop")
    await until(lambda: stage.inbox.stops)
    gate.release()
    await until(lambda: stage.inbox.confirmed)

    assert stage.server.world.answers[-1]["text"] == texts.STOPPED
    assert texts.WRITING not in stage.heard()
    assert len(_replies(stage)) == 1
    assert stage.state.kept_notices == []


async def test_a_quick_reply_offers_no_stop(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)

    assert stage.server.count("deleteMessage") == 0
    assert len(stage.heard()) == 2


async def test_nothing_to_stop_is_said(stage: Stage) -> None:
    await _ready(stage)

    assert (await stage.ask("/stop"))["text"] == texts.NOTHING_TO_STOP


async def test_only_the_asker_stops_a_reply_in_a_group(stage: Stage) -> None:
    group = await _group(stage)
    stage.inbox.gate = gate = asyncio.Semaphore(1)
    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    offer = await stage.said_in(group, after=1)

    stage.server.world.press(stage.lobby, BEN, offer, "Stop")
    await until(lambda: stage.server.world.answers)
    stage.server.world.post(group, BEN, "/stop@lobbybot")
    await until(lambda: group.from_bot()[-1]["text"] == texts.NOTHING_TO_STOP)
    assert stage.server.world.answers[-1]["text"] == texts.NOT_YOUR_REPLY
    assert stage.inbox.stops == []

    stage.server.world.press(stage.lobby, ADA, offer, "Stop")
    await until(lambda: stage.inbox.stops)
    gate.release()
    await until(lambda: stage.inbox.confirmed)


async def test_a_stop_button_that_a_crash_left_is_cleared_at_the_start(stage: Stage) -> None:
    await _begin(stage)
    await until(lambda: stage.state.kept_notices)
    left = _chat(stage).from_bot()[-1]
    kept = list(stage.state.kept_notices)
    stage.inbox.gate = None
    await stage.surfaces[0].stop()
    stage.state.kept_notices = kept  # as if it had been killed
    _chat(stage).messages[left["message_id"]] = left

    await stage.start()
    await until(lambda: not stage.state.kept_notices)

    assert texts.WRITING not in stage.heard()


async def test_an_old_stop_button_says_that_there_is_nothing_to_stop_and_goes(stage: Stage) -> None:
    await _begin(stage)
    await until(lambda: texts.WRITING in stage.heard())
    offer = next(m for m in _chat(stage).from_bot() if m["text"] == texts.WRITING)
    stage.inbox.gate = None
    await stage.surfaces[0].stop()
    stage.state.open.clear()
    _chat(stage).messages[offer["message_id"]] = offer
    await stage.start()

    stage.server.world.press(stage.lobby, ADA, offer, "Stop")
    await until(lambda: texts.WRITING not in stage.heard())

    assert stage.server.world.answers[-1]["text"] == texts.NOTHING_TO_STOP


async def test_another_reply_is_a_new_message_and_the_old_one_is_marked(stage: Stage) -> None:
    await _ready(stage)
    first = await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)
    assert all(
        len(button.get("callback_data", "").encode()) <= 64 for button in buttons_of(first).values()
    )

    stage.server.world.press(stage.lobby, ADA, first, "Another reply")
    await until(lambda: stage.inbox.confirmed == [FIRST, SECOND])
    await until(lambda: stage.server.count("editMessageReplyMarkup"))
    old, new = _replies(stage)

    assert new["text"].startswith("Nova [AI twin]\nShips come home.\n\nAnother reply to the same")
    assert buttons_of(new)["Proof · fee 0.002 TPT"]["url"].startswith(f"{BASE}/r/{SECOND}#k=")
    assert old["text"] == "Nova [AI twin]\nShips come home."
    assert set(buttons_of(old)) == {"Replaced · its proof"}
    assert buttons_of(old)["Replaced · its proof"]["url"].startswith(f"{BASE}/r/{FIRST}#k=")


async def test_the_button_survives_a_restart(stage: Stage) -> None:
    await _ready(stage)
    first = await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)
    await stage.surfaces[0].stop()
    await stage.start()

    stage.server.world.press(stage.lobby, ADA, first, "Another reply")

    await until(lambda: stage.inbox.confirmed == [FIRST, SECOND])


async def test_two_presses_make_one_reply(stage: Stage) -> None:
    await _ready(stage)
    first = dict(await stage.ask("Hello"))
    await until(lambda: stage.inbox.confirmed)
    stage.inbox.gate = asyncio.Semaphore(0)

    stage.server.world.press(stage.lobby, ADA, first, "Another reply")
    await until(lambda: stage.inbox.running)
    stage.server.world.press(stage.lobby, ADA, first, "Another reply")
    await until(lambda: len(stage.server.world.answers) == 2)
    for _ in range(4):
        stage.inbox.gate.release()
    await until(lambda: stage.inbox.confirmed == [FIRST, SECOND])

    assert stage.server.world.answers[-1]["text"] == texts.ALREADY_AGAIN
    await until(lambda: not stage.state.open)
    stage.server.world.press(stage.lobby, ADA, first, "Another reply")
    await until(lambda: stage.heard()[-1] == "Only the latest reply can be made again.")


async def test_only_the_asker_gets_another_reply_and_the_key_stays_out_of_the_group(
    stage: Stage,
) -> None:
    group = await _group(stage)
    question = stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    first = await stage.said_in(group, after=1)
    await until(lambda: stage.inbox.confirmed)

    stage.server.world.press(stage.lobby, BEN, first, "Another reply")
    await until(lambda: stage.server.world.answers)
    assert stage.server.world.answers[-1]["text"] == texts.NOT_YOUR_REPLY
    stage.server.world.press(stage.lobby, ADA, first, "Another reply")
    second = await stage.said_in(group, after=2)

    assert second["reply_to_message"]["message_id"] == question["message_id"]
    assert "#k=" not in str(group.messages)
    assert len(stage.inbox.asked) == 2


async def test_another_reply_after_a_crash_comes_once(stage: Stage) -> None:
    """Pressed, committed, and the process gone before it was shown."""
    await _ready(stage)
    first = await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.press(stage.lobby, ADA, first, "Another reply")
    await until(lambda: stage.inbox.running)
    await stage.surfaces[0].stop()
    stage.inbox.gate = None

    await stage.start()
    await until(lambda: len(stage.inbox.confirmed) == 2)
    await settle()

    assert len(_replies(stage)) == 2
    assert stage.state.open == {}


async def test_a_reply_of_many_parts_is_replaced_as_a_whole(stage: Stage) -> None:
    await _ready(stage)
    stage.inbox.words = ["Ships come home. " * 400]
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.confirmed)
    stage.inbox.words = ["Short."]

    stage.server.world.press(stage.lobby, ADA, _replies(stage)[-1], "Another reply")
    await until(lambda: stage.inbox.confirmed == [FIRST, SECOND])
    await until(lambda: "Replaced · its proof" in buttons_of(_replies(stage)[1]))

    assert ["(1/2)" in m["text"] for m in _replies(stage)] == [True, False, False]
    assert _replies(stage)[2]["text"].startswith("Nova [AI twin]\nShort.")


async def test_the_old_reply_may_be_deleted_already(stage: Stage) -> None:
    await _ready(stage)
    first = await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.press(stage.lobby, ADA, first, "Another reply")
    await until(lambda: stage.inbox.running)
    del _chat(stage).messages[first["message_id"]]
    for _ in range(4):
        stage.inbox.gate.release()

    await until(lambda: stage.inbox.confirmed == [FIRST, SECOND])

    assert len(_replies(stage)) == 1


async def test_undo_takes_back_the_last_message_and_its_reply(stage: Stage) -> None:
    await _ready(stage)
    await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)

    stage.server.world.say(stage.lobby, ADA, "/undo")
    await until(lambda: stage.heard()[-1] == texts.UNDONE)

    assert stage.inbox.withdrawn == ["3"]
    assert _replies(stage) == []
    assert (await stage.ask("/undo"))["text"] == texts.NOTHING_TO_UNDO


async def test_undo_deletes_every_attempt_and_every_part(stage: Stage) -> None:
    await _ready(stage)
    stage.inbox.words = ["Ships come home. " * 400]
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.confirmed)
    stage.server.world.press(stage.lobby, ADA, _replies(stage)[-1], "Another reply")
    await until(lambda: stage.inbox.confirmed == [FIRST, SECOND])

    stage.server.world.say(stage.lobby, ADA, "/undo")
    await until(lambda: stage.heard()[-1] == texts.UNDONE)

    assert _replies(stage) == []
    assert stage.state.sent == []


async def test_undo_of_a_growing_reply_shows_nothing_of_it(stage: Stage) -> None:
    gate = await _begin(stage)

    stage.server.world.say(stage.lobby, ADA, "/undo")
    await until(lambda: stage.inbox.withdrawn == ["3"])
    gate.release()
    await until(lambda: not stage.inbox.running)
    await settle()

    assert _replies(stage) == []
    assert stage.inbox.confirmed == []


async def test_what_telegram_does_not_delete_any_more_is_said(stage: Stage) -> None:
    await _ready(stage)
    reply = await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)
    reply["date"] = TIME - 3 * 24 * 3600

    answer = await stage.ask("/undo")

    assert answer["text"] == f"{texts.UNDONE} {texts.UNDELETED}"
    assert stage.inbox.withdrawn == ["3"]


async def test_a_report_names_the_reply_that_it_answers_to(stage: Stage) -> None:
    group = await _group(stage)
    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    reply = await stage.said_in(group, after=1)

    stage.server.world.post(group, BEN, "/report It is rude.", reply_to=reply["message_id"])
    answer = await stage.said_in(group, after=2)

    assert answer["text"] == texts.REPORTED
    assert stage.inbox.reports == [(FIRST, str(BEN), "It is rude.")]


async def test_a_report_alone_means_the_last_reply(stage: Stage) -> None:
    await _ready(stage)
    assert (await stage.ask("/report"))["text"] == texts.REPORT_HOW
    await stage.ask("Hello")
    await stage.ask("Again")

    await stage.ask("/report")

    assert stage.inbox.reports == [(SECOND, str(ADA), "")]
    too_long = await stage.ask(f"/report {'x' * 1001}")
    assert too_long["text"] == "Please say it in at most 1,000 characters."


async def test_follow_ups_are_merged_quietly(stage: Stage) -> None:
    await _ready(stage)
    stage.inbox.merge = {"4": "3"}
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.say(stage.lobby, ADA, "Hello")
    stage.server.world.say(stage.lobby, ADA, "and who are you?")
    await until(lambda: stage.inbox.running and stage.server.count("sendMessageDraft"))
    for _ in range(4):
        stage.inbox.gate.release()
    await until(lambda: stage.inbox.confirmed == [FIRST] and not stage.state.open)

    assert [(m.message_id, m.may_merge) for m in stage.inbox.asked] == [("3", True)]
    assert len(_replies(stage)) == 1
    drafts = [draft for draft in _chat(stage).drafts if draft != {"over": True}]
    assert {draft["draft_id"] for draft in drafts} == {3}


async def test_a_command_is_never_merged(stage: Stage) -> None:
    await _ready(stage)
    await stage.ask("/talk Hello")

    assert [m.may_merge for m in stage.inbox.asked] == [False]


async def test_replies_come_in_the_order_of_their_questions(stage: Stage) -> None:
    """The second reply is there while the first is still being sent."""
    await _ready(stage)
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.inbox.link_ids = [FIRST, SECOND]
    stage.server.world.say(stage.lobby, ADA, "first")
    stage.server.world.say(stage.lobby, ADA, "second")
    await until(lambda: len(stage.inbox.running) == 2)
    for _ in range(8):
        stage.inbox.gate.release()
    await until(lambda: len(stage.inbox.confirmed) == 2)

    assert stage.inbox.confirmed == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("finish", "words", "again"),
    [
        ("cut", "Cut off: its creator has paused or ended this twin.", False),
        ("length", "Ended at the length", True),
    ],
)
async def test_small_print_says_how_a_reply_ended(
    stage: Stage, finish: str, words: str, *, again: bool
) -> None:
    """A reply of that kind lies in the outbox at the start."""
    stage.server.world.say(stage.lobby, ADA, "Hello from before")
    surface = Surface("telegram", str(stage.lobby.id), str(ADA), "")
    message = IncomingMessage("nova", surface, str(ADA), "1", "Hello from before")
    shown = [event async for event in stage.inbox.answer(message)][-1]
    assert isinstance(shown, ReplyShown)
    stage.inbox.outbox.append(PendingReply(message, replace(shown, finish=finish)))
    stage.lobby.updates.clear()

    await stage.start()
    reply = await stage.answer()

    assert words in reply["text"]
    assert ("Another reply" in buttons_of(reply)) is again


async def test_a_refused_wish_is_said_and_changes_nothing(stage: Stage) -> None:
    await _ready(stage)
    first = await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)
    stage.inbox.fail = UserError("You have had all replies for today.")

    stage.server.world.press(stage.lobby, ADA, first, "Another reply")
    await until(lambda: stage.heard()[-1] == "You have had all replies for today.")

    assert stage.inbox.confirmed == [FIRST]
    assert "Another reply" in buttons_of(_replies(stage)[0])
