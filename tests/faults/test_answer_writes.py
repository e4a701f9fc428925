"""Every durable write of the story x lost, applied but errored, killed; restart; audit passes."""

from contextlib import suppress

import pytest

from bot.domain.errors import BotError
from bot.domain.leaf import Outcome
from bot.domain.ledger import SPONSOR
from bot.domain.money import NANO
from tests.fakes.store import KILLS, MemoryStore, ProcessKilled, WriteFault
from tests.stage import PRICE, Stage, memory_stage

# 1 funding, 2 manifest, 3 intent, 4 reply, 5 outcome, 6 head, 7 and 8 the second message.
WRITES = range(1, 9)


async def _life(stage: Stage) -> str:
    """Run everything that one life of the service does; return the first reply's text."""
    await stage.open()
    await stage.recovery.run()
    reply = await stage.say(number="one")
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    await stage.signer.publish(stage.store)
    second = await stage.say(number="two")
    await stage.delivery.record(second.receipt_id, Outcome.DELIVERED)
    return reply.text


@pytest.mark.parametrize("fault", WriteFault)
@pytest.mark.parametrize("write", WRITES)
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
    assert [reply.outcome for reply in records.replies] == ["delivered"] * 2
    assert await again.balance(SPONSOR) == 10 * NANO - 2 * PRICE


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
