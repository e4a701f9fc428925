"""Single SQL statements on an open transaction's connection.

Those that touch a few rows run at once: the way to the connection's thread and back costs several
times what SQLite needs for them. What may read many rows runs in the thread.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import aiosqlite

from adapters.sqlite import rows
from adapters.sqlite.database import raw_of
from bot.domain.errors import InvariantError

_T = TypeVar("_T")


class Statements:
    """What the tables' operations are made of; lives as long as its transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._raw = raw_of(connection)

    async def work(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run several statements in the connection's thread, in one trip."""
        run = self._connection._execute  # noqa: SLF001 - as `raw_of`
        done: _T = await run(job, self._raw)  # type: ignore[no-untyped-call]
        return done

    async def all(self, sql: str, *values: object) -> list[rows.Row]:
        """Return every row, of any number: in the thread."""
        return await self.work(lambda raw: raw.execute(sql, values).fetchall())

    async def total(self, sql: str, *values: object) -> int:
        """Return a number that SQLite makes of many rows: in the thread."""
        return _integer(await self.all(sql, *values))

    async def blobs(self, sql: str, *values: object) -> list[bytes]:
        """Return the first column of every row, which holds bytes: in the thread."""
        return [rows.blob(row[0]) for row in await self.all(sql, *values)]

    async def few(self, sql: str, *values: object) -> list[rows.Row]:
        """Return every row, where an index leads to a few: at once."""
        return self._raw.execute(sql, values).fetchall()

    async def one(self, sql: str, *values: object) -> rows.Row | None:
        """Return the first row, which an index leads to; None where there is none: at once."""
        row: rows.Row | None = self._raw.execute(sql, values).fetchone()
        return row

    async def integer(self, sql: str, *values: object) -> int:
        """Return the first column of such a row as an integer, 0 where there is none: at once."""
        return _integer(await self.few(sql, *values))

    async def insert(self, table: str, *records: Mapping[str, object]) -> None:
        """Insert records that all have the same columns: at once."""
        if not records:
            return
        first = records[0]
        marks = ", ".join("?" * len(first))
        # Table and column names are literals of this package; every value is bound.
        sql = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({marks})"  # noqa: S608
        await self.many(sql, [tuple(record.values()) for record in records])

    async def many(self, sql: str, values: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each of a few sets of values: at once."""
        self._raw.executemany(sql, values)

    async def change(self, sql: str, *values: object) -> int:
        """Run a statement that changes a few rows; return how many: at once."""
        return self._raw.execute(sql, values).rowcount

    async def change_one(self, sql: str, *values: object) -> None:
        """Run an UPDATE that has to change exactly one row: at once.

        Raises:
            InvariantError: it changed none or several.
        """
        if await self.change(sql, *values) != 1:
            raise InvariantError("a state was changed twice or does not exist")


def _integer(found: list[rows.Row]) -> int:
    first = found[0][0] if found else 0
    return first if isinstance(first, int) else 0
