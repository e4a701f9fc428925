"""Epochs and their transactions in SQLite; the rules of one-at-a-time are indexes, not habits."""

from typing import Any

import aiosqlite

from adapters.sqlite.database import Database
from adapters.sqlite.epoch_rows import add_earnings, put_closed, read_earnings, read_epoch
from adapters.sqlite.leases import LEASE_TABLE, read_lease, take_lease
from adapters.sqlite.transactions import (
    TRANSACTION_TABLES,
    add_attempt,
    add_transaction,
    check_attempt,
    check_move,
    move_transaction,
    read_transactions,
)
from bot.domain.errors import InvariantError
from bot.domain.settlement import (
    ChainIdentity,
    Commitment,
    Epoch,
    EpochState,
    Lease,
)
from bot.domain.transactions import (
    Inclusion,
    Purpose,
    SignedTransaction,
    StoredTransaction,
    TransactionState,
)
from bot.ports.settlement import EpochStore

_TABLES = """
CREATE TABLE IF NOT EXISTS chain_pin (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  chain_id INTEGER NOT NULL,
  genesis_hash BLOB NOT NULL,
  settlement BLOB NOT NULL,
  token BLOB NOT NULL,
  code_hash BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS epochs (
  number INTEGER PRIMARY KEY,
  state TEXT NOT NULL
    CHECK (state IN ('planned', 'signed', 'sent', 'mined', 'final', 'lost', 'vetoed')),
  fee_root BLOB NOT NULL,
  fee_total INTEGER NOT NULL,
  log_root BLOB NOT NULL,
  log_size INTEGER NOT NULL,
  data_hash BLOB NOT NULL,
  cutoff INTEGER NOT NULL,
  begun_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_open_epoch ON epochs ((1))
  WHERE state NOT IN ('final', 'lost', 'vetoed');

CREATE TABLE IF NOT EXISTS epoch_earnings (
  epoch INTEGER NOT NULL REFERENCES epochs (number),
  position INTEGER NOT NULL,
  twin BLOB NOT NULL,
  payout BLOB NOT NULL,
  cumulative_nano INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  twin_log_root BLOB NOT NULL,
  held_nano INTEGER NOT NULL,
  carried_nano INTEGER NOT NULL,
  PRIMARY KEY (epoch, position),
  UNIQUE (epoch, twin)
) STRICT, WITHOUT ROWID;
"""

SCHEMA = _TABLES + TRANSACTION_TABLES + LEASE_TABLE

_PIN = "chain_id, genesis_hash, settlement, token, code_hash"
_EPOCH = "number, state, fee_root, fee_total, log_root, log_size, data_hash, cutoff, begun_at"
_CLOSED = "('final', 'lost', 'vetoed')"


class SqliteEpochStore(EpochStore):
    """The epoch store over a `Database` that was opened with this module's `SCHEMA`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pin(self, identity: ChainIdentity) -> ChainIdentity:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT OR IGNORE INTO chain_pin VALUES (1, ?, ?, ?, ?, ?)",
                (
                    identity.chain_id,
                    identity.genesis_hash,
                    identity.settlement,
                    identity.token,
                    identity.code_hash,
                ),
            )
            cursor = await connection.execute(
                f"SELECT {_PIN} FROM chain_pin"  # noqa: S608 - a constant
            )
            row = await cursor.fetchone()
        if row is None:
            raise InvariantError("the pinned chain has vanished")
        return ChainIdentity(*row)

    async def pinned(self) -> ChainIdentity | None:
        """See the port."""
        async with self._database.reading() as connection:
            cursor = await connection.execute(f"SELECT {_PIN} FROM chain_pin")  # noqa: S608
            row = await cursor.fetchone()
        return None if row is None else ChainIdentity(*row)

    async def anchoring(self, leaf_index: int) -> Commitment | None:
        """See the port."""
        async with self._database.reading() as connection:
            cursor = await connection.execute(
                "SELECT number, fee_root, fee_total, log_root, log_size, data_hash FROM epochs "
                "WHERE state = 'final' AND log_size > ? ORDER BY number LIMIT 1",
                (leaf_index,),
            )
            row = await cursor.fetchone()
        return None if row is None else Commitment(*row)

    async def plan(self, epoch: Epoch) -> bool:
        """See the port."""
        if epoch.state is not EpochState.PLANNED:
            raise InvariantError(f"epoch {epoch.number} is {epoch.state}, not planned")
        commitment = epoch.commitment
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO epochs SELECT ?, 'planned', ?, ?, ?, ?, ?, ?, ? "  # noqa: S608
                "WHERE ? = (SELECT coalesce(max(number), 0) + 1 FROM epochs) "
                f"AND NOT EXISTS (SELECT 1 FROM epochs WHERE state NOT IN {_CLOSED})",
                (
                    epoch.number,
                    commitment.fee_root,
                    commitment.fee_total,
                    commitment.log_root,
                    commitment.log_size,
                    commitment.data_hash,
                    epoch.cutoff,
                    epoch.begun_at,
                    epoch.number,
                ),
            )
            if cursor.rowcount == 0:
                return False
            await add_earnings(connection, epoch)
        return True

    async def take_over(self, epoch: Epoch) -> None:
        """See the port."""
        if epoch.state is not EpochState.LOST:
            raise InvariantError(f"epoch {epoch.number} is {epoch.state}, not lost")
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                f"SELECT 1 FROM epochs WHERE number >= ? AND state IN {_CLOSED}",  # noqa: S608
                (epoch.number,),
            )
            if await cursor.fetchone() is not None:
                raise InvariantError(f"epoch {epoch.number} was not lost")
            await _bury_commits(connection)
            # Not final: nobody has looked whether it was committed, and not vetoed after that.
            await connection.execute(
                f"UPDATE epochs SET state = 'lost' WHERE state NOT IN {_CLOSED}"  # noqa: S608
            )
            await put_closed(connection, epoch)

    async def veto(self, epoch: Epoch) -> bool:
        """See the port."""
        if epoch.state is not EpochState.VETOED:
            raise InvariantError(f"epoch {epoch.number} is {epoch.state}, not vetoed")
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                f"SELECT coalesce(max(number), 0) FROM epochs WHERE state IN {_CLOSED}"  # noqa: S608
            )
            row = await cursor.fetchone()
            if row is None or int(row[0]) + 1 != epoch.number:
                return False
            # One durable step: a commit that was vetoed is never in flight beside its epoch's end.
            await _bury_commits(connection)
            await put_closed(connection, epoch)
        return True

    async def open_epoch(self) -> Epoch | None:
        """See the port."""
        return await self._epoch(f"state NOT IN {_CLOSED}", ())

    async def last_final(self) -> Epoch | None:
        """See the port."""
        return await self._epoch(f"state IN {_CLOSED} ORDER BY number DESC LIMIT 1", ())

    async def epoch(self, number: int) -> Epoch | None:
        """See the port."""
        return await self._epoch("number = ?", (number,))

    async def record(self, transaction: SignedTransaction) -> bool:
        """See the port."""
        async with self._database.transaction() as connection:
            return await add_transaction(connection, transaction)

    async def replace(self, transaction: StoredTransaction, signed: SignedTransaction) -> bool:
        """See the port."""
        check_attempt(transaction, signed)
        async with self._database.transaction() as connection:
            return await add_attempt(connection, transaction, signed)

    async def move(
        self,
        transaction: StoredTransaction,
        to: TransactionState,
        inclusion: Inclusion | None = None,
    ) -> bool:
        """See the port."""
        check_move(transaction, to, inclusion)
        async with self._database.transaction() as connection:
            return await move_transaction(connection, transaction, to, inclusion)

    async def in_flight(self, purpose: Purpose) -> StoredTransaction | None:
        """See the port."""
        found = await self._transactions(
            "purpose = ? AND state IN ('signed', 'sent', 'mined') ORDER BY id LIMIT 1", (purpose,)
        )
        return found[0] if found else None

    async def transactions(self, purpose: Purpose, epoch: int) -> tuple[StoredTransaction, ...]:
        """See the port."""
        return await self._transactions("purpose = ? AND epoch = ? ORDER BY id", (purpose, epoch))

    async def hold(self, owner: str, *, now: int, until: int) -> Lease:
        """See the port."""
        async with self._database.transaction() as connection:
            return await take_lease(connection, owner, now=now, until=until)

    async def holder(self) -> Lease | None:
        """See the port."""
        async with self._database.reading() as connection:
            return await read_lease(connection)

    async def let_go(self, owner: str) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM publisher_lease WHERE owner = ?", (owner,))

    async def _transactions(
        self, condition: str, values: tuple[Any, ...]
    ) -> tuple[StoredTransaction, ...]:
        async with self._database.reading() as connection:
            return await read_transactions(connection, condition, values)

    async def _epoch(self, condition: str, values: tuple[Any, ...]) -> Epoch | None:
        query = f"SELECT {_EPOCH} FROM epochs WHERE {condition}"  # noqa: S608 - constants
        async with self._database.reading() as connection:
            row = await (await connection.execute(query, values)).fetchone()
            if row is None:
                return None
            # Anew each time: the audit and the publications are to say what is on the disk.
            return read_epoch(tuple(row), await read_earnings(connection, row[0]))


async def _bury_commits(connection: aiosqlite.Connection) -> None:
    await connection.execute(
        "UPDATE chain_transactions SET state = 'dead', block_number = NULL, "
        "block_hash = NULL, included = NULL, gas_used = NULL "
        "WHERE purpose = 'commit' AND state IN ('signed', 'sent', 'mined')"
    )
