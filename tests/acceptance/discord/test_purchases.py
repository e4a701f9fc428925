"""What fans buy on Discord: credited once, then consumed, taken back when it is refunded."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from adapters.discord_chat.credit import delivery
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.limits import Order
from tests.acceptance.discord.people import private
from tests.acceptance.discord.selling import HALF, Shop, labels, replied
from tests.acceptance.discord.server import until
from tests.acceptance.discord.store import APPLICATION_SUBSCRIPTION, DURABLE, TEST_PURCHASE
from tests.acceptance.discord.test_restart import kill
from tests.fakes.credit import sku_offer

CONSUME = r"POST /applications/\d+/entitlements/\d+/consume"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.05)


@pytest.fixture
def shop(rig: Rig) -> Shop:
    return Shop(rig)


async def test_purchase_is_credited_once_though_its_event_comes_twice(shop: Shop) -> None:
    await shop.rig.start()
    told = await shop.opened()

    number = await shop.store.press(told, shop.sku)
    await shop.rig.platform.gateway.replay(1)
    await shop.consumed(number)
    await until(lambda: shop.direct(shop.rig.ana))
    await shop.rig.platform.gateway.replay(1)
    again = await shop.opened()

    assert await shop.balance() == HALF
    assert shop.calls("credit") == [number]
    assert shop.rig.platform.requests("POST", f"/entitlements/{number}/consume") == 1
    (thanks,) = shop.direct(shop.rig.ana)
    assert thanks == (
        "Thank you: 0.5 tUSD of credit from your purchase is yours now. You have 0.5 tUSD. "
        "`/credit` shows it."
    )
    assert "**Your credit:** 0.5 tUSD" in private(again)[-1]


async def test_a_second_purchase_of_the_same_thing_is_another_one(shop: Shop) -> None:
    await shop.rig.start()

    first = await shop.store.buy(shop.rig.ana, shop.sku)
    await shop.consumed(first)
    second = await shop.store.buy(shop.rig.ana, shop.sku)
    await shop.consumed(second)

    assert await shop.balance() == 2 * HALF


async def test_nothing_is_consumed_before_it_is_credited(shop: Shop) -> None:
    await shop.rig.start()
    for _ in range(3):
        shop.credit.lose("credit")
    asked: list[bool] = []
    shop.rig.platform.rest.tap = lambda when, _verb, path, _body: (
        asked.append(bool(shop.calls("credit")))
        if when == "asked" and path.endswith("/consume")
        else None
    )

    number = await shop.store.buy(shop.rig.ana, shop.sku)
    await shop.consumed(number)

    assert asked == [True]
    assert await shop.balance() == HALF


async def test_crash_between_credit_and_consume_credits_once(shop: Shop) -> None:
    before = asyncio.all_tasks()
    shop.rig.platform.rest.limits.orders.append(Order(CONSUME, 100, status=503))
    await shop.rig.start()
    number = await shop.store.buy(shop.rig.ana, shop.sku)
    await until(lambda: shop.calls("credit"))
    await kill(shop.rig, before)
    assert not shop.rig.world.entitlements[number]["consumed"]

    shop.rig.platform.rest.limits.orders.clear()
    await shop.rig.start()
    await shop.consumed(number)

    assert await shop.balance() == HALF
    assert set(shop.calls("credit")) == {number}


async def test_lost_answer_of_consuming_is_read_back(shop: Shop) -> None:
    shop.rig.platform.rest.limits.orders.append(Order(CONSUME, 1, status=503, applied=True))
    await shop.rig.start()

    await shop.store.buy(shop.rig.ana, shop.sku)
    await until(lambda: shop.direct(shop.rig.ana))

    assert shop.rig.platform.requests("POST", "/consume") == 1
    assert shop.calls("credit") == list(shop.rig.world.entitlements)


@pytest.mark.parametrize("way", ["before the start", "new session", "resumed"])
async def test_purchase_while_disconnected_is_found(shop: Shop, way: str) -> None:
    gateway = shop.rig.platform.gateway
    if way == "before the start":
        number = shop.store.make(shop.rig.ana, shop.sku)
        await shop.rig.start()
    else:
        await shop.rig.start()
        listed = shop.rig.platform.requests("GET", "/entitlements")
        gateway.down = True
        if way == "new session":
            await gateway.invalidate()
        await gateway.drop()
        number = shop.store.make(shop.rig.ana, shop.sku)
        gateway.down = False
        await until(
            lambda: shop.rig.platform.requests("GET", "/entitlements") > listed, within_s=30
        )
    await shop.consumed(number)

    assert await shop.balance() == HALF
    assert shop.calls("credit") == [number]


async def test_more_purchases_than_fit_on_a_page_are_all_found(shop: Shop) -> None:
    fans = [shop.rig.world.person(f"fan{n}") for n in range(120)]
    numbers = [shop.store.make(fan, shop.sku) for fan in fans]
    for fan in fans:
        fan.closed = True  # nobody takes a direct message, so that none is waited for

    await shop.rig.start()
    await until(lambda: len(shop.store.consumed_at) == 120, within_s=60)

    assert sorted(shop.calls("credit")) == sorted(numbers)


async def test_listing_is_tried_again_until_discord_answers(shop: Shop) -> None:
    shop.rig.platform.rest.limits.orders.append(
        Order(r"GET /applications/\d+/(entitlements|skus)", 3, status=503)
    )
    number = shop.store.make(shop.rig.ana, shop.sku)

    await shop.rig.start()
    await shop.consumed(number)

    assert await shop.balance() == HALF


@pytest.mark.parametrize("event", ["ENTITLEMENT_DELETE", "ENTITLEMENT_UPDATE"])
async def test_refund_is_followed_once_and_told(shop: Shop, event: str) -> None:
    await shop.rig.start()
    number = await shop.store.buy(shop.rig.ana, shop.sku)
    await until(lambda: shop.direct(shop.rig.ana))

    await shop.store.give_back(number, event=event)
    await shop.rig.platform.gateway.replay(1)
    await until(lambda: len(shop.direct(shop.rig.ana)) == 2)

    assert await shop.balance() == 0
    assert shop.calls("refund") == [number]
    assert (
        "0.5 tUSD of credit from it is gone. You have 0 tUSD left" in shop.direct(shop.rig.ana)[1]
    )


async def test_refund_while_disconnected_is_found(shop: Shop) -> None:
    chat = await shop.rig.start()
    number = await shop.store.buy(shop.rig.ana, shop.sku)
    await shop.consumed(number)
    await chat.stop()
    shop.store.lose(number)

    await shop.rig.start()
    await until(lambda: shop.calls("refund"))

    assert await shop.balance() == 0


async def test_refund_before_the_credit_leaves_nothing(shop: Shop) -> None:
    await shop.rig.start()
    for _ in range(1000):
        shop.credit.lose("credit")

    number = await shop.store.buy(shop.rig.ana, shop.sku)
    await shop.store.give_back(number)
    await shop.rig.platform.gateway.replay(2)
    with capture_logs() as logs:
        await until(lambda: [one for one in logs if one["event"] == "discord.payment_refused"])
    shop.credit._lost.clear()
    await shop.opened()

    assert await shop.balance() == 0
    assert shop.calls("credit") == []


async def test_refund_whose_fan_takes_no_messages_is_told_at_the_next_chance(shop: Shop) -> None:
    await shop.rig.start()
    number = await shop.store.buy(shop.rig.ana, shop.sku)
    await until(lambda: shop.direct(shop.rig.ana))
    shop.rig.ana.closed = True

    await shop.store.give_back(number)
    await until(lambda: shop.calls("refund"))
    direct = shop.rig.world.direct(shop.rig.ana)
    await until(lambda: shop.rig.platform.requests("POST", f"/channels/{direct.id}/messages") == 2)
    await asyncio.sleep(0.1)
    told = [private(await shop.opened())[-1] for _ in range(2)]

    assert ["is gone" in one for one in told] == [True, False]


@pytest.mark.parametrize("kind", [TEST_PURCHASE, APPLICATION_SUBSCRIPTION])
async def test_what_nobody_paid_for_is_promotional(shop: Shop, kind: int) -> None:
    await shop.rig.start()
    await shop.opened()

    number = await shop.store.buy(shop.rig.ana, shop.sku, kind)
    await shop.consumed(number)
    view = await shop.credit.view(shop.ana)

    assert (view.paid_nano, view.promotional_nano) == (0, HALF)


async def test_unknown_purchase_is_noted_and_not_consumed(shop: Shop) -> None:
    other = shop.store.add_sku("Something else")
    await shop.rig.start()

    number = await shop.store.buy(shop.rig.ana, other)
    await until(lambda: shop.credit.noted)
    await shop.consumed(await shop.store.buy(shop.rig.ana, shop.sku))

    assert shop.credit.noted[0] == (f"discord-sku:{other}", number)
    assert not shop.rig.world.entitlements[number]["consumed"]


@pytest.mark.parametrize("wrong", ["missing", "durable"])
async def test_skus_that_cannot_be_sold_are_not_shown(shop: Shop, wrong: str) -> None:
    other = shop.store.add_sku("For ever", DURABLE) if wrong == "durable" else 4711
    shop.credit.sold["discord"] += (sku_offer(other, 2 * HALF),)

    with capture_logs() as logs:
        await shop.rig.start()
        told = await shop.opened()

    notes = [one["sentence"] for one in logs if one["event"] == "discord.sku_unusable"]
    assert len(notes) == 1
    assert f"the SKU {other}" in notes[0]
    assert labels(told.private[-1]) == [f"sku {shop.sku}", "Daily limit", "Ask about a payment"]


async def test_purchase_that_was_never_told_is_credited_when_its_fan_looks(shop: Shop) -> None:
    await shop.rig.start()
    await until(lambda: shop.rig.platform.requests("GET", "/entitlements") >= 2)
    number = shop.store.make(shop.rig.ana, shop.sku)

    told = await shop.opened()

    assert "**Your credit:** 0.5 tUSD" in private(told)[-1]
    assert shop.calls("credit") == [number]


async def test_slow_core_holds_up_neither_stop_nor_chat(shop: Shop) -> None:
    for _ in range(1000):
        shop.credit.lose("credit")
    chat = await shop.rig.start()
    number = await shop.store.buy(shop.rig.ana, shop.sku)
    await replied(shop)

    begun = time.monotonic()
    await chat.stop()
    assert time.monotonic() - begun < 5
    shop.credit._lost.clear()
    await shop.rig.start()
    await shop.consumed(number)

    assert await shop.balance() == HALF
