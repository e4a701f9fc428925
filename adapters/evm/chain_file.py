"""The embedded chain's SQLite file: a key-value table under py-evm, and a few facts of its own.

py-evm writes many keys for a block. They reach the file in one transaction per block, so that a
process killed at any point leaves the chain at a whole block: the one before or the one after.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from eth.db.atomic import AtomicDBWriteBatch
from eth.db.backends.base import BaseAtomicDB

from bot.domain.errors import ConfigurationError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS chain_state (key BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS chain_facts (name TEXT PRIMARY KEY, fact BLOB NOT NULL) STRICT;
"""


class ChainFile(BaseAtomicDB):  # type: ignore[misc]  # py-evm is imported untyped
    """py-evm's database over one SQLite connection; used by one thread only.

    A write outside `transaction()` is a transaction of its own.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> "ChainFile":
        """Open or create the file for writing.

        Raises:
            ConfigurationError: it can't be opened or is not a database.
        """
        try:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise ConfigurationError(f"Can't open the embedded chain {path}: {error}.") from error
        return cls(connection)

    @classmethod
    def open_snapshot(cls, path: Path) -> "ChainFile":
        """Copy the file as it is now into memory; the file may be in use by another process.

        Raises:
            ConfigurationError: there is no such chain.
        """
        copy = sqlite3.connect(":memory:", isolation_level=None)
        try:
            source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            try:
                source.backup(copy)
            finally:
                source.close()
            copy.executescript(_SCHEMA)  # a chain that was killed before its first block has none
        except sqlite3.Error as error:
            copy.close()
            raise ConfigurationError(f"Can't read the embedded chain {path}: {error}.") from error
        return cls(copy)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all writes of the block durable together, or none of them."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def fact(self, name: str) -> bytes | None:
        """Return a stored fact about the chain."""
        row = self._connection.execute(
            "SELECT fact FROM chain_facts WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else cast("bytes", row[0])

    def set_fact(self, name: str, fact: bytes) -> None:
        """Store a fact that will never change."""
        self._connection.execute("INSERT INTO chain_facts VALUES (?, ?)", (name, fact))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __getitem__(self, key: bytes) -> bytes:
        row = self._connection.execute(
            "SELECT content FROM chain_state WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            raise KeyError(key)
        return cast("bytes", row[0])

    def __setitem__(self, key: bytes, content: bytes) -> None:
        self._connection.execute("INSERT OR REPLACE INTO chain_state VALUES (?, ?)", (key, content))

    def __delitem__(self, key: bytes) -> None:
        if self._connection.execute("DELETE FROM chain_state WHERE key = ?", (key,)).rowcount == 0:
            raise KeyError(key)

    def _exists(self, key: bytes) -> bool:
        row = self._connection.execute("SELECT 1 FROM chain_state WHERE key = ?", (key,)).fetchone()
        return row is not None

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicDBWriteBatch]:
        """Collect writes and apply them together (py-evm's own batching)."""
        with AtomicDBWriteBatch._commit_unless_raises(self) as batch:  # noqa: SLF001 - as AtomicDB
            yield batch
