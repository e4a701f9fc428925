"""Writers that wait for each other share one commit: what of that anybody may see, and when."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import aiosqlite
import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.turns import Group
from bot.domain.errors import StoreBusyError

SCHEMA = ("CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, y BLOB) STRICT;",)
WRITERS_THAT_NEVER_STOP = """
import asyncio, sys
from pathlib import Path
from adapters.sqlite.database import Database

async def write(database, number):
    at = number * 1_000_000
    while True:
        async with database.transaction() as connection:
            for part in (0, 1):  # a pair, which no crash may part
                await connection.execute("INSERT INTO t VALUES (?, x'00')", (2 * at + part,))
        print(2 * at, flush=True)
        at += 1

async def main():
    database = await Database.open(Path(sys.argv[1]), schema=())
    await asyncio.gather(*(write(database, number) for number in range(1, 33)))

asyncio.run(main())
"""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "b.db", schema=SCHEMA)
    yield opened
    await opened.close()


async def _insert(database: Database, number: int, then: BaseException | None = None) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO t VALUES (?, x'00')", (number,))
        if then is not None:
            raise then


async def _one(connection: aiosqlite.Connection, sql: str) -> object:
    return next(iter(await connection.execute_fetchall(sql)))[0]


async def _rows(database: Database) -> list[int]:
    async with database.reading() as connection:
        found = await connection.execute_fetchall("SELECT x FROM t ORDER BY x")
    return [row[0] for row in found]


def _count_commits(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of groups as they are committed from here on."""
    sizes: list[int] = []
    real = database._turns._end

    async def end(group: Group) -> None:
        sizes.append(group.members)
        await real(group)

    monkeypatch.setattr(database._turns, "_end", end)
    return sizes


async def test_writers_that_wait_share_one_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = _count_commits(database, monkeypatch)

    await asyncio.gather(*(_insert(database, number) for number in range(40)))

    assert sizes == [40]
    assert await _rows(database) == list(range(40))


async def test_one_that_fails_is_undone_alone_wherever_it_stands(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = _count_commits(database, monkeypatch)
    for failing in (0, 3, 7):
        base = 10 * failing
        done = await asyncio.gather(
            *(
                _insert(database, base + at, ValueError("no") if at == failing else None)
                for at in range(8)
            ),
            return_exceptions=True,
        )
        assert [at for at, one in enumerate(done) if one is not None] == [failing]

    expected = [10 * f + at for f in (0, 3, 7) for at in range(8) if at != f]
    assert await _rows(database) == sorted(expected)
    assert sizes == [7, 7, 7]


async def test_member_sees_what_those_before_it_did_and_nobody_else_does(
    database: Database, tmp_path: Path
) -> None:
    seen: list[object] = []

    async def look() -> None:
        async with database.transaction() as connection:
            seen.append(await _one(connection, "SELECT COUNT(*) FROM t"))
            other = sqlite3.connect(tmp_path / "b.db")
            seen.append(other.execute("SELECT COUNT(*) FROM t").fetchone()[0])
            other.close()

    reading = []

    async def read() -> None:
        reading.append(await _rows(database))

    await asyncio.gather(_insert(database, 1), _insert(database, 2), look(), read())

    assert seen == [2, 0]
    assert reading == [[1, 2]]


async def test_nobody_is_told_before_the_shared_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    counts = []
    real = database._turns._end

    async def end(group: Group) -> None:
        await asyncio.sleep(0.02)
        counts.append(len(told))
        await real(group)

    monkeypatch.setattr(database._turns, "_end", end)

    async def write(number: int) -> None:
        await _insert(database, number)
        told.append(number)

    await asyncio.gather(*(write(number) for number in range(5)))

    assert counts == [0]
    assert sorted(told) == [0, 1, 2, 3, 4]


class _Refusing:
    """The driver's connection, which refuses to commit."""

    def __init__(self, real: sqlite3.Connection, error: sqlite3.Error) -> None:
        self._real, self._error = real, error

    def execute(self, sql: str, *values: object) -> object:
        if sql == "COMMIT":
            raise self._error
        return self._real.execute(sql, *values)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


async def test_commit_that_fails_is_told_to_every_member_and_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = database._connection._conn
    assert real is not None
    refusing = _Refusing(real, sqlite3.OperationalError("disk I/O error"))
    monkeypatch.setattr(database._connection, "_connection", refusing)
    done = await asyncio.gather(
        *(_insert(database, number) for number in range(6)), return_exceptions=True
    )
    monkeypatch.undo()

    assert [type(one) for one in done] == [StoreBusyError] * 6
    assert all("disk I/O error" in str(one) for one in done)
    assert await _rows(database) == []
    await _insert(database, 1)
    assert await _rows(database) == [1]


async def test_full_disk_takes_the_whole_group_and_each_is_told(database: Database) -> None:
    await _insert(database, 0)
    async with database.reading() as connection:
        pages = await _one(connection, "PRAGMA page_count")
    await database._connection.execute(f"PRAGMA max_page_count = {pages}")

    async def write_much() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (9, zeroblob(100000))")

    done = await asyncio.gather(
        _insert(database, 1), write_much(), _insert(database, 2), return_exceptions=True
    )
    told = [type(one) is StoreBusyError for one in done]
    rows = await _rows(database)

    assert told[1]
    # Whoever was told nothing is there, and nobody else.
    assert rows == [0, *(at for at, lost in ((1, told[0]), (2, told[2])) if not lost)]


async def test_waiting_member_that_is_cancelled_hears_of_it_after_the_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = asyncio.Event()
    real = database._turns._end

    async def end(group: Group) -> None:
        await let_go.wait()
        await real(group)

    monkeypatch.setattr(database._turns, "_end", end)
    tasks = [asyncio.create_task(_insert(database, number)) for number in range(3)]
    await asyncio.sleep(0.02)

    tasks[1].cancel()
    await asyncio.sleep(0.02)
    waits = not tasks[1].done()
    let_go.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)

    assert waits
    assert [type(one) for one in done] == [type(None), asyncio.CancelledError, type(None)]
    assert await _rows(database) == [0, 1, 2]


@pytest.mark.parametrize("which", range(4))
async def test_cancelled_in_its_block_or_before_it_is_undone_alone(
    database: Database, which: int
) -> None:
    async def write(number: int) -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (?, x'00')", (number,))
            await asyncio.sleep(0.002)

    tasks = [asyncio.create_task(write(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[which].cancel()
    await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [at == which for at in range(4)]
    assert await _rows(database) == [at for at in range(4) if at != which]


async def test_readers_and_writers_all_get_their_turn(database: Database) -> None:
    async def write(base: int) -> None:
        for number in range(20):
            await _insert(database, base + number)

    async def read() -> list[list[int]]:
        return [await _rows(database) for _ in range(20)]

    async with asyncio.timeout(20):
        done = await asyncio.gather(
            *(write(100 * k) for k in range(8)), *(read() for _ in range(8))
        )

    for seen in (one for one in done if one is not None):
        assert all(set(a) <= set(b) for a, b in pairwise(seen))
    assert len(await _rows(database)) == 160


async def test_group_does_not_stay_open_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = _count_commits(database, monkeypatch)

    async def write(number: int) -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO t VALUES (?, x'00')", (number,))
            await asyncio.sleep(0.03)

    await asyncio.gather(*(write(number) for number in range(6)))

    assert max(sizes) <= 3
    assert sum(sizes) == 6


def test_killed_in_the_middle_of_load_loses_nothing_acknowledged_and_parts_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "b.db"

    async def make() -> None:
        await (await Database.open(path, schema=SCHEMA)).close()

    asyncio.run(make())
    child = subprocess.Popen(
        [sys.executable, "-c", WRITERS_THAT_NEVER_STOP, str(path)], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(300)]
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.readlines()
    child.stdout.close()
    child.wait()

    told = {int(line) for line in lines if line.endswith(b"\n")}
    kept = {row[0] for row in sqlite3.connect(path).execute("SELECT x FROM t")}
    assert len(told) >= 300
    assert told <= kept
    assert all(number ^ 1 in kept for number in kept)


async def test_statement_under_way_when_cancelled_does_not_end_up_in_the_next_member(
    database: Database,
) -> None:
    async def slow(connection: aiosqlite.Connection) -> None:
        await connection.execute(
            "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n "
            "WHERE i < 200000) SELECT i, x'00' FROM n"
        )

    async def write() -> None:
        async with database.transaction() as connection:
            await slow(connection)

    first = asyncio.create_task(_insert(database, 1))
    second = asyncio.create_task(write())
    third = asyncio.create_task(_insert(database, 3))
    await asyncio.sleep(0.01)
    second.cancel()
    done = await asyncio.gather(first, second, third, return_exceptions=True)

    assert isinstance(done[1], asyncio.CancelledError)
    assert await _rows(database) == [1, 3]


def test_program_that_ends_under_load_does_not_hang(tmp_path: Path) -> None:
    async def leave(rounds: int) -> None:
        database = await Database.open(tmp_path / "b.db", schema=SCHEMA)
        tasks = [asyncio.create_task(_insert(database, 100 * rounds + n)) for n in range(20)]
        for _ in range(rounds):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()  # what `asyncio.run` does with those that are left
        async with asyncio.timeout(10):
            await asyncio.wait(tasks)
            await _insert(database, 100 * rounds + 99)
            await database.close()

    for rounds in range(60):
        asyncio.run(leave(rounds))

    kept = {row[0] for row in sqlite3.connect(tmp_path / "b.db").execute("SELECT x FROM t")}
    assert {100 * rounds + 99 for rounds in range(60)} <= kept
