"""What each twin has earned, joined from receipts, outcomes, ledger and log in one snapshot."""

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteTransaction
from bot.crypto.eip712 import parse_address
from bot.crypto.merkle import leaf_hash, root_of
from bot.domain.errors import InvariantError
from bot.domain.ledger import LedgerTransaction, Posting, creator_account, settled_account
from bot.domain.manifest import parse_manifest
from bot.domain.settlement import Earnings, EarningsSnapshot, EpochSettlement
from bot.ports.settlement import EarningsReader

_EARNED = """
SELECT COALESCE(SUM(p.nano), 0) FROM replies r
  JOIN ledger_transactions t ON t.key = 'end-hold:' || r.intent AND t.kind = 'capture'
  JOIN postings p ON p.transaction_id = t.id AND p.account = ?
 WHERE r.twin = ? AND r.outcome_index < ?
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
            return EarningsSnapshot(
                earnings=tuple([await _earned(tx, twin, size) for twin in twins]),
                log_size=size,
                log_root=head.root if head else bytes(32),
                cutoff=row[0] if row and row[0] else 0,
            )

    async def earned(self, twin: bytes) -> Earnings | None:
        """Return one twin's earnings now; None when it never had a receipt."""
        async with self._database.reading() as connection:
            tx = SqliteTransaction(connection)
            if await tx.next_sequence(twin) == 1:
                return None
            return await _earned(tx, twin, await tx.log_size())

    async def settle(self, settlement: EpochSettlement) -> None:
        """Post the ledger transaction of an epoch that the chain has confirmed, once."""
        postings: list[Posting] = []
        async with self._database.transaction() as connection:
            tx = SqliteTransaction(connection)
            for twin, nano in settlement.moves:
                postings += [
                    Posting(creator_account(twin), -nano),
                    Posting(settled_account(twin), nano),
                ]
            if not postings:
                return
            posted = await tx.post(LedgerTransaction(settlement.key, "settle", tuple(postings)))
            for twin, _ in settlement.moves if posted else ():
                if await tx.balance(creator_account(twin)) < 0:
                    raise InvariantError(f"epoch {settlement.epoch} overdraws {twin.hex()}")


async def _earned(tx: SqliteTransaction, twin: bytes, log_size: int) -> Earnings:
    """Join one twin's earnings as of the log's first `log_size` leaves."""
    manifest = await tx.latest_manifest(twin)
    if manifest is None:
        raise InvariantError(f"twin {twin.hex()} has receipts and no manifest")
    receipts = await tx.blobs(_RECEIPTS, twin, log_size)
    return Earnings(
        twin=twin,
        payout=parse_address(parse_manifest(manifest.body).payout),
        cumulative_nano=await tx.total(_EARNED, creator_account(twin), twin, log_size),
        receipt_count=len(receipts),
        twin_log_root=root_of([leaf_hash(receipt) for receipt in receipts]),
    )
