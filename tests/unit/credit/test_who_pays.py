"""Whose money pays: free replies, the budget's caps, given and bought credit."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.crypto.dsse import parse_envelope
from bot.domain.errors import AdmissionError, EngineCrashedError
from bot.domain.ledger import (
    OPERATOR_FEES,
    PROMOTION,
    SPONSOR,
    creator_account,
    fan_account,
    held_account,
    promotional_account,
)
from bot.domain.money import NANO
from bot.domain.payment import Payer
from bot.domain.receipt import parse_receipt
from bot.domain.statements import Outcome
from bot.ports.stores import Intent, StoredReply
from bot.twins.charging import READ_WITHIN, SpendingCaps
from tests.credit_rig import ANA, BEN, PAID_MIRA, STAR_NANO, CreditRig, open_rig
from tests.stage import CREATOR_NANO, MIRA, OPERATOR_NANO, PRICE, SURFACE, THEO, Stage, message

DAY = timedelta(days=1)
FREE_MIRA = replace(MIRA, free_daily=2)


async def _payer(rig: CreditRig, reply: StoredReply) -> Payer:
    return (await _intent(rig, reply)).payment.payer


async def _intent(rig: CreditRig, reply: StoredReply) -> Intent:
    async with rig.stage.store.reading() as tx:
        intent = await tx.find_intent(reply.intent)
    assert intent is not None
    return intent


async def _refused(rig: CreditRig, number: str, fan: str = "ana") -> str:
    with pytest.raises(AdmissionError) as refused:
        await rig.stage.say(number=number, fan=fan)
    return str(refused.value)


async def _sound(rig: CreditRig) -> None:
    assert (await rig.stage.audit()).wrong == []


async def test_free_replies_first_then_given_credit_then_bought(stage: Stage) -> None:
    rig = await open_rig(stage, files=(FREE_MIRA,))
    await rig.give(nano=PRICE)
    await rig.buy(stars=2)

    payers = [await _payer(rig, await rig.say()) for _ in range(4)]

    assert payers == [Payer.SPONSOR, Payer.SPONSOR, Payer.PROMOTIONAL, Payer.PAID]
    name, twin = await rig.account(), rig.stage.roster.find("mira").manifest.twin
    assert await rig.stage.balance(SPONSOR) == rig.stage.budget - 2 * PRICE
    assert await rig.stage.balance(creator_account(twin)) == 2 * CREATOR_NANO
    assert await rig.stage.balance(held_account(twin)) == CREATOR_NANO
    assert await rig.stage.balance(OPERATOR_FEES) == 3 * OPERATOR_NANO
    assert await rig.stage.balance(promotional_account(name)) == 0
    assert await rig.stage.balance(PROMOTION) == 0  # given, spent, and back
    assert await rig.stage.balance(fan_account(name)) == 2 * STAR_NANO - PRICE
    await _sound(rig)


async def test_receipt_says_whose_money_it_was(rig: CreditRig) -> None:
    await rig.give(nano=PRICE)
    await rig.buy()

    given, bought = await rig.say(), await rig.say()

    receipts = [parse_receipt(parse_envelope(one.envelope).payload) for one in (given, bought)]
    assert [one.payment.payer for one in receipts] == [Payer.PROMOTIONAL, Payer.PAID]
    in_force = rig.rates.in_force
    assert in_force is not None
    assert [one.payment.rate_table for one in receipts] == [None, in_force.name]
    assert [one.price.creator_nano for one in receipts] == [0, CREATOR_NANO]
    assert [one.creator_nano for one in (given, bought)] == [0, CREATOR_NANO]


async def test_reply_at_price_0_is_nobodys_and_holds_nothing(stage: Stage) -> None:
    rig = await open_rig(stage, files=(THEO,))

    reply = await stage.reply_to(message(twin="theo"))
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    assert await _payer(rig, reply) is Payer.FREE
    async with stage.store.reading() as tx:
        assert await tx.posted(f"hold:{reply.intent}") is None
        assert await tx.posted(f"end-hold:{reply.intent}") is None
    await _sound(rig)


async def test_free_replies_come_back_after_a_day_and_are_of_each_fan(stage: Stage) -> None:
    rig = await open_rig(stage, files=(FREE_MIRA,))
    for number in ("1", "2"):
        await stage.say(number=number)

    refused = await _refused(rig, "3")
    await stage.say(number="b1", fan="ben")
    stage.clock.advance(DAY)
    await stage.say(number="4")

    assert refused.startswith("Your 2 free replies of Mira in 24 hours are used. A reply costs ")
    assert "0.002000001 tUSD and you have 0: 0.002000001 tUSD are missing. /credit" in refused


async def test_free_reply_that_was_not_given_counts_no_more(stage: Stage) -> None:
    rig = await open_rig(stage, files=(replace(MIRA, free_daily=1),))
    reply = await stage.say(number="1")
    await _refused(rig, "2")

    await stage.delivery.record(reply.receipt_id, Outcome.UNDELIVERED)

    assert await _payer(rig, await stage.say(number="3")) is Payer.SPONSOR


async def test_withdrawn_after_delivery_was_free_all_the_same(stage: Stage) -> None:
    rig = await open_rig(stage, files=(replace(MIRA, free_daily=1),))
    reply = await stage.say(number="1")
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    await stage.withdrawal.withdraw(SURFACE, "1")

    await _refused(rig, "2")


async def test_who_pays_is_decided_again_for_another_reply(stage: Stage) -> None:
    rig = await open_rig(stage, files=(replace(MIRA, free_daily=1),))
    first = await rig.say()
    await rig.buy()

    with pytest.raises(AdmissionError, match="you agree to the price"):
        await stage.again(first.receipt_id, event="press 1")
    with pytest.raises(AdmissionError, match="you agree to the price"):
        await stage.again(first.receipt_id, event="press 1")  # the same wish agrees to nothing
    stage.clock.advance(READ_WITHIN)
    second = await stage.again(first.receipt_id, event="press 2")

    assert [await _payer(rig, one) for one in (first, second)] == [Payer.SPONSOR, Payer.PAID]
    await stage.delivery.record(second.receipt_id, Outcome.DELIVERED)
    await _sound(rig)


async def test_price_is_shown_once_before_the_first_reply_that_costs(rig: CreditRig) -> None:
    await rig.buy()

    told = await _refused(rig, "m1")
    rig.stage.clock.advance(READ_WITHIN - timedelta(microseconds=1))
    assert await _refused(rig, "too soon") == told
    rig.stage.clock.advance(READ_WITHIN)
    again = await _refused(rig, "m1")
    rig.stage.clock.advance(READ_WITHIN)
    reply = await rig.stage.say(number="m2")
    await rig.stage.say(number="m3")

    assert told == again
    assert told.startswith("Mira gives no free replies. From now on a reply of Mira costs 0.002")
    assert "This message was not answered and cost nothing" in told
    assert await _payer(rig, reply) is Payer.PAID


async def test_message_that_was_on_its_way_agrees_to_nothing(rig: CreditRig) -> None:
    await rig.buy()

    told = await asyncio.gather(
        *(rig.stage.say(number=number) for number in ("m1", "m2")), return_exceptions=True
    )

    assert all(isinstance(one, AdmissionError) for one in told)
    rig.stage.clock.advance(READ_WITHIN)
    assert (await rig.stage.say(number="m3")).price_nano == PRICE


async def test_new_price_and_other_twin_are_agreed_to_again(stage: Stage) -> None:
    nova = replace(PAID_MIRA, slug="nova")
    rig = await open_rig(stage, files=(PAID_MIRA, nova))
    await rig.buy()
    await rig.say()

    await stage.publisher.publish(replace(PAID_MIRA, price_nano=PRICE + 1))

    assert "costs 0.002000002" in await _refused(rig, "dearer")
    with pytest.raises(AdmissionError, match=r"reply of Mira costs 0\.002000001"):
        await stage.reply_to(message(twin="nova", number="other"))


async def test_too_little_credit_is_told_with_what_is_missing(rig: CreditRig) -> None:
    await rig.give(nano=PRICE - 1)

    told = await _refused(rig, "m1")

    assert "you have 0.002: 0.000000001 tUSD are missing. /credit says how to get more." in told


async def test_given_and_bought_credit_are_not_added_up(rig: CreditRig) -> None:
    await rig.give(nano=PRICE - 1)
    await rig.door.set_daily_limit(ANA, "5")
    name = await rig.account()
    await rig.buy(stars=50)

    reply = await rig.say()

    assert await _payer(rig, reply) is Payer.PAID
    assert await rig.stage.balance(promotional_account(name)) == PRICE - 1


async def test_where_nothing_is_sold_the_budget_is_the_reason(stage: Stage) -> None:
    stage.budget = PRICE
    rig = await open_rig(stage, files=(replace(MIRA, free_daily=9),), rates=())
    rig.stage.paying.terms.sells = frozenset()
    await rig.stage.say(number="1")

    assert await _refused(rig, "2") == (
        "The budget for free replies is used up. The operator has to refill it."
    )


async def test_fans_limit_counts_given_and_bought_and_warns_once(stage: Stage) -> None:
    rig = await open_rig(stage, caps=SpendingCaps(fan_nano=5 * PRICE))
    await rig.give(nano=2 * PRICE)
    await rig.buy()
    for _ in range(3):
        await rig.say()
    before = await rig.door.take_notices(ANA)
    await rig.say()
    warned = await rig.door.take_notices(ANA)
    await rig.say()

    told = await _refused(rig, "over")

    assert before == ()
    assert [one[:46] for one in warned] == ["You have spent 0.008000004 of the 0.010000005 "]
    assert await rig.door.take_notices(ANA) == ()
    assert told.startswith("You have spent 0.010000005 of the 0.010000005 tUSD that you may spend ")
    assert await rig.door.take_notices(BEN) == ()
    stage.clock.advance(DAY + timedelta(minutes=6))
    assert (await rig.say()).price_nano == PRICE


async def test_fan_lowers_their_own_limit(rig: CreditRig) -> None:
    await rig.buy()
    await rig.door.set_daily_limit(ANA, "0")

    assert "of the 0 tUSD that you may spend" in await _refused(rig, "m1")


async def test_released_hold_gives_credit_and_limit_back(rig: CreditRig) -> None:
    before = await rig.buy()
    reply = await rig.say(deliver=False)

    await rig.stage.delivery.record(reply.receipt_id, Outcome.UNDELIVERED)

    view = await rig.door.view(ANA)
    assert (view.paid_nano, view.spent_today_nano) == (before, 0)
    await _sound(rig)


async def test_reply_cut_off_by_its_creator_costs_nothing(rig: CreditRig) -> None:
    before = await rig.buy()
    reply = await rig.say(deliver=False)

    await rig.stage.delivery.record(reply.receipt_id, Outcome.REFUNDED)

    assert (await rig.door.view(ANA)).paid_nano == before
    await _sound(rig)


async def test_withdrawn_after_delivery_stays_paid(rig: CreditRig) -> None:
    before = await rig.buy()
    await rig.say()

    await rig.stage.withdrawal.withdraw(SURFACE, f"m{rig.asked}")

    assert (await rig.door.view(ANA)).paid_nano == before - PRICE
    await _sound(rig)


async def test_every_hold_ends_whatever_is_left_open(stage: Stage) -> None:
    rig = await open_rig(stage, files=(replace(MIRA, free_daily=1),))
    await rig.buy()
    await rig.say(deliver=False)
    await rig.say(deliver=False)
    stage.engine.crashes = [0, 0]
    with pytest.raises(EngineCrashedError):
        await stage.say(number="dies")

    stage.clock.advance(timedelta(days=2))
    await stage.recovery.run()

    async with stage.store.reading() as tx:
        assert await tx.open_intents() == []
    view = await rig.door.view(ANA)
    assert view.paid_nano == 50 * STAR_NANO
    records = await stage.reader.read_all()
    assert {n for a, n in records.balances.items() if a.startswith("hold:")} == {0}
    await _sound(rig)


async def test_messages_wait_for_the_cool_down(stage: Stage) -> None:
    stage.cooldown = timedelta(seconds=30)
    rig = await open_rig(stage, files=(replace(MIRA, free_daily=9),))
    await stage.say(number="1")

    told = await _refused(rig, "2")
    await stage.say(number="b", fan="ben")
    stage.clock.advance(timedelta(seconds=31))
    await stage.say(number="2")

    assert told.startswith("Please wait 30 seconds between two messages")


async def test_fans_who_pay_at_once_are_never_overdrawn(rig: CreditRig) -> None:
    await rig.buy(stars=2)  # enough for one reply
    await rig.buy(BEN, charge="b")
    with pytest.raises(AdmissionError):
        await rig.stage.say(number="ask")
    rig.stage.clock.advance(READ_WITHIN)

    surfaces = [replace(SURFACE, chat=str(n)) for n in range(6)]
    said = [replace(message(number="x"), surface=surface) for surface in surfaces]
    done = await asyncio.gather(*map(rig.stage.reply_to, said), return_exceptions=True)

    assert sum(isinstance(one, StoredReply) for one in done) == 1
    assert (await rig.door.view(ANA)).paid_nano == 2 * STAR_NANO - PRICE
    await _sound(rig)


def test_a_fan_pays_at_most_the_operators_amount() -> None:
    assert SpendingCaps().fan_nano == 5 * NANO
