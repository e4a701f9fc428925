"""The ledger's tables: transactions, postings, and balances as a cache of their sums."""

from adapters.sqlite.statements import Statements
from bot.domain.ledger import LedgerTransaction


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
        await self.many(
            "INSERT INTO balances (account, nano) VALUES (?, ?) "
            "ON CONFLICT (account) DO UPDATE SET nano = nano + excluded.nano",
            [(posting.account, posting.nano) for posting in transaction.postings],
        )
        return True

    async def balance(self, account: str) -> int:
        """Return an account's balance in nano-units."""
        return await self.integer("SELECT nano FROM balances WHERE account = ?", account)
