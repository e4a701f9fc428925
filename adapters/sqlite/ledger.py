"""The ledger's tables: transactions, postings, and balances as a cache of their sums."""

import sqlite3
from typing import cast

from adapters.sqlite.statements import Statements
from bot.domain.errors import InvariantError
from bot.domain.ledger import LedgerTransaction, Posting


class LedgerTables(Statements):
    """The ledger's part of a transaction."""

    async def post(self, transaction: LedgerTransaction) -> bool:
        """Post a ledger transaction; return False if its key was posted before."""
        posted = await self.integer(
            "INSERT INTO ledger_transactions (key, kind) VALUES (?, ?) "
            "ON CONFLICT (key) DO NOTHING RETURNING id",
            transaction.key,
            transaction.kind,
        )
        if not posted:
            return False
        await self.insert(
            "postings",
            *(
                {"transaction_id": posted, "account": posting.account, "nano": posting.nano}
                for posting in transaction.postings
            ),
        )
        try:
            await self.many(
                "INSERT INTO balances (account, nano) VALUES (?, ?) "
                "ON CONFLICT (account) DO UPDATE SET nano = nano + excluded.nano",
                [(posting.account, posting.nano) for posting in transaction.postings],
            )
        except sqlite3.IntegrityError as error:  # a trigger guards all but accounts of debits
            raise InvariantError(f"{transaction.key} overdraws an account") from error
        return True

    async def posted(self, key: str) -> LedgerTransaction | None:
        """Return the ledger transaction of a key."""
        found = await self.few(
            "SELECT t.kind, p.account, p.nano FROM ledger_transactions t "
            "LEFT JOIN postings p ON p.transaction_id = t.id WHERE t.key = ? ORDER BY p.account",
            key,
        )
        if not found:
            return None
        postings = [Posting(str(row[1]), cast("int", row[2])) for row in found if row[1]]
        return LedgerTransaction(key, str(found[0][0]), tuple(postings))

    async def balance(self, account: str) -> int:
        """Return an account's balance in nano-units."""
        return await self.integer("SELECT nano FROM balances WHERE account = ?", account)
