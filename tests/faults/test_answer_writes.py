"""Every durable write of the story x lost, applied but errored, killed; restart; audit passes.

The story: a message, answered and delivered; another one, answered twice; the first one taken back;
a reply stopped by its fan, one cut off by its creator, two messages answered together, and one that
is taken back while it grows.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from bot.domain.errors import BotError, UserError
from bot.domain.ledger import SPONSOR
from bot.domain.money import NANO
from bot.domain.statements import Outcome
from bot.ports.audit import StoredRecords
from bot.ports.chat import MergedInto
from bot.ports.stores import Intent, StoredReply
from tests.fakes.store import KILLS, MemoryStore, ProcessKilled, WriteFault
from tests.stage import PRICE, SURFACE, Stage, memory_stage, message

STORY = (
    *("funding", "manifest"),
    *("intent one", "reply one", "outcome one", "head"),
    *("intent two", "reply two", "outcome two"),
    *("intent two again", "reply two again", "outcome two again"),
    "withdrawal of one",
    *("intent stopped", "reply stopped", "outcome stopped"),
    *("intent cut", "reply cut", "refund"),
    *("intent busy", "reply busy", "intent of two", "reply of two"),
    *("outcome busy", "outcome of two"),
    *("intent dropped", "void", "last head"),
)
Halt = Callable[[Intent], object]


async def _life(stage: Stage) -> str:
    """Run everything that one life of the service does; return the first reply's text."""
    running = stage.running
    await stage.open()
    await stage.recovery.run()
    reply = await stage.say(number="one")
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    await stage.signer.publish(stage.store)
    second = await stage.say(number="two")
    await stage.delivery.record(second.receipt_id, Outcome.DELIVERED)
    again = await stage.again(second.receipt_id)
    await stage.delivery.record(again.receipt_id, Outcome.DELIVERED)
    await stage.withdrawal.withdraw(SURFACE, "one")
    await _halted(stage, "stopped", lambda intent: running.stop(intent.key, by="press"))
    await _halted(stage, "cut", lambda intent: running.cut(intent.twin, by="pause"))
    await _together(stage, "busy", "merged 1", "merged 2")
    with suppress(UserError):
        await _halted(stage, "dropped", lambda intent: running.drop(intent.key))
    await stage.signer.publish(stage.store)
    return reply.text


async def _halted(stage: Stage, number: str, halt: Halt) -> None:
    """Answer a message, halt its reply as soon as some of it is shown, and deliver it."""

    def show(_text: str) -> None:
        for intent in stage.running.all():
            halt(intent)

    reply = await stage.make_answer().answer(message(number=number), show)
    assert isinstance(reply, StoredReply)
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)


async def _together(stage: Stage, *numbers: str) -> None:
    """Send messages at once; all but the first wait, and are answered together."""
    answer = stage.make_answer()
    answers = await asyncio.gather(
        *(
            answer.answer(message(number=number, may_merge=True), lambda _text: None)
            for number in numbers
        ),
        return_exceptions=True,
    )
    for one in answers:
        if isinstance(one, BaseException):
            raise one
        if not isinstance(one, MergedInto):
            await stage.delivery.record(one.receipt_id, Outcome.DELIVERED)


async def test_the_table_names_every_write_of_the_story() -> None:
    stage = memory_stage()
    assert isinstance(stage.store, MemoryStore)

    await _life(stage)

    assert stage.store.writes == len(STORY)
    records = await stage.reader.read_all()
    finishes = {reply.finish for reply in records.replies}
    assert {"stopped", "cut"} <= finishes
    assert [len(intent.parts) for intent in records.intents].count(2) == 1
    assert [intent.state for intent in records.intents].count("void") == 1


@pytest.mark.parametrize("fault", WriteFault)
@pytest.mark.parametrize("write", range(1, 1 + len(STORY)), ids=lambda n: STORY[n - 1])
async def test_write_that_fails_loses_nothing_and_pays_nothing_twice(
    write: int, fault: WriteFault
) -> None:
    expected = await _life(memory_stage())
    stage = memory_stage()
    assert isinstance(stage.store, MemoryStore)
    stage.store.faults[write] = fault

    with pytest.raises(ProcessKilled if fault in KILLS else BotError):
        await _life(stage)
    assert (await stage.audit()).wrong == []
    again = stage.restarted()
    text = await _life(again)

    records = await again.reader.read_all()
    assert text == expected
    assert (await again.audit()).wrong == []
    paid = _check_messages(records)
    assert await again.balance(SPONSOR) == 10 * NANO - paid * PRICE


def _check_messages(records: StoredRecords) -> int:
    """Check what became of each message; return how many replies were paid for."""
    of_message: dict[str, list[tuple[str, str | None, str | None]]] = {}
    replies = {reply.intent: reply for reply in records.replies}
    for intent in records.intents:
        reply = replies.get(intent.key)
        told = (None, None) if reply is None else (reply.outcome, reply.reversal)
        for part in intent.parts:
            of_message.setdefault(part.id, []).append((intent.state, *told))
    delivered = ("done", "delivered", None)
    void = ("void", None, None)
    assert of_message.pop("one") == [("done", "delivered", "withdrawn")]
    assert of_message.pop("two") == [delivered, delivered]
    # Killed while it grew, its halt is lost with the process: the whole reply is made.
    assert of_message.pop("cut") in ([("done", "refunded", None)], [delivered])
    assert of_message.pop("dropped") in ([void], [delivered])
    assert of_message == {
        number: [delivered] for number in ("stopped", "busy", "merged 1", "merged 2")
    }
    return [reply.outcome for reply in records.replies].count("delivered")


@pytest.mark.parametrize("fault", [WriteFault.LOST, WriteFault.APPLIED])
@pytest.mark.parametrize("write", [3, 4, 5])
async def test_write_that_fails_is_tried_again_without_a_restart(
    write: int, fault: WriteFault
) -> None:
    stage = memory_stage()
    assert isinstance(stage.store, MemoryStore)
    await stage.open()
    stage.store.faults[write] = fault

    with suppress(BotError):
        reply = await stage.say()
        await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    reply = await stage.say()
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    assert (await stage.audit()).wrong == []
    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE
    assert (reply.seq, reply.turn) == (1, 1)
