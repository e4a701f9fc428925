"""The door that chat surfaces call about fans' money (`bot.ports.credit`)."""

from datetime import timedelta

import structlog

from bot.credit.accounts import own_account, parse_amount
from bot.credit.disputes import Disputes
from bot.credit.purchases import Purchases
from bot.credit.rates import RateBook, words_of
from bot.domain.errors import UserError
from bot.domain.ledger import fan_account, promotional_account
from bot.domain.money import format_nano
from bot.ports.clock import Clock, Entropy
from bot.ports.credit import (
    Credited,
    CreditView,
    DisputeView,
    FanCredit,
    FreeReplies,
    Offer,
    Purchase,
    Refunded,
)
from bot.ports.credit_book import FanAccount, StoredPurchase, StoredRefund
from bot.ports.disputes import SupportNote
from bot.ports.people import Person
from bot.ports.stores import Store, StoreTransaction
from bot.twins.paying import WhoPays
from bot.twins.roster import Roster

MAX_QUESTION = 1_000
QUESTIONS_DAILY = 10
SHOWN_PURCHASES = 10
NOTED = "Your question was noted. The operator reads it and looks at your payments."

_log = structlog.get_logger()


class CreditDoor(FanCredit):
    """Answers surfaces."""

    def __init__(
        self,
        *,
        store: Store,
        roster: Roster,
        rates: RateBook,
        paying: WhoPays,
        purchases: Purchases,
        disputes: Disputes,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._store = store
        self._roster = roster
        self._rates = rates
        self._paying = paying
        self._purchases = purchases
        self._disputes = disputes
        self._clock = clock
        self._entropy = entropy

    async def offers(self, platform: str) -> tuple[Offer, ...]:
        """Return what can be bought on a platform, cheapest first."""
        prices = [twin.manifest.price_nano for twin in self._roster.all()]
        return self._rates.offers(platform, prices)

    async def check_purchase(self, person: Person, unit: str, count: int) -> None:
        """Say whether a purchase may go on; from memory alone."""
        self._rates.check(person.platform, unit, count)

    async def credit(self, purchase: Purchase) -> Credited:
        """Credit a payment exactly once, by its charge id."""
        return await self._purchases.credit(purchase)

    async def refund(self, platform: str, charge_id: str) -> Refunded:
        """Follow a refund that the platform has made, exactly once."""
        return await self._purchases.refund(platform, charge_id)

    async def view(self, person: Person) -> CreditView:
        """Return what a fan sees of their own money."""
        async with self._store.reading() as tx:
            return await self._view(tx, person)

    async def _view(self, tx: StoreTransaction, person: Person) -> CreditView:
        account, now = await tx.account_of(person), self._clock.now()
        paid = promotional = spent = 0
        bought: list[tuple[StoredPurchase, StoredRefund | None]] = []
        if account is not None:
            paid = await tx.balance(fan_account(account.name))
            promotional = await tx.balance(promotional_account(account.name))
            spent = await self._paying.spent_by(tx, account.name, now)
            bought = await tx.purchases_of(account.name)
        return CreditView(
            paid_nano=paid,
            promotional_nano=promotional,
            spent_today_nano=spent,
            daily_limit_nano=self._paying.limit_of(account),
            token=self._rates.token,
            twins=await self._twins(tx, person),
            purchases=tuple(
                (one.charge_id, self._words(one, refund))
                for one, refund in bought[:SHOWN_PURCHASES]
            ),
            forgetting=self._forgetting(paid + promotional),
        )

    async def _twins(self, tx: StoreTransaction, person: Person) -> tuple[FreeReplies, ...]:
        now = self._clock.now()
        return tuple(
            [
                FreeReplies(
                    slug=twin.manifest.slug,
                    name=twin.manifest.name,
                    left=await self._paying.free_left(tx, person, twin.manifest, now),
                    daily=twin.manifest.free_daily,
                    price_nano=twin.manifest.price_nano,
                )
                for twin in self._roster.all()
            ]
        )

    def _words(self, bought: StoredPurchase, refund: StoredRefund | None) -> str:
        words = f"{bought.at:%Y-%m-%d}, {words_of(bought.unit, bought.count)}"
        worth = f"{format_nano(bought.nano)} {self._rates.token}"
        waits = "" if refund is not None else ": waits for the operator"
        words += f": {worth}" if bought.nano else waits
        words += " (a test)" if bought.test else ""
        return words if refund is None else f"{words}, refunded"

    def _forgetting(self, left: int) -> str:
        if left == 0:
            return ""
        return (
            f"You have {format_nano(left)} {self._rates.token} of credit. Once you are forgotten "
            "nobody can tell that it is yours: nobody can use it or give it back any more. If you "
            "want it refunded, ask with /paysupport first."
        )

    async def set_daily_limit(self, person: Person, amount: str) -> CreditView:
        """Set the most that the fan spends in 24 hours."""
        nano, highest = parse_amount(amount), self._paying.caps.fan_nano
        if nano > highest:
            raise UserError(
                f"The most that can be spent here in 24 hours is {format_nano(highest)} "
                f"{self._rates.token}: please choose that or less."
            )
        async with self._store.transaction() as tx:
            account = await self._account(tx, person)
            await tx.limit_account(account.name, nano)
            return await self._view(tx, person)

    async def take_notices(self, person: Person) -> tuple[str, ...]:
        """Return what the fan should be told once, now."""
        async with self._store.reading() as tx:
            account = await tx.account_of(person)
        if account is None:
            return ()
        async with self._store.transaction() as tx:
            return tuple(await tx.take_notices(account.name))

    async def dispute(self, receipt_id: str, person: Person, reason: str) -> DisputeView:
        """Begin a dispute, or return the one that there is."""
        return await self._disputes.begin(receipt_id, person, reason)

    async def disputes(self, person: Person) -> tuple[DisputeView, ...]:
        """Return a fan's disputes, newest first."""
        return await self._disputes.of(person)

    async def support(self, person: Person, text: str) -> str:
        """Note a question about a payment for the operator; return what to answer."""
        text = text.strip().encode("utf-8", "replace").decode()
        if not text:
            raise UserError("Please write what it is about, after the command.")
        if len(text) > MAX_QUESTION:
            raise UserError("Please say it in at most 1,000 characters.")
        now = self._clock.now()
        async with self._store.transaction() as tx:
            asked = await tx.notes_by(person)
            if sum(one.at >= now - timedelta(days=1) for one in asked) >= QUESTIONS_DAILY:
                raise UserError("You have asked often today: the operator will read all of it.")
            await tx.add_note(SupportNote(person, text, now))
        _log.warning("credit.question", platform=person.platform)
        return NOTED

    async def _account(self, tx: StoreTransaction, person: Person) -> FanAccount:
        return await own_account(tx, person, self._entropy, self._clock.now())
