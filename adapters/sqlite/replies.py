"""The store of replies, log and ledger over one SQLite file."""

import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import aiosqlite

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from bot.domain.errors import InvariantError
from bot.domain.ledger import LedgerTransaction
from bot.ports.stores import (
    Intent,
    NodeAddress,
    Store,
    StoredCheckpoint,
    StoredManifest,
    StoredReply,
    StoreTransaction,
)


class SqliteStore(Store):
    """Opens transactions on the one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[StoreTransaction]:
        """Begin a transaction that may write."""
        async with self._database.transaction() as connection:
            try:
                yield SqliteTransaction(connection)
            except sqlite3.IntegrityError as error:
                raise InvariantError(f"the store refused a write: {error}") from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreTransaction]:
        """Begin a transaction that only reads."""
        async with self._database.reading() as connection:
            yield SqliteTransaction(connection)


class SqliteTransaction(StoreTransaction):
    """The operations on an open connection; lives as long as its transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def _one(self, sql: str, *values: object) -> tuple[object, ...] | None:
        async with self._connection.execute(sql, values) as cursor:
            row = await cursor.fetchone()
        return None if row is None else tuple(row)

    async def _all(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        async with self._connection.execute(sql, values) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]

    async def integer(self, sql: str, *values: object) -> int:
        """Return the first column of the first row as an integer, 0 where there is none."""
        row = await self._one(sql, *values)
        found = row[0] if row else 0
        return found if isinstance(found, int) else 0

    async def blobs(self, sql: str, *values: object) -> list[bytes]:
        """Return the first column of every row, which holds bytes."""
        return [rows.blob(row[0]) for row in await self._all(sql, *values)]

    async def _insert(self, table: str, values: Mapping[str, object]) -> None:
        marks = ", ".join("?" * len(values))
        # Table and column names are literals of this package; every value is bound.
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608
        await self._connection.execute(sql, tuple(values.values()))

    async def _change_one(self, sql: str, *values: object) -> None:
        async with self._connection.execute(sql, values) as cursor:
            if cursor.rowcount != 1:
                raise InvariantError("a state was changed twice or does not exist")

    async def add_manifest(self, manifest: StoredManifest) -> None:
        """Keep a signed manifest for ever."""
        await self._insert("manifests", rows.manifest_values(manifest))

    async def find_manifest(self, manifest_hash: bytes) -> StoredManifest | None:
        """Return a manifest by its hash."""
        row = await self._one(f"{rows.SELECT_MANIFEST} WHERE hash = ?", manifest_hash)
        return None if row is None else rows.read_manifest(row)

    async def latest_manifest(self, twin: bytes) -> StoredManifest | None:
        """Return the manifest of a twin that was added last."""
        row = await self._one(
            f"{rows.SELECT_MANIFEST} WHERE twin = ? ORDER BY log_index DESC LIMIT 1", twin
        )
        return None if row is None else rows.read_manifest(row)

    async def add_intent(self, intent: Intent) -> None:
        """Keep an open intent; its key must be new."""
        await self._insert("intents", rows.intent_values(intent))

    async def find_intent(self, key: str) -> Intent | None:
        """Return an intent in whatever state."""
        row = await self._one(f"{rows.SELECT_INTENT} WHERE key = ?", key)
        return None if row is None else rows.read_intent(row)

    async def open_intents(self) -> list[Intent]:
        """Return the intents that have neither reply nor void, oldest first."""
        found = await self._all(f"{rows.SELECT_INTENT} WHERE state = 'open' ORDER BY rowid")
        return [rows.read_intent(row) for row in found]

    async def close_intent(
        self, key: str, state: str, *, void_statement: bytes | None = None
    ) -> None:
        """Move an open intent to `done` or `void`; anything else is an InvariantError."""
        await self._change_one(
            "UPDATE intents SET state = ?, void_statement = ? WHERE key = ? AND state = 'open'",
            state,
            void_statement,
            key,
        )

    async def count_intents(self, platform: str, fan: str, since: datetime) -> int:
        """Count a fan's messages since a time, over all twins."""
        return await self.integer(
            "SELECT COUNT(*) FROM intents WHERE platform = ? AND fan = ? AND created_at >= ?",
            platform,
            fan,
            since.isoformat(),
        )

    async def next_sequence(self, twin: bytes) -> int:
        """Return the sequence number that the twin's next receipt gets, from 1."""
        return 1 + await self.integer("SELECT MAX(seq) FROM replies WHERE twin = ?", twin)

    async def add_reply(self, reply: StoredReply) -> None:
        """Keep a reply; its twin and seq, and its intent, must be new."""
        await self._insert("replies", rows.reply_values(reply))

    async def find_reply(self, receipt_id: str) -> StoredReply | None:
        """Return a reply by its receipt id."""
        row = await self._one(f"{rows.SELECT_REPLY} WHERE receipt_id = ?", receipt_id)
        return None if row is None else rows.read_reply(row)

    async def reply_of(self, intent: str) -> StoredReply | None:
        """Return the reply that an intent led to."""
        row = await self._one(f"{rows.SELECT_REPLY} WHERE intent = ?", intent)
        return None if row is None else rows.read_reply(row)

    async def conversation(self, conversation: bytes) -> list[StoredReply]:
        """Return a conversation's replies in order, withdrawn ones too."""
        found = await self._all(
            f"{rows.SELECT_REPLY} WHERE conversation = ? ORDER BY turn", conversation
        )
        return [rows.read_reply(row) for row in found]

    async def undelivered_replies(self) -> list[tuple[Intent, StoredReply]]:
        """Return the replies whose outcome is undecided, oldest first (the outbox)."""
        found = await self._all(f"{rows.SELECT_REPLY} WHERE outcome IS NULL ORDER BY log_index")
        pairs = []
        for reply in map(rows.read_reply, found):
            intent = await self.find_intent(reply.intent)
            if intent is None:
                raise InvariantError(f"reply {reply.receipt_id} has no intent")
            pairs.append((intent, reply))
        return pairs

    async def set_outcome(
        self, receipt_hash: bytes, *, outcome: str, statement: bytes, log_index: int
    ) -> None:
        """Decide the outcome of a reply, once."""
        await self._change_one(
            "UPDATE replies SET outcome = ?, outcome_statement = ?, outcome_index = ? "
            "WHERE receipt_hash = ? AND outcome IS NULL",
            outcome,
            statement,
            log_index,
            receipt_hash,
        )

    async def log_size(self) -> int:
        """Return the number of leaves."""
        return await self.integer("SELECT COUNT(*) FROM log_leaves")

    async def log_nodes(self, addresses: Sequence[NodeAddress]) -> Mapping[NodeAddress, bytes]:
        """Return the hashes of complete subtrees, by (level, index)."""
        found: dict[NodeAddress, bytes] = {}
        for level, index in addresses:
            row = await self._one(
                "SELECT hash FROM log_nodes WHERE level = ? AND idx = ?", level, index
            )
            if row is None:
                raise InvariantError(f"log node {level}/{index} is missing")
            found[level, index] = rows.blob(row[0])
        return found

    async def log_leaf(self, index: int) -> bytes:
        """Return a leaf's bytes."""
        row = await self._one("SELECT leaf FROM log_leaves WHERE idx = ?", index)
        if row is None:
            raise InvariantError(f"log leaf {index} is missing")
        return rows.blob(row[0])

    async def append_leaf(
        self, index: int, leaf: bytes, nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Add the leaf at the log's size, with the subtree hashes that it completes."""
        if index != await self.log_size():
            raise InvariantError(f"leaf {index} is not the log's next")
        await self._insert("log_leaves", {"idx": index, "leaf": leaf})
        for level, position, digest in nodes:
            await self._insert("log_nodes", {"level": level, "idx": position, "hash": digest})

    async def latest_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest signed head."""
        row = await self._one("SELECT size, root, note FROM checkpoints ORDER BY size DESC LIMIT 1")
        return None if row is None else rows.read_checkpoint(row)

    async def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Keep a signed head; its size must be larger than the newest one's."""
        newest = await self.integer("SELECT MAX(size) FROM checkpoints")
        if checkpoint.size <= newest:
            raise InvariantError(f"checkpoint {checkpoint.size} does not follow {newest}")
        await self._insert(
            "checkpoints",
            {"size": checkpoint.size, "root": checkpoint.root, "note": checkpoint.note},
        )

    async def post(self, transaction: LedgerTransaction) -> bool:
        """Post a ledger transaction; return False if its key was posted before."""
        known = await self._one("SELECT id FROM ledger_transactions WHERE key = ?", transaction.key)
        if known is not None:
            return False
        await self._insert(
            "ledger_transactions", {"key": transaction.key, "kind": transaction.kind}
        )
        number = await self.integer("SELECT last_insert_rowid()")
        for posting in transaction.postings:
            await self._insert(
                "postings",
                {"transaction_id": number, "account": posting.account, "nano": posting.nano},
            )
            await self._connection.execute(
                "INSERT INTO balances (account, nano) VALUES (?, ?) "
                "ON CONFLICT (account) DO UPDATE SET nano = nano + excluded.nano",
                (posting.account, posting.nano),
            )
        return True

    async def balance(self, account: str) -> int:
        """Return an account's balance in nano-units."""
        return await self.integer("SELECT nano FROM balances WHERE account = ?", account)
