"""The part of the store in memory that keeps fans' money; as strict as the tables are."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain.errors import InvariantError
from bot.domain.ledger import LedgerTransaction
from bot.ledger.fees import first_draw, hold_key
from bot.ports.credit import DisputeState
from bot.ports.credit_book import (
    CreditRecords,
    FanAccount,
    HeldFee,
    PriceAgreement,
    StoredPurchase,
    StoredRefund,
    Usage,
)
from bot.ports.disputes import StoredDispute, SupportNote
from bot.ports.people import Person
from bot.ports.stores import Intent


@dataclass(slots=True)
class Notice:
    """A sentence for a fan."""

    account: str
    key: str
    sentence: str
    told: bool = False


@dataclass(slots=True)
class CreditTables:
    """What is durable of fans' money."""

    accounts: list[FanAccount] = field(default_factory=list)
    purchases: dict[tuple[str, str], StoredPurchase] = field(default_factory=dict)
    refunds: dict[tuple[str, str], StoredRefund] = field(default_factory=dict)
    agreements: list[PriceAgreement] = field(default_factory=list)
    uses: dict[str, tuple[tuple[str, ...], int, int]] = field(default_factory=dict)
    usage: dict[tuple[str, int], Usage] = field(default_factory=dict)
    held: list[tuple[int, HeldFee]] = field(default_factory=list)
    fees: int = 0
    notices: list[Notice] = field(default_factory=list)
    disputes: list[StoredDispute] = field(default_factory=list)
    notes: list[SupportNote] = field(default_factory=list)

    def copy(self) -> "CreditTables":
        """Return tables that can be changed without changing these."""
        return CreditTables(
            list(self.accounts),
            dict(self.purchases),
            dict(self.refunds),
            list(self.agreements),
            dict(self.uses),
            dict(self.usage),
            list(self.held),
            self.fees,
            [replace(one) for one in self.notices],
            list(self.disputes),
            list(self.notes),
        )


def forget_account(
    tables: CreditTables,
    person: Person,
    at: datetime,
    *,
    receipts: AbstractSet[str],
    pays_on: bool,
) -> None:
    """Delete what leads from a person to their account, and what they said of money.

    Args:
        tables: to change.
        person: whose.
        at: what was bought, agreed or said later stays, and the account with it.
        receipts: of the replies that are forgotten.
        pays_on: whether the account has paid a reply that is not.
    """
    own = {one.name for one in tables.accounts if one.person == person}
    later = {one.account for one in tables.purchases.values() if one.at > at}
    opened = {one.name for one in tables.accounts if one.opened_at <= at}
    names = set() if pays_on else (own & opened) - later
    tables.accounts = [one for one in tables.accounts if one.name not in names]
    tables.notes = [one for one in tables.notes if one.person != person or one.at > at]
    tables.agreements = [
        one
        for one in tables.agreements
        if one.account not in names and (one.account not in own or one.at > at)
    ]
    about = {f"dispute {receipt}" for receipt in receipts}
    tables.notices = [
        one
        for one in tables.notices
        if one.account not in names and (one.account not in own or one.key not in about)
    ]
    left: list[StoredDispute] = []
    for one in tables.disputes:
        if one.account not in names and one.receipt_id not in receipts:
            left.append(one)
        elif one.state is not DisputeState.CHECKING:
            left.append(replace(one, reason=""))
    tables.disputes = left


class MemoryCreditRecords(CreditRecords):
    """The operations on a copy of the tables."""

    async def _credit(self) -> CreditTables:
        """Return the tables, to read."""
        raise NotImplementedError

    async def _ledger(self) -> Sequence[LedgerTransaction]:
        """Return the ledger, in the order of posting."""
        raise NotImplementedError

    async def _intents(self) -> Collection[Intent]:
        """Return every intent."""
        raise NotImplementedError

    async def _change_credit(self) -> CreditTables:
        """Return the tables, to write."""
        raise NotImplementedError

    async def account_of(self, person: Person) -> FanAccount | None:
        """Return a person's account."""
        found = (await self._credit()).accounts
        return next((one for one in found if one.person == person), None)

    async def accounts(self) -> list[FanAccount]:
        """Return every account whose person is known, oldest first."""
        return sorted((await self._credit()).accounts, key=lambda one: (one.opened_at, one.name))

    async def open_account(self, account: FanAccount) -> None:
        """Keep a new account; name and person must be new."""
        tables = await self._change_credit()
        for known in tables.accounts:
            if known.name == account.name or known.person == account.person:
                raise InvariantError("an account was opened twice")
        tables.accounts.append(account)

    async def limit_account(self, name: str, nano: int) -> None:
        """Set the most that an account spends in 24 hours."""
        tables = await self._change_credit()
        if name not in {one.name for one in tables.accounts} or nano < 0:
            raise InvariantError("no such account, or no such limit")
        tables.accounts = [
            replace(one, daily_limit_nano=nano) if one.name == name else one
            for one in tables.accounts
        ]

    async def add_purchase(self, purchase: StoredPurchase) -> None:
        """Keep a purchase; of a unit that no table has named it waits to be worth something."""
        tables = await self._change_credit()
        key = (purchase.platform, purchase.charge_id)
        known = tables.purchases.get(key)
        if (known is not None and known.nano) or purchase.count < 1 or key in tables.refunds:
            raise InvariantError("a purchase was kept twice, is refunded, or is of nothing")
        tables.purchases[key] = purchase

    async def find_purchase(self, platform: str, charge_id: str) -> StoredPurchase | None:
        """Return a purchase."""
        return (await self._credit()).purchases.get((platform, charge_id))

    async def purchases_of(self, account: str) -> list[tuple[StoredPurchase, StoredRefund | None]]:
        """Return what was bought for an account, newest first, and what became of it."""
        return [both for both in await self.all_purchases() if both[0].account == account]

    async def all_purchases(self) -> list[tuple[StoredPurchase, StoredRefund | None]]:
        """Return every purchase, newest first."""
        tables = await self._credit()
        by_charge = sorted(tables.purchases.items(), key=lambda item: item[1].charge_id)
        newest = sorted(by_charge, key=lambda item: item[1].at, reverse=True)
        return [(one, tables.refunds.get(key)) for key, one in newest]

    async def waiting_purchases(self) -> list[StoredPurchase]:
        """Return the purchases that are worth 0 and were not refunded, oldest first."""
        tables = await self._credit()
        kept = tables.purchases.items()
        waiting = [one for key, one in kept if one.nano == 0 and key not in tables.refunds]
        return sorted(waiting, key=lambda one: (one.at, one.charge_id))

    async def add_refund(self, refund: StoredRefund) -> None:
        """Keep the end of a purchase, once."""
        tables = await self._change_credit()
        key = (refund.platform, refund.charge_id)
        if key in tables.refunds or key not in tables.purchases:
            raise InvariantError("refunded twice, or never bought")
        if tables.purchases[key].nano == 0 and (
            refund.taken_nano + refund.reversed_nano + refund.lost_nano
        ):
            raise InvariantError("nothing comes back of what was worth nothing")
        tables.refunds[key] = refund

    async def find_refund(self, platform: str, charge_id: str) -> StoredRefund | None:
        """Return the end of a purchase."""
        return (await self._credit()).refunds.get((platform, charge_id))

    async def missed_since(self, account: str, key: str) -> bool:
        """Whether a refund found too little credit after a ledger key was posted."""
        places = {one.key: at for at, one in enumerate(await self._ledger())}
        return any(
            refund.taken_nano < bought.nano
            and places.get(f"refund:{bought.platform}:{bought.charge_id}", -1) > places[key]
            for bought, refund in await self.purchases_of(account)
            if key in places and refund is not None and not bought.test
        )

    async def held_before_miss(self, account: str) -> frozenset[str]:
        """Return the intents of held fees that were begun before a refund missed something."""
        rejected = {one.key: one.rejected for one in await self._intents()}
        return frozenset(
            [
                fee.intent
                for _, fee in (await self._credit()).held
                if fee.account == account
                and fee.intent in rejected
                and await self.missed_since(
                    account, hold_key(first_draw(fee.intent, rejected[fee.intent]))
                )
            ]
        )

    async def agreement(self, account: str, twin: bytes, price_nano: int) -> PriceAgreement | None:
        """Return what a fan was told of a twin's price."""
        key = (account, twin, price_nano)
        return next(
            (
                one
                for one in (await self._credit()).agreements
                if (one.account, one.twin, one.price_nano) == key
            ),
            None,
        )

    async def agree(self, agreement: PriceAgreement) -> None:
        """Keep that a fan was told a price; a second time changes nothing."""
        tables = await self._change_credit()
        of = (agreement.account, agreement.twin, agreement.price_nano)
        if await self.agreement(*of) is None:
            tables.agreements.append(agreement)

    async def use(self, intent: str, scopes: Sequence[str], slot: int, nano: int) -> None:
        """Count a reply's price, once, in each of the scopes, in a slot of time."""
        tables = await self._change_credit()
        if intent in tables.uses:
            return
        tables.uses[intent] = (tuple(scopes), slot, nano)
        for scope in scopes:
            _add(tables, scope, slot, nano, 1)

    async def unuse(self, intent: str) -> None:
        """Take back what was counted for an intent; nothing where nothing was, or long ago."""
        tables = await self._change_credit()
        scopes, slot, nano = tables.uses.pop(intent, ((), 0, 0))
        for scope in scopes:
            _add(tables, scope, slot, -nano, -1)

    async def move_use(self, intent: str, other: str) -> None:
        """Let another intent stand for what was counted for one."""
        tables = await self._change_credit()
        if intent in tables.uses:
            tables.uses[other] = tables.uses.pop(intent)

    async def used(self, scope: str, since_slot: int) -> Usage:
        """Return what was counted in a scope from a slot of time on."""
        usage = (await self._credit()).usage
        found = [one for (of, slot), one in usage.items() if of == scope and slot >= since_slot]
        return Usage(sum(one.nano for one in found), sum(one.count for one in found))

    async def clear_uses(self, before_slot: int) -> None:
        """Forget what was counted before a slot of time."""
        tables = await self._change_credit()
        tables.usage = {key: one for key, one in tables.usage.items() if key[1] >= before_slot}
        tables.uses = {key: one for key, one in tables.uses.items() if one[1] >= before_slot}

    async def add_held(self, fee: HeldFee) -> None:
        """Keep a fee that may be taken back; its intent must be new."""
        tables = await self._change_credit()
        if fee.intent in {one.intent for _, one in tables.held}:
            raise InvariantError("a fee was held twice")
        tables.fees += 1
        tables.held.append((tables.fees, fee))

    async def end_held(self, intent: str) -> None:
        """Take a fee out: it is payable now, or was taken back."""
        tables = await self._change_credit()
        left = [both for both in tables.held if both[1].intent != intent]
        if len(left) != len(tables.held) - 1:
            raise InvariantError("a fee that is not held can't end")
        tables.held = left

    async def held_tables(self) -> list[bytes]:
        """Return the rate tables of the fees that are held."""
        return sorted({fee.rate_table for _, fee in (await self._credit()).held})

    async def held_until(self, rate_table: bytes, until: datetime, limit: int) -> list[HeldFee]:
        """Return fees of one table that were paid at a time or before it, oldest first."""
        held = (await self._credit()).held
        due = [both for both in held if both[1].rate_table == rate_table and both[1].at <= until]
        return [fee for _, fee in sorted(due, key=lambda both: (both[1].at, both[0]))][:limit]

    async def held_of(
        self, account: str, *, before: int | None, limit: int
    ) -> list[tuple[int, HeldFee]]:
        """Return fees that an account has paid, newest first, each with its position."""
        held = (await self._credit()).held
        theirs = [
            both
            for both in held[::-1]
            if both[1].account == account and (before is None or both[0] < before)
        ]
        return theirs[:limit]

    async def all_held(self) -> list[HeldFee]:
        """Return every held fee."""
        return [fee for _, fee in (await self._credit()).held]

    async def add_notice(self, account: str, key: str, sentence: str) -> bool:
        """Keep what an account's person is to be told; False if the same key was there before."""
        tables = await self._change_credit()
        if (account, key) in {(one.account, one.key) for one in tables.notices}:
            return False
        tables.notices.append(Notice(account, key, sentence))
        return True

    async def take_notices(self, account: str) -> list[str]:
        """Return what was not told yet, oldest first; it is not returned again."""
        tables = await self._change_credit()
        found = [one for one in tables.notices if one.account == account and not one.told]
        for one in found:
            one.told = True
        return [one.sentence for one in found]

    async def add_dispute(self, dispute: StoredDispute) -> None:
        """Keep a new dispute; its receipt must have none."""
        tables = await self._change_credit()
        if dispute.receipt_id in {one.receipt_id for one in tables.disputes}:
            raise InvariantError("a reply was disputed twice")
        tables.disputes.append(dispute)

    async def find_dispute(self, receipt_id: str) -> StoredDispute | None:
        """Return the dispute about a reply."""
        found = (await self._credit()).disputes
        return next((one for one in found if one.receipt_id == receipt_id), None)

    async def disputes_of(self, account: str) -> list[StoredDispute]:
        """Return an account's disputes, newest first."""
        return [one for one in await self.all_disputes() if one.account == account]

    async def all_disputes(self) -> list[StoredDispute]:
        """Return every dispute, newest first."""
        return (await self._credit()).disputes[::-1]

    async def open_disputes(self) -> list[StoredDispute]:
        """Return the disputes that are still checked, oldest first."""
        found = (await self._credit()).disputes
        return [one for one in found if one.state is DisputeState.CHECKING]

    async def decide_dispute(
        self, receipt_id: str, state: DisputeState, sentence: str, *, nano: int, at: datetime
    ) -> None:
        """Decide a dispute that is checked; a second time is an InvariantError."""
        tables = await self._change_credit()
        known = await self.find_dispute(receipt_id)
        if known is None or known.state is not DisputeState.CHECKING:
            raise InvariantError("a dispute was decided twice, or never begun")
        decided = replace(known, state=state, sentence=sentence, nano=nano, decided_at=at)
        tables.disputes[tables.disputes.index(known)] = decided

    async def add_note(self, note: SupportNote) -> None:
        """Keep a question."""
        (await self._change_credit()).notes.append(note)

    async def notes(self) -> list[SupportNote]:
        """Return all questions, newest first."""
        return (await self._credit()).notes[::-1]

    async def notes_by(self, person: Person) -> list[SupportNote]:
        """Return a person's questions, oldest first."""
        return [one for one in (await self._credit()).notes if one.person == person]


def _add(tables: CreditTables, scope: str, slot: int, nano: int, count: int) -> None:
    known = tables.usage.get((scope, slot), Usage(0, 0))
    tables.usage[scope, slot] = Usage(known.nano + nano, known.count + count)
