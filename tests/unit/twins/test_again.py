"""Another reply to the same message: its own seed, receipt and fee, in the same place."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.errors import AdmissionError, EngineCrashedError, InvariantError, UserError
from bot.domain.ledger import SPONSOR
from bot.domain.money import NANO
from bot.domain.statements import Outcome
from bot.receipts.verify import verify_bundle
from bot.twins.replay import replay_request
from tests.fakes.clock import SetClock
from tests.fakes.store import MemoryStore, ProcessKilled, WriteFault
from tests.stage import MIRA, PRICE, SURFACE, Stage, memory_stage


async def test_other_reply_takes_the_place_of_the_first_one(stage: Stage) -> None:
    await stage.open()
    before = await stage.say(number="m1")
    first = await stage.say(number="m2")

    second = await stage.again(first.receipt_id)
    third = await stage.again(second.receipt_id, event="again 2")
    after = await stage.say(number="m3")

    assert [r.attempt for r in (first, second, third)] == [0, 1, 2]
    assert [r.turn for r in (first, second, third)] == [2, 2, 2]
    assert [r.seq for r in (before, first, second, third, after)] == [1, 2, 3, 4, 5]
    assert len({r.output_tokens for r in (first, second, third)}) == 3
    assert after.turn == 3
    async with stage.store.reading() as tx:
        told = await tx.conversation(first.conversation)
        intents = [await tx.find_intent(r.intent) for r in (first, second, third, after)]
    assert [r.receipt_id for r in told] == [r.receipt_id for r in (before, third, after)]
    assert len({i.context for i in intents[:3] if i}) == 1
    assert len({i.opening_key for i in intents if i}) == 4
    cited = [span.receipt for span in (intents[3].spans if intents[3] else ()) if span.receipt]
    assert cited == [before.receipt_hash] * 2 + [third.receipt_hash] * 2


async def test_other_reply_verifies_names_what_it_replaces_and_replays(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()
    second = await stage.again(first.receipt_id, event="interaction 5")

    bundle = await stage.proofs.bundle(second.receipt_id)
    assert bundle is not None
    verified = verify_bundle(bundle, key=second.opening_key, policy=stage.policy)

    assert verified.openings is not None
    event = verified.openings.fields.event
    assert (event.regenerate, event.replaces) == ("interaction 5", first.receipt_hash)
    assert (await stage.engine.replay(replay_request(verified))).exact


async def test_other_reply_has_a_fee_of_its_own(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()
    await stage.delivery.record(first.receipt_id, Outcome.DELIVERED)
    second = await stage.again(first.receipt_id)
    await stage.delivery.record(second.receipt_id, Outcome.DELIVERED)

    assert await stage.balance(SPONSOR) == 10 * NANO - 2 * PRICE


async def test_same_wish_again_gives_the_same_reply(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()

    replies = await asyncio.gather(*(stage.again(first.receipt_id) for _ in range(3)))

    assert len({reply.receipt_id for reply in replies}) == 1
    assert await stage.balance(SPONSOR) == 10 * NANO - 2 * PRICE
    assert (await stage.say()).receipt_id == replies[0].receipt_id  # what stands there now


async def test_only_the_latest_reply_can_be_made_again(stage: Stage) -> None:
    await stage.open()
    first = await stage.say(number="m1")
    second = await stage.again(first.receipt_id)

    with pytest.raises(UserError, match="Only the latest"):
        await stage.again(first.receipt_id, event="another wish")
    await stage.say(number="m2")
    with pytest.raises(UserError, match="Only the latest"):
        await stage.again(second.receipt_id, event="yet another")
    assert len((await stage.reader.read_all()).intents) == 3


async def test_reply_of_somebody_else_is_not_made_again(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()

    with pytest.raises(UserError, match="Only the person"):
        await stage.again(first.receipt_id, fan="eve")
    with pytest.raises(UserError, match="no such reply"):
        await stage.again("nothing")
    with pytest.raises(InvariantError):
        await stage.again(first.receipt_id, event="e" * 201)


async def test_withdrawn_reply_is_not_made_again(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()
    await stage.withdrawal.withdraw(SURFACE, "first")

    with pytest.raises(UserError, match="taken back"):
        await stage.again(first.receipt_id)


async def test_twin_with_a_new_version_makes_nothing_again(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()
    await stage.publisher.publish(replace(MIRA, price_nano=5))

    with pytest.raises(AdmissionError, match="new version: please send your message once more"):
        await stage.again(first.receipt_id)


class _Passing(SetClock):
    """A clock on which a second passes with every look at it."""

    def now(self) -> datetime:
        """Return the moment, which is over with this."""
        self.moment += timedelta(seconds=1)
        return self.moment


async def test_other_reply_is_of_the_moment_at_which_its_twin_was_valid(stage: Stage) -> None:
    live = await stage.open()
    first = await stage.say()
    ends = live.manifest.valid_until
    stage.clock = _Passing(ends - timedelta(seconds=2))  # when it is asked for, and checked

    second = await stage.again(first.receipt_id)

    async with stage.store.reading() as tx:
        intent = await tx.find_intent(second.intent)
    assert intent is not None
    assert intent.created_at == ends
    bundle = await stage.proofs.bundle(second.receipt_id)
    assert bundle is not None
    verify_bundle(bundle, key=second.opening_key, policy=stage.policy)


async def test_other_replies_count_towards_the_quota(stage: Stage) -> None:
    stage.daily_messages = 2
    await stage.open()
    first = await stage.say()
    second = await stage.again(first.receipt_id)

    with pytest.raises(AdmissionError, match="limit"):
        await stage.again(second.receipt_id, event="more")
    with pytest.raises(AdmissionError, match="limit"):
        await stage.say(number="m2")


async def test_attempt_that_failed_counts_as_one(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()
    stage.engine.crashes = [0, 0]
    with pytest.raises(EngineCrashedError):
        await stage.again(first.receipt_id)
    stage.engine.crashes = []

    with pytest.raises(AdmissionError, match="could not be answered"):
        await stage.again(first.receipt_id)
    second = await stage.again(first.receipt_id, event="once more")

    assert second.attempt == 2
    assert (await stage.say()).receipt_id == second.receipt_id


@pytest.mark.parametrize("fault", [WriteFault.KILLED_BEFORE, WriteFault.KILLED_AFTER])
@pytest.mark.parametrize("ahead", [1, 2])
async def test_killed_attempt_is_finished_with_the_same_bytes(
    ahead: int, fault: WriteFault
) -> None:
    other = memory_stage()
    await other.open()
    expected = await other.again((await other.say()).receipt_id)
    stage = memory_stage()
    await stage.open()
    first = await stage.say()
    assert isinstance(stage.store, MemoryStore)
    stage.store.faults[stage.store.writes + ahead] = fault
    with pytest.raises(ProcessKilled):
        await stage.again(first.receipt_id)

    again = stage.restarted()
    await again.open()
    await again.recovery.run()
    reply = await again.again(first.receipt_id)

    assert reply.text == expected.text
    assert (reply.attempt, reply.turn) == (1, 1)
    assert (await again.audit()).wrong == []


async def test_other_reply_may_be_stopped_and_dropped_as_any(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()
    stage.engine.pause = asyncio.Event()
    stage.engine.begun.clear()
    task = asyncio.create_task(stage.again(first.receipt_id))
    await stage.engine.begun.wait()

    assert await stage.make_inbox().stop(SURFACE, "first", "ana", "press")

    second = await task
    assert (second.finish, second.halt, second.attempt) == ("stopped", "press", 1)
    stage.engine.begun.clear()
    task = asyncio.create_task(stage.again(second.receipt_id, event="more"))
    await stage.engine.begun.wait()
    taken = await stage.withdrawal.withdraw(SURFACE, "first")
    with pytest.raises(UserError, match="taken back"):
        await task
    assert taken == [first.receipt_id, second.receipt_id]
