"""Ranges of the log, read on a connection of their own: whoever copies the log delays no reply."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from adapters.sqlite.log import SEALS, LogTables
from adapters.sqlite.statements import Statements
from bot.crypto.canonical import encode_canonical
from bot.crypto.encoding import encode_b64
from bot.crypto.errors import FormatError
from bot.domain.leaf import VoidLeaf, parse_leaf
from bot.ports.book import NodeAddress, StoredCheckpoint
from bot.ports.transparency import CheckpointRow, LogReader, StoredCosignature

_T = TypeVar("_T")
_CITED = """
SELECT l.leaf, m.body, m.signature, o.body, o.signature,
  a.outcome_statement, b.reversal_statement, c.refund_statement, s.envelope, v.envelope, t.envelope
FROM log_leaves l
  LEFT JOIN manifests m ON m.log_index = l.idx
  LEFT JOIN orders o ON o.log_index = l.idx
  LEFT JOIN replies a ON a.outcome_index = l.idx
  LEFT JOIN replies b ON b.reversal_index = l.idx
  LEFT JOIN replies c ON c.refund_index = l.idx
  LEFT JOIN seals s ON s.log_index = l.idx
  LEFT JOIN verdicts v ON v.log_index = l.idx
  LEFT JOIN rate_tables t ON t.log_index = l.idx
WHERE l.idx >= ? AND l.idx < ? ORDER BY l.idx
"""
_VOID = "SELECT void_statement FROM intents WHERE slot_tag = ? AND attempt = ?"
_HEADS = "SELECT size, root, note FROM checkpoints ORDER BY size DESC LIMIT ?"
_WITNESSED = (
    "SELECT size, root, note FROM checkpoints WHERE size IN (SELECT size FROM cosignatures) "
    "ORDER BY size DESC LIMIT ?"
)
_OF_HEAD = "SELECT witness, size, time, line FROM cosignatures WHERE size = ? ORDER BY witness"
_SIGNED = (
    "SELECT body, signature FROM manifests WHERE hash = ?1 "
    "UNION ALL SELECT body, signature FROM orders WHERE hash = ?1"
)


class SqliteLogReader(LogReader):
    """Reads the service's log; `database` is a second one on its file, opened for reading."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, at_most: int) -> Sequence[CheckpointRow]:
        """Return the newest signed heads, newest first."""
        return await self._work(lambda raw: _heads(raw, at_most))

    async def witnessed(self, at_most: int) -> Sequence[CheckpointRow]:
        """Return the newest signed heads of which there is a cosignature, newest first."""
        return await self._work(lambda raw: _heads(raw, at_most, _WITNESSED))

    async def hashes(self, level: int, start: int, count: int) -> Sequence[bytes]:
        """Return the hashes of up to `count` complete subtrees of height `level`, from `start`."""
        sql = "SELECT hash FROM log_nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx"
        return await self._blobs(sql, level, start, start + count)

    async def nodes(self, addresses: Sequence[NodeAddress]) -> Mapping[NodeAddress, bytes]:
        """Return the hashes of complete subtrees, by (level, index); all of them must exist."""
        async with self._database.reading() as connection:
            return await LogTables(connection).log_nodes(addresses)

    async def leaves(self, start: int, count: int) -> Sequence[bytes]:
        """Return the bytes of up to `count` leaves from an index."""
        sql = "SELECT leaf FROM log_leaves WHERE idx >= ? AND idx < ? ORDER BY idx"
        return await self._blobs(sql, start, start + count)

    async def bodies(self, start: int, count: int) -> Sequence[bytes]:
        """Return what is kept of what each of up to `count` leaves cites."""

        def read(raw: sqlite3.Connection) -> list[bytes]:
            found = raw.execute(_CITED, (start, start + count)).fetchall()
            return [_body(raw, *row) for row in found]

        return await self._work(read)

    async def body(self, digest: bytes) -> bytes | None:
        """Return a manifest or an order by its hash, in the same form."""

        def read(raw: sqlite3.Connection) -> bytes | None:
            row = raw.execute(_SIGNED, (digest,)).fetchone()
            return None if row is None else _signed(*row)

        return await self._work(read)

    async def seals(self) -> Sequence[bytes]:
        """Return the envelopes of the seals in the log, in its order."""
        return await self._blobs(SEALS)

    async def _blobs(self, sql: str, *values: int) -> list[bytes]:
        return await self._work(
            lambda raw: [rows.blob(row[0]) for row in raw.execute(sql, values).fetchall()]
        )

    async def _work(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        async with self._database.reading() as connection:
            return await Statements(connection).work(job)


def _heads(raw: sqlite3.Connection, at_most: int, sql: str = _HEADS) -> list[CheckpointRow]:
    found = []
    for size, root, note in raw.execute(sql, (at_most,)).fetchall():
        kept = [StoredCosignature(*row) for row in raw.execute(_OF_HEAD, (size,))]
        found.append(CheckpointRow(StoredCheckpoint(size, root, note), tuple(kept)))
    return found


def _body(raw: sqlite3.Connection, leaf: bytes, *cited: bytes | None) -> bytes:
    """Return what one leaf cites, from the row of `_CITED`."""
    manifest, manifest_signature, order, order_signature, *statements = cited
    if manifest is not None:
        return _signed(manifest, manifest_signature)
    if order is not None:
        return _signed(order, order_signature)
    for statement in statements:
        if statement is not None:
            return statement
    try:
        void = parse_leaf(leaf)
    except FormatError:
        return b""
    if not isinstance(void, VoidLeaf):
        return b""
    found = raw.execute(_VOID, (void.slot_tag, void.attempt)).fetchone()
    return found[0] if found and found[0] else b""


def _signed(body: bytes, signature: object) -> bytes:
    return encode_canonical({"body": encode_b64(body), "signature": str(signature)})
