"""The audit counts fans' money again: what no use case can have posted or noted is named."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.credit.purchases import Purchases
from bot.domain.ledger import (
    EQUITY,
    LOSS,
    OPERATOR_FEES,
    PROMOTION,
    SPONSOR,
    LedgerTransaction,
    Posting,
    creator_account,
    fan_account,
    promotional_account,
    settled_account,
)
from bot.ports.stores import StoreTransaction
from bot.twins.endings import Endings
from tests.credit_rig import ANA, BEN, HELD_HOURS, open_rig
from tests.fakes.store import MemoryStore, Tables
from tests.stage import PRICE, Stage, memory_stage

Tamper = Callable[[Tables], object]
NANO = 1_000


@pytest.fixture(scope="module")
def tables() -> Tables:
    """A book in which two fans have bought, one was given something, and one fee is disputed."""
    return asyncio.run(_make_book())


@pytest.fixture
def book(tables: Tables) -> Stage:
    store = MemoryStore(tables=tables.copy())
    return memory_stage(store=store, reader=store)


async def _make_book() -> Tables:
    rig = await open_rig()
    await rig.buy()
    await rig.buy(BEN, charge="b")
    first = await rig.say()
    await rig.say()
    await rig.door.dispute(first.receipt_id, ANA, "")
    await rig.say(BEN)
    await rig.give(BEN)
    store = rig.stage.store
    assert isinstance(store, MemoryStore)
    return store.tables


def _fan(tables: Tables, person: object) -> str:
    return next(one.name for one in tables.credit.accounts if one.person == person)


def _post(tables: Tables, key: str, kind: str, source: str, account: str) -> None:
    postings = (Posting(source, -NANO), Posting(account, NANO))
    tables.ledger.append(LedgerTransaction(key, kind, postings))
    for part in postings:
        tables.balances[part.account] = tables.balances.get(part.account, 0) + part.nano


def _to_ana(key: str, kind: str, source: str) -> Tamper:
    return lambda t: _post(t, key, kind, source, fan_account(_fan(t, ANA)))


def _gift_for_another(tables: Tables) -> None:
    key = f"gift:{_fan(tables, BEN)}:x"
    _post(tables, key, "gift", PROMOTION, promotional_account(_fan(tables, ANA)))


def _settled_for_another(tables: Tables) -> None:
    _post(tables, "settle:epoch:1", "settle", creator_account(b"a"), settled_account(b"b"))


def _held(**changes: object) -> Tamper:
    def tamper(tables: Tables) -> None:
        place, fee = tables.credit.held[0]
        tables.credit.held[0] = (place, replace(fee, **changes))  # type: ignore[arg-type]

    return tamper


def _later(tables: Tables) -> None:
    _held(at=tables.credit.held[0][1].at + timedelta(days=1))(tables)


def _pay_from_ben(tables: Tables) -> None:
    """Let Ben's credit pay what Ana has asked, and say so wherever it is noted."""
    ana, ben = _fan(tables, ANA), _fan(tables, BEN)
    place, fee = tables.credit.held[0]
    assert fee.account == ana
    tables.credit.held[0] = (place, replace(fee, account=ben))
    at = next(n for n, one in enumerate(tables.ledger) if one.key == f"hold:{fee.intent}")
    old = tables.ledger[at]
    moved = tuple(replace(one, account=one.account.replace(ana, ben)) for one in old.postings)
    tables.ledger[at] = replace(old, postings=moved)
    tables.balances[fan_account(ana)] += PRICE
    tables.balances[fan_account(ben)] -= PRICE


def _dispute_of_ben(tables: Tables) -> None:
    old = tables.credit.disputes[0]
    tables.credit.disputes[0] = replace(old, account=_fan(tables, BEN))


def _hold_more(tables: Tables) -> None:
    """Let a hold take more than a price, and keep the rest somewhere else."""
    at = next(n for n, one in enumerate(tables.ledger) if one.kind == "hold")
    old = tables.ledger[at]
    source = next(one for one in old.postings if one.nano < 0)
    more = Posting(source.account, source.nano - NANO)
    rest = [one for one in old.postings if one is not source]
    postings = (more, *rest, Posting("hold:else", NANO))
    tables.ledger[at] = replace(old, postings=postings)
    tables.balances[source.account] -= NANO
    tables.balances["hold:else"] = NANO


TAMPERS: dict[str, tuple[Tamper, str]] = {
    "another kind": (_to_ana("bonus:1", "bonus", EQUITY), "bonus:1 is a bonus"),
    "another prefix": (_to_ana("topup:1", "gift", PROMOTION), "topup:1 is a gift"),
    "no prefix": (_to_ana("x", "x", LOSS), "x is a x"),
    "fees for a fan": (_to_ana("x", "x", OPERATOR_FEES), "x is a x"),
    "funding for a fan": (_to_ana("fund:1", "fund", EQUITY), "fund:1 funds something else"),
    "funding twice": (
        lambda t: _post(t, f"fund:{NANO}", "fund", EQUITY, SPONSOR),
        f"fund:{NANO} funds something else",
    ),
    "funding by no number": (
        lambda t: _post(t, "fund:all", "fund", EQUITY, SPONSOR),
        "fund:all funds something else",
    ),
    "a gift that is bought credit": (_to_ana("gift:1", "gift", EQUITY), "gives something else"),
    "a gift for another": (_gift_for_another, "gives something else"),
    "an epoch that pays another": (_settled_for_another, "settle:epoch:1 settles something else"),
    "an epoch that pays a fan": (_to_ana("settle:epoch:1", "settle", SPONSOR), "settles something"),
    "a lost book that pays a fan": (
        _to_ana("restore:epoch:1", "restore", EQUITY),
        "settles something else",
    ),
    "a fan's credit": (_to_ana("x", "x", EQUITY), "what came in and was spent leaves"),
    "promotional credit": (
        lambda t: _post(t, "x", "x", PROMOTION, promotional_account(_fan(t, BEN))),
        "what came in and was spent leaves",
    ),
    "the budget": (
        lambda t: _post(t, "x", "x", EQUITY, SPONSOR),
        f"{SPONSOR} has ",
    ),
    "a hold that takes more": (_hold_more, "another amount or other money was held"),
    "another's credit pays": (_pay_from_ben, "was paid from the account of somebody else"),
    "another disputes": (_dispute_of_ben, "was disputed from the account of somebody else"),
    "a held fee of nobody": (_held(account="nobody"), "says another payer, time or rate table"),
    "a held fee of later": (_later, "says another payer, time or rate table"),
    "a held fee by no table": (_held(rate_table=b""), "says another payer, time or rate table"),
    "held fees in another order": (
        lambda t: t.credit.held.reverse(),
        "are noted in another order than paid",
    ),
    "a key that is there twice": (lambda t: t.ledger.append(t.ledger[0]), "stand there twice"),
}


async def test_honest_book_passes(book: Stage) -> None:
    findings = await book.audit()

    assert findings.wrong == []
    assert findings.checked["held fees"] == 3


@pytest.mark.parametrize("what", TAMPERS)
async def test_money_that_was_tampered_with_is_named(book: Stage, what: str) -> None:
    assert isinstance(book.store, MemoryStore)
    tamper, words = TAMPERS[what]

    tamper(book.store.tables)

    wrong = (await book.audit()).wrong
    assert any(words in one for one in wrong), wrong


@pytest.mark.parametrize(("late", "named"), [(timedelta(days=1), 0), (timedelta(days=2), 1)])
async def test_fee_that_is_held_too_long_is_noted_and_no_fault(late: timedelta, named: int) -> None:
    rig = await open_rig()
    await rig.buy()
    fee = await rig.say()
    rig.stage.clock.advance(timedelta(hours=HELD_HOURS) + late - timedelta(minutes=5))

    findings = await rig.stage.audit()

    assert findings.wrong == []
    overdue = [one for one in findings.notes if one.startswith("Overdue: 1 held fees")]
    assert len(overdue) == findings.checked.get("overdue held fees", 0) == named
    assert all(fee.intent in one for one in overdue)


class _Lax(Purchases):
    """Follows refunds, and takes no fee back."""

    async def _reverse(self, tx: StoreTransaction, account: str, missing: int) -> int:
        return await super()._reverse(tx, account, min(missing, 0))


async def test_refund_that_leaves_fees_it_could_reach_is_named() -> None:
    rig = await open_rig()
    await rig.buy(stars=4)
    left = await rig.say()
    stage = rig.stage

    refund = await _Lax(
        store=stage.store,
        rates=rig.rates,
        endings=Endings(stage.issuer),
        clock=stage.clock,
        entropy=stage.entropy,
    ).refund("terminal", "charge")

    assert refund.lost_nano == PRICE
    assert (await stage.audit()).wrong == [
        f"intent {left.intent}: its fee was not taken back, and was owed"
    ]
