"""A monitor's memory of one log, in one SQLite file."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from adapters.sqlite.statements import Statements
from bot.crypto.merkle import Node
from bot.domain.errors import InvariantError
from bot.ports.monitor import (
    MonitorState,
    MonitorTransaction,
    Position,
    SeenAttempt,
    SeenRates,
    SeenReply,
    SeenTwin,
    SeenVersion,
    StoredFinding,
)

VERSION = 2
_HASH_BYTES = 32
SCHEMA = """
CREATE TABLE IF NOT EXISTS position (
  id INTEGER PRIMARY KEY CHECK (id = 1), head TEXT NOT NULL, size INTEGER NOT NULL,
  frontier BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS attempts (
  slot_tag BLOB NOT NULL, idx INTEGER NOT NULL, attempt INTEGER NOT NULL, receipt BLOB,
  twin BLOB NOT NULL, void INTEGER, PRIMARY KEY (slot_tag, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replies (
  receipt BLOB PRIMARY KEY, idx INTEGER NOT NULL, twin BLOB NOT NULL, manifest BLOB NOT NULL,
  outcomes BLOB NOT NULL, against INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twins (
  prefix BLOB PRIMARY KEY, twin BLOB NOT NULL, creator TEXT NOT NULL, names TEXT NOT NULL,
  orders INTEGER NOT NULL, stopped_by INTEGER, revoked INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
  id INTEGER PRIMARY KEY, twin BLOB NOT NULL, manifest BLOB NOT NULL, operator BLOB NOT NULL,
  redraws INTEGER NOT NULL, revoked_by INTEGER, UNIQUE (twin, manifest)
) STRICT;
CREATE TABLE IF NOT EXISTS rates (
  id INTEGER PRIMARY KEY CHECK (id = 1), idx INTEGER NOT NULL, operator BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS nodes (
  level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seals (id INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS counts (
  kind TEXT PRIMARY KEY, number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS findings (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, sentence TEXT NOT NULL, idx INTEGER,
  evidence TEXT NOT NULL, UNIQUE (kind, sentence)
) STRICT;
"""


class SqliteMonitorState(MonitorState):
    """The memory of a monitor."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open or create the file.

        Raises:
            ConfigurationError: it can't be used.
        """
        return cls(await Database.open(path, schema=(SCHEMA,), expected=VERSION))

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MonitorTransaction]:
        """Begin a transaction."""
        async with self._database.transaction() as connection:
            yield SqliteMonitorTransaction(connection)


class SqliteMonitorTransaction(MonitorTransaction, Statements):
    """One transaction of the memory."""

    async def position(self) -> Position | None:
        """Return how far the log was followed; None at the beginning."""
        row = await self.one("SELECT head, size, frontier FROM position")
        if row is None:
            return None
        joined = rows.blob(row[2])
        parts = range(0, len(joined), _HASH_BYTES)
        frontier = tuple(joined[at : at + _HASH_BYTES] for at in parts)
        return Position(str(row[0]), int(str(row[1])), frontier)

    async def move(self, position: Position) -> None:
        """Keep how far it was followed."""
        await self.change(
            "INSERT OR REPLACE INTO position (id, head, size, frontier) VALUES (1, ?, ?, ?)",
            *(position.head, position.size, b"".join(position.frontier)),
        )

    async def attempts(self, slot_tag: bytes) -> Sequence[SeenAttempt]:
        """Return what was seen of a slot, in the order of the log."""
        found = await self.few(
            "SELECT attempt, idx, receipt, twin, void FROM attempts WHERE slot_tag = ? "
            "ORDER BY idx",
            slot_tag,
        )
        return [SeenAttempt(*row) for row in found]  # type: ignore[arg-type]

    async def add_attempt(self, slot_tag: bytes, attempt: SeenAttempt) -> None:
        """Keep an attempt."""
        await self.change(
            "INSERT INTO attempts (slot_tag, idx, attempt, receipt, twin, void) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            *(slot_tag, attempt.index, attempt.attempt, attempt.receipt, attempt.twin),
            attempt.void,
        )

    async def reply(self, receipt: bytes) -> SeenReply | None:
        """Return a reply by its receipt hash."""
        row = await self.one(
            "SELECT idx, twin, manifest, outcomes, against FROM replies WHERE receipt = ?", receipt
        )
        if row is None:
            return None
        index, twin, manifest, outcomes, against = row
        codes = tuple(rows.blob(outcomes))
        return SeenReply(index, twin, manifest, codes, against)  # type: ignore[arg-type]

    async def keep_reply(self, receipt: bytes, reply: SeenReply) -> None:
        """Keep a reply, or what has become of it."""
        await self.change(
            "INSERT OR REPLACE INTO replies (receipt, idx, twin, manifest, outcomes, against) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            *(receipt, reply.index, reply.twin, reply.manifest, bytes(reply.outcomes)),
            reply.against,
        )

    async def twin(self, prefix: bytes) -> SeenTwin | None:
        """Return a twin by the first 8 bytes of its id."""
        row = await self.one(
            "SELECT twin, creator, names, orders, stopped_by, revoked FROM twins WHERE prefix = ?",
            prefix,
        )
        if row is None:
            return None
        twin, creator, names, orders, stopped_by, revoked = row
        return SeenTwin(
            twin=rows.blob(twin),
            creator=str(creator),
            names=tuple(json.loads(str(names))),
            orders=int(str(orders)),
            stopped_by=stopped_by,  # type: ignore[arg-type]
            revoked=bool(revoked),
        )

    async def keep_twin(self, prefix: bytes, twin: SeenTwin) -> None:
        """Keep a twin, or what has become of it."""
        names = json.dumps(twin.names)
        await self.change(
            "INSERT OR REPLACE INTO twins (prefix, twin, creator, names, orders, stopped_by, "
            "revoked) VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(prefix, twin.twin, twin.creator, names, twin.orders, twin.stopped_by),
            int(twin.revoked),
        )

    async def versions(self, prefix: bytes) -> Sequence[SeenVersion]:
        """Return a twin's versions, in the order of their first manifest leaf."""
        found = await self.few(
            "SELECT manifest, operator, redraws, revoked_by FROM versions WHERE twin = ? "
            "ORDER BY id",
            prefix,
        )
        return [SeenVersion(*row) for row in found]  # type: ignore[arg-type]

    async def keep_version(self, prefix: bytes, version: SeenVersion) -> None:
        """Keep a version of a twin, or what has become of it."""
        await self.change(
            "INSERT INTO versions (twin, manifest, operator, redraws, revoked_by) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (twin, manifest) "
            "DO UPDATE SET revoked_by = excluded.revoked_by",
            *(prefix, version.manifest, version.operator, version.redraws, version.revoked_by),
        )

    async def rates(self) -> SeenRates | None:
        """Return the newest rate table; None where there was none."""
        row = await self.one("SELECT idx, operator FROM rates")
        return None if row is None else SeenRates(int(str(row[0])), rows.blob(row[1]))

    async def keep_rates(self, rates: SeenRates) -> None:
        """Keep a rate table as the newest one."""
        await self.change(
            "INSERT OR REPLACE INTO rates (id, idx, operator) VALUES (1, ?, ?)",
            *(rates.index, rates.operator),
        )

    async def add_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Keep hashes of complete subtrees, each once."""
        await self.many("INSERT INTO nodes (level, idx, hash) VALUES (?, ?, ?)", nodes)

    async def nodes(self, addresses: Sequence[Node]) -> Mapping[Node, bytes]:
        """Return kept hashes by (level, index)."""
        hashes = {}
        for level, index in addresses:
            row = await self.one("SELECT hash FROM nodes WHERE level = ? AND idx = ?", level, index)
            if row is None:
                raise InvariantError(f"the monitor's memory lacks node {level}/{index}")
            hashes[level, index] = rows.blob(row[0])
        return hashes

    async def seals(self) -> Sequence[bytes]:
        """Return the envelopes of the seals that were followed, oldest first."""
        return [
            rows.blob(row[0]) for row in await self.few("SELECT envelope FROM seals ORDER BY id")
        ]

    async def start_over(self, seals: Sequence[bytes]) -> None:
        """Forget all leaves, and keep these seals; findings stay."""
        seen = ("position", "attempts", "replies", "twins", "versions", "rates", "nodes", "counts")
        for table in seen:
            await self.change(f"DELETE FROM {table}")  # noqa: S608 - a literal
        await self.change("DELETE FROM seals")
        await self.insert("seals", *({"envelope": one} for one in seals))

    async def count(self, kind: str, number: int = 1) -> None:
        """Add to the number of leaves of a kind."""
        await self.change(
            "INSERT INTO counts (kind, number) VALUES (?1, ?2) "
            "ON CONFLICT (kind) DO UPDATE SET number = number + ?2",
            *(kind, number),
        )

    async def counts(self) -> dict[str, int]:
        """Return the number of leaves of each kind."""
        found = await self.few("SELECT kind, number FROM counts ORDER BY kind")
        return {str(kind): int(str(number)) for kind, number in found}

    async def add_finding(self, finding: StoredFinding) -> bool:
        """Keep a finding for good; return False if it was known."""
        added = await self.change(
            "INSERT OR IGNORE INTO findings (kind, sentence, idx, evidence) VALUES (?, ?, ?, ?)",
            *(finding.kind, finding.sentence, finding.index, finding.evidence),
        )
        return added == 1

    async def findings(self) -> list[StoredFinding]:
        """Return all findings, oldest first."""
        found = await self.few("SELECT kind, sentence, idx, evidence FROM findings ORDER BY id")
        return [StoredFinding(*row) for row in found]  # type: ignore[arg-type]
