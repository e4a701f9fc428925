"""What must survive of fans' money: the part of a store's transaction that keeps it.

The amounts themselves are the ledger's. Here stand who owns which account, what was bought, what
was agreed, what was used lately, which fees a platform may still take back, and who is to be told.
An account is a random pseudonym of one person on one platform; forgetting the person deletes the
way from one to the other, and nothing else that has to do with money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.ports.disputes import DisputeRecords
from bot.ports.people import Person


@dataclass(frozen=True, slots=True)
class FanAccount:
    """A person's account.

    Attributes:
        name: 32 hexadecimal digits, random.
        daily_limit_nano: the most that they let it spend in 24 hours; None: the operator's limit.
    """

    name: str
    person: Person
    opened_at: datetime
    daily_limit_nano: int | None = None


@dataclass(frozen=True, slots=True)
class StoredPurchase:
    """What a platform said was paid.

    Attributes:
        account: who paid.
        nano: what it was worth; 0 of a unit that no table has named, and nothing is credited.
        rate_table: hash of the table by which it was credited; None where there was none.
        test: paid with test money.
    """

    platform: str
    charge_id: str
    account: str
    unit: str
    count: int
    nano: int
    test: bool
    rate_table: bytes | None
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredRefund:
    """The end of a purchase; the three amounts together are its worth, of test money less.

    Attributes:
        taken_nano: from the credit that was left.
        reversed_nano: what fees that were still held have covered of the rest.
        lost_nano: what neither has; the account owes it from then on.
    """

    platform: str
    charge_id: str
    taken_nano: int
    reversed_nano: int
    lost_nano: int
    at: datetime


@dataclass(frozen=True, slots=True)
class HeldFee:
    """A fee of a delivered reply that was paid with bought credit, while it may be taken back.

    Attributes:
        intent: whose reply.
        account: who paid it.
        rate_table: hash of the table in force when it was paid, which says how long it is held.
        at: when the message was admitted; from then on it counts.
    """

    intent: str
    account: str
    twin: bytes
    price_nano: int
    creator_nano: int
    rate_table: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class PriceAgreement:
    """That a fan was told a price and may be charged it.

    Attributes:
        asked: the message, or the wish for another reply, that was answered with the price.
        at: when; what was written before that agrees to nothing.
    """

    account: str
    twin: bytes
    price_nano: int
    asked: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used in a while: money, and how many replies."""

    nano: int
    count: int


class CreditRecords(DisputeRecords, Protocol):
    """The part of a store's transaction that keeps fans' money, and what is disputed."""

    async def account_of(self, person: Person) -> FanAccount | None:
        """Return a person's account."""
        ...

    async def accounts(self) -> list[FanAccount]:
        """Return every account whose person is known, oldest first."""
        ...

    async def open_account(self, account: FanAccount) -> None:
        """Keep a new account; name and person must be new."""
        ...

    async def limit_account(self, name: str, nano: int) -> None:
        """Set the most that an account spends in 24 hours."""
        ...

    async def add_purchase(self, purchase: StoredPurchase) -> None:
        """Keep a purchase; its platform and charge id must be new, or have been worth 0."""
        ...

    async def find_purchase(self, platform: str, charge_id: str) -> StoredPurchase | None:
        """Return a purchase."""
        ...

    async def purchases_of(self, account: str) -> list[tuple[StoredPurchase, StoredRefund | None]]:
        """Return what was bought for an account, newest first, and what became of it."""
        ...

    async def all_purchases(self) -> list[tuple[StoredPurchase, StoredRefund | None]]:
        """Return every purchase, newest first."""
        ...

    async def waiting_purchases(self) -> list[StoredPurchase]:
        """Return the purchases that are worth 0 and were not refunded, oldest first."""
        ...

    async def add_refund(self, refund: StoredRefund) -> None:
        """Keep the end of a purchase, once; one that was worth 0 never is worth anything then."""
        ...

    async def find_refund(self, platform: str, charge_id: str) -> StoredRefund | None:
        """Return the end of a purchase."""
        ...

    async def missed_since(self, account: str, key: str) -> bool:
        """Whether a refund found too little credit after a ledger key was posted.

        It took less than its purchase was worth; of an account's purchases, not of test money, in
        the order of the ledger.
        """
        ...

    async def held_before_miss(self, account: str) -> frozenset[str]:
        """Return the intents of an account's held fees for which `missed_since` is true.

        The key is that of the hold with which the first of an intent's draws was begun
        (`bot.ledger.fees.first_draw`). Costs about as much as one `missed_since` and a page each
        hundred fees, so that a refund asks once.
        """
        ...

    async def agreement(self, account: str, twin: bytes, price_nano: int) -> PriceAgreement | None:
        """Return what a fan was told of a twin's price."""
        ...

    async def agree(self, agreement: PriceAgreement) -> None:
        """Keep that a fan was told a price; a second time changes nothing."""
        ...

    async def use(self, intent: str, scopes: Sequence[str], slot: int, nano: int) -> None:
        """Count a reply's price, once, in each of the scopes, in a slot of time."""
        ...

    async def unuse(self, intent: str) -> None:
        """Take back what was counted for an intent; nothing where nothing was, or long ago."""
        ...

    async def move_use(self, intent: str, other: str) -> None:
        """Let another intent stand for what was counted for one."""
        ...

    async def used(self, scope: str, since_slot: int) -> Usage:
        """Return what was counted in a scope from a slot of time on."""
        ...

    async def clear_uses(self, before_slot: int) -> None:
        """Forget what was counted before a slot of time."""
        ...

    async def add_held(self, fee: HeldFee) -> None:
        """Keep a fee that may be taken back; its intent must be new."""
        ...

    async def end_held(self, intent: str) -> None:
        """Take a fee out: it is payable now, or was taken back."""
        ...

    async def held_tables(self) -> list[bytes]:
        """Return the rate tables of the fees that are held."""
        ...

    async def held_until(self, rate_table: bytes, until: datetime, limit: int) -> list[HeldFee]:
        """Return fees of one table that were paid at a time or before it, oldest first."""
        ...

    async def held_of(
        self, account: str, *, before: int | None, limit: int
    ) -> list[tuple[int, HeldFee]]:
        """Return fees that an account has paid, newest first, each with its position.

        Args:
            account: who paid.
            before: only those below this position; None for all.
            limit: at most so many.
        """
        ...

    async def all_held(self) -> list[HeldFee]:
        """Return every held fee."""
        ...

    async def add_notice(self, account: str, key: str, sentence: str) -> bool:
        """Keep what an account's person is to be told; False if the same key was there before."""
        ...

    async def take_notices(self, account: str) -> list[str]:
        """Return what was not told yet, oldest first; it is not returned again."""
        ...
