"""Who pays for a reply: decided in the transaction that decides the reply.

```
the price is 0, or the answer is fixed      nobody
a free reply is left, and the budget and
  its daily caps allow                      the operator's sponsorship budget
else promotional credit that covers it      the fan, with what was given to them
else bought credit that covers it           the fan
else                                        nobody can: a sentence that says what is missing
```
Nothing is spent of a fan's credit before the fan was told the price, in answer to an earlier
message: writing on agrees to it. What was used in 24 hours is counted in slots of five minutes:
a free reply comes back up to one slot early, money up to one slot late.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from bot.crypto.hashing import tagged_hash
from bot.domain.errors import CreditError
from bot.domain.ledger import SPONSOR, fan_account, promotional_account
from bot.domain.manifest import Manifest
from bot.domain.money import format_nano
from bot.domain.payment import Payer, Payment, RegistryBlock
from bot.ports.credit_book import FanAccount, PriceAgreement
from bot.ports.people import Person
from bot.ports.stores import StoreTransaction
from bot.twins.charging import (
    DAY_SLOTS,
    READ_WITHIN,
    Asking,
    Charge,
    PaidTerms,
    PriceUnseenError,
    SpendingCaps,
    fan_scope,
    slot_of,
    twin_scope,
)

NEAR_PERCENT = 80

_log = structlog.get_logger()


def digest_plainly(person: Person) -> bytes:
    """Name a person by a digest without a key."""
    return tagged_hash("person", person.platform, person.fan)


@dataclass(frozen=True, slots=True)
class WhoPays:
    """The rules above.

    Attributes:
        caps: the operator's.
        terms: shared with whoever sells credit.
        digest: names a person by 32 bytes that outlive their being forgotten for a day.
        registry: the block at which a twin was looked up in the registry of twins.
    """

    caps: SpendingCaps = field(default_factory=SpendingCaps)
    terms: PaidTerms = field(default_factory=PaidTerms)
    digest: Callable[[Person], bytes] = digest_plainly
    registry: Callable[[bytes], RegistryBlock | None] = lambda _twin: None

    async def decide(self, tx: StoreTransaction, asking: Asking) -> Charge:
        """Decide who pays for a reply.

        Raises:
            PriceUnseenError: the fan has to be told the price first.
            CreditError: nobody can pay.
        """
        price = asking.manifest.price_nano
        if price == 0:
            return Charge(self._payment(Payer.FREE, asking))
        slot = slot_of(asking.draft.created_at)
        why_not = await self._why_not_free(tx, asking, slot)
        if not why_not:
            scopes = self._sponsor_scopes(asking)
            return Charge(self._payment(Payer.SPONSOR, asking), price, SPONSOR, scopes, slot)
        if asking.draft.message.unasked:
            raise CreditError(why_not)  # no surface says it: nobody has asked
        account = await tx.account_of(asking.person)
        payer, credit = Payer.PAID, 0
        if account is not None:
            promotional = await tx.balance(promotional_account(account.name))
            paid = await tx.balance(fan_account(account.name))
            payer = Payer.PROMOTIONAL if promotional >= price or paid < price else Payer.PAID
            credit = max(promotional, paid if self.terms.rate_table else 0)
        if account is None or credit < price:
            raise CreditError(self._too_little(asking, why_not, credit))
        await self._check_limit(tx, asking, account, slot)
        await self._check_agreed(tx, asking, account, credit, why_not)
        await self._warn_fan(tx, asking, account, slot)
        own = promotional_account if payer is Payer.PROMOTIONAL else fan_account
        scopes = (fan_scope(account.name),)
        return Charge(self._payment(payer, asking), price, own(account.name), scopes, slot)

    async def free_left(
        self, tx: StoreTransaction, person: Person, manifest: Manifest, moment: datetime
    ) -> int:
        """Return how many free replies of a twin a person has left in 24 hours."""
        since = slot_of(moment) - DAY_SLOTS + 1
        used = await tx.used(self._free_scope(person, manifest.twin), since)
        return max(0, manifest.free_daily - used.count)

    async def spent_by(self, tx: StoreTransaction, account: str, moment: datetime) -> int:
        """Return what an account has spent in 24 hours."""
        return (await tx.used(fan_scope(account), slot_of(moment) - DAY_SLOTS)).nano

    def limit_of(self, account: FanAccount | None) -> int:
        """Return the most that an account spends in 24 hours."""
        if account is None or account.daily_limit_nano is None:
            return self.caps.fan_nano
        return min(account.daily_limit_nano, self.caps.fan_nano)

    def _payment(self, payer: Payer, asking: Asking) -> Payment:
        table = self.terms.rate_table if payer is Payer.PAID else None
        return Payment(payer, table, self.registry(asking.manifest.twin))

    async def _why_not_free(self, tx: StoreTransaction, asking: Asking, slot: int) -> str:
        """Return in a sentence why the budget does not pay; empty if it does."""
        manifest, price = asking.manifest, asking.manifest.price_nano
        if await self.free_left(tx, asking.person, manifest, asking.draft.created_at) == 0:
            if manifest.free_daily == 0:
                return f"{manifest.name} gives no free replies."
            return (
                f"Your {manifest.free_daily} free replies of {manifest.name} in 24 hours are used."
            )
        if await tx.balance(SPONSOR) < price:
            return "The budget for free replies is used up."
        near: list[tuple[str, int, int]] = []
        for scope, cap, words in (
            (twin_scope(manifest.twin), self.caps.twin_nano, f"of {manifest.name}"),
            (self._server_scope(asking), self.caps.server_nano, "for everybody here"),
        ):
            if not scope or cap is None:
                continue
            used = (await tx.used(scope, slot - DAY_SLOTS)).nano + price
            if used > cap:
                return f"Today's free replies {words} are used up."
            if used * 100 >= cap * NEAR_PERCENT:
                near.append((scope, used, cap))
        for reached in near:  # not before it is sure that this one counts
            await _warn_operator(tx, *reached, slot)
        return ""

    def _too_little(self, asking: Asking, why_not: str, credit: int) -> str:
        price, token = asking.manifest.price_nano, asking.manifest.price_token
        if asking.person.platform not in self.terms.sells and credit == 0:
            if "budget" in why_not:
                return f"{why_not} The operator has to refill it."
            return f"{why_not} Please come back tomorrow."
        return (
            f"{why_not} A reply costs {format_nano(price)} {token} and you have "
            f"{format_nano(credit)}: {format_nano(price - credit)} {token} are missing. "
            "/credit says how to get more."
        )

    async def _check_limit(
        self, tx: StoreTransaction, asking: Asking, account: FanAccount, slot: int
    ) -> None:
        limit, token = self.limit_of(account), asking.manifest.price_token
        spent = (await tx.used(fan_scope(account.name), slot - DAY_SLOTS)).nano
        if spent + asking.manifest.price_nano > limit:
            raise CreditError(
                f"You have spent {format_nano(spent)} of the {format_nano(limit)} {token} that you "
                f"may spend in 24 hours, and a reply costs "
                f"{format_nano(asking.manifest.price_nano)}. Please come back tomorrow, or change "
                "your limit with /credit."
            )

    async def _check_agreed(
        self, tx: StoreTransaction, asking: Asking, account: FanAccount, credit: int, why_not: str
    ) -> None:
        """Refuse what the fan has not agreed to; the same message again is refused again."""
        manifest, price = asking.manifest, asking.manifest.price_nano
        told = await tx.agreement(account.name, manifest.twin, price)
        seen = told is not None and told.at + READ_WITHIN <= asking.arrived
        if told is not None and seen and told.asked != asking.mark:
            return
        token = manifest.price_token
        costs = (
            f"{why_not} From now on a reply of {manifest.name} costs {format_nano(price)} {token}"
        )
        agreeing = (
            "This message was not answered and cost nothing: if you write on, you agree to the "
            "price."
        )
        raise PriceUnseenError(
            f"{costs}; you have {format_nano(credit)} {token}. {agreeing}",
            PriceAgreement(
                account.name, manifest.twin, price, asking.mark, asking.draft.created_at
            ),
            public=f"{costs} of your credit. {agreeing}",
        )

    async def _warn_fan(
        self, tx: StoreTransaction, asking: Asking, account: FanAccount, slot: int
    ) -> None:
        """Leave a notice when most of the day's limit is spent, once a day."""
        limit = self.limit_of(account)
        used = await tx.used(fan_scope(account.name), slot - DAY_SLOTS)
        spent = used.nano + asking.manifest.price_nano
        if spent * 100 < limit * NEAR_PERCENT:
            return
        sentence = (
            f"You have spent {format_nano(spent)} of the {format_nano(limit)} "
            f"{asking.manifest.price_token} that you may spend in 24 hours."
        )
        await tx.add_notice(account.name, f"near {asking.draft.created_at:%Y-%m-%d}", sentence)

    def _sponsor_scopes(self, asking: Asking) -> tuple[str, ...]:
        twin = asking.manifest.twin
        free = self._free_scope(asking.person, twin)
        scopes = (free, twin_scope(twin), self._server_scope(asking))
        return tuple(scope for scope in scopes if scope)

    def _free_scope(self, person: Person, twin: bytes) -> str:
        return f"free:{self.digest(person).hex()}:{twin.hex()}"

    def _server_scope(self, asking: Asking) -> str:
        """Name a community, by a digest as people are; empty where one person talks alone."""
        message = asking.draft.message
        if not message.server:
            return ""
        server = Person(message.surface.platform, f"server {message.server}")
        return f"server:{self.digest(server).hex()}"


async def _warn_operator(tx: StoreTransaction, scope: str, used: int, cap: int, slot: int) -> None:
    """Say in the log, once in 24 hours, that a cap of the sponsorship budget is near.

    That it was said is kept where use is counted, and is forgotten with it.
    """
    said = f"near:{scope}"
    if (await tx.used(said, slot - DAY_SLOTS)).count == 0:
        await tx.use(f"{said} {slot}", (said,), slot, 0)
        kind = scope.partition(":")[0]
        _log.warning("sponsorship.cap_near", of=kind, used_nano=used, cap_nano=cap)
