"""The audit of twins' logs, publications and statements over SQLite: what it finds."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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
from bot.audit.findings import Findings
from bot.audit.run import Audit
from bot.crypto.ed25519 import public_key_of
from bot.domain.ledger import LedgerTransaction, Posting, creator_account, held_account
from bot.domain.monthly import FeeRecords
from bot.domain.statements import Outcome
from bot.ports.statements import FeeReader
from bot.receipts.log import append_leaf
from bot.settlement.publish import EpochPublisher
from tests.credit_rig import open_rig
from tests.fakes.chain import MemoryChain
from tests.fans_rig import sqlite_rig
from tests.stage import CREATOR_NANO, LOG, MIRA, RECEIPTS_KEY, Stage

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Book:
    """A service over SQLite with two final epochs."""

    stage: Stage
    database: Database
    chain: MemoryChain

    async def settle(self) -> None:
        await self.stage.signer.publish(self.stage.store)
        await EpochPublisher(
            chain=self.chain, store=self.stage.epochs, earnings=self.stage.earnings
        ).settle_now(timeout_s=10)

    async def audit(self, fees: FeeReader | None = None, treasury: int | None = None) -> Findings:
        async def funds() -> int:
            return treasury or 0

        return await Audit(
            reader=self.stage.reader,
            epochs=self.stage.epochs,
            chain=self.chain,
            log=LOG,
            signing_key=public_key_of(RECEIPTS_KEY),
            fees=fees or SqliteFees(self.database),
            funds=None if treasury is None else funds,
        ).run()

    async def change(self, sql: str, *values: object) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(sql, values)


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, EPOCHS_SCHEMA)
    database = await Database.open(tmp_path / "book.db", schema=schema)
    stage = Stage(
        store=SqliteStore(database),
        reader=SqliteAuditReader(database),
        earnings=SqliteEarnings(database),
        epochs=SqliteEpochStore(database),
    )
    await stage.open((MIRA,))
    made = Book(stage, database, MemoryChain())
    for number, outcome in enumerate([Outcome.DELIVERED, Outcome.REFUNDED, Outcome.DELIVERED]):
        reply = await stage.say(number=f"m{number}")
        await stage.delivery.record(reply.receipt_id, outcome)
        if number:
            await made.settle()
    yield made
    await database.close()


async def test_an_honest_book_passes_and_everything_new_is_counted(book: Book) -> None:
    findings = await book.audit()

    assert findings.wrong == []
    assert findings.checked["entries of twins' logs"] == 3
    assert findings.checked["rows of statements"] == 3
    assert findings.checked["publications"] == 2


async def test_an_epoch_that_says_something_else_is_named(book: Book) -> None:
    for column in ("entries", "held_nano", "carried_nano", "cumulative_nano"):
        await book.change(f"UPDATE epoch_earnings SET {column} = {column} + 1000 WHERE epoch = 2")  # noqa: S608
        wrong = (await book.audit()).wrong
        await book.change(f"UPDATE epoch_earnings SET {column} = {column} - 1000 WHERE epoch = 2")  # noqa: S608
        assert any("is not what its log and the ledger say" in one for one in wrong), column
    assert (await book.audit()).wrong == []


async def test_the_difference_between_accounts_and_log_is_one_sentence(book: Book) -> None:
    twin = book.stage.roster.find("mira").manifest.twin
    async with book.stage.store.transaction() as tx:
        account = creator_account(twin)
        extra = (Posting("equity:operator", -7), Posting(account, 7))
        await tx.post(LedgerTransaction("fund:7", "fund", extra))

    wrong = (await book.audit()).wrong

    earned = 2 * CREATOR_NANO
    assert (
        f"twin {twin.hex()[:16]}: its accounts have 0.000000007 more than its log has earned and "
        f"was carried over (0.{earned + 7:09d} and 0.0034)"
    ) in wrong


async def test_a_refund_that_no_platform_can_have_made_is_named(book: Book) -> None:
    reply = await book.stage.say(number="sponsored")
    await book.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    async with book.stage.store.transaction() as tx:
        index = await append_leaf(tx, bytes(66))
        await tx.set_reversal(
            reply.receipt_hash, outcome="refunded", statement=b"{}", log_index=index
        )

    wrong = (await book.audit()).wrong

    assert any(
        one.endswith("log can't be: entry 4: refunded after delivered, and the payer is sponsor")
        for one in wrong
    ), wrong


class Lying(FeeReader):
    """Rows of a statement that were changed."""

    def __init__(self, honest: FeeReader, change: dict[str, object] | None) -> None:
        self._honest, self._change = honest, change

    async def fees(self, twin: bytes) -> FeeRecords:
        found = await self._honest.fees(twin)
        if self._change is None:
            return FeeRecords(found.rows[:-1], found.epochs)
        second = replace(found.rows[1], **self._change)  # type: ignore[arg-type]
        return FeeRecords([found.rows[0], second, *found.rows[2:]], found.epochs)


@pytest.mark.parametrize(
    "change",
    [
        {"receipt_id": "A" * 22},
        {"seq": 9},
        {"leaf": 1},
        {"earned_nano": 1},
        {"transaction": 99},
        {"epoch": 2},
        {"at": START},
        {"price_nano": 1},
        {"operator_nano": 1},
        {"transaction_key": "end-hold:x"},
        {"claimed_by": 2},
        {"held_since": START},
        {"payable_at": START},
        {"taken_back": True},
        None,
    ],
)
async def test_a_statement_that_names_something_else_is_found(
    book: Book, change: dict[str, object] | None
) -> None:
    findings = await book.audit(Lying(SqliteFees(book.database), change))

    (sentence,) = findings.wrong
    assert "1 rows of its statement contradict log, ledger or epochs" in sentence


@pytest.mark.parametrize("field", ["held_since", "payable_at"])
async def test_a_statement_that_hides_what_is_held_is_found(tmp_path: Path, field: str) -> None:
    async with sqlite_rig(tmp_path) as fans:
        rig = await open_rig(fans.stage)
        await rig.buy()
        for _ in range(2):
            await rig.say()
        database = fans.stage.store._database  # type: ignore[attr-defined]
        honest = SqliteFees(database)
        made = Book(fans.stage, database, MemoryChain())

        found = await made.audit(honest)
        lies = await made.audit(Lying(honest, {field: None}))

        assert found.wrong == []
        (sentence,) = lies.wrong
        assert "1 rows of its statement contradict" in sentence


class Changed(FeeReader):
    """Statements that say something else of epochs or of what is funded."""

    def __init__(self, honest: FeeReader, change: Callable[[FeeRecords], FeeRecords]) -> None:
        self._honest, self._change = honest, change

    async def fees(self, twin: bytes) -> FeeRecords:
        return self._change(await self._honest.fees(twin))


def _fund_more(records: FeeRecords) -> FeeRecords:
    assert records.funding is not None
    return replace(records, funding=replace(records.funding, committed=10**15))


def _claim_more(records: FeeRecords) -> FeeRecords:
    last = replace(records.epochs[-1], cumulative_units=10**9)
    return replace(records, epochs=[*records.epochs[:-1], last])


@pytest.mark.parametrize(
    ("change", "words"),
    [(_fund_more, "something else is funded"), (_claim_more, "names other epochs or claims")],
)
async def test_a_statement_that_promises_something_else_is_found(
    book: Book, change: Callable[[FeeRecords], FeeRecords], words: str
) -> None:
    (sentence,) = (await book.audit(Changed(SqliteFees(book.database), change))).wrong

    assert words in sentence


class Meanwhile(FeeReader):
    """Lets the service answer while statements are read, the first times that they are."""

    def __init__(self, stage: Stage, honest: FeeReader, times: int) -> None:
        self._stage, self._honest, self._times = stage, honest, times

    async def fees(self, twin: bytes) -> FeeRecords:
        if self._times:
            self._times -= 1
            reply = await self._stage.say(number=f"meanwhile {self._times}")
            await self._stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
        return await self._honest.fees(twin)


@pytest.mark.parametrize(("times", "noted"), [(2, 0), (3, 1)])
async def test_a_service_that_goes_on_meanwhile_is_no_fault(
    book: Book, times: int, noted: int
) -> None:
    findings = await book.audit(Meanwhile(book.stage, SqliteFees(book.database), times))

    assert findings.wrong == []
    assert sum("statements were not compared" in one for one in findings.notes) == noted
    assert findings.checked.get("rows of statements", 0) == (0 if noted else 3 + times)


async def test_what_the_chain_can_not_pay_is_noted_and_is_no_fault(book: Book) -> None:
    twin = book.stage.roster.find("mira").manifest.twin
    reply = await book.stage.say(number="later")
    await book.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    poor = await book.audit(treasury=0)
    rich = await book.audit(treasury=10**9)

    assert poor.wrong == rich.wrong == []
    assert any(one.startswith("Not funded on the chain: 0.0017.") for one in poor.notes)
    assert not any(one.startswith("Not funded") for one in rich.notes)
    assert any("0.0017 is unclaimed or payable to creators" in one for one in rich.notes)
    assert await book.stage.balance(held_account(twin)) == 0
