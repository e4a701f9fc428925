"""Purchases and refunds over the book: once each, and nobody's money appears or goes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.config import MoneySettings, RateSettings
from bot.domain.errors import ConfigurationError, InvariantError, UserError
from bot.domain.ledger import (
    OPERATOR_FEES,
    channel_account,
    creator_account,
    fan_account,
    held_account,
    owed_account,
    promotional_account,
)
from bot.domain.statements import Outcome
from bot.ports.credit import Credited, Purchase, Refunded
from bot.ports.erasures import Tombstone
from bot.wiring.rates import check_rates, open_rates
from tests.credit_rig import (
    ANA,
    BEN,
    HELD_HOURS,
    RATES,
    SKU,
    SKU_NANO,
    STAR,
    STAR_NANO,
    CreditRig,
    open_rig,
)
from tests.fakes.fans import MemoryFanRecords
from tests.fakes.store import MemoryStore
from tests.stage import CREATOR_NANO, PRICE, RECEIPTS_KEY, SURFACE, Stage

TWO = 2 * STAR_NANO  # what the smallest amount of Stars is worth: a reply, and one nano


def _twin(rig: CreditRig) -> bytes:
    return rig.stage.roster.find("mira").manifest.twin


async def _sound(rig: CreditRig) -> None:
    assert (await rig.stage.audit()).wrong == []


async def test_payment_is_credited_once_also_at_the_same_time(rig: CreditRig) -> None:
    purchase = Purchase(ANA, "c1", STAR, 50)

    told = await asyncio.gather(*(rig.door.credit(purchase) for _ in range(8)))

    assert sum(not one.again for one in told) == 1
    assert {one.nano for one in told} == {50 * STAR_NANO}
    assert await rig.stage.balance(channel_account("terminal")) == -50 * STAR_NANO
    assert await rig.stage.balance(fan_account(await rig.account())) == 50 * STAR_NANO
    await _sound(rig)


async def test_test_money_is_promotional_and_its_refund_loses_nothing(rig: CreditRig) -> None:
    bought = await rig.door.credit(Purchase(ANA, "t", STAR, 2, test=True))
    await rig.say()

    refunded = await rig.door.refund("terminal", "t")

    assert bought == Credited(TWO, TWO, again=False)
    assert refunded == Refunded(TWO - PRICE, 0, 0, again=False)
    assert await rig.stage.balance(channel_account("terminal")) == 0
    assert await rig.stage.balance(promotional_account(await rig.account())) == 0
    assert await rig.stage.balance(OPERATOR_FEES) == 0
    await _sound(rig)


async def test_refund_takes_credit_then_held_fees_and_the_rest_is_owed(rig: CreditRig) -> None:
    await rig.buy(stars=2)
    await rig.buy(charge="other", stars=2)
    replies = [await rig.say(), await rig.say()]  # two nanos are left

    first = await rig.door.refund("terminal", "charge")
    second = await rig.door.refund("terminal", "other")
    again = await rig.door.refund("terminal", "charge")

    assert first == Refunded(2, 0, TWO - 2, again=False)  # a fee is taken back whole, or not
    assert second == Refunded(0, TWO, 0, again=False)  # and with it what the first had missed
    assert again == replace(first, again=True)
    async with rig.stage.store.reading() as tx:
        stored = [await tx.find_reply(one.receipt_id) for one in replies]
    assert [one and one.reversal for one in stored] == [Outcome.REFUNDED.word] * 2
    assert await rig.stage.balance(held_account(_twin(rig))) == 0
    assert await rig.stage.balance(OPERATOR_FEES) == 0
    assert await rig.stage.balance(owed_account(await rig.account())) == 0
    assert await rig.stage.balance(channel_account("terminal")) == 0
    await _sound(rig)


@pytest.mark.parametrize("owes", [False, True])
async def test_refund_asks_at_most_once_which_fees_are_older(
    rig: CreditRig, monkeypatch: pytest.MonkeyPatch, *, owes: bool
) -> None:
    if owes:
        await rig.buy(charge="old", stars=2)
        await rig.say()
        rig.stage.clock.advance(timedelta(hours=HELD_HOURS))
        await rig.mature.run()
        await rig.door.refund("terminal", "old")
    for number in range(5):
        await rig.buy(charge=f"c{number}", stars=4)
        await rig.say()
        await rig.say()
    asked: list[str] = []
    async with rig.stage.store.reading() as tx:
        kind = type(tx)
    for name in ("find_intent", "missed_since", "held_before_miss"):
        monkeypatch.setattr(kind, name, _counting(getattr(kind, name), name, asked))

    refunded = await rig.door.refund("terminal", "c0")

    assert refunded.reversed_nano == PRICE
    assert asked.count("find_intent") == 0
    assert asked.count("held_before_miss") == int(owes)
    monkeypatch.undo()
    await _sound(rig)


def _counting(
    call: Callable[..., Awaitable[object]], name: str, asked: list[str]
) -> Callable[..., Awaitable[object]]:
    async def counted(*values: object) -> object:
        asked.append(name)
        return await call(*values)

    return counted


async def test_refund_leaves_what_is_payable_and_takes_what_was_withdrawn(rig: CreditRig) -> None:
    await rig.buy(stars=50)
    await rig.say()
    rig.stage.clock.advance(timedelta(hours=HELD_HOURS))
    await rig.mature.run()
    await rig.say()
    await rig.stage.withdrawal.withdraw(SURFACE, f"m{rig.asked}")

    refunded = await rig.door.refund("terminal", "charge")

    assert refunded == Refunded(50 * STAR_NANO - 2 * PRICE, PRICE, PRICE, again=False)
    assert await rig.stage.balance(creator_account(_twin(rig))) == CREATOR_NANO
    assert await rig.stage.balance(held_account(_twin(rig))) == 0
    await _sound(rig)


async def test_held_fees_mature_when_their_hours_have_passed_and_once(rig: CreditRig) -> None:
    await rig.buy()
    await rig.say()
    await rig.say()
    rig.stage.clock.advance(timedelta(hours=HELD_HOURS, seconds=-1))

    early = await rig.mature.run()
    rig.stage.clock.advance(timedelta(seconds=1))
    both = await asyncio.gather(rig.mature.run(), rig.mature.run())

    assert (early, sum(both)) == (1, 1)
    assert await rig.stage.balance(held_account(_twin(rig))) == 0
    assert await rig.stage.balance(creator_account(_twin(rig))) == 2 * CREATOR_NANO
    await _sound(rig)


async def test_many_fees_mature_in_batches(rig: CreditRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.credit.maturing.BATCH", 2)
    await rig.buy()
    for _ in range(5):
        await rig.say()
    rig.stage.clock.advance(timedelta(hours=HELD_HOURS))

    assert await rig.mature.run() == 5
    await _sound(rig)


async def test_unit_that_no_table_names_is_noted_and_credited_by_a_later_one(
    stage: Stage,
) -> None:
    rig = await open_rig(stage, rates=RATES[:1])
    purchase = Purchase(ANA, "c1", SKU, 1)
    for _ in range(2):
        with pytest.raises(UserError, match="was noted"):
            await rig.door.credit(purchase)
    ((_, words),) = (await rig.door.view(ANA)).purchases
    rig.rates = await open_rates(
        stage.store, RECEIPTS_KEY, MoneySettings(rates=RATES), token=rig.rates.token
    )

    credited = await rig.door.credit(purchase)

    assert words == "2026-11-20, product 1001: waits for the operator"
    assert credited == Credited(SKU_NANO, SKU_NANO, again=False)
    assert (await rig.door.credit(purchase)).again
    await _sound(rig)


async def test_waiting_payment_is_credited_by_the_clock_too(stage: Stage) -> None:
    rig = await open_rig(stage, rates=RATES[:1])
    with pytest.raises(UserError):
        await rig.door.credit(Purchase(ANA, "c1", SKU, 1))
    too_early = await rig.purchases.credit_waiting()
    rig.rates = await open_rates(
        stage.store, RECEIPTS_KEY, MoneySettings(rates=RATES), token=rig.rates.token
    )

    assert (too_early, await rig.purchases.credit_waiting()) == (0, 1)
    assert await rig.purchases.credit_waiting() == 0
    assert (await rig.door.view(ANA)).paid_nano == SKU_NANO
    await _sound(rig)


async def test_unit_that_is_sold_no_more_is_worth_what_the_last_table_said(stage: Stage) -> None:
    rig = await open_rig(stage)
    rig.rates = await open_rates(
        stage.store, RECEIPTS_KEY, MoneySettings(rates=RATES[:1]), token=rig.rates.token
    )

    credited = await rig.door.credit(Purchase(ANA, "c1", SKU, 1))

    assert len(rig.rates.tables) == 2
    assert credited.nano == SKU_NANO
    assert await rig.door.offers("discord") == ()
    with pytest.raises(UserError, match="not sold any more"):
        await rig.door.check_purchase(replace(ANA, platform="discord"), SKU, 1)
    await _sound(rig)


async def test_forgotten_fan_leaves_credit_that_nobody_has() -> None:
    store = MemoryStore()
    stage = Stage(store=store, reader=store)
    rig = await open_rig(stage)
    await rig.buy()
    account = await rig.account()
    warning = (await rig.door.view(ANA)).forgetting

    await MemoryFanRecords(store).erase(ANA, Tombstone(bytes(32), stage.clock.now()))

    assert "nobody can use it or give it back" in warning
    assert await rig.stage.balance(fan_account(account)) == 50 * STAR_NANO
    assert (await rig.door.view(ANA)).paid_nano == 0
    assert (await rig.door.view(BEN)).forgetting == ""
    assert await rig.door.refund("terminal", "charge") == Refunded(
        50 * STAR_NANO, 0, 0, again=False
    )
    await _sound(rig)


async def test_notes_of_the_audit_name_what_is_owed(rig: CreditRig) -> None:
    await rig.buy()
    await rig.say()
    await rig.say(deliver=False)

    (owed,) = (await rig.stage.audit()).notes

    left = 50 * STAR_NANO - PRICE
    assert owed.startswith(f"Owed: 0.0{left} to fans, 0 to creators, 0.0017 held for them. ")
    assert "10 put in by the operator and 0.05000005 owed by platforms" in owed


async def test_purchase_of_nothing_is_a_breach(rig: CreditRig) -> None:
    for purchase in (Purchase(ANA, "", STAR, 1), Purchase(ANA, "c", STAR, 0)):
        with pytest.raises(InvariantError):
            await rig.door.credit(purchase)


def _rate(**changes: object) -> RateSettings:
    return RateSettings(**{"unit": STAR, "worth": "0.01", "counts": (50,), **changes})


@pytest.mark.parametrize(
    ("rates", "named"),
    [
        ([_rate(), _rate()], "stands there twice"),
        ([_rate(worth="0")], "worth nothing"),
        ([_rate(counts=())], "counts are the amounts"),
        ([_rate(unit=SKU)], "counts are the amounts"),
        (
            [_rate(cost="0.02"), _rate(unit=SKU, counts=(), worth="0.5", cost="1.01")],
            "costs 2.02 for a credit of 1, and Stars cost 2: Discord does not allow",
        ),
    ],
)
def test_rates_that_can_not_be_are_refused(rates: list[RateSettings], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        check_rates(MoneySettings(rates=tuple(rates)))


def test_rates_at_the_same_cost_are_sold() -> None:
    same = (_rate(cost="0.02"), _rate(unit=SKU, counts=(), worth="0.5", cost="1"))

    assert [one.unit for one in check_rates(MoneySettings(rates=same))] == [STAR, SKU]
