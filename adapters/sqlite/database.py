"""One SQLite file, one writer: who may write, how a transaction begins, commits and fails.

Two coroutines on one connection would share one transaction, so all work on the connection goes
through `transaction()`, which holds a lock from BEGIN to COMMIT. Durability: WAL with
synchronous=FULL, so a transaction that returned is on disk, and one that did not is not there.

What waits for a disk or another process (COMMIT, a BEGIN that finds the file locked, long reads)
runs in the connection's thread. A look-up by key, or a write that COMMIT makes durable, takes less
time than the way to that thread and back: it runs at once, by `raw_of`.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import aiosqlite

from bot.domain.errors import ConfigurationError, InvariantError, StoreBusyError

BUSY_TIMEOUT_MS = 5_000
SCHEMA_VERSION = 2  # of all tables together; development versions before it had none


def raw_of(connection: aiosqlite.Connection) -> sqlite3.Connection:
    """Return the connection for statements that run at once, in the caller's thread.

    Only for whoever holds the transaction, with nothing of theirs under way in the thread.
    """
    return connection._conn  # noqa: SLF001 - aiosqlite offers no way past its thread


class Database:
    """An open SQLite file; `transaction()` is the only door to it.

    The connection is owned by whoever holds `_lock`; nobody keeps a cursor past it.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        schema: Sequence[str],
        read_only: bool = False,
        expected: int = SCHEMA_VERSION,
    ) -> "Database":
        """Open or create the file and bring every schema script up (`CREATE … IF NOT EXISTS`).

        `expected` is the version of the file's tables: a file that is no book has one of its own.

        The scripts are one transaction: a process killed meanwhile leaves no tables or all.

        Raises:
            ConfigurationError: the file cannot be opened, is not a database, was made by another
                version or, read only, was never begun.
        """
        uri = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rwc'}"
        # Two threads use it, one after the other: whoever holds the lock, and aiosqlite's for them.
        connecting = aiosqlite.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection = await connecting
        except sqlite3.Error as error:
            # Its thread still has to report its end to this loop, which may close before that.
            await asyncio.to_thread(connecting._thread.join)  # noqa: SLF001
            raise ConfigurationError(f"Can't open the database {path}: {error}.") from error
        try:
            await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            await connection.execute("PRAGMA foreign_keys = ON")
            tables, version = await _look(connection)
            if not read_only and (not tables or version == expected):
                await _prepare(connection, schema, version=0 if tables else expected)
        except sqlite3.Error as error:
            await connection.close()
            raise ConfigurationError(f"The database {path} can't be used: {error}.") from error
        if tables and version != expected:
            await connection.close()
            raise ConfigurationError(
                f"The data in {path.parent} was made by another version of this program: move that "
                "folder away, or choose another one with --data."
            )
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
                await self._begin()
                yield self._connection
                await self._connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                await self._roll_back()
                raise StoreBusyError(f"the database can't be written now: {error}") from error
            except BaseException as error:
                await self._roll_back()
                if type(error) is sqlite3.DatabaseError:
                    raise InvariantError(f"the database is damaged: {error}") from error
                raise

    async def _begin(self) -> None:
        """Take the file's write lock: at once if it is free, else wait for it in the thread."""
        raw = raw_of(self._connection)
        raw.execute("PRAGMA busy_timeout = 0")
        try:
            raw.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            await self._connection.execute("BEGIN IMMEDIATE")
        else:
            raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    async def _roll_back(self) -> None:
        """End the transaction behind whatever is still under way in the thread.

        It is waited for in any case: the next transaction begins at once.
        """
        ending = asyncio.ensure_future(self._connection.rollback())
        try:
            await asyncio.shield(ending)
        finally:
            while not ending.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([ending])

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[aiosqlite.Connection]:
        """Run the block against one consistent snapshot, without writing.

        Raises:
            StoreBusyError: the file can't be read now.
            InvariantError: the file is damaged.
        """
        async with self._lock:
            raw = raw_of(self._connection)
            try:
                raw.execute("BEGIN")  # takes no lock and waits for nobody
                yield self._connection
                raw.rollback()
            except BaseException as error:
                await self._roll_back()
                if isinstance(error, sqlite3.OperationalError):
                    raise StoreBusyError(f"the database can't be read now: {error}") from error
                if isinstance(error, sqlite3.DatabaseError):
                    raise InvariantError(f"the database is damaged: {error}") from error
                raise

    async def truncate_wal(self) -> bool:
        """Empty the write-ahead log, in which deleted rows may still lie; return whether it is.

        False while another process reads: what was deleted goes with a later try, or at the close.
        """
        async with self._lock:
            found = await self._connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            return all(row[0] == 0 for row in found)

    async def rewrite(self, *, max_bytes: int | None = None) -> bool:
        """Write the whole file anew, so that no deleted byte is left in it; return whether it is.

        `secure_delete` overwrites what is deleted, but not the copies of rows that SQLite leaves in
        the unused parts of a page when it splits one.

        Args:
            max_bytes: do nothing to a larger file: it would keep everybody waiting.
        """
        async with self._lock:
            (size,) = await self._connection.execute_fetchall(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            )
            if max_bytes is not None and size[0] > max_bytes:
                return False
            # A copy of everything passes by; a small one does not touch a disk.
            where = "FILE" if max_bytes is None else "MEMORY"
            await self._connection.execute(f"PRAGMA temp_store = {where}")
            try:
                await self._connection.execute("VACUUM")
            except sqlite3.OperationalError:
                return False
        return await self.truncate_wal()

    async def close(self) -> None:
        """Close the connection after the transaction in progress, if there is one."""
        async with self._lock:
            await self._connection.close()


async def _look(connection: aiosqlite.Connection) -> tuple[bool, int]:
    """Return whether there are tables, and the version that they were made with."""
    tables = await connection.execute_fetchall("SELECT 1 FROM sqlite_schema LIMIT 1")
    versions = await connection.execute_fetchall("PRAGMA user_version")
    return bool(list(tables)), next(iter(versions))[0]


async def _prepare(
    connection: aiosqlite.Connection, schema: Sequence[str], *, version: int
) -> None:
    """Make the file durable and its tables complete; what is deleted is overwritten.

    The version is written into a new file alone (0: none): it would change the others each time.
    """
    await connection.execute("PRAGMA journal_mode = WAL")
    await connection.execute("PRAGMA synchronous = FULL")
    await connection.execute("PRAGMA secure_delete = ON")
    stamp = f"PRAGMA user_version = {version};" if schema and version else ""
    script = ("BEGIN IMMEDIATE;", *schema, stamp, "COMMIT;")
    await connection.executescript("\n".join(script))
