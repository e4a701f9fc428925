"""What a store keeps of fans' money, over the fake (`MemoryCreditRecords`) and over SQLite."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.domain.errors import InvariantError
from bot.domain.ledger import DEBIT_CLASSES, LedgerTransaction, Posting
from bot.ports.credit import DisputeState
from bot.ports.credit_book import (
    FanAccount,
    HeldFee,
    PriceAgreement,
    StoredPurchase,
    StoredRefund,
    Usage,
)
from bot.ports.disputes import StoredDispute, SupportNote
from bot.ports.people import Person
from bot.ports.stores import Store
from tests.fakes.clock import START
from tests.fakes.store import MemoryStore
from tests.stored_values import MANIFEST, make_intent

ANA, BEN = Person("telegram", "1"), Person("discord", "1")
SECOND = timedelta(seconds=1)
ACCOUNT = FanAccount("a" * 32, ANA, START)
TABLE, TWIN = bytes([7]) * 32, bytes([9]) * 32
PURCHASE = StoredPurchase(
    platform="telegram",
    charge_id="c1",
    account=ACCOUNT.name,
    unit="telegram-star",
    count=50,
    nano=500,
    test=False,
    rate_table=TABLE,
    at=START,
)
NOTED = replace(PURCHASE, charge_id="c2", nano=0, rate_table=None, at=START + SECOND)
REFUND = StoredRefund("telegram", "c1", 1, 2, 497, START + SECOND)
DISPUTE = StoredDispute(
    "r" * 22, ACCOUNT.name, "rude 🐙", DisputeState.CHECKING, "checking", nano=0, at=START
)


def _fee(number: int) -> HeldFee:
    at = START + number * SECOND
    return HeldFee(f"i{number}", ACCOUNT.name, TWIN, 10, 8, TABLE, at)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(tmp_path / "twinproof.db", schema=schema)
    yield SqliteStore(database)
    await database.close()


async def test_account_is_one_persons_on_one_platform(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.open_account(ACCOUNT)
        await tx.open_account(FanAccount("b" * 32, BEN, START + SECOND))
        await tx.limit_account(ACCOUNT.name, 0)

    async with store.reading() as tx:
        assert await tx.account_of(ANA) == replace(ACCOUNT, daily_limit_nano=0)
        assert await tx.account_of(Person("discord", "2")) is None
        assert [one.person for one in await tx.accounts()] == [ANA, BEN]


@pytest.mark.parametrize("second", [replace(ACCOUNT, name="c" * 32), replace(ACCOUNT, person=BEN)])
async def test_account_is_opened_once(store: Store, second: FanAccount) -> None:
    async with store.transaction() as tx:
        await tx.open_account(ACCOUNT)
    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.open_account(second)
    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.limit_account("nobody", 1)


async def test_purchase_is_kept_once_and_ends_once(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.add_purchase(PURCHASE)
        await tx.add_purchase(NOTED)
        await tx.add_refund(REFUND)

    async with store.reading() as tx:
        assert await tx.find_purchase("telegram", "c1") == PURCHASE
        assert await tx.find_purchase("discord", "c1") is None
        assert await tx.find_refund("telegram", "c1") == REFUND
        assert await tx.find_refund("telegram", "c2") is None
        both = [(NOTED, None), (PURCHASE, REFUND)]
        assert await tx.purchases_of(ACCOUNT.name) == await tx.all_purchases() == both
        assert await tx.purchases_of("b") == []
        assert await tx.waiting_purchases() == [NOTED]
    for write in ("add_purchase", "add_refund"):
        with pytest.raises(InvariantError):
            async with store.transaction() as tx:
                await getattr(tx, write)(PURCHASE if write == "add_purchase" else REFUND)
    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.add_refund(replace(REFUND, charge_id="never bought"))


async def test_noted_purchase_is_worth_something_later(store: Store) -> None:
    worth = replace(NOTED, nano=3, rate_table=TABLE)
    async with store.transaction() as tx:
        await tx.add_purchase(NOTED)
        await tx.add_purchase(worth)

    async with store.reading() as tx:
        assert await tx.find_purchase("telegram", "c2") == worth
        assert await tx.waiting_purchases() == []


async def test_noted_purchase_that_was_refunded_is_never_worth_anything(store: Store) -> None:
    nothing = StoredRefund("telegram", "c2", 0, 0, 0, START + SECOND)
    async with store.transaction() as tx:
        await tx.add_purchase(NOTED)
    for wrong in (replace(nothing, taken_nano=1), replace(nothing, lost_nano=1)):
        with pytest.raises(InvariantError):
            async with store.transaction() as tx:
                await tx.add_refund(wrong)
    async with store.transaction() as tx:
        await tx.add_refund(nothing)

    for _ in range(2):
        with pytest.raises(InvariantError):
            async with store.transaction() as tx:
                await tx.add_purchase(replace(NOTED, nano=3, rate_table=TABLE))
    async with store.reading() as tx:
        assert await tx.waiting_purchases() == []
        assert await tx.all_purchases() == [(NOTED, nothing)]


async def test_refund_that_missed_something_is_known_by_the_ledgers_order(store: Store) -> None:
    whole, test = replace(PURCHASE, charge_id="w"), replace(PURCHASE, charge_id="t", test=True)
    async with store.transaction() as tx:
        for one in (PURCHASE, whole, test):
            await tx.add_purchase(one)
        for key in ("a", "refund:telegram:w", "b", "refund:telegram:c1", "c", "refund:telegram:t"):
            await tx.post(LedgerTransaction(key, "x", ()))
        await tx.add_refund(replace(REFUND, charge_id="w", taken_nano=500, lost_nano=0))
        full = await tx.missed_since(ACCOUNT.name, "a")
        await tx.add_refund(REFUND)
        await tx.add_refund(replace(REFUND, charge_id="t"))
        found = [await tx.missed_since(ACCOUNT.name, key) for key in ("a", "b", "c", "none")]
        others = await tx.missed_since("b" * 32, "a")

    assert (full, found, others) == (False, [True, True, False, False], False)


@pytest.mark.parametrize("rejected", [0, 2])
async def test_held_fees_that_a_refund_has_overtaken_are_named(store: Store, rejected: int) -> None:
    first = [make_intent(number) for number in (1, 2, 3)]
    last = [
        replace(one, key=f"{one.slot_tag.hex()}:{rejected}", attempt=rejected, rejected=rejected)
        for one in first
    ]
    async with store.transaction() as tx:
        await tx.add_manifest(MANIFEST)
        for one in {one.key: one for one in (*first, *last)}.values():
            await tx.add_intent(one)
            if one.attempt < rejected:
                await tx.close_intent(one.key, "void", void_statement=b"{}")
        await tx.add_purchase(PURCHASE)
        for key in (first[0].key, first[1].key):
            await tx.post(LedgerTransaction(f"hold:{key}", "x", ()))
        for position, one in enumerate(last):
            owner = "b" * 32 if position == 1 else ACCOUNT.name
            await tx.add_held(replace(_fee(1), intent=one.key, account=owner))
        await tx.post(LedgerTransaction("refund:telegram:c1", "x", ()))
        before = await tx.held_before_miss(ACCOUNT.name)
        await tx.add_refund(REFUND)
        await tx.post(LedgerTransaction(f"hold:{first[2].key}", "x", ()))
        if rejected:  # drawn again after the refund: it was begun with the first
            await tx.post(LedgerTransaction(f"hold:{last[0].key}", "x", ()))
        found = await tx.held_before_miss(ACCOUNT.name)
        others = await tx.held_before_miss("b" * 32)

    assert [before, found, others] == [frozenset(), frozenset({last[0].key}), frozenset()]


async def test_first_telling_of_a_price_counts(store: Store) -> None:
    told = PriceAgreement(ACCOUNT.name, TWIN, 5, "slot:", START)
    async with store.transaction() as tx:
        await tx.agree(told)
        await tx.agree(replace(told, asked="later", at=START + SECOND))

    async with store.reading() as tx:
        assert await tx.agreement(ACCOUNT.name, TWIN, 5) == told
        assert await tx.agreement(ACCOUNT.name, TWIN, 6) is None
        assert await tx.agreement(ACCOUNT.name, bytes(32), 5) is None


async def test_use_counts_once_in_each_scope_until_it_is_taken_back(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.use("i1", ("x", "y"), 10, 5)
        await tx.use("i1", ("x",), 11, 7)
        await tx.use("i2", ("x",), 12, 3)
        await tx.move_use("i2", "i3")
        await tx.unuse("i2")
        seen = [await tx.used("x", slot) for slot in (10, 11, 13)]
        await tx.unuse("i1")
        await tx.unuse("i1")
        after = [await tx.used(scope, 0) for scope in ("x", "y", "z")]
        await tx.clear_uses(13)
        await tx.unuse("i3")
        cleared = await tx.used("x", 0)

    assert seen == [Usage(8, 2), Usage(3, 1), Usage(0, 0)]
    assert after == [Usage(3, 1), Usage(0, 0), Usage(0, 0)]
    assert cleared == Usage(0, 0)


async def test_held_fees_are_found_by_age_and_by_payer(store: Store) -> None:
    other = replace(_fee(4), account="b", rate_table=bytes(32))
    async with store.transaction() as tx:
        for fee in (_fee(1), _fee(2), _fee(3), other):
            await tx.add_held(fee)

    async with store.transaction() as tx:
        assert await tx.held_tables() == [bytes(32), TABLE]
        assert await tx.held_until(TABLE, START + 2 * SECOND, 9) == [_fee(1), _fee(2)]
        assert await tx.held_until(TABLE, START + 2 * SECOND, 1) == [_fee(1)]
        page = await tx.held_of(ACCOUNT.name, before=None, limit=2)
        rest = await tx.held_of(ACCOUNT.name, before=page[-1][0], limit=2)
        await tx.end_held("i2")
        assert await tx.all_held() == [_fee(1), _fee(3), other]
    assert [fee for _, fee in (*page, *rest)] == [_fee(3), _fee(2), _fee(1)]
    for wrong in ("end", "again"):
        with pytest.raises(InvariantError):
            async with store.transaction() as tx:
                await (tx.end_held("i2") if wrong == "end" else tx.add_held(_fee(1)))


async def test_notice_is_kept_once_and_told_once(store: Store) -> None:
    async with store.transaction() as tx:
        kept = [await tx.add_notice(*one) for one in (("a", "k", "1"), ("a", "k", "2"))]
        kept += [await tx.add_notice(*one) for one in (("a", "l", "3"), ("b", "k", "4"))]
        first = await tx.take_notices("a")
        again = await tx.take_notices("a")
        kept.append(await tx.add_notice("a", "k", "5"))

    assert kept == [True, False, True, True, False]
    assert (first, again) == (["1", "3"], [])


async def test_dispute_is_begun_and_decided_once(store: Store) -> None:
    second = replace(DISPUTE, receipt_id="s" * 22, account="b")
    async with store.transaction() as tx:
        await tx.add_dispute(DISPUTE)
        await tx.add_dispute(second)
        await tx.decide_dispute(
            DISPUTE.receipt_id, DisputeState.UPHELD, "found", nano=4, at=START + SECOND
        )

    decided = replace(
        DISPUTE, state=DisputeState.UPHELD, sentence="found", nano=4, decided_at=START + SECOND
    )
    async with store.reading() as tx:
        assert await tx.find_dispute(DISPUTE.receipt_id) == decided
        assert await tx.find_dispute("none") is None
        assert await tx.disputes_of(ACCOUNT.name) == [decided]
        assert await tx.all_disputes() == [second, decided]
        assert await tx.open_disputes() == [second]
    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.add_dispute(DISPUTE)
    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.decide_dispute(
                DISPUTE.receipt_id, DisputeState.REJECTED, "no", nano=0, at=START
            )


async def test_questions_are_the_persons_and_the_operators(store: Store) -> None:
    notes = [SupportNote(ANA, "one", START), SupportNote(BEN, "two", START)]
    async with store.transaction() as tx:
        for note in notes:
            await tx.add_note(note)

    async with store.reading() as tx:
        assert await tx.notes() == notes[::-1]
        assert await tx.notes_by(ANA) == notes[:1]


async def test_ledger_transaction_is_read_back_by_its_key(store: Store) -> None:
    posted = LedgerTransaction("k", "gift", (Posting("equity:a", -3), Posting("promo:b", 3)))
    async with store.transaction() as tx:
        await tx.post(posted)

    async with store.reading() as tx:
        assert await tx.posted("k") == posted
        assert await tx.posted("l") is None


@pytest.mark.parametrize("source", ["fan:a", "sponsor:operator", "held:b", "settled:b", "equityx:"])
async def test_no_account_but_a_debit_class_is_overdrawn(store: Store, source: str) -> None:
    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.post(LedgerTransaction("k", "x", (Posting(source, -1), Posting("fan:z", 1))))

    async with store.transaction() as tx:
        for number, kind in enumerate(DEBIT_CLASSES):
            postings = (Posting(f"{kind}x", -1), Posting(source, 1))
            await tx.post(LedgerTransaction(f"{number}", "x", postings))
        assert await tx.balance(source) == len(DEBIT_CLASSES)


async def test_no_more_is_set_off_than_is_owed(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.post(LedgerTransaction("a", "x", (Posting("owed:a", -2), Posting("fan:a", 2))))
        await tx.post(LedgerTransaction("b", "x", (Posting("owed:a", 2), Posting("fan:a", -2))))
    for account in ("owed:a", "owed:b"):
        more = LedgerTransaction("c", "x", (Posting(account, 1), Posting("equity:x", -1)))
        with pytest.raises(InvariantError):
            async with store.transaction() as tx:
                await tx.post(more)
