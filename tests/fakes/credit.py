"""Fans' money in memory, which holds its callers to the port's contract.

What the service would do by itself, a test does by hand: `give`, `spend`, `answered`, `decide` and
`tell`. `lose` and `unknown` name the method whose next call fails: before it has an effect, or
after it.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

from bot.domain.errors import (
    BotError,
    InvariantError,
    OutcomeUnknownError,
    StoreBusyError,
    UserError,
)
from bot.domain.money import NANO, format_nano
from bot.ports.credit import (
    Credited,
    CreditView,
    DisputeState,
    DisputeView,
    FanCredit,
    FreeReplies,
    Offer,
    Purchase,
    Refunded,
)
from bot.ports.fans import Person

STAR = "telegram-star"
TOKEN = "tUSD"  # noqa: S105  a symbol
PRICE = 2_000_000
MAX_REASON = 1_000
DISPUTES_DAILY = 10


def star_offer(count: int, *, nano: int = 10_000_000) -> Offer:
    """Return an offer of Stars at so many nano-units each."""
    worth = count * nano
    return Offer(STAR, count, worth, f"{format_nano(worth)} {TOKEN}", (worth // PRICE,) * 2)


def sku_offer(sku: int, nano: int) -> Offer:
    """Return an offer of a Discord SKU."""
    return Offer(
        f"discord-sku:{sku}", 1, nano, f"{format_nano(nano)} {TOKEN}", (nano // PRICE,) * 2
    )


@dataclass(slots=True)
class _Account:
    paid: int = 0
    promotional: int = 0
    spent: int = 0
    limit: int | None = None
    held: list[int] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Bought:
    purchase: Purchase
    nano: int
    refunded: Refunded | None = None


@dataclass(slots=True)
class MemoryFanCredit(FanCredit):
    """Keeps accounts, purchases and disputes; gives what the tables say.

    Attributes:
        sold: what each platform offers.
        former: units that an earlier table named: no longer sold, still credited.
        twins: what `view` says of the live twins.
        highest_nano: the operator's highest daily limit.
        calls: (method, charge id, unit, receipt id or fan) of calls that had their effect.
        noted: units and charge ids of payments that no table has ever named.
        questions: what `support` was told.
    """

    sold: dict[str, tuple[Offer, ...]] = field(
        default_factory=lambda: {
            "telegram": (star_offer(50), star_offer(250)),
            "discord": (sku_offer(1001, 500_000_000),),
        }
    )
    former: dict[str, int] = field(default_factory=dict)
    twins: tuple[FreeReplies, ...] = (FreeReplies("mira", "Mira", 5, 5, PRICE),)
    highest_nano: int = 5 * NANO
    calls: list[tuple[str, str]] = field(default_factory=list)
    noted: list[tuple[str, str]] = field(default_factory=list)
    questions: list[tuple[Person, str]] = field(default_factory=list)
    _accounts: dict[Person, _Account] = field(default_factory=dict)
    _bought: dict[tuple[str, str], _Bought] = field(default_factory=dict)
    _answered: dict[str, Person] = field(default_factory=dict)
    _disputes: dict[str, DisputeView] = field(default_factory=dict)
    _lost: list[str] = field(default_factory=list)
    _unknown: list[str] = field(default_factory=list)

    async def offers(self, platform: str) -> tuple[Offer, ...]:
        """Return what is sold on the platform, cheapest first."""
        self._begin("offers")
        return tuple(sorted(self.sold.get(platform, ()), key=lambda offer: offer.nano))

    async def check_purchase(self, person: Person, unit: str, count: int) -> None:
        """Refuse what is not sold on the person's platform in that amount."""
        self._begin("check_purchase")
        offers = [one for one in self.sold.get(person.platform, ()) if one.unit == unit]
        if not offers:
            raise UserError("This is not sold any more. Nothing was charged: see /credit.")
        if count not in {one.count for one in offers}:
            raise UserError("This amount is not sold any more. Nothing was charged: see /credit.")
        self._end("check_purchase", unit)

    async def credit(self, purchase: Purchase) -> Credited:
        """Credit the purchase once for ever."""
        if not purchase.charge_id or purchase.count < 1:
            raise InvariantError("the port: a purchase has a charge id and a count above 0")
        self._begin("credit")
        key = (purchase.person.platform, purchase.charge_id)
        known = self._bought.get(key)
        if known is not None:
            self._end("credit", purchase.charge_id)
            nano = known.nano
            return Credited(nano, self._balance(known.purchase.person), again=True)
        rate = self._rate(purchase.unit)
        if rate is None:
            self.noted.append((purchase.unit, purchase.charge_id))
            raise UserError(
                "We could not tell what this payment is worth. It was noted: the operator will "
                "look at it. /paysupport reaches them."
            )
        bought = _Bought(purchase, rate * purchase.count)
        self._bought[key] = bought
        account = self._account(purchase.person)
        if purchase.test:
            account.promotional += bought.nano
        else:
            account.paid += bought.nano
        self._end("credit", purchase.charge_id)
        return Credited(bought.nano, self._balance(purchase.person), again=False)

    async def refund(self, platform: str, charge_id: str) -> Refunded:
        """Take a purchase back once for ever."""
        self._begin("refund")
        bought = self._bought.get((platform, charge_id))
        if bought is None:
            raise UserError("There is no such payment.")
        if bought.refunded is None:
            bought.refunded = self._take_back(bought)
            result = bought.refunded
        else:
            result = replace(bought.refunded, again=True)
        self._end("refund", charge_id)
        return result

    async def view(self, person: Person) -> CreditView:
        """Return what the fan sees."""
        self._begin("view")
        account = self._account(person)
        theirs = [one for one in self._bought.values() if one.purchase.person == person]
        left = account.paid + account.promotional
        return CreditView(
            paid_nano=account.paid,
            promotional_nano=account.promotional,
            spent_today_nano=account.spent,
            daily_limit_nano=self.highest_nano if account.limit is None else account.limit,
            token=TOKEN,
            twins=self.twins,
            purchases=tuple((one.purchase.charge_id, _words(one)) for one in theirs[::-1][:10]),
            forgetting=""
            if left == 0
            else f"You have {format_nano(left)} {TOKEN} of credit left: nobody can use or refund "
            "it once you are forgotten.",
        )

    async def set_daily_limit(self, person: Person, amount: str) -> CreditView:
        """Take any decimal up to the operator's."""
        self._begin("set_daily_limit")
        try:
            nano = Decimal(amount.strip()) * NANO
        except InvalidOperation:
            nano = Decimal(-1)
        if not nano.is_finite() or nano < 0 or nano != nano.to_integral_value():
            raise UserError('The limit must be a decimal number such as "0.5".')
        if nano > self.highest_nano:
            raise UserError(f"At most {format_nano(self.highest_nano)} {TOKEN} a day, please.")
        self._account(person).limit = int(nano)
        self._end("set_daily_limit", person.fan)
        return await self.view(person)

    async def take_notices(self, person: Person) -> tuple[str, ...]:
        """Return each sentence once."""
        self._begin("take_notices")
        account = self._account(person)
        told, account.notices = tuple(account.notices), []
        self._end("take_notices", person.fan)
        return told

    async def dispute(self, receipt_id: str, person: Person, reason: str) -> DisputeView:
        """Begin a dispute about a reply that the test has `answered`."""
        if len(reason) > MAX_REASON:
            raise UserError(f"Please say it in at most {MAX_REASON} characters.")
        self._begin("dispute")
        if receipt_id not in self._answered:
            raise UserError("There is no such reply, or it was forgotten.")
        if self._answered[receipt_id] != person:
            raise UserError("Only the person who was answered may dispute a reply.")
        if receipt_id not in self._disputes:
            if len(await self.disputes(person)) >= DISPUTES_DAILY:
                raise UserError(f"At most {DISPUTES_DAILY} disputes a day, please: try tomorrow.")
            view = DisputeView(receipt_id, DisputeState.CHECKING, "The reply is being replayed.")
            self._disputes[receipt_id] = view
        self._end("dispute", receipt_id)
        return self._disputes[receipt_id]

    async def disputes(self, person: Person) -> tuple[DisputeView, ...]:
        """Return their disputes, newest first."""
        self._begin("disputes")
        theirs = [view for key, view in self._disputes.items() if self._answered.get(key) == person]
        return tuple(theirs[::-1])

    async def support(self, person: Person, text: str) -> str:
        """Note the question."""
        if not text.strip():
            raise UserError("Please write what it is about.")
        if len(text) > MAX_REASON:
            raise UserError(f"Please say it in at most {MAX_REASON} characters.")
        self._begin("support")
        self.questions.append((person, text))
        self._end("support", person.fan)
        return "Your question was noted for the operator."

    def give(self, person: Person, nano: int) -> None:
        """Give promotional credit."""
        self._account(person).promotional += nano

    def spend(self, person: Person, nano: int, *, held: bool = True) -> None:
        """Pay a reply with bought credit; the fee is held, or past its window."""
        account = self._account(person)
        if account.paid < nano:
            raise InvariantError("the port: nobody spends what they don't have")
        account.paid -= nano
        account.spent += nano
        if held:
            account.held.append(nano)

    def answered(self, receipt_id: str, person: Person) -> None:
        """Say that a person got a reply."""
        self._answered[receipt_id] = person

    def decide(self, receipt_id: str, state: DisputeState, sentence: str) -> None:
        """End a dispute; the fan is told."""
        self._disputes[receipt_id] = DisputeView(receipt_id, state, sentence)
        self.tell(self._answered[receipt_id], sentence)

    def tell(self, person: Person, sentence: str) -> None:
        """Keep a notice for a fan."""
        self._account(person).notices.append(sentence)

    def lose(self, method: str) -> None:
        """Let the next call of a method fail before it has an effect."""
        self._lost.append(method)

    def unknown(self, method: str) -> None:
        """Let the next call of a method fail after it had its effect."""
        self._unknown.append(method)

    def _begin(self, method: str) -> None:
        if method in self._lost:
            self._lost.remove(method)
            raise StoreBusyError("injected: this call is lost")

    def _end(self, method: str, about: str) -> None:
        self.calls.append((method, about))
        if method in self._unknown:
            self._unknown.remove(method)
            error: BotError = OutcomeUnknownError("injected: the outcome of this call is unknown")
            raise error

    def _account(self, person: Person) -> _Account:
        return self._accounts.setdefault(person, _Account())

    def _balance(self, person: Person) -> int:
        account = self._account(person)
        return account.paid + account.promotional

    def _rate(self, unit: str) -> int | None:
        for offers in self.sold.values():
            for offer in offers:
                if offer.unit == unit:
                    return offer.nano // offer.count
        return self.former.get(unit)

    def _take_back(self, bought: _Bought) -> Refunded:
        account = self._account(bought.purchase.person)
        if bought.purchase.test:
            taken = min(account.promotional, bought.nano)
            account.promotional -= taken
            return Refunded(taken, 0, 0, again=False)
        taken = min(account.paid, bought.nano)
        account.paid -= taken
        missing = bought.nano - taken
        reversed_nano = 0
        for fee in account.held[::-1]:
            if fee <= missing - reversed_nano:  # a fee is taken back whole, or not at all
                account.held.remove(fee)
                reversed_nano += fee
        return Refunded(taken, reversed_nano, missing - reversed_nano, again=False)


def _words(bought: _Bought) -> str:
    end = ", refunded" if bought.refunded is not None else ""
    return f"{format_nano(bought.nano)} {TOKEN}{end}"
