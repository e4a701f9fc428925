"""Disputes: the engine that serves replays; what is wrong or was never anchored is given back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.credit.disputes import DAILY
from bot.domain.errors import EngineCrashedError, UserError
from bot.domain.ledger import LOSS, PROMOTION, creator_account, fan_account, held_account
from bot.domain.statements import Outcome
from bot.ports.credit import DisputeState
from bot.ports.inference import ReplayOutcome, ReplayRequest
from bot.ports.stores import StoredReply
from tests.credit_rig import ANA, BEN, PAID_MIRA, STAR_NANO, CreditRig, open_rig
from tests.fakes.engine import MemoryEngine
from tests.fakes.models import MemoryModels
from tests.stage import CREATOR_NANO, MIRA, PRICE, SURFACE, Stage

ANCHOR = timedelta(hours=48)


async def _sound(rig: CreditRig) -> None:
    assert (await rig.stage.audit()).wrong == []


def _lie(rig: CreditRig) -> None:
    """Let the engine that serves be another model than it was."""
    rig.stage.engine = _Other()


async def _disputed(rig: CreditRig, reply: StoredReply) -> tuple[DisputeState, str]:
    await rig.door.dispute(reply.receipt_id, ANA, "wrong")
    await rig.disputes.run()
    (view,) = await rig.door.disputes(ANA)
    return view.state, view.sentence


async def test_reply_that_replays_is_rejected_and_the_fan_is_told_once(rig: CreditRig) -> None:
    await rig.buy()
    reply = await rig.say()

    begun = await rig.door.dispute(reply.receipt_id, ANA, "it was rude")
    decided = await rig.disputes.run()
    again = await rig.door.dispute(reply.receipt_id, ANA, "really")

    assert (begun.state, decided) == (DisputeState.CHECKING, 1)
    assert again.state is DisputeState.REJECTED
    assert again.sentence == ("The reply was made once more and came out the same, token by token.")
    assert await rig.door.take_notices(ANA) == (f"Your dispute: {again.sentence}",)
    assert await rig.door.take_notices(ANA) == ()
    assert await rig.disputes.run() == 0
    await _sound(rig)


async def test_other_reply_is_upheld_and_the_price_given_back_once(rig: CreditRig) -> None:
    before = await rig.buy()
    reply = await rig.say()
    twin = reply.twin
    _lie(rig)

    state, sentence = await _disputed(rig, reply)
    await rig.disputes.run()

    assert state is DisputeState.UPHELD
    assert sentence.startswith("Mira's reply did not come out again: ")
    assert sentence.endswith("0.002000001 tUSD were given back to your credit.")
    assert await rig.stage.balance(fan_account(await rig.account())) == before
    assert await rig.stage.balance(LOSS) == -PRICE
    assert await rig.stage.balance(held_account(twin)) == CREATOR_NANO  # the creator keeps it
    await _sound(rig)


async def test_given_credit_is_given_back_as_such(rig: CreditRig) -> None:
    await rig.give(nano=PRICE)
    reply = await rig.say()
    _lie(rig)

    state, _ = await _disputed(rig, reply)

    view = await rig.door.view(ANA)
    assert (state, view.promotional_nano) == (DisputeState.UPHELD, PRICE)
    assert await rig.stage.balance(PROMOTION) == -PRICE
    await _sound(rig)


async def test_free_reply_has_nothing_to_give_back(stage: Stage) -> None:
    rig = await open_rig(stage, files=(MIRA,))
    reply = await rig.say()
    _lie(rig)

    state, sentence = await _disputed(rig, reply)

    assert state is DisputeState.UPHELD
    assert sentence.endswith("It had cost you nothing, so there was nothing to give back.")
    assert await rig.stage.balance(creator_account(reply.twin)) == CREATOR_NANO
    await _sound(rig)


@pytest.mark.parametrize(
    ("waited", "anchored", "state"),
    [
        (ANCHOR, False, DisputeState.UPHELD),
        (ANCHOR - timedelta(seconds=5), False, DisputeState.REJECTED),
        (ANCHOR, True, DisputeState.REJECTED),
    ],
)
async def test_paid_reply_that_was_never_anchored_is_given_back(
    rig: CreditRig,
    waited: timedelta,
    anchored: bool,  # noqa: FBT001
    state: DisputeState,
) -> None:
    before = await rig.buy()
    reply = await rig.say()
    rig.anchored = anchored
    rig.stage.clock.advance(waited)

    found, sentence = await _disputed(rig, reply)

    assert found is state
    upheld = state is DisputeState.UPHELD
    assert ("was not anchored on the chain within 48 hours" in sentence) is upheld
    assert (await rig.door.view(ANA)).paid_nano == (before if upheld else before - PRICE)
    await _sound(rig)


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_refunded_reply_is_not_given_back_again(rig: CreditRig, *, withdrawn: bool) -> None:
    await rig.buy(stars=2)
    reply = await rig.say()
    if withdrawn:
        await rig.stage.withdrawal.withdraw(SURFACE, f"m{rig.asked}")
    await rig.door.refund("terminal", "charge")
    _lie(rig)

    _, sentence = await _disputed(rig, reply)

    assert sentence.endswith("there was nothing to give back.")
    assert (await rig.door.view(ANA)).paid_nano == 0
    await _sound(rig)


async def test_only_who_was_answered_may_and_only_of_a_reply(rig: CreditRig) -> None:
    await rig.buy()
    reply = await rig.say()

    with pytest.raises(UserError, match="Only the person who was answered"):
        await rig.door.dispute(reply.receipt_id, BEN, "")
    with pytest.raises(UserError, match="Only the person who was answered"):
        await rig.door.dispute(reply.receipt_id, replace(ANA, platform="discord"), "")
    with pytest.raises(UserError, match="no such reply"):
        await rig.door.dispute("A" * 22, ANA, "")
    with pytest.raises(UserError, match="at most 1,000 characters"):
        await rig.door.dispute(reply.receipt_id, ANA, "x" * 1001)
    assert await rig.door.disputes(ANA) == ()


async def test_at_most_so_many_disputes_a_day(stage: Stage) -> None:
    rig = await open_rig(stage, files=(replace(PAID_MIRA, price_nano=0),))
    replies = [await rig.say() for _ in range(DAILY + 1)]
    for reply in replies[:-1]:
        await rig.door.dispute(reply.receipt_id, ANA, "")

    with pytest.raises(UserError, match="10 disputes in 24 hours"):
        await rig.door.dispute(replies[-1].receipt_id, ANA, "")
    known = await rig.door.dispute(replies[0].receipt_id, ANA, "")
    stage.clock.advance(timedelta(days=1, seconds=30))
    later = await rig.door.dispute(replies[-1].receipt_id, ANA, "")
    assert [known.receipt_id, later.receipt_id] == [replies[0].receipt_id, replies[-1].receipt_id]


async def test_dispute_waits_for_engine_and_outcome_and_outlives_a_restart(stage: Stage) -> None:
    rig = await open_rig(stage)
    await rig.buy()
    reply = await rig.say(deliver=False)
    await rig.door.dispute(reply.receipt_id, ANA, "")

    undecided = await rig.disputes.run()
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    stage.engine = _Dead()
    failed = await rig.disputes.run()
    stage.engine = MemoryEngine()

    assert (undecided, failed, await rig.disputes.run()) == (0, 0, 1)
    await _sound(rig)


class _Dead(MemoryEngine):
    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        del request
        raise EngineCrashedError("dead")


class _Other(MemoryEngine):
    """Finds that another seed made the reply, as if it were not what its receipt says."""

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        other = replace(request.request, seed=bytes(32))
        return await super().replay(replace(request, request=other))


async def test_model_that_is_gone_for_a_week_counts_against_the_operator(
    rig: CreditRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await rig.buy()
    reply = await rig.say()
    monkeypatch.setattr(MemoryModels, "of", lambda *_: None)
    await rig.door.dispute(reply.receipt_id, ANA, "")
    soon = await rig.disputes.run()
    rig.stage.clock.advance(timedelta(days=7))

    assert (soon, await rig.disputes.run()) == (0, 1)
    (view,) = await rig.door.disputes(ANA)
    assert view.sentence.startswith("The reply could not be made once more within a week. ")
    assert (await rig.door.view(ANA)).paid_nano == before == 50 * STAR_NANO
    await _sound(rig)
