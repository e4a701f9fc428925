"""After a crash: open steps are finished with the same bytes, or voided; the audit agrees."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.errors import BotError, EngineCrashedError
from bot.domain.ledger import SPONSOR, hold_account
from bot.domain.money import NANO
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore, ProcessKilled, WriteFault
from tests.stage import MIRA, PRICE, Stage, memory_stage

# Writes of the story on a fresh stage: 1 funding, 2 manifest, 3 intent, 4 reply, 5 outcome.
INTENT, REPLY = 3, 4


async def _killed(write: int, fault: WriteFault) -> Stage:
    """Return a service that was killed around a write, as a new process finds it, published."""
    stage = memory_stage()
    await stage.open()
    assert isinstance(stage.store, MemoryStore)
    stage.store.faults[write] = fault
    with pytest.raises(ProcessKilled):
        await stage.say()
    again = stage.restarted()
    await again.open()
    return again


async def _undisturbed() -> str:
    stage = memory_stage()
    await stage.open()
    return (await stage.say()).text


@pytest.mark.parametrize(
    ("write", "fault", "finished"),
    [
        (INTENT, WriteFault.KILLED_BEFORE, 0),
        (INTENT, WriteFault.KILLED_AFTER, 1),
        (REPLY, WriteFault.KILLED_BEFORE, 1),
        (REPLY, WriteFault.KILLED_AFTER, 0),
    ],
)
async def test_killed_service_finishes_what_it_began_with_the_same_bytes(
    write: int, fault: WriteFault, finished: int
) -> None:
    stage = await _killed(write, fault)

    assert await stage.recovery.run() == finished

    reply = await stage.say()
    assert reply.text == await _undisturbed()
    assert (reply.seq, reply.turn) == (1, 1)
    assert await stage.balance(hold_account(reply.intent)) == PRICE
    assert (await stage.audit()).wrong == []


async def test_intent_too_old_is_voided_and_its_hold_released() -> None:
    stage = await _killed(INTENT, WriteFault.KILLED_AFTER)
    stage.clock.advance(timedelta(hours=1))

    assert await stage.recovery.run() == 0

    assert await stage.balance(SPONSOR) == 10 * NANO
    assert [i.state for i in (await stage.reader.read_all()).intents] == ["void"]
    assert (await stage.audit()).wrong == []


async def test_intent_of_a_replaced_manifest_is_voided() -> None:
    stage = await _killed(INTENT, WriteFault.KILLED_AFTER)
    await stage.publisher.publish(replace(MIRA, price_nano=5))

    assert await stage.recovery.run() == 0
    assert await stage.balance(SPONSOR) == 10 * NANO


async def test_intent_of_a_twin_that_is_gone_is_voided() -> None:
    stage = await _killed(INTENT, WriteFault.KILLED_AFTER)
    gone = stage.restarted()

    assert await gone.recovery.run() == 0
    assert await gone.balance(SPONSOR) == 10 * NANO
    assert (await gone.audit()).wrong == []


async def test_engine_that_dies_during_recovery_voids_that_intent_alone() -> None:
    stage = await _killed(INTENT, WriteFault.KILLED_AFTER)
    stage.engine = MemoryEngine(crashes=[0, 0])

    assert await stage.recovery.run() == 0
    assert await stage.balance(SPONSOR) == 10 * NANO
    assert (await stage.audit()).wrong == []


async def test_recovery_twice_changes_nothing() -> None:
    stage = await _killed(REPLY, WriteFault.KILLED_BEFORE)
    await stage.recovery.run()
    before = await stage.reader.read_all()

    assert await stage.recovery.run() == 0
    assert await stage.reader.read_all() == before


@pytest.mark.parametrize(("hours", "released"), [(24, False), (25, True)])
async def test_undelivered_reply_waits_a_day_for_its_surface(hours: int, released: bool) -> None:  # noqa: FBT001
    stage = memory_stage()
    await stage.open()
    await stage.say()
    stage.clock.advance(timedelta(hours=hours))

    await stage.recovery.run()

    assert (await stage.balance(SPONSOR) == 10 * NANO) is released
    assert (await stage.audit()).wrong == []


async def test_void_that_is_lost_leaves_the_intent_for_the_next_start() -> None:
    stage = memory_stage()
    await stage.open()
    assert isinstance(stage.store, MemoryStore)
    stage.engine.crashes = [0, 0]
    stage.store.faults[REPLY] = WriteFault.LOST

    with pytest.raises(BotError) as refused:
        await stage.say()
    again = stage.restarted()
    await again.open()

    assert not isinstance(refused.value, EngineCrashedError)
    assert await again.recovery.run() == 1
    assert (await again.audit()).wrong == []
