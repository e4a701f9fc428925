"""The tables of fans' credit: accounts, purchases, agreements, and what was used lately."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from adapters.sqlite import rows
from adapters.sqlite.statements import Statements
from bot.domain.errors import InvariantError
from bot.ports.credit_book import (
    FanAccount,
    PriceAgreement,
    StoredPurchase,
    StoredRefund,
    Usage,
)
from bot.ports.people import Person

_ACCOUNT = "SELECT name, platform, fan, opened_at, daily_limit_nano FROM fan_accounts"
_PURCHASES = """
SELECT p.platform, p.charge_id, p.account, p.unit, p.count, p.nano, p.test, p.rate_table, p.at,
       r.taken_nano, r.reversed_nano, r.lost_nano, r.at
  FROM (SELECT platform, charge_id, account, unit, count, nano, test, rate_table, at FROM purchases
         UNION ALL
        SELECT platform, charge_id, account, unit, count, 0, test, NULL, at FROM unpriced_purchases
       ) p
  LEFT JOIN refunds r ON r.platform = p.platform AND r.charge_id = p.charge_id
"""
_MISSED_SINCE = """
SELECT EXISTS (
  SELECT 1 FROM purchases p
    JOIN refunds r ON r.platform = p.platform AND r.charge_id = p.charge_id
    JOIN ledger_transactions t ON t.key = 'refund:' || p.platform || ':' || p.charge_id
   WHERE p.account = ? AND p.test = 0 AND r.taken_nano < p.nano
     AND t.id > (SELECT id FROM ledger_transactions WHERE key = ?))
"""
_ADD_USE = (
    "INSERT INTO usage (scope, slot, nano, count) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (scope, slot) DO UPDATE SET nano = nano + excluded.nano, "
    "count = count + excluded.count"
)


class CreditTables(Statements):
    """The part of a transaction that keeps what fans own and have agreed to."""

    async def account_of(self, person: Person) -> FanAccount | None:
        """Return a person's account."""
        row = await self.one(
            f"{_ACCOUNT} WHERE platform = ? AND fan = ?", person.platform, person.fan
        )
        return None if row is None else _read_account(row)

    async def accounts(self) -> list[FanAccount]:
        """Return every account whose person is known, oldest first."""
        found = await self.all(f"{_ACCOUNT} ORDER BY opened_at, name")
        return [_read_account(row) for row in found]

    async def open_account(self, account: FanAccount) -> None:
        """Keep a new account; name and person must be new."""
        await self.insert(
            "fan_accounts",
            {
                "name": account.name,
                "platform": account.person.platform,
                "fan": account.person.fan,
                "opened_at": text_of(account.opened_at),
                "daily_limit_nano": account.daily_limit_nano,
            },
        )

    async def limit_account(self, name: str, nano: int) -> None:
        """Set the most that an account spends in 24 hours."""
        await self.change_one(
            "UPDATE fan_accounts SET daily_limit_nano = ? WHERE name = ?", nano, name
        )

    async def add_purchase(self, purchase: StoredPurchase) -> None:
        """Keep a purchase; of a unit that no table has named it waits to be worth something."""
        key = {"platform": purchase.platform, "charge_id": purchase.charge_id}
        bought = {
            "account": purchase.account,
            "unit": purchase.unit,
            "count": purchase.count,
            "test": purchase.test,
            "at": text_of(purchase.at),
        }
        await self.change(
            "DELETE FROM unpriced_purchases WHERE platform = ? AND charge_id = ?", *key.values()
        )
        if purchase.nano == 0:
            await self.insert("unpriced_purchases", key | bought)
            return
        worth = {"nano": purchase.nano, "rate_table": purchase.rate_table}
        await self.insert("purchases", key | bought | worth)

    async def find_purchase(self, platform: str, charge_id: str) -> StoredPurchase | None:
        """Return a purchase."""
        row = await self.one(
            f"{_PURCHASES} WHERE p.platform = ? AND p.charge_id = ?", platform, charge_id
        )
        return None if row is None else _read_purchase(row)[0]

    async def purchases_of(self, account: str) -> list[tuple[StoredPurchase, StoredRefund | None]]:
        """Return what was bought for an account, newest first, and what became of it."""
        where = "WHERE p.account = ? ORDER BY p.at DESC, p.charge_id"
        return [_read_purchase(row) for row in await self.all(f"{_PURCHASES} {where}", account)]

    async def all_purchases(self) -> list[tuple[StoredPurchase, StoredRefund | None]]:
        """Return every purchase, newest first."""
        found = await self.all(f"{_PURCHASES} ORDER BY p.at DESC, p.charge_id")
        return [_read_purchase(row) for row in found]

    async def waiting_purchases(self) -> list[StoredPurchase]:
        """Return the purchases that are worth 0 and were not refunded, oldest first."""
        found = await self.few(
            "SELECT platform, charge_id, account, unit, count, 0, test, NULL, at, "
            "NULL, NULL, NULL, NULL FROM unpriced_purchases p WHERE NOT EXISTS (SELECT 1 "
            "FROM refunds r WHERE r.platform = p.platform AND r.charge_id = p.charge_id) "
            "ORDER BY at, charge_id"
        )
        return [_read_purchase(row)[0] for row in found]

    async def add_refund(self, refund: StoredRefund) -> None:
        """Keep the end of a purchase, once."""
        await self.insert(
            "refunds",
            {
                "platform": refund.platform,
                "charge_id": refund.charge_id,
                "taken_nano": refund.taken_nano,
                "reversed_nano": refund.reversed_nano,
                "lost_nano": refund.lost_nano,
                "at": text_of(refund.at),
            },
        )

    async def find_refund(self, platform: str, charge_id: str) -> StoredRefund | None:
        """Return the end of a purchase."""
        row = await self.one(
            f"{_PURCHASES} WHERE p.platform = ? AND p.charge_id = ?", platform, charge_id
        )
        return None if row is None else _read_purchase(row)[1]

    async def missed_since(self, account: str, key: str) -> bool:
        """Whether a refund found too little credit after a ledger key was posted."""
        found = await self.integer(_MISSED_SINCE, account, key)
        return bool(found)

    async def agreement(self, account: str, twin: bytes, price_nano: int) -> PriceAgreement | None:
        """Return what a fan was told of a twin's price."""
        row = await self.one(
            "SELECT asked, at FROM price_agreements "
            "WHERE account = ? AND twin = ? AND price_nano = ?",
            *(account, twin, price_nano),
        )
        if row is None:
            return None
        return PriceAgreement(account, twin, price_nano, str(row[0]), time_of(row[1]))

    async def agree(self, agreement: PriceAgreement) -> None:
        """Keep that a fan was told a price; a second time changes nothing."""
        await self.change(
            "INSERT INTO price_agreements VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            *(agreement.account, agreement.twin, agreement.price_nano),
            *(agreement.asked, text_of(agreement.at)),
        )

    async def use(self, intent: str, scopes: Sequence[str], slot: int, nano: int) -> None:
        """Count a reply's price, once, in each of the scopes, in a slot of time."""
        new = await self.change(
            "INSERT INTO usage_of VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            *(intent, json.dumps(list(scopes)), slot, nano),
        )
        if new:
            await self.many(_ADD_USE, [(scope, slot, nano, 1) for scope in scopes])

    async def unuse(self, intent: str) -> None:
        """Take back what was counted for an intent; nothing where nothing was, or long ago."""
        row = await self.one(
            "DELETE FROM usage_of WHERE intent = ? RETURNING scopes, slot, nano", intent
        )
        if row is None:
            return
        scopes, slot, nano = row
        values = [(scope, slot, -cast("int", nano), -1) for scope in json.loads(str(scopes))]
        await self.many(_ADD_USE, values)

    async def move_use(self, intent: str, other: str) -> None:
        """Let another intent stand for what was counted for one."""
        await self.change("UPDATE usage_of SET intent = ? WHERE intent = ?", other, intent)

    async def used(self, scope: str, since_slot: int) -> Usage:
        """Return what was counted in a scope from a slot of time on."""
        row = await self.one(
            "SELECT COALESCE(SUM(nano), 0), COALESCE(SUM(count), 0) FROM usage "
            "WHERE scope = ? AND slot >= ?",
            *(scope, since_slot),
        )
        if row is None:
            raise InvariantError("a sum has a row")
        return Usage(cast("int", row[0]), cast("int", row[1]))

    async def clear_uses(self, before_slot: int) -> None:
        """Forget what was counted before a slot of time."""
        await self.change("DELETE FROM usage WHERE slot < ?", before_slot)
        await self.change("DELETE FROM usage_of WHERE slot < ?", before_slot)

    async def add_notice(self, account: str, key: str, sentence: str) -> bool:
        """Keep what an account's person is to be told; False if the same key was there before."""
        new = await self.change(
            "INSERT INTO notices (account, key, sentence, told) VALUES (?, ?, ?, 0) "
            "ON CONFLICT (account, key) DO NOTHING",
            *(account, key, sentence),
        )
        return new == 1

    async def take_notices(self, account: str) -> list[str]:
        """Return what was not told yet, oldest first; it is not returned again."""
        found = await self.few(
            "SELECT sentence FROM notices WHERE account = ? AND told = 0 ORDER BY position", account
        )
        await self.change("UPDATE notices SET told = 1 WHERE account = ? AND told = 0", account)
        return [str(row[0]) for row in found]


def text_of(moment: datetime) -> str:
    """Write a time so that texts compare as times do."""
    return moment.astimezone(UTC).isoformat()


def time_of(value: object) -> datetime:
    """Read a time that `text_of` has written."""
    return datetime.fromisoformat(str(value))


def _read_account(row: rows.Row) -> FanAccount:
    name, platform, fan, opened_at, limit = row
    return FanAccount(
        name=str(name),
        person=Person(str(platform), str(fan)),
        opened_at=time_of(opened_at),
        daily_limit_nano=cast("int | None", limit),
    )


def _read_purchase(row: rows.Row) -> tuple[StoredPurchase, StoredRefund | None]:
    platform, charge_id, account, unit = map(str, row[:4])
    count, nano, test, rate_table, at = row[4:9]
    purchase = StoredPurchase(
        platform=platform,
        charge_id=charge_id,
        account=account,
        unit=unit,
        count=cast("int", count),
        nano=cast("int", nano),
        test=bool(test),
        rate_table=cast("bytes | None", rate_table),
        at=time_of(at),
    )
    if row[12] is None:
        return purchase, None
    taken, reversed_nano, lost = (cast("int", one) for one in row[9:12])
    return purchase, StoredRefund(platform, charge_id, taken, reversed_nano, lost, time_of(row[12]))
