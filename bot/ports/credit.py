"""What chat surfaces call about a fan's money: prices, credit, purchases, refunds, disputes.

Platforms sell credit in their own way (Telegram Stars, Discord entitlements); this port is the same
for all of them. Amounts are nano-units, 1e-9 of the settlement token. Every write is durable when
the call returns. `UserError` carries a sentence for the person; `TransientError` and
`OutcomeUnknownError` mean: call again with the same ids, which has the effect of once.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.ports.people import Person


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that a platform sells.

    Attributes:
        unit: as the rate table names it: `telegram-star`, or `discord-sku:` and the SKU's number.
        count: how many of the unit one purchase takes: Stars; 1 of an SKU.
        nano: what it is worth as credit.
        label: the credit in words (`0.5 DEMO`).
        replies: how many replies of the cheapest and of the dearest live twin that pays for.
    """

    unit: str
    count: int
    nano: int
    label: str
    replies: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a platform says was paid.

    Attributes:
        charge_id: the platform's id of the payment or entitlement; credited once for ever.
        unit: as in `Offer`; so is `count`.
        test: paid with a platform's test money: noted, credited as promotional.
    """

    person: Person
    charge_id: str
    unit: str
    count: int
    test: bool = False


@dataclass(frozen=True, slots=True)
class Credited:
    """What a purchase has given; `again` if it was credited before, and nothing changed now.

    One that was refunded before it was worth anything gives 0, again.
    """

    nano: int
    balance_nano: int
    again: bool


@dataclass(frozen=True, slots=True)
class Refunded:
    """What the end of a purchase has taken back.

    Attributes:
        nano: taken from the credit; less than the purchase where some of it was spent.
        reversed_nano: taken back from held fees of replies that it had paid.
        lost_nano: what neither has covered: the account owes it, and the operator has lost it.
        again: it was refunded before, and nothing changed now.
    """

    nano: int
    reversed_nano: int
    lost_nano: int
    again: bool


@dataclass(frozen=True, slots=True)
class FreeReplies:
    """What one twin gives a fan for nothing in 24 hours, and what it costs then."""

    slug: str
    name: str
    left: int
    daily: int
    price_nano: int


@dataclass(frozen=True, slots=True)
class CreditView:
    """What a fan sees of their own money.

    Attributes:
        paid_nano: credit that they bought.
        promotional_nano: credit that they were given; it is spent first.
        spent_today_nano: in the last 24 hours.
        daily_limit_nano: the most that is spent in 24 hours: theirs, or the operator's.
        token: symbol of the settlement token.
        twins: the live ones.
        purchases: newest first, at most 10: (charge id, words).
        forgetting: what to say before the person is forgotten, because it would lose them credit;
            empty where it would not.
    """

    paid_nano: int
    promotional_nano: int
    spent_today_nano: int
    daily_limit_nano: int
    token: str
    twins: tuple[FreeReplies, ...]
    purchases: tuple[tuple[str, str], ...] = ()
    forgetting: str = ""


class DisputeState(StrEnum):
    """How far a dispute has come."""

    CHECKING = "checking"
    UPHELD = "upheld"
    """The reply is not what its receipt says, or was never anchored: the price was given back.

    What the account owed after refunds was set off first.
    """
    REJECTED = "rejected"
    """The replay gave the same reply, token by token."""


@dataclass(frozen=True, slots=True)
class DisputeView:
    """A dispute as its fan sees it; `sentence` says what was found and what was given back."""

    receipt_id: str
    state: DisputeState
    sentence: str


class FanCredit(Protocol):
    """The core's door for fans' money. A surface has at most one call running for one charge."""

    async def offers(self, platform: str) -> tuple[Offer, ...]:
        """Return what can be bought on a platform, cheapest first; empty where nothing can.

        Of `telegram-star` the operator's configuration says in which amounts it is sold.
        """
        ...

    async def check_purchase(self, person: Person, unit: str, count: int) -> None:
        """Say whether a purchase may go on; the last moment before the platform takes money.

        Answers from memory within a second.

        Raises:
            UserError: nothing is sold under that name any more, or not in that amount.
        """
        ...

    async def credit(self, purchase: Purchase) -> Credited:
        """Credit a payment exactly once, by its charge id.

        A unit that no rate table names is credited by the last table that did.

        Raises:
            UserError: no table has ever named the unit; the payment is noted for the operator.
        """
        ...

    async def refund(self, platform: str, charge_id: str) -> Refunded:
        """Follow a refund that the platform has made, exactly once.

        Takes the credit back; what was spent is taken from held fees that it paid, newest first,
        each with its `refunded` outcome in the log; the rest is owed, and the operator's loss. A
        payment that waits for its worth is never credited after its refund.

        Raises:
            UserError: there is no such payment.
        """
        ...

    async def view(self, person: Person) -> CreditView:
        """Return what a fan sees of their own money."""
        ...

    async def set_daily_limit(self, person: Person, amount: str) -> CreditView:
        """Set the most that the fan spends in 24 hours: a decimal of the token; 0 spends nothing.

        Raises:
            UserError: not an amount, or above what the operator allows.
        """
        ...

    async def take_notices(self, person: Person) -> tuple[str, ...]:
        """Return what the fan should be told once, now: a limit is near, credit came back.

        Whoever calls this says it; the same sentence is not returned again.
        """
        ...

    async def dispute(self, receipt_id: str, person: Person, reason: str) -> DisputeView:
        """Begin a dispute, or return the one that there is; the replay runs in the background.

        Args:
            receipt_id: the reply.
            person: who asks; only who was answered may.
            reason: in their words, at most 1,000 characters; may be empty.

        Raises:
            UserError: no such reply, another fan's, forgotten, or the reason is too long.
        """
        ...

    async def disputes(self, person: Person) -> tuple[DisputeView, ...]:
        """Return a fan's disputes, newest first."""
        ...

    async def support(self, person: Person, text: str) -> str:
        """Note a question about a payment for the operator; return what to answer.

        Raises:
            UserError: the text is empty or longer than 1,000 characters.
        """
        ...
