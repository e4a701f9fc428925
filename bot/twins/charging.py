"""What it takes to pay for a reply: who asks, whose money it is, and where it counts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.errors import CreditError
from bot.domain.manifest import Manifest
from bot.domain.money import NANO
from bot.domain.payment import Payer, Payment
from bot.ledger.fees import hold_key, plan_hold, source_of
from bot.ports.credit_book import PriceAgreement
from bot.ports.people import Person
from bot.ports.stores import Intent, StoreTransaction

SLOT_S = 300
READ_WITHIN = timedelta(seconds=2)
"""What a fan writes sooner after a price was told was written before they could read it."""
DAY_SLOTS = 24 * 60 * 60 // SLOT_S


class PriceUnseenError(CreditError):
    """The fan has to be told the price first; this is how, and what to write down before it."""

    def __init__(self, sentence: str, agreement: PriceAgreement, *, public: str = "") -> None:
        super().__init__(sentence, public=public)
        self.agreement = agreement


@dataclass(frozen=True, slots=True)
class SpendingCaps:
    """The operator's highest daily amounts, in nano-units.

    Attributes:
        fan_nano: what one fan may spend of their credit; they may lower it.
        twin_nano: what the sponsorship budget pays for one twin; None: no cap.
        server_nano: the same for one community, all its channels together; None: no cap.
    """

    fan_nano: int = 5 * NANO
    twin_nano: int | None = None
    server_nano: int | None = None


@dataclass(slots=True)
class PaidTerms:
    """What is in force for replies that fans pay; set while the service starts.

    Attributes:
        rate_table: hash of the table in force; None: there is none, and no credit was ever sold.
        sells: platforms on which credit can be bought.
    """

    rate_table: bytes | None = None
    sells: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asking:
    """Who wants a reply of whom.

    Attributes:
        draft: the intent as far as it is known.
        manifest: the twin's terms.
        arrived: when the message came; the fan may have waited since.
    """

    draft: Intent
    manifest: Manifest
    arrived: datetime

    @property
    def person(self) -> Person:
        """Who asks."""
        return Person(self.draft.message.surface.platform, self.draft.message.fan)

    @property
    def mark(self) -> str:
        """Name of the message or wish; it says nothing of the person."""
        return f"{self.draft.slot_tag.hex()}:{self.draft.regenerate or ''}"


@dataclass(frozen=True, slots=True)
class Charge:
    """Whose money pays one reply.

    Attributes:
        payment: what its intent says of it.
        price_nano: what is held; 0 exactly if nobody pays.
        source: the ledger account that it is taken from.
        scopes: where it counts towards a daily amount.
        slot: when.
    """

    payment: Payment
    price_nano: int = 0
    source: str = ""
    scopes: tuple[str, ...] = ()
    slot: int = 0

    async def hold(self, tx: StoreTransaction, intent: str) -> None:
        """Set the price aside and count it, once."""
        if self.payment.payer is Payer.FREE:
            return
        if await tx.post(plan_hold(intent, self.price_nano, self.source)):
            await tx.use(intent, self.scopes, self.slot, self.price_nano)


async def hold_again(tx: StoreTransaction, before: Intent, after: Intent) -> None:
    """Hold the price of an attempt that follows a rejected one, from where that one's came.

    The rejected one's hold must have been released. What was counted for it counts for this one, if
    `move_use` was called before that.
    """
    hold = await tx.posted(hold_key(before.key))
    if hold is not None:
        await tx.post(plan_hold(after.key, after.price_nano, source_of(hold)))


def slot_of(moment: datetime) -> int:
    """Return the number of the five minutes in which a moment lies."""
    return int(moment.timestamp()) // SLOT_S


def fan_scope(account: str) -> str:
    """Name what an account spends."""
    return f"fan:{account}"


def twin_scope(twin: bytes) -> str:
    """Name what the budget spends on a twin."""
    return f"twin:{twin.hex()}"
