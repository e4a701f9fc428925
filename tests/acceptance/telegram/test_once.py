"""Crashes, repetitions and a busy store: no message is lost, none is answered twice."""

import asyncio

from bot.domain.errors import StoreBusyError
from bot.ports.chat import IncomingMessage, PendingReply, ReplyShown, Surface
from bot.ports.telegram_state import TakenUpdate
from tests.acceptance.telegram.conftest import ADA, Stage, settle, until
from tests.acceptance.telegram.server import Fault

RECEIPT = "receipt-00000000000001"


async def _ready(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")


async def _pend(stage: Stage, *, fan: int = ADA) -> None:
    """Put a committed reply into the outbox, as a crash before its delivery leaves it."""
    stage.server.world.say(stage.lobby, fan, "Hello from before")
    surface = Surface("telegram", str(stage.lobby.id), str(fan), "")
    message = IncomingMessage("nova", surface, str(fan), "1", "Hello from before")
    async for event in stage.inbox.answer(message):
        if isinstance(event, ReplyShown):
            stage.inbox.outbox.append(PendingReply(message, event))
    stage.lobby.updates.clear()


async def test_a_chat_that_is_gone_is_undelivered(stage: Stage) -> None:
    await _pend(stage)
    del stage.server.world.fans[ADA]

    await stage.start()

    await until(lambda: stage.inbox.lost == [RECEIPT])


async def test_an_outcome_that_stays_unknown_is_left_to_the_next_start(stage: Stage) -> None:
    surface = await stage.start()
    await stage.ask("/twin nova")
    with stage.server.fault(Fault("sendMessage", times=2)):
        stage.server.world.say(stage.lobby, ADA, "Hello")
        await until(lambda: stage.server.count("sendMessage") == 3)
        await settle()
    assert stage.server.count("sendMessage") == 3
    assert (stage.inbox.confirmed, stage.inbox.lost) == ([], [])
    message = stage.inbox.asked[0]
    shown = [event async for event in stage.inbox.answer(message)][-1]
    assert isinstance(shown, ReplyShown)
    stage.inbox.outbox.append(PendingReply(message, shown))
    await surface.stop()

    await stage.start()

    await until(lambda: stage.inbox.confirmed == [RECEIPT])
    assert len(stage.heard()) == 2


async def test_repeated_updates_and_messages_get_no_second_answer(stage: Stage) -> None:
    await _ready(stage)
    message = stage.server.world.say(stage.lobby, ADA, "Hello")
    update = stage.lobby.updates[-1]
    await stage.answer(after=1)

    stage.lobby.updates.append(update | {"update_id": stage.lobby.next_update - 1})
    stage.lobby.push("message", message)  # the same message under another number
    await settle()

    assert len(stage.heard()) == 2
    assert len(stage.inbox.asked) == 1


async def test_a_crash_before_the_answer_loses_no_message(stage: Stage) -> None:
    surface = await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.running)
    await surface.stop()
    stage.lobby.updates.clear()  # confirmed long ago: the platform will not repeat it
    stage.inbox.gate = None

    await stage.start()
    reply = await stage.answer(after=1)

    assert reply["text"].endswith("Ships come home.")
    await until(lambda: stage.inbox.confirmed and not stage.state.open)
    assert len(stage.heard()) == 2


async def test_pending_replies_are_sent_once_at_the_start(stage: Stage) -> None:
    await _pend(stage)

    surface = await stage.start()
    await until(lambda: stage.inbox.confirmed == [RECEIPT])
    await surface.stop()
    await stage.start()
    await settle()

    assert [text for text in stage.heard() if "Ships" in text] == [
        "Nova [AI twin]\nShips come home."
    ]


async def test_a_blocked_fans_pending_reply_is_undelivered(stage: Stage) -> None:
    await _pend(stage)
    stage.server.world.block(stage.lobby, ADA)

    await stage.start()

    await until(lambda: stage.inbox.lost == [RECEIPT])


async def test_a_pending_reply_also_ends_the_update_that_asked_for_it(stage: Stage) -> None:
    surface = await stage.start()
    await stage.ask("/twin nova")
    with stage.server.fault(Fault("sendMessage", times=1000, status=500)):
        stage.server.world.say(stage.lobby, ADA, "Hello")
        await until(lambda: stage.server.count("sendMessage") > 2)
        await surface.stop()  # committed, not sent, the update still open
    message = stage.inbox.asked[0]
    shown = [event async for event in stage.inbox.answer(message)][-1]
    assert isinstance(shown, ReplyShown)
    stage.inbox.outbox.append(PendingReply(message, shown))
    assert len(stage.state.open) == 1

    await stage.start()

    await until(lambda: stage.inbox.confirmed and not stage.state.open)
    await settle()
    assert stage.inbox.confirmed == [RECEIPT]
    assert len(stage.heard()) == 2


async def test_a_crash_between_commit_and_finish_sends_nothing_twice(stage: Stage) -> None:
    surface = await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.fail_delivery = StoreBusyError("busy")  # sent, but the core could not note it
    await stage.ask("Hello")
    await until(lambda: stage.state.sent)
    await settle()
    await surface.stop()
    stage.inbox.fail_delivery = None
    message = stage.inbox.asked[0]
    shown = [event async for event in stage.inbox.answer(message)][-1]
    assert isinstance(shown, ReplyShown)
    stage.inbox.outbox.append(PendingReply(message, shown))

    await stage.start()

    await until(lambda: stage.inbox.confirmed == [RECEIPT])
    assert len(stage.heard()) == 2


async def test_a_busy_store_takes_the_update_later(stage: Stage) -> None:
    await _ready(stage)
    stage.state.fail_take = StoreBusyError("busy")

    reply = await stage.ask("Hello")

    assert reply["text"].endswith("Ships come home.")
    assert len(stage.inbox.asked) == 1


async def test_a_part_that_cannot_be_noted_is_sent_all_the_same(stage: Stage) -> None:
    await _ready(stage)
    stage.inbox.words = ["Ships come home. " * 400]
    stage.state.fail_add = StoreBusyError("busy")

    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.confirmed == [RECEIPT])

    assert len(stage.heard()) == 3
    assert stage.state.sent == []


async def test_an_event_of_another_version_is_dropped(stage: Stage) -> None:
    for number, payload in enumerate(["{}", "no JSON", '{"type": "Said", "spot": 1}']):
        await stage.state.take(TakenUpdate("7001", number, str(ADA), str(number), payload))

    await stage.start()

    await until(lambda: not stage.state.open)


async def test_a_surface_starts_again_after_a_stop(stage: Stage) -> None:
    surface = await stage.start()
    await surface.stop()
    await surface.stop()
    assert surface.ready_bots() == []
    await surface.start()

    assert (await stage.ask("/help"))["text"]
