"""A fan takes a message back: nothing is paid, or nothing more is remembered."""

import asyncio

import pytest

from bot.domain.errors import AdmissionError, UserError
from bot.domain.fields import SpanKind
from bot.domain.ledger import SPONSOR, creator_account
from bot.domain.money import NANO
from bot.domain.statements import Outcome
from bot.ports.stores import StoredReply
from bot.receipts.verify import verify_bundle
from tests.stage import CREATOR_NANO, PRICE, SURFACE, Stage


async def _stored(stage: Stage, reply: StoredReply) -> StoredReply:
    async with stage.store.reading() as tx:
        found = await tx.find_reply(reply.receipt_id)
    assert found is not None
    return found


async def test_reply_withdrawn_before_its_delivery_costs_nothing(stage: Stage) -> None:
    await stage.open()
    reply = await stage.say()

    assert await stage.withdrawal.withdraw(SURFACE, "first") == [reply.receipt_id]
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    stored = await _stored(stage, reply)
    assert (stored.outcome, stored.reversal, stored.withdrawn) == ("withdrawn", None, True)
    assert await stage.balance(SPONSOR) == 10 * NANO


async def test_reply_withdrawn_after_its_delivery_stays_paid(stage: Stage) -> None:
    twin = (await stage.open()).manifest.twin
    reply = await stage.say()
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    for _ in range(2):
        assert await stage.withdrawal.withdraw(SURFACE, "first") == [reply.receipt_id]

    stored = await _stored(stage, reply)
    assert (stored.outcome, stored.reversal, stored.withdrawn) == ("delivered", "withdrawn", True)
    assert await stage.balance(creator_account(twin)) == CREATOR_NANO
    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE


async def test_bundle_of_a_withdrawn_reply_shows_its_last_outcome(stage: Stage) -> None:
    await stage.open()
    reply = await stage.say()
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    await stage.withdrawal.withdraw(SURFACE, "first")

    bundle = await stage.proofs.bundle(reply.receipt_id)

    assert bundle is not None
    verified = verify_bundle(bundle, key=reply.opening_key, policy=stage.policy)
    assert verified.outcome is not None
    assert verified.outcome.outcome is Outcome.WITHDRAWN


async def test_every_attempt_at_the_message_is_withdrawn(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()
    await stage.delivery.record(first.receipt_id, Outcome.DELIVERED)
    second = await stage.again(first.receipt_id)

    taken = await stage.withdrawal.withdraw(SURFACE, "first")

    assert taken == [first.receipt_id, second.receipt_id]
    assert [(await _stored(stage, reply)).withdrawn for reply in (first, second)] == [True, True]
    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE


async def test_what_was_withdrawn_is_quoted_no_more_and_ends_the_chain(stage: Stage) -> None:
    await stage.open()
    for number in ("m1", "m2", "m3"):
        await stage.say(number=number)

    await stage.withdrawal.withdraw(SURFACE, "m2")
    await stage.say(number="m4")
    await stage.withdrawal.withdraw(SURFACE, "m4")
    await stage.say(number="m5")
    await stage.say(number="m6")

    quoted = {
        intent.message.message_id: len([s for s in intent.spans if s.kind is SpanKind.FAN])
        for intent in (await stage.reader.read_all()).intents
    }
    assert quoted == {"m1": 0, "m2": 1, "m3": 2, "m4": 1, "m5": 0, "m6": 1}


@pytest.mark.parametrize("ticks", range(0, 80, 5))
async def test_message_taken_back_at_any_moment_is_never_charged(stage: Stage, ticks: int) -> None:
    await stage.open()
    task = asyncio.create_task(stage.say())
    for _ in range(ticks):
        await asyncio.sleep(0)

    receipts = await stage.withdrawal.withdraw(SURFACE, "first")
    (answer,) = await asyncio.gather(task, return_exceptions=True)

    if ticks and not receipts:
        assert isinstance(answer, UserError)
        assert "taken back" in str(answer)
    if ticks:
        assert await stage.balance(SPONSOR) == 10 * NANO
        assert stage.running.all() == []


async def test_growing_reply_is_dropped_even_after_a_stop(stage: Stage) -> None:
    await stage.open()
    stage.engine.pause = asyncio.Event()
    task = asyncio.create_task(stage.say())
    await stage.engine.begun.wait()
    (intent,) = stage.running.all()
    stage.running.stop(intent.key, by="press")

    assert await stage.withdrawal.withdraw(SURFACE, "first") == []

    with pytest.raises(UserError):
        await task
    stage.engine.pause = None
    with pytest.raises(AdmissionError, match="once more"):
        await stage.say()
    assert await stage.balance(SPONSOR) == 10 * NANO


async def test_withdrawal_of_what_was_never_said_is_nothing(stage: Stage) -> None:
    await stage.open()
    await stage.say()

    assert await stage.withdrawal.withdraw(SURFACE, "another") == []


async def test_the_engine_forgets_the_conversation_that_held_it(stage: Stage) -> None:
    await stage.open()
    reply = await stage.say()
    caller = stage.engine.callers[-1]

    await stage.withdrawal.withdraw(SURFACE, "first")

    assert caller.conversation == reply.conversation.hex()
    assert stage.engine.forgotten == [caller.conversation]
