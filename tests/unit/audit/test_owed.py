"""The audit tells from the ledger alone what must be owed, set off and taken back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.ledger import LedgerTransaction, Posting
from bot.domain.statements import Outcome
from bot.ports.inference import ReplayOutcome, ReplayRequest
from tests.credit_rig import ANA, HELD_HOURS, open_rig
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore, Tables
from tests.stage import PRICE, Stage, memory_stage

Tamper = Callable[[Tables], object]


class _Liar(MemoryEngine):
    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        other = replace(request.request, seed=bytes(32))
        return await super().replay(replace(request, request=other))


@pytest.fixture(scope="module")
def tables() -> Tables:
    """A book with a debt, a late capture, a release and a dispute that are set off."""
    return asyncio.run(_make_book())


@pytest.fixture
def book(tables: Tables) -> Stage:
    store = MemoryStore(tables=tables.copy())
    return memory_stage(store=store, reader=store)


async def _make_book() -> Tables:
    rig = await open_rig()
    record = rig.stage.delivery.record
    await rig.buy(charge="a", stars=50)
    old = [await rig.say() for _ in range(3)]
    rig.stage.clock.advance(timedelta(hours=HELD_HOURS))
    await rig.mature.run()
    await rig.say()
    late, lost = await rig.say(deliver=False), await rig.say(deliver=False)
    await rig.door.refund("terminal", "a")
    await record(late.receipt_id, Outcome.DELIVERED)
    await record(lost.receipt_id, Outcome.UNDELIVERED)
    rig.stage.engine = _Liar()
    await rig.door.dispute(old[0].receipt_id, ANA, "")
    await rig.disputes.run()
    await rig.buy(charge="b", stars=4)
    await rig.say()
    store = rig.stage.store
    assert isinstance(store, MemoryStore)
    account = await rig.account()
    assert store.tables.balances[f"owed:{account}"] == -2 * PRICE
    return store.tables


def _of_kind(tables: Tables, kind: str) -> int:
    """Return the place of the last transaction of a kind that has to do with what is owed."""
    return max(
        place
        for place, one in enumerate(tables.ledger)
        if one.kind == kind and any(part.account.startswith("owed:") for part in one.postings)
    )


def _put(tables: Tables, place: int, changed: LedgerTransaction) -> None:
    """Change a transaction, and the balances with it."""
    for sign, one in ((-1, tables.ledger[place]), (1, changed)):
        for part in one.postings:
            tables.balances[part.account] = tables.balances.get(part.account, 0) + sign * part.nano
    tables.ledger[place] = changed


def _moved(kind: str, change: Callable[[Posting], Posting]) -> Tamper:
    def tamper(tables: Tables) -> None:
        place = _of_kind(tables, kind)
        old = tables.ledger[place]
        _put(tables, place, replace(old, postings=tuple(map(change, old.postings))))

    return tamper


def _to_the_fan(part: Posting) -> Posting:
    return replace(part, account=part.account.replace("owed:", "fan:"))


def _to_another(part: Posting) -> Posting:
    kind, _, _ = part.account.partition(":")
    return replace(part, account=f"owed:{'b' * 32}") if kind == "owed" else part


def _without_a_debt(part: Posting) -> Posting:
    return replace(part, account=part.account.replace("owed:", "loss:"))


def _swap_late(tables: Tables) -> None:
    """Let the late capture come before the refund, as if it had been ordinary."""
    late = next(n for n, one in enumerate(tables.ledger) if one.kind == "refund") + 2
    capture = tables.ledger[late]
    assert capture.kind == "capture"
    tables.ledger.insert(late - 2, tables.ledger.pop(late))


def _drop_reverse(tables: Tables) -> None:
    """Let a creator keep a fee that was never real: no reversal, and no word of it in the log."""
    place = _of_kind(tables, "reverse")
    _put(tables, place, replace(tables.ledger[place], postings=()))
    tables.ledger.pop(place)


def _late_refund(tables: Tables) -> None:
    tables.ledger.append(tables.ledger.pop(_of_kind(tables, "refund")))


def _row(field: str, nano: int) -> Tamper:
    def tamper(tables: Tables) -> None:
        key = ("terminal", "a")
        old = tables.credit.refunds[key]
        changes = {field: getattr(old, field) + nano, "lost_nano": old.lost_nano - nano}
        tables.credit.refunds[key] = replace(old, **changes)

    return tamper


TAMPERS: dict[str, Tamper] = {
    "a dispute that gives what is owed": _moved("dispute", _to_the_fan),
    "a release that gives what is owed": _moved("release", _to_the_fan),
    "a fee that goes to the fan": _moved("reverse", _to_the_fan),
    "a fee that pays another's debt": _moved("reverse", _to_another),
    "a refund at another's cost": _moved("refund", _to_another),
    "a refund at the operator's cost": _moved("refund", _without_a_debt),
    "a dispute that pays another's debt": _moved("dispute", _to_another),
    "a late fee that stays": _drop_reverse,
    "a late fee that came early": _swap_late,
    "a refund that came late": _late_refund,
    "a row of other fees": _row("reversed_nano", PRICE),
    "a row of other credit": _row("taken_nano", 1),
}


async def test_honest_book_with_debts_passes_and_names_them(book: Stage) -> None:
    findings = await book.audit()

    assert findings.wrong == []
    assert findings.checked["fans who owe"] == 1
    assert any(
        "0.004000002 that fans owe after refunds" in note and "0.002000001 in disputes" in note
        for note in findings.notes
    )


@pytest.mark.parametrize("what", TAMPERS)
async def test_debt_that_was_tampered_with_is_found(book: Stage, what: str) -> None:
    assert isinstance(book.store, MemoryStore)

    TAMPERS[what](book.store.tables)

    assert (await book.audit()).wrong != []


async def test_credit_for_what_was_refunded_unpriced_is_found(book: Stage) -> None:
    assert isinstance(book.store, MemoryStore)
    tables = book.store.tables
    key = ("terminal", "a")
    tables.credit.purchases[key] = replace(tables.credit.purchases[key], nano=0)

    assert any("never credited" in one for one in (await book.audit()).wrong)
