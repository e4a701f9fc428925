"""What a statement says stands behind a creator's fees, step by step, against book and audit."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.earnings import SqliteEarnings
from adapters.sqlite.epochs import SCHEMA as EPOCHS_SCHEMA
from adapters.sqlite.epochs import SqliteEpochStore
from adapters.sqlite.fees import SqliteFees
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.domain.funding import Funding
from bot.domain.monthly import is_funded, state_of
from bot.ledger.liabilities import liabilities_of
from bot.settlement.publish import EpochPublisher
from tests.credit_rig import HELD_HOURS, STAR_NANO, CreditRig, open_rig
from tests.fakes.chain import MemoryChain
from tests.stage import CREATOR_NANO, PRICE, SURFACE, Stage


@dataclass(slots=True)
class Book:
    """A service over SQLite whose operator has put nothing in."""

    rig: CreditRig
    fees: SqliteFees
    chain: MemoryChain

    async def settle(self) -> None:
        stage = self.rig.stage
        await stage.signer.publish(stage.store)
        await EpochPublisher(
            chain=self.chain, store=stage.epochs, earnings=stage.earnings
        ).settle_now(timeout_s=10)

    async def look(self) -> tuple[Funding, list[tuple[str, bool | None, int | None]]]:
        """Return what is said of the funds, like the operator's own sums, and of the rows."""
        stage = self.rig.stage
        records = await stage.reader.read_all()
        owed = liabilities_of(records.balances, records.ledger)
        found = await self.fees.fees(stage.roster.find("mira").manifest.twin)
        funding = found.funding
        assert funding is not None
        assert (funding.uncovered, funding.all_waiting, funding.all_held) == (
            *(owed.uncovered, owed.creators, owed.held),
        )
        assert (await stage.audit()).wrong == []
        return funding, [(state_of(row), is_funded(row), row.epoch) for row in found.rows]


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, EPOCHS_SCHEMA)
    database = await Database.open(tmp_path / "book.db", schema=schema)
    stage = Stage(
        store=SqliteStore(database),
        reader=SqliteAuditReader(database),
        earnings=SqliteEarnings(database),
        epochs=SqliteEpochStore(database),
        budget=0,
    )
    yield Book(await open_rig(stage), SqliteFees(database), MemoryChain())
    await database.close()


async def test_fee_is_held_then_waits_and_then_the_vault_has_fetched_it(book: Book) -> None:
    await book.rig.buy(stars=50)
    await book.rig.say()
    await book.settle()  # the log covers the reply, the claim does not
    held, row_held = await book.look()
    book.rig.stage.clock.advance(timedelta(hours=HELD_HOURS))
    await book.rig.mature.run()
    waiting, row_waiting = await book.look()
    await book.settle()
    funded, row_funded = await book.look()

    nothing = Funding(committed=0, waiting=0, held=0, all_waiting=0, all_held=0, uncovered=0)
    mine = CREATOR_NANO
    assert held == replace(nothing, held=mine, all_held=mine)
    assert waiting == replace(nothing, waiting=mine, all_waiting=mine)
    assert funded == replace(nothing, committed=mine)
    assert row_held == [("held", False, 1)]
    assert row_waiting == [("payable", False, 1)]
    assert row_funded == [("committed", True, 1)]


async def test_what_nothing_covers_is_said(book: Book) -> None:
    await book.rig.buy(charge="a", stars=2)
    await book.rig.say()
    book.rig.stage.clock.advance(timedelta(hours=HELD_HOURS))
    await book.rig.mature.run()
    await book.rig.buy(charge="b", stars=50)
    await book.rig.say(deliver=False)
    before, _ = await book.look()

    await book.rig.door.refund("terminal", "a")
    await book.rig.door.refund("terminal", "b")
    after, _ = await book.look()

    assert before.uncovered == 0
    assert after.waiting == CREATOR_NANO
    assert after.uncovered == CREATOR_NANO + PRICE  # the open reply's price was refunded, too
    assert 50 * STAR_NANO > PRICE


@pytest.mark.parametrize("settled", ["before", "after", "both", "never"])
@pytest.mark.parametrize("withdrawn", [False, True])
async def test_fee_that_was_taken_back_is_neither_payable_nor_committed(
    book: Book, settled: str, *, withdrawn: bool
) -> None:
    await book.rig.buy(charge="a", stars=2)
    await book.rig.say()
    if withdrawn:
        await book.rig.stage.withdrawal.withdraw(SURFACE, f"m{book.rig.asked}")
    if settled in {"before", "both"}:
        await book.settle()
    await book.rig.door.refund("terminal", "a")
    await book.rig.buy(charge="b", stars=2)
    await book.rig.say()
    book.rig.stage.clock.advance(timedelta(hours=HELD_HOURS))
    await book.rig.mature.run()
    if settled in {"after", "both"}:
        await book.settle()

    funding, rows = await book.look()

    last = ("committed", True) if settled in {"after", "both"} else ("payable", False)
    between = [("nothing to pay", None)] if withdrawn else []
    assert [(state, funded) for state, funded, _ in rows] == [
        ("taken back", None),
        *between,
        ("taken back", None),
        last,
    ]
    paid = CREATOR_NANO if last[1] else 0
    assert (funding.committed, funding.waiting) == (paid, CREATOR_NANO - paid)
    found = await book.fees.fees(book.rig.stage.roster.find("mira").manifest.twin)
    assert [row.claimed_by is None for row in found.rows if row.taken_back] == [True, True]
    for word, amount in (("committed", funding.committed), ("payable", funding.waiting)):
        assert sum(row.earned_nano for row in found.rows if state_of(row) == word) == amount
