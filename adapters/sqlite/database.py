"""One SQLite file, one writer: who may write, how a transaction begins, commits and fails.

Two coroutines on one connection would share one transaction, so all work on the connection goes
through `transaction()` and `reading()`, one at a time (`turns`). Writers that wait for each other
share one COMMIT, which is one write to the disk. Durability: WAL with synchronous=FULL, so a
transaction that returned is on disk, and one that did not is there whole or not at all.

What waits for a disk or another process (COMMIT, a BEGIN that finds the file locked, long reads)
runs in the connection's thread. A look-up by key, or a write that COMMIT makes durable, takes less
time than the way to that thread and back: it runs at once, by `raw_of`.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiosqlite

from adapters.sqlite.tables import look_into, prepare_tables
from adapters.sqlite.turns import Group, Turns
from bot.domain.errors import (
    BotError,
    ConfigurationError,
    InvariantError,
    OutcomeUnknownError,
    StoreBusyError,
)

_T = TypeVar("_T")
BUSY_TIMEOUT_MS = 5_000
SCHEMA_VERSION = 4  # of all tables together; 4: payers, rate tables, credit of fans


def raw_of(connection: aiosqlite.Connection) -> sqlite3.Connection:
    """Return the connection for statements that run at once, in the caller's thread.

    Only for whoever holds the transaction, with nothing of theirs under way in the thread.
    """
    return connection._conn  # noqa: SLF001 - aiosqlite offers no way past its thread


class Database:
    """An open SQLite file; `transaction()` is the only door to it.

    The connection is owned by whoever has the turn; nobody keeps a cursor past it.
    """

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._turns = Turns(self._commit)

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
            tables, version = await look_into(connection)
            if not read_only and (not tables or version == expected):
                await prepare_tables(connection, schema, version=0 if tables else expected)
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

        Blocks that wait for each other share a COMMIT, each inside a savepoint: one that fails is
        undone alone, and none has ended before the shared commit has. If that fails, or SQLite had
        to end the transaction by itself, nothing of any member is there, and each is told.

        Whoever is cancelled in the block is undone; whoever is cancelled after it, while the commit
        is under way, hears of that when it is over, and may be there.

        Raises:
            StoreBusyError: another process holds the database, or the disk is full.
            InvariantError: the file is damaged.
        """
        async with self._turns.joining():
            group = self._turns.group
            try:
                if group is None:
                    # Whoever is cancelled while it begins leaves an open transaction.
                    await self._begin()
                    group = self._turns.group = Group()
                else:
                    raw_of(self._connection).execute("SAVEPOINT member")
                yield self._connection
                if group.members:
                    raw_of(self._connection).execute("RELEASE member")
            except BaseException as error:
                await self._undo(group)
                explained = _explained(error, "written")
                if explained is None:
                    raise
                raise explained from error
            group.members += 1
        await group.wait()

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

    async def _undo(self, group: Group | None) -> None:
        """Take back what one member did, behind whatever of it is still under way in the thread.

        The group goes on without it. It is over if nobody else is in it, or if SQLite has ended the
        transaction (a full disk does that): then the work of all of them is gone.
        """
        raw = raw_of(self._connection)

        def undo() -> None:
            if group is not None and group.members and raw.in_transaction:
                with suppress(sqlite3.Error):
                    raw.execute("ROLLBACK TO member")
                    raw.execute("RELEASE member")
                    return
            raw.rollback()

        try:
            await _to_its_end(self._in_thread(undo))
        finally:
            if not raw.in_transaction:
                self._turns.group = None
                if group is not None:
                    group.end(StoreBusyError("the database went back to before this was written"))

    async def _commit(self, group: Group) -> None:
        """Make a group's work durable, or tell each of its members that none of it is there."""
        raw = raw_of(self._connection)
        try:
            await _to_its_end(self._in_thread(lambda: raw.execute("COMMIT")))
        except sqlite3.Error as error:
            await self._roll_back()
            group.end(_explained(error, "written") or InvariantError(str(error)))
        except BaseException:  # the loop ends; so do the members
            await self._roll_back()
            group.end(OutcomeUnknownError("the program ended while this was written"))
            raise
        else:
            group.end()

    async def _in_thread(self, job: Callable[[], _T]) -> _T:
        done: _T = await self._connection._execute(job)  # type: ignore[no-untyped-call]  # noqa: SLF001
        return done

    async def _roll_back(self) -> None:
        """End the transaction behind whatever is still under way in the thread."""
        await _to_its_end(self._connection.rollback())

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[aiosqlite.Connection]:
        """Run the block against one consistent snapshot, without writing.

        It stands between two groups of writers: what is not durable yet is not seen.

        Raises:
            StoreBusyError: the file can't be read now.
            InvariantError: the file is damaged.
        """
        async with self._turns.alone():
            raw = raw_of(self._connection)
            try:
                raw.execute("BEGIN")  # takes no lock and waits for nobody
                yield self._connection
                raw.rollback()
            except BaseException as error:
                await self._roll_back()
                explained = _explained(error, "read")
                if explained is None:
                    raise
                raise explained from error

    async def truncate_wal(self) -> bool:
        """Empty the write-ahead log, in which deleted rows may still lie; return whether it is.

        False while another process reads: what was deleted goes with a later try, or at the close.
        """
        async with self._turns.alone():
            found = await self._connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            return all(row[0] == 0 for row in found)

    async def rewrite(self, *, max_bytes: int | None = None) -> bool:
        """Write the whole file anew, so that no deleted byte is left in it; return whether it is.

        `secure_delete` overwrites what is deleted, but not the copies of rows that SQLite leaves in
        the unused parts of a page when it splits one.

        Args:
            max_bytes: do nothing to a larger file: it would keep everybody waiting.
        """
        async with self._turns.alone():
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
        async with self._turns.alone():
            await self._connection.close()


async def _to_its_end(work: Coroutine[None, None, _T]) -> _T:
    """Wait for work in the thread, also for whoever is cancelled meanwhile: the next one begins."""
    running = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    result = running.result()
    if cancelled is not None:
        raise cancelled
    return result


def _explained(error: BaseException, what: str) -> BotError | None:
    """Return the error of ours that a driver's error is, if it is one that says so."""
    if isinstance(error, sqlite3.OperationalError):
        return StoreBusyError(f"the database can't be {what} now: {error}")
    if type(error) is sqlite3.DatabaseError:
        return InvariantError(f"the database is damaged: {error}")
    return None
