"""The whole store in one snapshot, for the audit."""

from collections.abc import Iterable
from itertools import groupby

import aiosqlite

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteTransaction
from adapters.sqlite.verdicts import SELECT_VERDICT, read_verdict
from bot.domain.errors import InvariantError
from bot.domain.ledger import LedgerTransaction, Posting
from bot.ports.audit import AuditReader, StoredRecords, StoredSeal

_LEDGER = """
SELECT t.key, t.kind, p.account, p.nano, t.id FROM ledger_transactions t
  LEFT JOIN postings p ON p.transaction_id = t.id ORDER BY t.id, p.account
"""


class SqliteAuditReader(AuditReader):
    """Reads every table of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read_all(self) -> StoredRecords:
        """Return everything, from one consistent snapshot."""
        async with self._database.reading() as connection:
            leaves = await _fetch(connection, "SELECT leaf FROM log_leaves ORDER BY idx")
            nodes = await _fetch(connection, "SELECT level, idx, hash FROM log_nodes")
            heads = await _fetch(
                connection, "SELECT size, root, note FROM checkpoints ORDER BY size"
            )
            manifests = await _fetch(connection, f"{rows.SELECT_MANIFEST} ORDER BY log_index")
            intents = await _fetch(connection, f"{rows.SELECT_INTENT} ORDER BY rowid")
            orders = await _fetch(connection, f"{rows.SELECT_ORDER} ORDER BY log_index")
            verdicts = await _fetch(connection, f"{SELECT_VERDICT} ORDER BY log_index")
            seals = await _fetch(
                connection, "SELECT log_index, envelope FROM seals ORDER BY log_index"
            )
            replies = await _fetch(connection, f"{rows.SELECT_REPLY} ORDER BY twin, seq")
            ledger = await _fetch(connection, _LEDGER)
            balances = await _fetch(connection, "SELECT account, nano FROM balances")
            credit = SqliteTransaction(connection)
            purchases = await credit.all_purchases()
            rates = await credit.rate_tables()
            held, disputes = await credit.all_held(), await credit.all_disputes()
            accounts = await credit.accounts()
        try:
            return StoredRecords(
                leaves=tuple(row[0] for row in leaves),
                nodes={(row[0], row[1]): row[2] for row in nodes},
                checkpoints=tuple(map(rows.read_checkpoint, heads)),
                manifests=tuple(map(rows.read_manifest, manifests)),
                intents=tuple(map(rows.read_intent, intents)),
                replies=tuple(map(rows.read_reply, replies)),
                ledger=tuple(_transactions(ledger)),
                ledger_ids=tuple(dict.fromkeys(row[4] for row in ledger)),
                balances={row[0]: row[1] for row in balances},
                orders=tuple(map(rows.read_order, orders)),
                verdicts=tuple(map(read_verdict, verdicts)),
                seals=tuple(StoredSeal(*row) for row in seals),
                rates=tuple(rates),
                purchases=tuple(purchases),
                held=tuple(held),
                disputes=tuple(disputes),
                accounts=tuple(accounts),
            )
        except (ValueError, TypeError, LookupError) as error:
            raise InvariantError(f"a stored row can't be read: {error}") from error


async def _fetch(connection: aiosqlite.Connection, sql: str) -> list[tuple]:  # type: ignore[type-arg]
    async with connection.execute(sql) as cursor:
        return [tuple(row) for row in await cursor.fetchall()]


def _transactions(ledger: Iterable[tuple]) -> Iterable[LedgerTransaction]:  # type: ignore[type-arg]
    for (key, kind), postings in groupby(ledger, key=lambda row: (row[0], row[1])):
        yield LedgerTransaction(
            key=key,
            kind=kind,
            postings=tuple(Posting(row[2], row[3]) for row in postings if row[2] is not None),
        )
