"""Every durable write of fans' money, lost, applied but errored, or killed; then told again.

The story: two payments, one of them with test money; a price is told and agreed to; three replies
are paid with them; one is disputed and found to be wrong; a payment is refunded, which takes a held
fee back; the rest matures. One of its writes breaks. What is left on disk audits at once, and the
same story told again to a new process ends with each payment credited once, refunded once, and
every fee once where it belongs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.audit.findings import Findings
from bot.domain.errors import AdmissionError, BotError, StoreBusyError
from bot.domain.ledger import (
    LOSS,
    OPERATOR_FEES,
    PROMOTION,
    channel_account,
    creator_account,
    fan_account,
    held_account,
    promotional_account,
)
from bot.domain.statements import Outcome
from bot.ports.credit import DisputeState, Purchase
from bot.ports.inference import ReplayOutcome, ReplayRequest
from bot.twins.charging import READ_WITHIN
from tests.credit_rig import ANA, HELD_HOURS, STAR, STAR_NANO, CreditRig, open_rig
from tests.fakes.clock import CountingEntropy, SetClock
from tests.fakes.engine import MemoryEngine
from tests.fakes.faults import EXPECTED, Fault, FaultPlan, FaultyDatabase
from tests.stage import CREATOR_NANO, OPERATOR_NANO, PRICE, Stage

TWO, SIX = 2 * STAR_NANO, 6 * STAR_NANO

# The story's durable writes, in order; the labels are its steps.
WRITES = (
    *("start",) * 3,  # rates; budget; manifest
    "pay",
    "pay a test",
    "tell the price",
    *("first",) * 3,  # promotional: intent and hold; receipt; outcome and capture
    *("second",) * 3,  # bought: the same
    *("third",) * 3,
    "dispute",
    *("decide",) * 2,  # a head over the reply; what was found, and the price given back
    "refund",
    *("mature",) * 2,  # fees; counters that count no more
    "notices",
)

PLACES = [
    at
    for at, step in enumerate(WRITES, start=1)
    if step not in {"start", "first", "third"}  # as in `test_durable_writes`, or as "second"
]


class _Other(MemoryEngine):
    """Makes another reply than before when it is asked to replay."""

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        other = replace(request.request, seed=bytes(32))
        return await super().replay(replace(request, request=other))


@dataclass(slots=True)
class World:
    """What no crash touches: the file, and time."""

    path: Path
    clock: SetClock = field(default_factory=SetClock)
    lives: int = 0

    @asynccontextmanager
    async def life(self, plan: FaultPlan) -> AsyncIterator[Stage]:
        """Run one process."""
        self.lives += 1
        schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
        database = FaultyDatabase(await Database.open(self.path, schema=schema), plan)
        try:
            yield Stage(
                store=SqliteStore(database),
                reader=SqliteAuditReader(database),
                engine=_Other(),
                clock=self.clock,
                entropy=CountingEntropy(f"life {self.lives}"),
            )
        finally:
            await database.close()

    async def tell(self, plan: FaultPlan, *, again: bool = False) -> None:
        """Tell the story until it ends, or the fault ends it; `again`: failed steps once more."""
        async with self.life(plan) as stage:
            try:
                await _tell(stage, plan, again=again)
            except EXPECTED:
                if not plan.fired:
                    raise

    async def look(self) -> tuple[Findings, dict[str, int]]:
        """Audit the file, and return its balances."""
        async with self.life(FaultPlan()) as stage:
            return await stage.audit(), (await stage.reader.read_all()).balances


def _steps(stage: Stage) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
    """Return the story; what it has opened is for the steps after the first."""
    rigs: list[CreditRig] = []

    async def begin() -> None:
        rigs.append(await open_rig(stage))

    async def say(number: str) -> None:
        reply = await stage.say(number=number)
        await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    async def tell_price() -> None:
        with suppress(AdmissionError):
            await say("told")

    async def dispute() -> None:
        reply = await stage.say(number="m3")
        await rigs[-1].door.dispute(reply.receipt_id, ANA, "wrong")

    async def decide() -> None:
        await rigs[-1].disputes.run()
        states = [view.state for view in await rigs[-1].door.disputes(ANA)]
        if DisputeState.CHECKING in states:  # the service looks again a few seconds later
            raise StoreBusyError("not decided yet")

    async def mature() -> None:
        stage.clock.advance(timedelta(hours=HELD_HOURS))
        await rigs[-1].mature.run()

    return [
        ("start", begin),
        ("pay", lambda: rigs[-1].door.credit(Purchase(ANA, "c1", STAR, 6))),
        ("pay a test", lambda: rigs[-1].door.credit(Purchase(ANA, "t1", STAR, 2, test=True))),
        ("tell the price", tell_price),
        ("first", lambda: say("m1")),
        ("second", lambda: say("m2")),
        ("third", lambda: say("m3")),
        ("dispute", dispute),
        ("decide", decide),
        ("refund", lambda: rigs[-1].door.refund("terminal", "c1")),
        ("mature", mature),
        ("notices", lambda: rigs[-1].door.take_notices(ANA)),
    ]


async def _tell(stage: Stage, plan: FaultPlan, *, again: bool) -> None:
    for name, work in _steps(stage):
        plan.step = name
        stage.clock.advance(READ_WITHIN)
        try:
            await work()
        except BotError:
            if not again or not plan.fired:
                raise
            await work()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "book.db")


async def test_the_table_names_every_write_of_the_story(world: World) -> None:
    plan = FaultPlan()

    await world.tell(plan)

    assert tuple(plan.writes) == WRITES
    await _check_end(world)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("at", PLACES, ids=lambda n: f"{n} {WRITES[n - 1]}")
async def test_a_broken_write_loses_no_money_and_makes_none(
    world: World, at: int, fault: Fault
) -> None:
    plan = FaultPlan(at=at, fault=fault)

    await world.tell(plan)
    at_once, _ = await world.look()
    await world.tell(FaultPlan())

    assert plan.fired
    assert at_once.wrong == []
    await _check_end(world)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNKNOWN])
@pytest.mark.parametrize("at", PLACES)
async def test_a_broken_write_is_made_good_in_the_same_process(
    world: World, at: int, fault: Fault
) -> None:
    plan = FaultPlan(at=at, fault=fault)

    await world.tell(plan, again=True)

    assert plan.fired
    await _check_end(world)


async def _check_end(world: World) -> None:
    findings, balances = await world.look()
    assert findings.wrong == []
    kinds = ("fan", "promo", "held", "creator", "hold")
    left = {
        kind: sum(nano for account, nano in balances.items() if account.startswith(f"{kind}:"))
        for kind in kinds
    }
    # c1 was SIX; two replies were paid with it, one of which the dispute gave back; the refund took
    # what was left and the newest fee, and the operator bears what the dispute gave.
    assert left == {"fan": 0, "promo": TWO - PRICE, "held": 0, "creator": CREATOR_NANO, "hold": 0}
    assert balances[LOSS] == -PRICE
    assert {nano for account, nano in balances.items() if account.startswith("owed:")} == {0}
    assert balances[OPERATOR_FEES] == OPERATOR_NANO
    assert balances[channel_account("terminal")] == 0
    assert balances[PROMOTION] == -(TWO - PRICE)


def test_the_accounts_of_the_story_have_the_names_it_counts() -> None:
    named = [fan_account("a"), promotional_account("a"), held_account(b""), creator_account(b"")]

    assert [one.partition(":")[0] for one in named] == ["fan", "promo", "held", "creator"]
