"""Purchases and their refunds: each has its effect once, whatever is told how often.

```
credit   one transaction: purchase, ledger                    the charge's id is the key of both
refund   one transaction: what is left of the credit; the rest is owed by the account. Fees that it
         has paid and that are held are taken back for what is owed, newest first, each whole where
         so much is owed, and with its outcome in the log
```
What is still owed then, the operator has lost: nobody is asked for it. It is kept in mind: it falls
by what replies that were begun before the refund bring back (`bot.twins.holds`), by the price of a
dispute that is upheld, and by later refunds, which take older fees back for all that is owed. Fees
of replies that were begun after the latest refund that missed something were paid with what was
bought since: they are taken back for what the refund of that misses, and for nothing older.

Killed before either, nothing has happened and the platform tells it again; killed after, what is
told again changes nothing.
"""

from dataclasses import replace

import structlog

from bot.credit.accounts import own_account
from bot.credit.rates import RateBook
from bot.domain.errors import InvariantError, UserError
from bot.domain.ledger import fan_account, promotional_account
from bot.ledger.credit import plan_purchase, plan_refund
from bot.ports.clock import Clock, Entropy
from bot.ports.credit import Credited, Purchase, Refunded
from bot.ports.credit_book import StoredPurchase, StoredRefund
from bot.ports.stores import Store, StoreTransaction
from bot.twins.endings import Endings
from bot.twins.holds import owed_by

PAGE = 100
MAX_ID, MAX_COUNT = 256, 1_000_000
UNPRICED = (
    "We could not tell what this payment is worth. It was noted, and the operator will look at it; "
    "/paysupport reaches them."
)

_log = structlog.get_logger()


class Purchases:
    """The use case."""

    def __init__(
        self, *, store: Store, rates: RateBook, endings: Endings, clock: Clock, entropy: Entropy
    ) -> None:
        self._store = store
        self._rates = rates
        self._endings = endings
        self._clock = clock
        self._entropy = entropy

    async def credit(self, purchase: Purchase) -> Credited:
        """Credit a payment exactly once, by its charge id.

        Raises:
            UserError: no table has ever named the unit; the payment is noted for the operator.
        """
        named = 1 <= len(purchase.charge_id) <= MAX_ID and 1 <= len(purchase.unit) <= MAX_ID
        if not named or not 1 <= purchase.count <= MAX_COUNT:
            raise InvariantError("a purchase has a charge id, a unit and a count above 0")
        async with self._store.transaction() as tx:
            credited = await self._credit(tx, purchase)
        if credited is None:
            _log.warning("credit.unpriced", platform=purchase.person.platform, unit=purchase.unit)
            raise UserError(UNPRICED)
        if not credited.again:
            _log.info(
                "credit.bought",
                platform=purchase.person.platform,
                unit=purchase.unit,
                count=purchase.count,
                nano=credited.nano,
                test=purchase.test,
            )
        return credited

    async def _credit(self, tx: StoreTransaction, purchase: Purchase) -> Credited | None:
        """Credit a payment; None if its worth is not known, and it is noted only."""
        person = purchase.person
        charge = (person.platform, purchase.charge_id)
        known = await tx.find_purchase(*charge)
        if known is not None and (known.nano or await tx.find_refund(*charge)):
            return Credited(known.nano, await _left(tx, known.account), again=True)
        worth = self._rates.worth(purchase.unit)
        if known is None:
            account = await own_account(tx, person, self._entropy, self._clock.now())
            known = StoredPurchase(
                platform=person.platform,
                charge_id=purchase.charge_id,
                account=account.name,
                unit=purchase.unit,
                count=purchase.count,
                nano=0,
                test=purchase.test,
                rate_table=None,
                at=self._clock.now(),
            )
            if worth is None:
                await tx.add_purchase(known)
        if worth is None:
            return None
        nano = await _book(tx, known, *worth)
        return Credited(nano, await _left(tx, known.account), again=False)

    async def credit_waiting(self) -> int:
        """Credit what was noted and a table names by now; return how many payments."""
        async with self._store.reading() as tx:
            waiting = await tx.waiting_purchases()
        credited = 0
        for noted in waiting:
            worth = self._rates.worth(noted.unit)
            if worth is None:
                continue
            async with self._store.transaction() as tx:
                known = await tx.find_purchase(noted.platform, noted.charge_id)
                refunded = await tx.find_refund(noted.platform, noted.charge_id)
                if known is not None and known.nano == 0 and refunded is None:
                    await _book(tx, known, *worth)
                    credited += 1
        return credited

    async def refund(self, platform: str, charge_id: str) -> Refunded:
        """Follow a refund that the platform has made, exactly once.

        Raises:
            UserError: there is no such payment.
        """
        async with self._store.transaction() as tx:
            bought = await tx.find_purchase(platform, charge_id)
            if bought is None:
                raise UserError("There is no such payment here.")
            ended = await tx.find_refund(platform, charge_id)
            if ended is not None:
                taken = (ended.taken_nano, ended.reversed_nano, ended.lost_nano)
                return Refunded(*taken, again=True)
            refund = await self._take_back(tx, bought)
        _log.warning(
            "credit.refunded",
            platform=platform,
            nano=refund.taken_nano,
            reversed_nano=refund.reversed_nano,
            lost_nano=refund.lost_nano,
        )
        return Refunded(refund.taken_nano, refund.reversed_nano, refund.lost_nano, again=False)

    async def _take_back(self, tx: StoreTransaction, bought: StoredPurchase) -> StoredRefund:
        charge = (bought.platform, bought.charge_id)
        own = promotional_account if bought.test else fan_account
        taken = min(await tx.balance(own(bought.account)), bought.nano)
        missing = 0 if bought.test else bought.nano - taken
        if bought.nano:  # for what waits for its worth nothing was given
            await tx.post(
                plan_refund(
                    *charge,
                    bought.account,
                    taken_nano=taken,
                    missing_nano=missing,
                    test=bought.test,
                )
            )
        covered = min(missing, await self._reverse(tx, bought.account, missing))
        refund = StoredRefund(*charge, taken, covered, missing - covered, self._clock.now())
        await tx.add_refund(refund)
        return refund

    async def _reverse(self, tx: StoreTransaction, account: str, missing: int) -> int:
        """Take held fees back for what an account owes, newest first; return how much.

        Args:
            tx: in which the refund is not kept yet: it is no earlier one.
            account: that owes.
            missing: what this refund has added; without that there is nothing new to take.
        """
        owed = await owed_by(tx, account) if missing else 0
        # Where no more is owed than this refund has added, it may take either kind alike.
        older = await tx.held_before_miss(account) if owed > missing else frozenset()
        left, before, page_full = owed, None, True
        while left > 0 and page_full:
            page = await tx.held_of(account, before=before, limit=PAGE)
            for position, fee in page:
                before = position
                if fee.price_nano > left:
                    continue
                is_older = fee.intent in older
                if not is_older and fee.price_nano > missing:
                    continue
                if await self._endings.take_back(tx, fee):
                    left -= fee.price_nano
                    missing -= 0 if is_older else fee.price_nano
            page_full = len(page) == PAGE
        return owed - left


async def _book(tx: StoreTransaction, known: StoredPurchase, each: int, table: bytes) -> int:
    """Keep what a purchase is worth by a table, and credit it; return how much."""
    nano = each * known.count
    await tx.add_purchase(replace(known, nano=nano, rate_table=table))
    key = (known.platform, known.charge_id)
    await tx.post(plan_purchase(*key, known.account, nano, test=known.test))
    return nano


async def _left(tx: StoreTransaction, account: str) -> int:
    paid = await tx.balance(fan_account(account))
    return paid + await tx.balance(promotional_account(account))
