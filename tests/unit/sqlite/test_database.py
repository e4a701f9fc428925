"""The database file: what can't be opened is refused, and one writer never meets another."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from adapters.sqlite import database as module
from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.domain.errors import ConfigurationError, InvariantError, StoreBusyError
from bot.receipts.log import append_leaf

SCHEMA = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)


async def _count(database: Database, table: str = "log_leaves") -> object:
    async with (
        database.reading() as connection,
        connection.execute(f"SELECT COUNT(*) FROM {table}") as cursor,  # noqa: S608 - a literal
    ):
        row = await cursor.fetchone()
    return None if row is None else row[0]


async def _append(database: Database) -> None:
    async with SqliteStore(database).transaction() as tx:
        await append_leaf(tx, b"leaf")


async def test_opened_again_it_holds_what_was_committed(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "b?#%.db", schema=SCHEMA)
    await _append(first)
    await first.close()

    second = await Database.open(tmp_path / "b?#%.db", schema=SCHEMA)

    assert await _count(second) == 1
    await second.close()


async def test_writes_are_synced_to_disk(tmp_path: Path) -> None:
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)

    async with opened.reading() as connection:
        values = []
        for name in ("journal_mode", "synchronous", "foreign_keys"):
            async with connection.execute(f"PRAGMA {name}") as cursor:
                values.append(tuple(await cursor.fetchone() or ()))
    await opened.close()

    assert values == [("wal",), (2,), (1,)]


@pytest.mark.parametrize("version", [0, 1, 2, module.SCHEMA_VERSION + 1])
@pytest.mark.parametrize("read_only", [False, True])
async def test_data_of_another_version_is_refused_and_stays_as_it_is(
    tmp_path: Path, version: int, *, read_only: bool
) -> None:
    old = sqlite3.connect(tmp_path / "b.db")
    old.execute("CREATE TABLE replies (receipt_hash BLOB) STRICT")
    old.execute(f"PRAGMA user_version = {version}")
    old.close()
    before = (tmp_path / "b.db").read_bytes()
    schema = () if read_only else SCHEMA

    with pytest.raises(ConfigurationError, match=r"move that folder away, or choose.* --data"):
        await Database.open(tmp_path / "b.db", schema=schema, read_only=read_only)

    assert (tmp_path / "b.db").read_bytes() == before


async def test_what_is_deleted_is_gone_from_every_file(tmp_path: Path) -> None:
    secret = b"a very private sentence " * 300
    opened = await Database.open(tmp_path / "b.db", schema=("CREATE TABLE t (x BLOB) STRICT;",))
    async with opened.transaction() as connection:
        await connection.execute("INSERT INTO t VALUES (?)", (secret,))
    assert _anywhere(tmp_path, secret[:20])

    async with opened.transaction() as connection:
        await connection.execute("DELETE FROM t")
    emptied = await opened.truncate_wal()

    assert emptied
    assert not _anywhere(tmp_path, secret[:20])
    await opened.close()


def _anywhere(folder: Path, words: bytes) -> bool:
    return any(words in path.read_bytes() for path in folder.iterdir())


@pytest.mark.parametrize(
    "content", [b"no database at all, " * 100, b"SQLite format 3\x00" + b"\xff" * 4000]
)
async def test_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.db").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"b\.db"):
        await Database.open(tmp_path / "b.db", schema=SCHEMA)


async def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Can't open"):
        await Database.open(tmp_path / "none" / "b.db", schema=SCHEMA)


async def test_read_only_neither_creates_nor_writes(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        await Database.open(tmp_path / "b.db", schema=(), read_only=True)
    writer = await Database.open(tmp_path / "b.db", schema=SCHEMA)
    reader = await Database.open(tmp_path / "b.db", schema=(), read_only=True)

    with pytest.raises(StoreBusyError):
        await _append(reader)
    await _append(writer)

    assert await _count(reader) == 1
    await reader.close()
    await writer.close()


async def test_other_process_that_holds_the_file_makes_it_busy_and_then_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 20)
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)
    other = sqlite3.connect(tmp_path / "b.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreBusyError):
        await _append(opened)
    other.execute("ROLLBACK")
    other.close()
    await _append(opened)

    assert await _count(opened) == 1
    await opened.close()


async def test_full_disk_is_busy_and_loses_nothing(tmp_path: Path) -> None:
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)
    await _append(opened)
    async with opened.reading() as connection, connection.execute("PRAGMA page_count") as cursor:
        pages = (await cursor.fetchone() or (0,))[0]
    await opened._connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StoreBusyError, match="full"):
        async with SqliteStore(opened).transaction() as tx:
            await append_leaf(tx, bytes(100_000))

    assert await _count(opened) == 1
    await opened._connection.execute("PRAGMA max_page_count = 100000")
    await _append(opened)
    await opened.close()


@pytest.mark.parametrize("delay_ms", [0, 0.1, 0.3, 1, 3])
async def test_cancelled_readers_and_writers_leave_the_connection_free(
    tmp_path: Path, delay_ms: float
) -> None:
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)
    for work in (_append, _count):
        for _ in range(10):
            task = asyncio.ensure_future(work(opened))
            await asyncio.sleep(delay_ms / 1000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    before = await _count(opened)
    await _append(opened)

    assert isinstance(before, int)
    assert await _count(opened) == before + 1
    await opened.close()


async def test_who_is_cancelled_twice_leaves_no_open_transaction(tmp_path: Path) -> None:
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)

    async def write() -> None:
        async with opened.transaction() as connection:
            await connection.execute("INSERT INTO log_leaves VALUES (1000, x'00')")
            await asyncio.sleep(10)

    for _ in range(20):
        task = asyncio.ensure_future(write())
        await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await _append(opened)  # begins as soon as the lock is free
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await _count(opened) == 20
    await opened.close()


async def test_waiting_for_another_process_stops_nobody_else(tmp_path: Path) -> None:
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)
    other = sqlite3.connect(tmp_path / "b.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.ensure_future(_append(opened))

    await asyncio.sleep(0.1)  # comes back only if the loop runs
    waited = not writing.done()
    other.execute("ROLLBACK")
    await writing

    assert waited
    assert await _count(opened) == 1
    other.close()
    await opened.close()


async def test_file_that_was_never_begun_is_not_opened_for_reading(tmp_path: Path) -> None:
    (tmp_path / "b.db").touch()

    with pytest.raises(ConfigurationError, match="empty"):
        await Database.open(tmp_path / "b.db", schema=(), read_only=True)


async def test_schema_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    broken = ("CREATE TABLE good (x) STRICT;", "CREATE TABLE bad (x INTEGER) STRICT; nonsense;")

    with pytest.raises(ConfigurationError):
        await Database.open(tmp_path / "b.db", schema=broken)
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)

    async with opened.reading() as connection:
        names = await connection.execute_fetchall("SELECT name FROM sqlite_schema")
    await opened.close()
    assert ("good",) not in {tuple(row) for row in names}


async def test_damaged_file_is_a_broken_invariant_and_no_driver_error_leaves(
    tmp_path: Path,
) -> None:
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)
    for _ in range(40):
        await _append(opened)
    await opened.close()
    _damage(tmp_path / "b.db")
    opened = await Database.open(tmp_path / "b.db", schema=(), read_only=True)

    with pytest.raises(InvariantError, match="damaged"):
        await _read_everything(opened)
    await opened.close()


def _damage(path: Path) -> None:
    """Overwrite the first page of the table of leaves."""
    connection = sqlite3.connect(path)
    query = "SELECT rootpage FROM sqlite_schema WHERE name = 'log_leaves'"
    (page,) = connection.execute(query).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = b"\xa5" * size
    path.write_bytes(bytes(data))


async def _read_everything(database: Database) -> None:
    await SqliteAuditReader(database).read_all()
