"""The rows of chain transactions and their attempts; every change is a compare-and-set.

A transaction is one job with one nonce. Its attempts are only ever added: bytes that may be in some
node's pool are never forgotten or changed. Which of them a block holds stands in the transaction.
"""

import sqlite3
from typing import Any

import aiosqlite

from bot.domain.errors import InvariantError
from bot.domain.fees import Fees
from bot.domain.settlement import EpochState
from bot.domain.transactions import (
    REPLACEABLE,
    TRANSACTION_MOVES,
    Inclusion,
    Purpose,
    SignedTransaction,
    StoredTransaction,
    TransactionState,
)

TRANSACTION_TABLES = """
CREATE TABLE IF NOT EXISTS chain_transactions (
  id INTEGER PRIMARY KEY,
  purpose TEXT NOT NULL CHECK (purpose IN ('commit', 'claim')),
  epoch INTEGER NOT NULL REFERENCES epochs (number),
  chunk INTEGER NOT NULL,
  sender BLOB NOT NULL,
  nonce INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('signed', 'sent', 'mined', 'final', 'dead')),
  attempts INTEGER NOT NULL,
  block_number INTEGER,
  block_hash BLOB,
  included BLOB,
  gas_used INTEGER
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_living_job
  ON chain_transactions (purpose, epoch, chunk) WHERE state <> 'dead';
CREATE UNIQUE INDEX IF NOT EXISTS one_living_nonce
  ON chain_transactions (purpose, sender, nonce) WHERE state <> 'dead';
CREATE INDEX IF NOT EXISTS transactions_in_flight
  ON chain_transactions (purpose) WHERE state IN ('signed', 'sent', 'mined');

CREATE TABLE IF NOT EXISTS chain_attempts (
  hash BLOB PRIMARY KEY,
  transaction_id INTEGER NOT NULL REFERENCES chain_transactions (id),
  purpose TEXT NOT NULL,
  sender BLOB NOT NULL,
  nonce INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  raw BLOB NOT NULL,
  max_fee_wei INTEGER NOT NULL,
  tip_wei INTEGER NOT NULL,
  signed_at INTEGER NOT NULL,
  UNIQUE (purpose, sender, nonce, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attempts_of_transaction ON chain_attempts (transaction_id);
CREATE TRIGGER IF NOT EXISTS attempts_stay_as_signed BEFORE UPDATE ON chain_attempts
  BEGIN SELECT RAISE(ABORT, 'attempts are never changed'); END;
CREATE TRIGGER IF NOT EXISTS attempts_stay BEFORE DELETE ON chain_attempts
  BEGIN SELECT RAISE(ABORT, 'attempts are never deleted'); END;
"""

_ROW = (
    "id, purpose, epoch, chunk, sender, nonce, state, block_number, block_hash, included, gas_used"
)


async def add_transaction(connection: aiosqlite.Connection, signed: SignedTransaction) -> bool:
    """Store a new job's first attempt; see the port's `record`."""
    is_commit = signed.purpose is Purpose.COMMIT
    needed = EpochState.PLANNED if is_commit else EpochState.FINAL
    cursor = await connection.execute(
        "SELECT 1 FROM epochs WHERE number = ? AND state = ?", (signed.epoch, needed)
    )
    if await cursor.fetchone() is None or await _is_known(connection, signed.hash):
        return False
    try:
        cursor = await connection.execute(
            "INSERT INTO chain_transactions "
            "(purpose, epoch, chunk, sender, nonce, state, attempts) "
            "VALUES (?, ?, ?, ?, ?, 'signed', 1)",
            (signed.purpose, signed.epoch, signed.chunk, signed.sender, signed.nonce),
        )
    except sqlite3.IntegrityError:
        return False
    await _insert_attempt(connection, cursor.lastrowid, signed)
    if is_commit:
        await _move_epoch(connection, signed.epoch, EpochState.SIGNED)
    return True


async def add_attempt(
    connection: aiosqlite.Connection, transaction: StoredTransaction, signed: SignedTransaction
) -> bool:
    """Store another attempt of a job; see the port's `replace`."""
    found = await _find(connection, transaction)
    if found is None or await _is_known(connection, signed.hash):
        return False
    await connection.execute(
        "UPDATE chain_transactions SET attempts = attempts + 1, "
        "state = CASE state WHEN 'final' THEN 'final' ELSE 'signed' END WHERE id = ?",
        (found,),
    )
    await _insert_attempt(connection, found, signed)
    if signed.purpose is Purpose.COMMIT and transaction.state is not TransactionState.FINAL:
        await _move_epoch(connection, signed.epoch, EpochState.SIGNED)
    return True


async def move_transaction(
    connection: aiosqlite.Connection,
    transaction: StoredTransaction,
    to: TransactionState,
    inclusion: Inclusion | None,
) -> bool:
    """Take a job to another state, and a commit's epoch with it; see the port's `move`."""
    found = await _find(connection, transaction)
    is_dead = transaction.state is TransactionState.DEAD
    if found is None or (is_dead and not await _may_come_back(connection, transaction)):
        return False
    signed = transaction.signed
    block: tuple[object, ...] = (None, None, None, None)
    if to is TransactionState.FINAL:
        known = (transaction.block_number, transaction.block_hash, transaction.gas_used)
        block = (*known[:2], signed.hash, known[2])
    elif inclusion is not None:
        where = (inclusion.block_number, inclusion.block_hash)
        block = (*where, inclusion.transaction, inclusion.gas_used)
    await connection.execute(
        "UPDATE chain_transactions SET state = ?, block_number = ?, block_hash = ?, included = ?, "
        "gas_used = ? WHERE id = ?",
        (to, *block, found),
    )
    if signed.purpose is Purpose.COMMIT:
        # One durable step with the line above: an epoch never differs from its commit.
        state = EpochState.PLANNED if to is TransactionState.DEAD else EpochState(to)
        await _move_epoch(connection, signed.epoch, state)
    return True


async def read_transactions(
    connection: aiosqlite.Connection, condition: str, values: tuple[Any, ...]
) -> tuple[StoredTransaction, ...]:
    """Return the transactions that fulfil a condition, each with all its attempts."""
    query = f"SELECT {_ROW} FROM chain_transactions WHERE {condition}"  # noqa: S608 - constants
    rows = await (await connection.execute(query, values)).fetchall()
    return tuple([await _read(connection, tuple(row)) for row in rows])


def check_move(
    transaction: StoredTransaction, to: TransactionState, inclusion: Inclusion | None
) -> None:
    """Refuse a move that there is not.

    Raises:
        InvariantError: it is none.
    """
    if to not in TRANSACTION_MOVES[transaction.state]:
        raise InvariantError(f"a transaction can't go from {transaction.state} to {to}")
    is_dead = transaction.state is TransactionState.DEAD
    if is_dead and transaction.signed.purpose is not Purpose.COMMIT:
        raise InvariantError("only a commit comes back from the dead")
    if (inclusion is not None) != (to is TransactionState.MINED):
        raise InvariantError("an inclusion belongs to the move to mined, and to no other")
    hashes = {one.hash for one in transaction.attempts}
    if inclusion is not None and inclusion.transaction not in hashes:
        raise InvariantError("the inclusion is of another transaction")


def check_attempt(transaction: StoredTransaction, signed: SignedTransaction) -> None:
    """Refuse bytes that are no attempt at the same job.

    Raises:
        InvariantError: they are none, or nothing can be added in that state.
    """
    old = transaction.signed
    job = (old.purpose, old.epoch, old.chunk, old.sender, old.nonce)
    if job != (signed.purpose, signed.epoch, signed.chunk, signed.sender, signed.nonce):
        raise InvariantError("another job, account or nonce is no attempt at this one")
    if transaction.state not in REPLACEABLE:
        raise InvariantError(f"nothing is added to a transaction that is {transaction.state}")


async def _find(connection: aiosqlite.Connection, transaction: StoredTransaction) -> int | None:
    """Return the row that is still as it was read: in its state, with the attempts known then."""
    cursor = await connection.execute(
        "SELECT id FROM chain_transactions WHERE state = ? AND attempts = ? "
        "AND id = (SELECT transaction_id FROM chain_attempts WHERE hash = ?)",
        (transaction.state, len(transaction.attempts), transaction.signed.hash),
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def _may_come_back(connection: aiosqlite.Connection, transaction: StoredTransaction) -> bool:
    """Whether a dead commit's epoch still waits for one, and nothing living has its nonce."""
    signed = transaction.signed
    cursor = await connection.execute(
        "SELECT 1 FROM epochs WHERE number = ? AND state = 'planned' AND NOT EXISTS ("
        "SELECT 1 FROM chain_transactions WHERE purpose = ? AND state <> 'dead' "
        "AND (epoch = ? OR (sender = ? AND nonce = ?)))",
        (signed.epoch, signed.purpose, signed.epoch, signed.sender, signed.nonce),
    )
    return await cursor.fetchone() is not None


async def _is_known(connection: aiosqlite.Connection, transaction_hash: bytes) -> bool:
    cursor = await connection.execute(
        "SELECT 1 FROM chain_attempts WHERE hash = ?", (transaction_hash,)
    )
    return await cursor.fetchone() is not None


async def _insert_attempt(
    connection: aiosqlite.Connection, transaction_id: int | None, signed: SignedTransaction
) -> None:
    # Numbered across dead transactions too: the chain may give a nonce back that they had.
    await connection.execute(
        "INSERT INTO chain_attempts "
        "SELECT ?, ?, ?, ?, ?, coalesce(max(attempt) + 1, 0), ?, ?, ?, ? "
        "FROM chain_attempts WHERE purpose = ? AND sender = ? AND nonce = ?",
        (
            *(signed.hash, transaction_id, signed.purpose, signed.sender, signed.nonce),
            *(signed.raw, signed.fees.max_fee_wei, signed.fees.tip_wei, signed.signed_at),
            *(signed.purpose, signed.sender, signed.nonce),
        ),
    )


async def _move_epoch(connection: aiosqlite.Connection, epoch: int, state: EpochState) -> None:
    await connection.execute("UPDATE epochs SET state = ? WHERE number = ?", (state, epoch))


async def _read(connection: aiosqlite.Connection, row: tuple[Any, ...]) -> StoredTransaction:
    row_id, purpose, epoch, chunk, sender, nonce, state, *block, included, gas_used = row
    number, block_hash = block
    cursor = await connection.execute(
        "SELECT hash, raw, attempt, max_fee_wei, tip_wei, signed_at FROM chain_attempts "
        "WHERE transaction_id = ? ORDER BY attempt",
        (row_id,),
    )
    attempts = [
        SignedTransaction(
            purpose=Purpose(purpose),
            epoch=epoch,
            chunk=chunk,
            nonce=nonce,
            hash=digest,
            raw=raw,
            attempt=attempt,
            fees=Fees(max_fee, tip),
            signed_at=signed_at,
            sender=sender,
        )
        for digest, raw, attempt, max_fee, tip, signed_at in await cursor.fetchall()
    ]
    signed = next((one for one in attempts if one.hash == included), attempts[-1])
    others = tuple(one for one in attempts if one is not signed)
    return StoredTransaction(signed, TransactionState(state), number, block_hash, gas_used, others)
