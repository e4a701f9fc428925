"""Fans' money in any order of purchases, replies, refunds, disputes, maturing, and crashes.

Whatever happens, the audit passes, the book sums to zero, promotional credit goes round in a circle
of its own, a platform owes exactly what was bought and not refunded, no fan owes less than nothing,
what is held is what the log says, and nothing that was refunded is credited. When everything was
refunded in the end, nobody has lost more than what had matured.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from bot.config import MoneySettings, RateSettings
from bot.domain.errors import BotError
from bot.domain.ledger import (
    LOSS,
    PROMOTION,
    channel_account,
    held_account,
    hold_account,
    may_be_negative,
)
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.ledger.fees import account_of, source_of
from bot.ports.credit import Purchase
from bot.ports.inference import ReplayOutcome, ReplayRequest
from bot.ports.people import Person
from bot.ports.stores import StoredReply
from bot.wiring.rates import open_rates
from tests.credit_rig import (
    ANA,
    BEN,
    HELD_HOURS,
    RATES,
    STAR,
    STAR_NANO,
    CreditRig,
    open_rig,
)
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore, ProcessKilled, WriteFault
from tests.stage import MIRA, RECEIPTS_KEY, SURFACE

FANS = st.sampled_from([ANA, BEN])
CHARGES = st.sampled_from(["first", "a", "b", "c"])
ODD = "odd"  # the charge of a unit that no table names at first
ODD_RATE = RateSettings(unit="discord-sku:77", worth=f"0.{STAR_NANO:09d}")
T = TypeVar("T")
ONE_FREE = replace(MIRA, free_daily=1)


class Liar(MemoryEngine):
    """Makes another reply than before when it is asked to replay."""

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        other = replace(request.request, seed=bytes(32))
        return await super().replay(replace(request, request=other))


class MoneyMachine(RuleBasedStateMachine):
    """Drives one service; `_bought` is what the platform knows was paid."""

    replies: Bundle[StoredReply] = Bundle("replies")

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._bought: dict[str, Purchase] = {}
        self._ended_early = False
        self._silent = structlog.get_config()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))

    @initialize()
    def begin(self) -> None:
        self._rig: CreditRig = self._runner.run(open_rig(files=(ONE_FREE,)))
        self.buy("first", ANA, 8)
        self.give(5 * STAR_NANO)

    def teardown(self) -> None:
        try:
            self._settle()
        finally:
            self._runner.close()
            structlog.configure(**self._silent)

    @property
    def _store(self) -> MemoryStore:
        store = self._rig.stage.store
        assert isinstance(store, MemoryStore)
        return store

    def _do(self, work: Coroutine[object, object, T]) -> T | None:
        """Do something that may be refused, or end the process."""
        self._rig.stage.clock.advance(timedelta(seconds=1))
        try:
            return self._runner.run(work)
        except BotError:
            return None
        except ProcessKilled:
            self._restart()
            return None

    def _restart(self) -> None:
        self._rig.restart()
        self._runner.run(self._rig.stage.open((ONE_FREE,)))
        self._runner.run(self._rig.stage.recovery.run())

    @rule(
        target=replies,
        person=FANS,
        outcomes=st.lists(
            st.sampled_from([Outcome.DELIVERED, Outcome.DELIVERED, Outcome.UNDELIVERED, None]),
            min_size=1,
            max_size=4,
        ),
    )
    def talk(self, person: Person, outcomes: list[Outcome | None]) -> MultipleResults[StoredReply]:
        replies = []
        for outcome in outcomes:
            reply = self._do(self._rig.say(person, deliver=False))
            if reply is not None:
                replies.append(reply)
                if outcome is not None:
                    self._do(self._rig.stage.delivery.record(reply.receipt_id, outcome))
        return multiple(*replies)

    @rule(reply=replies, outcome=st.sampled_from(["delivered", "undelivered"]))
    def decide(self, reply: StoredReply, outcome: str) -> None:
        self._do(self._rig.stage.delivery.record(reply.receipt_id, Outcome[outcome.upper()]))

    @rule(ago=st.integers(0, 3))
    def withdraw(self, ago: int) -> None:
        number = self._rig.asked - ago
        self._do(self._rig.stage.withdrawal.withdraw(SURFACE, f"m{number}"))

    @rule(charge=CHARGES, person=FANS, stars=st.sampled_from([1, 3, 8]))
    def buy(self, charge: str, person: Person, stars: int) -> None:
        purchase = self._bought.setdefault(charge, Purchase(person, charge, STAR, stars))
        self._do(self._rig.door.credit(purchase))

    @rule(person=FANS)
    def buy_what_is_not_named(self, person: Person) -> None:
        purchase = self._bought.setdefault(ODD, Purchase(person, ODD, ODD_RATE.unit, 1))
        self._do(self._rig.door.credit(purchase))

    @rule()
    def name_it(self) -> None:
        money = MoneySettings(rates=(*RATES, ODD_RATE), held_hours=HELD_HOURS)
        token = self._rig.rates.token
        rates = self._do(open_rates(self._store, RECEIPTS_KEY, money, token=token))
        if rates is not None:
            self._rig.rates = rates
        self._do(self._rig.purchases.credit_waiting())

    @rule(charge=st.sampled_from([ODD, "first"]))
    def refund_at_once(self, charge: str) -> None:
        if charge in self._bought:
            self._do(self._rig.door.refund("terminal", charge))

    @rule(charge=CHARGES, seldom=st.integers(0, 3))
    def refund(self, charge: str, seldom: int) -> None:
        if charge in self._bought and not seldom:
            self._do(self._rig.door.credit(self._bought[charge]))
            self._do(self._rig.door.refund("terminal", charge))

    @rule(nano=st.sampled_from([1, 5 * STAR_NANO]))
    def give(self, nano: int) -> None:
        self._do(self._rig.give(BEN, nano=nano))

    @rule(reply=replies, true=st.booleans())
    def dispute(self, reply: StoredReply, true: bool) -> None:  # noqa: FBT001
        self._rig.anchored = True
        self._rig.stage.engine = MemoryEngine() if true else Liar()
        for person in (ANA, BEN):
            self._do(self._rig.door.dispute(reply.receipt_id, person, ""))
        self._do(self._rig.disputes.run())

    @rule(hours=st.sampled_from([1, 50, 600]))
    def wait(self, hours: int) -> None:
        self._rig.stage.clock.advance(timedelta(hours=hours))
        self._do(self._rig.mature.run())

    @rule(ahead=st.integers(1, 4), fault=st.sampled_from(WriteFault))
    def break_a_write(self, ahead: int, fault: WriteFault) -> None:
        self._store.faults = {self._store.writes + ahead: fault}

    @invariant()
    def adds_up(self) -> None:
        tables = self._store.tables
        balances = tables.balances
        assert sum(balances.values()) == 0
        assert all(nano >= 0 or may_be_negative(account) for account, nano in balances.items())
        given = sum(nano for account, nano in balances.items() if account.startswith("promo:"))
        given += sum(
            balances.get(hold_account(intent.key), 0)
            for intent in tables.intents.values()
            if intent.payment.payer is Payer.PROMOTIONAL
        )
        assert given == -balances.get(PROMOTION, 0)
        kept = tables.credit.purchases.items()
        owed = sum(one.nano for key, one in kept if key not in tables.credit.refunds)
        assert owed == -balances.get(channel_account("terminal"), 0)
        assert balances.get(LOSS, 0) <= 0
        self._owes_no_less_than_nothing()
        self._holds_what_the_log_says()

    def _owes_no_less_than_nothing(self) -> None:
        tables = self._store.tables
        assert all(n <= 0 for one, n in tables.balances.items() if one.startswith("owed:"))
        posted = {one.key for one in tables.ledger}
        for key, one in tables.credit.purchases.items():
            credited = f"purchase:{key[0]}:{key[1]}" in posted
            assert credited == (one.nano > 0)
            assert not (one.nano and key[1] == ODD and self._ended_early)
        if (ended := tables.credit.refunds.get(("terminal", ODD))) is not None:
            waits = tables.credit.purchases["terminal", ODD].nano == 0
            self._ended_early = self._ended_early or waits
            assert not waits or ended.taken_nano == 0

    def _holds_what_the_log_says(self) -> None:
        tables = self._store.tables
        held: dict[str, int] = defaultdict(int)
        for _, fee in tables.credit.held:
            held[held_account(fee.twin)] += fee.creator_nano
        assert {a: n for a, n in tables.balances.items() if a.startswith("held:") and n} == held
        payers = {key: one.payment.payer for key, one in tables.intents.items()}
        matured = {one.key for one in tables.ledger if one.kind == "mature"}
        assert {fee.intent for _, fee in tables.credit.held} == {
            one.intent
            for one in tables.replies.values()
            if payers[one.intent] is Payer.PAID
            and [said.word for said in one.outcomes][:1] == ["delivered"]
            and not one.taken_back
            and f"mature:{one.intent}" not in matured
        }

    def _settle(self) -> None:
        """Bring everything to its end: then nothing is held, and each charge counts once."""
        if not hasattr(self, "_rig"):
            return
        self._store.faults = {}
        for charge in sorted(self._bought):
            self._do(self._rig.door.credit(self._bought[charge]))
        self._restart()
        for reply in list(self._store.tables.replies.values()):
            self._do(self._rig.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED))
        assert self._runner.run(self._rig.stage.audit()).wrong == []
        for charge in sorted(self._bought):
            self._do(self._rig.door.refund("terminal", charge))
        self._lost_at_most_what_matured()
        self._rig.stage.clock.advance(timedelta(days=60))
        self._restart()
        self._do(self._rig.mature.run())
        findings = self._runner.run(self._rig.stage.audit())
        assert findings.wrong == []
        balances = self._store.tables.balances
        waiting = {n for a, n in balances.items() if a.startswith(("hold:", "held:"))}
        assert waiting <= {0}
        assert len(self._store.tables.credit.purchases) == len(self._bought)

    def _lost_at_most_what_matured(self) -> None:
        tables = self._store.tables
        matured: dict[str, int] = defaultdict(int)
        ended = {one.key for one in tables.ledger if one.kind == "mature"}
        for one in tables.ledger:
            intent = one.key.partition(":")[2]
            if one.kind == "hold" and f"mature:{intent}" in ended:
                matured[account_of(source_of(one))] += tables.intents[intent].price_nano
        for account, nano in tables.balances.items():
            kind, _, name = account.partition(":")
            assert kind != "owed" or -nano <= matured[name]
        assert tables.balances.get(channel_account("terminal"), 0) == 0


TestMoney = MoneyMachine.TestCase
TestMoney.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
