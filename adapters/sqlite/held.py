"""The table of fees that a platform may still take back."""

from datetime import datetime
from typing import cast

from adapters.sqlite import rows
from adapters.sqlite.credit import text_of, time_of
from adapters.sqlite.statements import Statements
from bot.ports.credit_book import HeldFee

_HELD = (
    "SELECT intent, account, twin, price_nano, creator_nano, rate_table, at, position "
    "FROM held_fees"
)

_BEFORE_MISS = """
SELECT h.intent FROM held_fees h
  JOIN intents i ON i.key = h.intent
  JOIN intents f ON f.slot_tag = i.slot_tag AND f.attempt = i.attempt - i.rejected
  JOIN ledger_transactions t ON t.key = 'hold:' || f.key
 WHERE h.account = ? AND t.id < (
  SELECT MAX(m.id) FROM purchases p
    JOIN refunds r ON r.platform = p.platform AND r.charge_id = p.charge_id
    JOIN ledger_transactions m ON m.key = 'refund:' || p.platform || ':' || p.charge_id
   WHERE p.account = ? AND p.test = 0 AND r.taken_nano < p.nano)
"""


class HeldTables(Statements):
    """The part of a transaction that keeps held fees."""

    async def add_held(self, fee: HeldFee) -> None:
        """Keep a fee that may be taken back; its intent must be new."""
        await self.insert(
            "held_fees",
            {
                "intent": fee.intent,
                "account": fee.account,
                "twin": fee.twin,
                "price_nano": fee.price_nano,
                "creator_nano": fee.creator_nano,
                "rate_table": fee.rate_table,
                "at": text_of(fee.at),
            },
        )

    async def end_held(self, intent: str) -> None:
        """Take a fee out: it is payable now, or was taken back."""
        await self.change_one("DELETE FROM held_fees WHERE intent = ?", intent)

    async def held_tables(self) -> list[bytes]:
        """Return the rate tables of the fees that are held."""
        return await self.blobs("SELECT DISTINCT rate_table FROM held_fees ORDER BY rate_table")

    async def held_until(self, rate_table: bytes, until: datetime, limit: int) -> list[HeldFee]:
        """Return fees of one table that were paid at a time or before it, oldest first."""
        found = await self.all(
            f"{_HELD} WHERE rate_table = ? AND at <= ? ORDER BY at, position LIMIT ?",
            *(rate_table, text_of(until), limit),
        )
        return [_read_held(row) for row in found]

    async def held_of(
        self, account: str, *, before: int | None, limit: int
    ) -> list[tuple[int, HeldFee]]:
        """Return fees that an account has paid, newest first, each with its position."""
        found = await self.all(
            f"{_HELD} WHERE account = ? AND position < ? ORDER BY position DESC LIMIT ?",
            *(account, 2**62 if before is None else before, limit),
        )
        return [(cast("int", row[-1]), _read_held(row)) for row in found]

    async def held_before_miss(self, account: str) -> frozenset[str]:
        """Return the intents of held fees that were begun before a refund missed something."""
        return frozenset(str(row[0]) for row in await self.all(_BEFORE_MISS, account, account))

    async def all_held(self) -> list[HeldFee]:
        """Return every held fee."""
        return [_read_held(row) for row in await self.all(f"{_HELD} ORDER BY position")]


def _read_held(row: rows.Row) -> HeldFee:
    intent, account, twin, price, creator, rate_table, at, _ = row
    return HeldFee(
        intent=str(intent),
        account=str(account),
        twin=rows.blob(twin),
        price_nano=cast("int", price),
        creator_nano=cast("int", creator),
        rate_table=rows.blob(rate_table),
        at=time_of(at),
    )
