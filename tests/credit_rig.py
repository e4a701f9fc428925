"""The real use cases of fans' money over a stage: rates published, a door, chores run by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.config import MoneySettings, RateSettings
from bot.credit.disputes import Disputes
from bot.credit.door import CreditDoor
from bot.credit.judging import JudgeReply
from bot.credit.maturing import MatureFees
from bot.credit.purchases import Purchases
from bot.credit.rates import RateBook
from bot.domain.errors import AdmissionError
from bot.domain.ledger import promotional_account
from bot.domain.money import NANO
from bot.domain.statements import Outcome
from bot.generation.calibration import parse_calibration
from bot.ledger.credit import plan_gift
from bot.ports.credit import Purchase
from bot.ports.credit_book import FanAccount
from bot.ports.people import Person
from bot.ports.personas import PersonaFile
from bot.ports.stores import StoredReply
from bot.twins.charging import READ_WITHIN, PaidTerms, SpendingCaps
from bot.twins.endings import Endings
from bot.twins.paying import WhoPays
from bot.wiring.engine import STARTER
from bot.wiring.rates import open_rates
from tests.stage import MIRA, PRICE, RECEIPTS_KEY, Stage, memory_stage

ANA, BEN = Person("terminal", "ana"), Person("terminal", "ben")
STAR, SKU = "telegram-star", "discord-sku:1001"
STAR_NANO, SKU_NANO = PRICE // 2 + 1, 4 * PRICE
HELD_HOURS = 504
RATES = (
    RateSettings(unit=STAR, worth=f"0.{STAR_NANO:09d}", counts=(2, 50)),
    RateSettings(unit=SKU, worth=f"0.{SKU_NANO:09d}"),
)
PAID_MIRA = replace(MIRA, free_daily=0)
_PAGE = STARTER.with_suffix(".verdicts.json")


@dataclass(slots=True)
class CreditRig:
    """A stage on which fans pay.

    Attributes:
        stage: the service; `rig.stage` is replaced by `restart`.
        rates: in force.
        anchor_hours: of disputes.
        anchored: whether every leaf is covered by a final epoch.
    """

    stage: Stage
    rates: RateBook
    anchor_hours: int = 48
    anchored: bool = True
    asked: int = 0

    @property
    def purchases(self) -> Purchases:
        """What credits and refunds."""
        stage = self.stage
        return Purchases(
            store=stage.store,
            rates=self.rates,
            endings=Endings(stage.issuer),
            clock=stage.clock,
            entropy=stage.entropy,
        )

    @property
    def disputes(self) -> Disputes:
        """What checks disputed replies."""
        stage = self.stage
        return Disputes(
            store=stage.store,
            judge=JudgeReply(
                proofs=stage.proofs,
                models=stage.models,
                calibration_of=lambda _: parse_calibration(_PAGE.read_text("utf-8")),
                library="none 1",
                busy=lambda: bool(stage.running.all()),
            ),
            anchored=self._is_anchored,
            anchor_hours=self.anchor_hours,
            dispute_days=30,
            token="tUSD",  # noqa: S106  a symbol
            clock=stage.clock,
            entropy=stage.entropy,
        )

    async def _is_anchored(self, _leaf: int) -> bool:
        return self.anchored

    @property
    def mature(self) -> MatureFees:
        """What makes held fees payable."""
        return MatureFees(store=self.stage.store, rates=self.rates, clock=self.stage.clock)

    @property
    def door(self) -> CreditDoor:
        """What surfaces call."""
        stage = self.stage
        return CreditDoor(
            store=stage.store,
            roster=stage.roster,
            rates=self.rates,
            paying=stage.paying,
            purchases=self.purchases,
            disputes=self.disputes,
            clock=stage.clock,
            entropy=stage.entropy,
        )

    async def buy(self, person: Person = ANA, *, charge: str = "charge", stars: int = 50) -> int:
        """Let a person buy Stars; return what they have then."""
        bought = await self.door.credit(Purchase(person, charge, STAR, stars))
        return bought.balance_nano

    async def give(self, person: Person = ANA, *, nano: int = NANO) -> str:
        """Give promotional credit; return the account."""
        stage = self.stage
        async with stage.store.transaction() as tx:
            account = await tx.account_of(person)
            if account is None:
                name = stage.entropy.random_bytes(16).hex()
                account = FanAccount(name, person, stage.clock.now())
                await tx.open_account(account)
            left = await tx.balance(promotional_account(account.name))
            await tx.post(plan_gift(f"{account.name} {left} {self.asked}", account.name, nano))
        return account.name

    async def account(self, person: Person = ANA) -> str:
        """Return a person's account."""
        async with self.stage.store.reading() as tx:
            found = await tx.account_of(person)
        assert found is not None
        return found.name

    async def say(self, person: Person = ANA, *, deliver: bool = True) -> StoredReply:
        """Ask something new, agreeing to the price where that is asked for."""
        reply = None
        while reply is None:
            self.asked += 1
            self.stage.clock.advance(READ_WITHIN)
            try:
                reply = await self.stage.say(number=f"m{self.asked}", fan=person.fan)
            except AdmissionError as error:
                if "you agree to the price" not in str(error):
                    raise
        if deliver:
            await self.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
        return reply

    def restart(self) -> None:
        """Go on as a new process finds the store."""
        self.stage = self.stage.restarted()


async def open_rig(
    stage: Stage | None = None,
    *,
    files: Sequence[PersonaFile] = (PAID_MIRA,),
    caps: SpendingCaps | None = None,
    rates: Sequence[RateSettings] = RATES,
) -> CreditRig:
    """Open a stage whose twins cost something from the first reply on."""
    stage = stage or memory_stage()
    money = MoneySettings(rates=tuple(rates), held_hours=HELD_HOURS)
    book = await open_rates(stage.store, RECEIPTS_KEY, money, token="tUSD")  # noqa: S106
    in_force = book.in_force
    stage.paying = WhoPays(
        caps=caps or SpendingCaps(),
        terms=PaidTerms(None if in_force is None else in_force.name, frozenset({"terminal"})),
        digest=stage.forgotten.digest_of,
    )
    await stage.open(files)
    return CreditRig(stage, book)
