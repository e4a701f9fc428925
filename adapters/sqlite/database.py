"""One SQLite file, one writer: who may write, how a transaction begins, commits and fails.

Two coroutines on one connection would share one transaction, so all work on the connection goes
through `transaction()`, which holds a lock from BEGIN to COMMIT. Durability: WAL with
synchronous=FULL, so a transaction that returned is on disk, and one that did not is not there.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiosqlite

from bot.domain.errors import ConfigurationError, InvariantError, StoreBusyError

BUSY_TIMEOUT_MS = 5_000


class Database:
    """An open SQLite file; `transaction()` is the only door to it.

    The connection is owned by whoever holds `_lock`; nobody keeps a cursor past it.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    @classmethod
    async def open(
        cls, path: Path, *, schema: Sequence[str], read_only: bool = False
    ) -> "Database":
        """Open or create the file and bring every schema script up (`CREATE … IF NOT EXISTS`).

        The scripts are one transaction: a process killed meanwhile leaves no tables or all.

        Raises:
            ConfigurationError: the file cannot be opened, is not a database or, read only, is one
                that was never begun.
        """
        uri = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rwc'}"
        connecting = aiosqlite.connect(uri, uri=True, isolation_level=None)
        try:
            connection = await connecting
        except sqlite3.Error as error:
            # Its thread still has to report its end to this loop, which may close before that.
            await asyncio.to_thread(connecting._thread.join)  # noqa: SLF001
            raise ConfigurationError(f"Can't open the database {path}: {error}.") from error
        try:
            await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            await connection.execute("PRAGMA foreign_keys = ON")
            if not read_only:
                await connection.execute("PRAGMA journal_mode = WAL")
                await connection.execute("PRAGMA synchronous = FULL")
                await connection.executescript("\n".join(("BEGIN IMMEDIATE;", *schema, "COMMIT;")))
            tables = await connection.execute_fetchall("SELECT 1 FROM sqlite_schema LIMIT 1")
        except sqlite3.Error as error:
            await connection.close()
            raise ConfigurationError(f"The database {path} can't be used: {error}.") from error
        if read_only and not tables:
            await connection.close()
            raise ConfigurationError(f"The database {path} is empty: nothing was begun in it yet.")
        return cls(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Run the block in one transaction: all of it is durable when the block ends, or none.

        Raises:
            StoreBusyError: another process holds the database, or the disk is full.
            InvariantError: the file is damaged.
        """
        async with self._lock:
            try:
                # Whoever is cancelled while it begins leaves an open transaction: it ends below.
                await self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                await self._connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                await self._connection.rollback()
                raise StoreBusyError(f"the database can't be written now: {error}") from error
            except BaseException as error:
                await self._connection.rollback()
                if type(error) is sqlite3.DatabaseError:
                    raise InvariantError(f"the database is damaged: {error}") from error
                raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[aiosqlite.Connection]:
        """Run the block against one consistent snapshot, without writing.

        Raises:
            StoreBusyError: the file can't be read now.
            InvariantError: the file is damaged.
        """
        async with self._lock:
            try:
                await self._connection.execute("BEGIN")
                yield self._connection
            except sqlite3.OperationalError as error:
                raise StoreBusyError(f"the database can't be read now: {error}") from error
            except sqlite3.DatabaseError as error:
                raise InvariantError(f"the database is damaged: {error}") from error
            finally:
                await self._connection.rollback()

    async def close(self) -> None:
        """Close the connection after the transaction in progress, if there is one."""
        async with self._lock:
            await self._connection.close()
