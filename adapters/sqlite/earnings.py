"""What each twin has earned, joined from receipts, outcomes, ledger and log in one snapshot."""

from collections import defaultdict
from collections.abc import Sequence

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteTransaction
from bot.crypto.dsse import parse_envelope
from bot.crypto.eip712 import parse_address
from bot.crypto.merkle import leaf_hash, root_of
from bot.domain.errors import InvariantError
from bot.domain.ledger import (
    RESTORED,
    LedgerTransaction,
    Posting,
    creator_account,
    settled_account,
)
from bot.domain.manifest import parse_manifest
from bot.domain.restored import LOST_FEES, RESTORES, Restored, TwinBook, lost_fees
from bot.domain.settlement import Earnings, EarningsSnapshot, EpochSettlement
from bot.domain.statements import SealStatement
from bot.ports.settlement import EarningsReader

_Moves = Sequence[tuple[bytes, int]]
_EARNED = """
SELECT COALESCE(SUM(p.nano), 0) FROM replies r
  JOIN ledger_transactions t ON t.key = 'end-hold:' || r.intent AND t.kind = 'capture'
  JOIN postings p ON p.transaction_id = t.id AND p.account = ?
 WHERE r.twin = ? AND r.outcome_index < ?
"""
_CARRIED = """
SELECT COALESCE(SUM(p.nano), 0) FROM ledger_transactions t
  JOIN postings p ON p.transaction_id = t.id AND p.account IN (?, ?)
 WHERE t.key >= ? AND t.key < ?
"""
_RECEIPTS = "SELECT receipt_hash FROM replies WHERE twin = ? AND log_index < ? ORDER BY seq"


class SqliteEarnings(EarningsReader):
    """Reads the book and posts what the chain has confirmed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def freeze(self) -> EarningsSnapshot:
        """Return earnings and log under the newest signed head, from one snapshot."""
        async with self._database.reading() as connection:
            tx = SqliteTransaction(connection)
            head = await tx.latest_checkpoint()
            size = head.size if head else 0
            async with connection.execute(
                "SELECT DISTINCT twin FROM replies WHERE log_index < ? ORDER BY twin", (size,)
            ) as cursor:
                twins = [rows.blob(row[0]) for row in await cursor.fetchall()]
            async with connection.execute("SELECT MAX(id) FROM ledger_transactions") as cursor:
                row = await cursor.fetchone()
            lost = await tx.balance(settled_account(LOST_FEES))
            return EarningsSnapshot(
                earnings=(
                    *[await _earned(tx, twin, size) for twin in twins],
                    *([lost_fees(lost)] if lost else []),
                ),
                log_size=size,
                log_root=head.root if head else bytes(32),
                cutoff=row[0] if row and row[0] else 0,
                seals=tuple(
                    SealStatement.parse(parse_envelope(one).payload) for one in await tx.seals()
                ),
            )

    async def standing(self, log_size: int) -> tuple[TwinBook, ...]:
        """Return every twin's earnings as of the log's first leaves, and what is settled."""
        async with self._database.reading() as connection:
            tx = SqliteTransaction(connection)
            lost = await tx.balance(settled_account(LOST_FEES))
            twins = await tx.blobs("SELECT DISTINCT twin FROM replies ORDER BY twin")
            books = [
                TwinBook(await _earned(tx, twin, log_size), await tx.balance(settled_account(twin)))
                for twin in twins
            ]
        return (*books, *([TwinBook(lost_fees(lost), lost)] if lost else []))

    async def earned(self, twin: bytes) -> Earnings | None:
        """Return one twin's earnings now; None when it never had a receipt."""
        async with self._database.reading() as connection:
            tx = SqliteTransaction(connection)
            if await tx.next_sequence(twin) == 1:
                return None
            return await _earned(tx, twin, await tx.log_size())

    async def settle(self, settlement: EpochSettlement) -> None:
        """Post the ledger transaction of an epoch that the chain has confirmed, once."""
        await self._post(settlement.key, "settle", settlement.moves, ())

    async def restore(self, restored: Restored) -> None:
        """Post the ledger transaction that takes over what a lost book had committed, once."""
        await self._post(restored.key, "restore", restored.moves, restored.carried)

    async def _post(self, key: str, kind: str, moves: _Moves, carried: _Moves) -> None:
        nano: dict[str, int] = defaultdict(int)
        for source, moved in ((creator_account, moves), (lambda _: RESTORED, carried)):
            for twin, amount in moved:
                nano[source(twin)] -= amount
                nano[settled_account(twin)] += amount
        if not nano:
            return
        postings = tuple(Posting(account, amount) for account, amount in nano.items())
        async with self._database.transaction() as connection:
            tx = SqliteTransaction(connection)
            posted = await tx.post(LedgerTransaction(key, kind, postings))
            for twin, _ in moves if posted else ():
                if await tx.balance(creator_account(twin)) < 0:
                    raise InvariantError(f"{key} overdraws {twin.hex()}")


def _end_of(prefix: str) -> str:
    """Return the first text after all that begin with a prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


async def _earned(tx: SqliteTransaction, twin: bytes, log_size: int) -> Earnings:
    """Join one twin's earnings as of the log's first `log_size` leaves."""
    manifest = await tx.latest_manifest(twin)
    if manifest is None:
        raise InvariantError(f"twin {twin.hex()} has receipts and no manifest")
    receipts = await tx.blobs(_RECEIPTS, twin, log_size)
    accounts = creator_account(twin), settled_account(twin)
    return Earnings(
        twin=twin,
        payout=parse_address(parse_manifest(manifest.body).payout),
        cumulative_nano=await tx.total(_EARNED, creator_account(twin), twin, log_size)
        + await tx.total(_CARRIED, *accounts, RESTORES, _end_of(RESTORES)),
        receipt_count=len(receipts),
        twin_log_root=root_of([leaf_hash(receipt) for receipt in receipts]),
    )
