"""Single SQL statements on an open transaction's connection.

Each is one trip to the connection's thread: trips, and not SQLite, are what a statement costs.
"""

from collections.abc import Mapping, Sequence

import aiosqlite

from adapters.sqlite import rows
from bot.domain.errors import InvariantError


class Statements:
    """What the tables' operations are made of; lives as long as its transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def all(self, sql: str, *values: object) -> list[rows.Row]:
        """Return every row."""
        return [tuple(row) for row in await self._connection.execute_fetchall(sql, values)]

    async def one(self, sql: str, *values: object) -> rows.Row | None:
        """Return the first row; None where there is none."""
        found = await self.all(sql, *values)
        return found[0] if found else None

    async def integer(self, sql: str, *values: object) -> int:
        """Return the first column of the first row as an integer, 0 where there is none."""
        row = await self.one(sql, *values)
        found = row[0] if row else 0
        return found if isinstance(found, int) else 0

    async def blobs(self, sql: str, *values: object) -> list[bytes]:
        """Return the first column of every row, which holds bytes."""
        return [rows.blob(row[0]) for row in await self.all(sql, *values)]

    async def insert(self, table: str, *records: Mapping[str, object]) -> None:
        """Insert records that all have the same columns."""
        if not records:
            return
        first = records[0]
        marks = ", ".join("?" * len(first))
        # Table and column names are literals of this package; every value is bound.
        sql = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({marks})"  # noqa: S608
        await self.many(sql, [tuple(record.values()) for record in records])

    async def many(self, sql: str, values: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each set of values."""
        await self._connection.executemany(sql, values)

    async def change_one(self, sql: str, *values: object) -> None:
        """Run an UPDATE that has to change exactly one row.

        Raises:
            InvariantError: it changed none or several.
        """
        if len(await self.all(f"{sql} RETURNING 1", *values)) != 1:
            raise InvariantError("a state was changed twice or does not exist")
