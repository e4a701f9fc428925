"""The auditors' part of the store's contract, over the fake and over SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.domain.errors import InvariantError
from bot.ports.stores import Store
from bot.ports.verdicts import StoredVerdict
from bot.receipts.log import append_leaf
from tests.fakes.store import MemoryStore

RECEIPT, OTHER = b"r" * 32, b"o" * 32
FIRST = StoredVerdict(0, RECEIPT, b"a" * 32, b"one")
SECOND = StoredVerdict(1, RECEIPT, b"b" * 32, b"two")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        opened: Store = MemoryStore()
        await _append(opened)
        yield opened
        return
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(tmp_path / "twinproof.db", schema=schema)
    await _append(SqliteStore(database))
    yield SqliteStore(database)
    await database.close()


async def _append(store: Store) -> None:
    async with store.transaction() as tx:
        for number in range(3):
            await append_leaf(tx, b"leaf %d" % number)


async def test_verdicts_of_a_receipt_are_in_the_order_of_the_log(store: Store) -> None:
    elsewhere = StoredVerdict(2, OTHER, b"a" * 32, b"three")
    async with store.transaction() as tx:
        for verdict in (FIRST, SECOND, elsewhere):
            await tx.add_verdict(verdict)

    async with store.reading() as tx:
        assert list(await tx.verdicts_of(RECEIPT)) == [FIRST, SECOND]
        assert list(await tx.verdicts_of(OTHER)) == [elsewhere]
        assert list(await tx.verdicts_of(b"n" * 32)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        StoredVerdict(1, RECEIPT, b"a" * 32, b"a second word of one auditor"),
        StoredVerdict(0, OTHER, b"c" * 32, b"a leaf that is another's"),
        StoredVerdict(3, OTHER, b"c" * 32, b"without a leaf"),
    ],
    ids=lambda one: one.envelope.decode(),
)
async def test_a_verdict_that_can_not_be_is_refused(store: Store, wrong: StoredVerdict) -> None:
    async with store.transaction() as tx:
        await tx.add_verdict(FIRST)

    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.add_verdict(wrong)

    async with store.reading() as tx:
        assert list(await tx.verdicts_of(RECEIPT)) == [FIRST]
        assert list(await tx.verdicts_of(OTHER)) == []
