"""What refunds leave unpaid: it is kept in mind, set off, and never taken from a later purchase."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bot.config import MoneySettings
from bot.domain.errors import UserError
from bot.domain.ledger import (
    LOSS,
    OPERATOR_FEES,
    channel_account,
    creator_account,
    fan_account,
    held_account,
    owed_account,
)
from bot.domain.statements import Outcome
from bot.ports.credit import FanCredit, Purchase, Refunded
from bot.ports.erasures import Tombstone
from bot.ports.inference import (
    ANYONE,
    Caller,
    GenerationEvent,
    GenerationRequest,
    ReplayOutcome,
    ReplayRequest,
)
from bot.ports.stores import StoredReply
from bot.wiring.rates import open_rates
from tests.credit_rig import (
    ANA,
    HELD_HOURS,
    RATES,
    SKU,
    STAR_NANO,
    CreditRig,
    open_rig,
)
from tests.fakes.engine import MemoryEngine
from tests.fakes.fans import MemoryFanRecords
from tests.fakes.model import FakeModel
from tests.fakes.store import MemoryStore
from tests.stage import CREATOR_NANO, OPERATOR_NANO, PRICE, RECEIPTS_KEY, Stage

TWO = 2 * STAR_NANO  # a reply, and one nano


@dataclass(frozen=True, slots=True)
class Look:
    """The book of one fan and one twin."""

    fan: int
    owed: int
    held: int
    payable: int
    lost: int
    fees: int
    channel: int


async def _look(rig: CreditRig) -> Look:
    assert (await rig.stage.audit()).wrong == []
    account, twin = await rig.account(), rig.stage.roster.find("mira").manifest.twin
    accounts = (
        *(fan_account(account), owed_account(account), held_account(twin), creator_account(twin)),
        *(LOSS, OPERATOR_FEES, channel_account("terminal")),
    )
    return Look(*[await rig.stage.balance(one) for one in accounts])


async def _mature(rig: CreditRig) -> None:
    rig.stage.clock.advance(timedelta(hours=HELD_HOURS))
    await rig.mature.run()


async def _outcomes(rig: CreditRig, reply: StoredReply) -> list[str]:
    async with rig.stage.store.reading() as tx:
        stored = await tx.find_reply(reply.receipt_id)
    assert stored is not None
    return [one.word for one in stored.outcomes]


async def _owing(rig: CreditRig) -> StoredReply:
    """Let a fan owe a price whose fee is payable for good; return the reply that it paid."""
    await rig.buy(charge="old", stars=2)
    reply = await rig.say()
    await _mature(rig)
    assert await rig.door.refund("terminal", "old") == Refunded(1, 0, PRICE, again=False)
    return reply


class _Liar(MemoryEngine):
    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        other = replace(request.request, seed=bytes(32))
        return await super().replay(replace(request, request=other))


async def _dispute(rig: CreditRig, reply: StoredReply) -> str:
    rig.stage.engine = _Liar()
    await rig.door.dispute(reply.receipt_id, ANA, "")
    await rig.disputes.run()
    rig.stage.engine = MemoryEngine()
    return (await rig.door.disputes(ANA))[0].sentence


async def test_upheld_dispute_is_set_against_what_is_owed(rig: CreditRig) -> None:
    reply = await _owing(rig)

    sentence = await _dispute(rig, reply)

    assert sentence.endswith(
        "0.002000001 tUSD of its price were set against credit that you had spent before it was "
        "refunded, so nothing comes back to you."
    )
    assert await _look(rig) == Look(0, 0, 0, CREATOR_NANO, -PRICE, OPERATOR_NANO, 0)


async def test_dispute_of_more_than_is_owed_says_both_amounts(rig: CreditRig) -> None:
    await rig.buy(charge="a", stars=1)
    await rig.buy(charge="b", stars=3)
    replies = [await rig.say(), await rig.say()]
    await _mature(rig)
    missed = await rig.door.refund("terminal", "a")

    sentence = await _dispute(rig, replies[0])

    owed = missed.lost_nano
    assert 0 < owed < PRICE
    assert sentence.endswith(
        f"0.{PRICE - owed:09d} tUSD were given back to your credit, and 0.{owed:09d} tUSD of its "
        "price were set against credit that you had spent before it was refunded."
    )
    look = await _look(rig)
    assert (look.fan, look.owed, look.lost) == (PRICE - owed, 0, -PRICE)


async def test_reply_in_the_making_is_taken_back_as_soon_as_it_is_earned(rig: CreditRig) -> None:
    await rig.buy(stars=2)
    reply = await rig.say(deliver=False)

    refunded = await rig.door.refund("terminal", "charge")
    between = await _look(rig)
    await rig.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    assert refunded == Refunded(1, 0, PRICE, again=False)
    assert between == Look(0, -PRICE, 0, 0, 0, 0, 0)
    assert await _look(rig) == Look(0, 0, 0, 0, 0, 0, 0)
    assert await _outcomes(rig, reply) == ["delivered", "refunded"]
    await _mature(rig)
    assert await _look(rig) == Look(0, 0, 0, 0, 0, 0, 0)
    assert (await _dispute(rig, reply)).endswith("there was nothing to give back.")


@pytest.mark.parametrize("outcome", [Outcome.UNDELIVERED, Outcome.WITHDRAWN])
async def test_hold_that_comes_back_after_a_refund_is_nobodys(
    rig: CreditRig, outcome: Outcome
) -> None:
    await rig.buy(stars=2)
    reply = await rig.say(deliver=False)
    await rig.door.refund("terminal", "charge")

    await rig.stage.delivery.record(reply.receipt_id, outcome)

    assert await _look(rig) == Look(0, 0, 0, 0, 0, 0, 0)
    assert (await rig.door.view(ANA)).spent_today_nano == 0


async def test_of_a_hold_that_comes_back_the_fan_gets_what_is_not_owed(rig: CreditRig) -> None:
    await rig.buy(charge="a", stars=1)
    await rig.buy(charge="b", stars=2)
    reply = await rig.say(deliver=False)  # 1 + STAR_NANO are left
    await rig.door.refund("terminal", "b")
    owed = -(await _look(rig)).owed

    await rig.stage.delivery.record(reply.receipt_id, Outcome.UNDELIVERED)

    assert 0 < owed < PRICE
    assert await _look(rig) == Look(PRICE - owed, 0, 0, 0, 0, 0, -STAR_NANO)


async def test_later_purchase_is_the_fans_and_its_replies_are_ordinary(rig: CreditRig) -> None:
    await _owing(rig)

    left = await rig.buy(charge="new", stars=4)
    kept, lost = await rig.say(deliver=False), await rig.say(deliver=False)
    await rig.stage.delivery.record(kept.receipt_id, Outcome.DELIVERED)
    await rig.stage.delivery.record(lost.receipt_id, Outcome.UNDELIVERED)

    assert left == 2 * TWO
    assert await _outcomes(rig, kept) == ["delivered"]
    assert await _look(rig) == Look(
        *(2 * TWO - PRICE, -PRICE, CREATOR_NANO, CREATOR_NANO, 0, 2 * OPERATOR_NANO, -2 * TWO)
    )


async def test_losses_that_refunds_together_cover_stay_none(rig: CreditRig) -> None:
    for number in range(12):
        await rig.buy(charge=f"c{number}", stars=1)
    for _ in range(5):
        await rig.say()

    ends = [await rig.door.refund("terminal", f"c{number}") for number in range(12)]

    assert sum(one.nano for one in ends) == 12 * STAR_NANO - 5 * PRICE
    assert any(one.lost_nano for one in ends)  # each alone can't take a fee
    assert await _look(rig) == Look(0, 0, 0, 0, 0, 0, 0)


async def test_fees_of_a_later_purchase_pay_for_its_own_refund_alone(rig: CreditRig) -> None:
    await _owing(rig)
    await rig.buy(charge="b", stars=2)
    await rig.buy(charge="c", stars=2)
    await rig.buy(charge="d", stars=2)
    for _ in range(2):
        await rig.say()

    whole = await rig.door.refund("terminal", "d")
    then = await _look(rig)
    part = await rig.door.refund("terminal", "c")

    assert whole == Refunded(TWO, 0, 0, again=False)  # its credit was there
    assert (then.owed, then.held) == (-PRICE, 2 * CREATOR_NANO)
    assert part == Refunded(2, 0, TWO - 2, again=False)  # less than a fee
    assert (await _look(rig)).held == 2 * CREATOR_NANO
    last = await rig.door.refund("terminal", "b")
    assert last == Refunded(0, TWO, 0, again=False)
    assert await _look(rig) == Look(0, -PRICE, 0, CREATOR_NANO, 0, OPERATOR_NANO, 0)


async def test_refund_of_what_waits_for_its_worth_ends_it(stage: Stage) -> None:
    rig = await open_rig(stage, rates=RATES[:1])
    purchase = Purchase(ANA, "c1", SKU, 1)
    with pytest.raises(UserError, match="was noted"):
        await rig.door.credit(purchase)
    refunded = [await rig.door.refund("terminal", "c1") for _ in range(2)]
    rig.rates = await open_rates(
        stage.store, RECEIPTS_KEY, MoneySettings(rates=RATES), token=rig.rates.token
    )

    waiting = await rig.purchases.credit_waiting()
    told = await rig.door.credit(purchase)

    assert [(one.nano, one.lost_nano, one.again) for one in refunded] == [
        (0, 0, False),
        (0, 0, True),
    ]
    assert (waiting, told.nano, told.balance_nano, told.again) == (0, 0, 0, True)
    ((_, words),) = (await rig.door.view(ANA)).purchases
    assert words == "2026-11-20, product 1001, refunded"
    assert await _look(rig) == Look(0, 0, 0, 0, 0, 0, 0)


async def test_refund_and_delivery_at_the_same_time_agree(rig: CreditRig) -> None:
    await rig.buy(stars=50)
    replies = [await rig.say(deliver=False) for _ in range(6)]
    record = rig.stage.delivery.record

    await asyncio.gather(
        *(record(one.receipt_id, Outcome.DELIVERED) for one in replies[:3]),
        *(rig.door.refund("terminal", "charge") for _ in range(2)),
        *(record(one.receipt_id, Outcome.DELIVERED) for one in replies[3:5]),
        record(replies[5].receipt_id, Outcome.UNDELIVERED),
    )

    assert await _look(rig) == Look(0, 0, 0, 0, 0, 0, 0)


@dataclass(slots=True)
class _Refunding(MemoryEngine):
    """Knows few answers; a platform refunds before a reply's second draw."""

    door: FanCredit | None = None
    draws: int = 9
    refunded: bool = False

    async def generate(
        self, request: GenerationRequest, halt: asyncio.Event | None = None, caller: Caller = ANYONE
    ) -> AsyncIterator[GenerationEvent]:
        self.draws += 1
        if self.draws == 2 and not self.refunded:
            self.refunded = True
            assert self.door is not None
            await self.door.refund("terminal", "charge")
        async for event in MemoryEngine.generate(self, request, halt, caller):
            yield event


@pytest.mark.parametrize("delivered", [True, False])
async def test_attempt_after_a_rejected_one_was_begun_with_it(
    rig: CreditRig,
    delivered: bool,  # noqa: FBT001
) -> None:
    await rig.buy(stars=50)
    rig.stage.engine = engine = _Refunding(model=FakeModel(letters=b"abcd"), door=rig.door)
    reply = await rig.say(deliver=False)
    for number in range(12):
        if engine.refunded:
            break
        engine.draws = 0
        reply = await rig.stage.say(f"question {number}", number=f"q{number}")
    assert engine.refunded
    assert reply.rejected > 0
    await rig.buy(charge="new", stars=2)

    word = Outcome.DELIVERED if delivered else Outcome.UNDELIVERED
    for one in (await rig.stage.reader.read_all()).replies:
        await rig.stage.delivery.record(one.receipt_id, word)

    assert await _look(rig) == Look(TWO, 0, 0, 0, 0, 0, -TWO)


async def test_forgotten_fan_can_owe_and_what_is_open_is_set_off() -> None:
    store = MemoryStore()
    rig = await open_rig(Stage(store=store, reader=store))
    await rig.buy(charge="a", stars=2)
    await rig.buy(charge="b", stars=2)
    await rig.say()
    await _mature(rig)
    account = await rig.account()
    reply = await rig.say(deliver=False)
    await rig.door.refund("terminal", "a")
    owed = await rig.stage.balance(owed_account(account))
    await rig.stage.delivery.record(reply.receipt_id, Outcome.WITHDRAWN)  # as forgetting does

    await MemoryFanRecords(store).erase(ANA, Tombstone(bytes(32), rig.stage.clock.now()))
    refunded = await rig.door.refund("terminal", "b")
    again = await rig.door.refund("terminal", "b")

    assert owed == -(TWO - 2)
    assert (refunded.nano, refunded.lost_nano) == (PRICE + 2 - TWO, TWO - (PRICE + 2 - TWO))
    assert again == replace(refunded, again=True)
    assert await rig.stage.balance(owed_account(account)) == -PRICE
    assert await rig.stage.balance(channel_account("terminal")) == 0
    assert (await rig.door.view(ANA)).paid_nano == 0
    assert (await rig.stage.audit()).wrong == []
