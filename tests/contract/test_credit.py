"""The contract of fans' money, over the fake and over the real use cases in SQLite."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.config import RateSettings
from bot.domain.errors import InvariantError, UserError
from bot.domain.money import NANO
from bot.ports.credit import DisputeState, FanCredit, FreeReplies, Purchase
from bot.ports.people import Person
from tests.credit_rig import PAID_MIRA, CreditRig, open_rig
from tests.fakes.credit import MemoryFanCredit, sku_offer, star_offer
from tests.stage import PRICE, Stage

ANA, BEN = Person("telegram", "1"), Person("telegram", "2")
DORA = Person("discord", "1")  # another person than ANA
STAR, SKU = "telegram-star", "discord-sku:1001"
RATES = (
    RateSettings(unit=STAR, worth="0.01", counts=(250, 50)),
    RateSettings(unit=SKU, worth="0.5"),
)
BOUGHT = 500_000_000


@dataclass(slots=True)
class House:
    """A door, and a way to have a person answered and charged."""

    credit: FanCredit
    rig: CreditRig | None

    async def answered(self) -> tuple[str, Person]:
        """Let somebody get a reply for credit that they have bought."""
        if self.rig is None:
            assert isinstance(self.credit, MemoryFanCredit)
            self.credit.answered("r" * 22, ANA)
            self.credit.spend(ANA, PRICE)
            return "r" * 22, ANA
        person = Person("terminal", "ana")
        await self.rig.buy(person, charge="bought")
        return (await self.rig.say(person)).receipt_id, person

    async def check(self, receipt_id: str) -> None:
        """Let the dispute be decided."""
        if self.rig is None:
            assert isinstance(self.credit, MemoryFanCredit)
            self.credit.decide(receipt_id, DisputeState.REJECTED, "It is the same reply.")
        else:
            await self.rig.disputes.run()


@pytest.fixture(params=["memory", "sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    if request.param == "memory":
        offers = {
            "telegram": (star_offer(250), star_offer(50)),
            "discord": (sku_offer(1001, BOUGHT),),
        }
        twins = (FreeReplies("mira", "Mira", 0, 0, PRICE),)
        yield House(MemoryFanCredit(sold=offers, twins=twins), None)
        return
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(tmp_path / "twinproof.db", schema=schema)
    stage = Stage(store=SqliteStore(database), reader=SqliteAuditReader(database))
    rig = await open_rig(stage, files=(replace(PAID_MIRA, price_nano=PRICE),), rates=RATES)
    yield House(rig.door, rig)
    assert (await stage.audit()).wrong == []
    await database.close()


async def test_offers_are_of_their_platform_cheapest_first(house: House) -> None:
    stars, skus = [await house.credit.offers(one) for one in ("telegram", "discord")]

    assert [(one.unit, one.count, one.nano, one.label) for one in stars] == [
        (STAR, 50, BOUGHT, "0.5 tUSD"),
        (STAR, 250, 5 * BOUGHT, "2.5 tUSD"),
    ]
    assert [(one.unit, one.count, one.nano) for one in skus] == [(SKU, 1, BOUGHT)]
    assert await house.credit.offers("terminal") == ()
    assert stars[0].replies[0] >= stars[0].replies[1] > 0


async def test_only_what_is_sold_may_be_bought(house: House) -> None:
    await house.credit.check_purchase(ANA, STAR, 50)
    await house.credit.check_purchase(DORA, SKU, 1)
    for person, unit, count in (
        (ANA, STAR, 51),
        (ANA, SKU, 1),
        (DORA, STAR, 50),
        (DORA, SKU, 2),
        (ANA, "telegram-gem", 50),
    ):
        with pytest.raises(UserError, match=r"Nothing was charged: .*/credit"):
            await house.credit.check_purchase(person, unit, count)


async def test_charge_is_credited_once_for_ever(house: House) -> None:
    purchase = Purchase(ANA, "c1", STAR, 50)

    told = await asyncio.gather(*(house.credit.credit(purchase) for _ in range(4)))
    other = await house.credit.credit(replace(purchase, charge_id="c2"))
    same_id_elsewhere = await house.credit.credit(Purchase(DORA, "c1", SKU, 1))

    assert sorted(one.again for one in told) == [False, True, True, True]
    assert {one.nano for one in told} == {BOUGHT}
    assert (other.again, other.balance_nano) == (False, 2 * BOUGHT)
    assert (same_id_elsewhere.again, same_id_elsewhere.balance_nano) == (False, BOUGHT)


async def test_test_money_is_promotional(house: House) -> None:
    await house.credit.credit(Purchase(ANA, "c1", STAR, 50, test=True))

    view = await house.credit.view(ANA)

    assert (view.paid_nano, view.promotional_nano) == (0, BOUGHT)


async def test_unknown_unit_is_noted_not_credited(house: House) -> None:
    for _ in range(2):
        with pytest.raises(UserError, match="noted"):
            await house.credit.credit(Purchase(DORA, "c1", "discord-sku:7", 1))

    assert (await house.credit.view(DORA)).paid_nano == 0


async def test_refund_takes_what_is_there_once(house: House) -> None:
    await house.credit.credit(Purchase(ANA, "c1", STAR, 50))

    first = await house.credit.refund("telegram", "c1")
    again = await house.credit.refund("telegram", "c1")

    assert (first.nano, first.reversed_nano, first.lost_nano) == (BOUGHT, 0, 0)
    assert again == replace(first, again=True)
    view = await house.credit.view(ANA)
    assert view.paid_nano == 0
    assert [words.endswith(", refunded") for _, words in view.purchases] == [True]
    with pytest.raises(UserError, match="no such payment"):
        await house.credit.refund("discord", "c1")


async def test_refunded_charge_is_not_credited_again(house: House) -> None:
    purchase = Purchase(ANA, "c1", STAR, 50)
    await house.credit.credit(purchase)
    await house.credit.refund("telegram", "c1")

    told = await house.credit.credit(purchase)

    assert (told.again, told.balance_nano) == (True, 0)


async def test_view_is_the_persons_alone(house: House) -> None:
    await house.credit.credit(Purchase(ANA, "c1", STAR, 50))

    mine, theirs = await house.credit.view(ANA), await house.credit.view(BEN)

    assert (mine.paid_nano, mine.promotional_nano, mine.spent_today_nano) == (BOUGHT, 0, 0)
    assert (mine.token, mine.daily_limit_nano) == ("tUSD", 5 * NANO)
    assert [charge for charge, _ in mine.purchases] == ["c1"]
    assert [(one.slug, one.price_nano, one.left) for one in mine.twins] == [("mira", PRICE, 0)]
    assert "0.5 tUSD" in mine.forgetting
    assert (theirs.paid_nano, theirs.purchases, theirs.forgetting) == (0, (), "")


async def test_limit_is_the_fans_up_to_the_operators(house: House) -> None:
    view = await house.credit.set_daily_limit(ANA, " 0.25 ")

    assert view.daily_limit_nano == 250_000_000
    assert (await house.credit.set_daily_limit(ANA, "0")).daily_limit_nano == 0
    assert (await house.credit.view(BEN)).daily_limit_nano == 5 * NANO
    for wrong in ("", "five", "-1", "5.1", "1e-10", "NaN", "0.0000000001"):
        with pytest.raises(UserError):
            await house.credit.set_daily_limit(ANA, wrong)
    assert (await house.credit.view(ANA)).daily_limit_nano == 0


async def test_dispute_is_one_a_receipt_and_its_end_is_told_once(house: House) -> None:
    if house.rig is None:
        await house.credit.credit(Purchase(ANA, "c1", STAR, 50))
    receipt_id, person = await house.answered()

    begun = await house.credit.dispute(receipt_id, person, "why?")
    again = await house.credit.dispute(receipt_id, person, "")
    await house.check(receipt_id)

    assert begun == again
    assert (begun.receipt_id, begun.state) == (receipt_id, DisputeState.CHECKING)
    (view,) = await house.credit.disputes(person)
    assert view.state is DisputeState.REJECTED
    (told,) = await house.credit.take_notices(person)
    assert view.sentence in told
    assert await house.credit.take_notices(person) == ()


async def test_dispute_of_anothers_or_no_reply_is_refused(house: House) -> None:
    if house.rig is None:
        await house.credit.credit(Purchase(ANA, "c1", STAR, 50))
    receipt_id, person = await house.answered()

    for receipt, who, reason in (
        (receipt_id, BEN, ""),
        ("x" * 22, person, ""),
        (receipt_id, person, "x" * 1001),
    ):
        with pytest.raises(UserError):
            await house.credit.dispute(receipt, who, reason)
    assert await house.credit.disputes(person) == ()


async def test_question_is_noted_and_answered(house: House) -> None:
    assert "noted" in await house.credit.support(ANA, "Where are my Stars?")
    for wrong in ("", "  ", "x" * 1001):
        with pytest.raises(UserError):
            await house.credit.support(ANA, wrong)


async def test_purchase_without_id_is_a_breach(house: House) -> None:
    with pytest.raises(InvariantError):
        await house.credit.credit(Purchase(ANA, "", STAR, 1))


async def test_nobody_has_notices_to_begin_with(house: House) -> None:
    assert await house.credit.take_notices(BEN) == ()
