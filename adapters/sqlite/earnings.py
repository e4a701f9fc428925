"""What each twin has earned, joined from receipts, outcomes, ledger and log in one snapshot."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteTransaction
from adapters.sqlite.twin_logs import TwinOutcomes, join_outcomes, read_outcomes
from bot.crypto.dsse import parse_envelope
from bot.crypto.eip712 import parse_address
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
from bot.domain.twin_log import TwinLog
from bot.ports.settlement import EarningsReader

_Moves = Sequence[tuple[bytes, int]]
_CARRIED = """
SELECT p.account, SUM(p.nano) FROM ledger_transactions t
  JOIN postings p ON p.transaction_id = t.id WHERE t.key >= ? AND t.key < ? GROUP BY p.account
"""
# SQLite takes the other columns from the row that has the maximum.
_NEWEST = "SELECT twin, body, MAX(log_index) FROM manifests GROUP BY twin"
_TWINS = "SELECT DISTINCT twin FROM replies WHERE log_index < ? ORDER BY twin"
_NO_END = 2**62


@dataclass(frozen=True, slots=True)
class _Read:
    """What one snapshot has given, before anything is made of it.

    Attributes:
        size: leaves of the log that count.
        twins: those that get a leaf.
        manifests: each twin's newest one.
        carried: sums of the accounts in transactions that took over a lost epoch.
    """

    size: int
    twins: Sequence[bytes]
    outcomes: Sequence[rows.Row]
    manifests: dict[bytes, bytes]
    carried: dict[str, int]

    def books(self) -> list[tuple[Earnings, int]]:
        """Return every twin's earnings, and what of them was paid with bought credit."""
        outcomes = join_outcomes(self.outcomes, self.size)
        return [self._earnings(twin, outcomes.get(twin, TwinOutcomes())) for twin in self.twins]

    def _earnings(self, twin: bytes, outcomes: TwinOutcomes) -> tuple[Earnings, int]:
        body = self.manifests.get(twin)
        if body is None:
            raise InvariantError(f"twin {twin.hex()} has receipts and no manifest")
        log = outcomes.log
        tally = log.tally()
        accounts = creator_account(twin), settled_account(twin)
        carried = sum(self.carried.get(account, 0) for account in accounts)
        held = outcomes.held_nano
        earnings = Earnings(
            twin=twin,
            payout=parse_address(parse_manifest(body).payout),
            cumulative_nano=tally.earned_nano - held + carried,
            entries=len(log),
            twin_log_root=log.root(),
            held_nano=held,
            carried_nano=carried,
        )
        return earnings, tally.bought_nano - held


class SqliteEarnings(EarningsReader):
    """Reads the book and posts what the chain has confirmed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def freeze(self) -> EarningsSnapshot:
        """Return earnings and log under the newest signed head, from one snapshot."""
        async with self._database.reading() as connection:
            tx = SqliteTransaction(connection)
            head = await tx.latest_checkpoint()
            read = await _read(tx, head.size if head else 0)
            cutoff = await tx.integer("SELECT MAX(id) FROM ledger_transactions")
            lost = await tx.balance(settled_account(LOST_FEES))
            seals = await tx.seals()
        books = await asyncio.to_thread(read.books)
        return EarningsSnapshot(
            earnings=(*(one for one, _ in books), *([lost_fees(lost)] if lost else [])),
            log_size=read.size,
            log_root=head.root if head else bytes(32),
            cutoff=cutoff,
            seals=tuple(SealStatement.parse(parse_envelope(one).payload) for one in seals),
        )

    async def standing(self, log_size: int) -> tuple[TwinBook, ...]:
        """Return every twin's earnings as of the log's first leaves, and what is settled."""
        async with self._database.reading() as connection:
            tx = SqliteTransaction(connection)
            lost = await tx.balance(settled_account(LOST_FEES))
            read = await _read(tx, log_size, await tx.blobs(_TWINS, _NO_END))
            settled = [await tx.balance(settled_account(twin)) for twin in read.twins]
        books = await asyncio.to_thread(read.books)
        return (
            *(
                TwinBook(earnings, nano, bought)
                for (earnings, bought), nano in zip(books, settled, strict=True)
            ),
            *([TwinBook(lost_fees(lost), lost)] if lost else []),
        )

    async def twin_log(self, twin: bytes, log_size: int) -> TwinLog:
        """Return a twin's entries whose outcome leaves stand below `log_size`."""
        async with self._database.reading() as connection:
            found = await read_outcomes(SqliteTransaction(connection), log_size, twin)
        outcomes = await asyncio.to_thread(join_outcomes, found, log_size)
        own = outcomes.get(twin, TwinOutcomes())
        return await asyncio.to_thread(lambda: own.log)

    async def earned(self, twin: bytes) -> Earnings | None:
        """Return one twin's earnings now; None when it never had a receipt."""
        async with self._database.reading() as connection:
            tx = SqliteTransaction(connection)
            if await tx.next_sequence(twin) == 1:
                return None
            read = await _read(tx, await tx.log_size(), [twin], only=twin)
        ((earnings, _),) = await asyncio.to_thread(read.books)
        return earnings

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


async def _read(
    tx: SqliteTransaction,
    size: int,
    twins: Sequence[bytes] | None = None,
    *,
    only: bytes | None = None,
) -> _Read:
    """Read what the earnings of these twins are made of; of those with receipts below `size`."""
    newest = await tx.all(_NEWEST)
    carried = await tx.all(_CARRIED, RESTORES, _end_of(RESTORES))
    return _Read(
        size=size,
        twins=await tx.blobs(_TWINS, size) if twins is None else twins,
        outcomes=await read_outcomes(tx, size, only),
        manifests={rows.blob(row[0]): rows.blob(row[1]) for row in newest},
        carried=dict(cast("list[tuple[str, int]]", carried)),
    )


def _end_of(prefix: str) -> str:
    """Return the first text after all that begin with a prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
