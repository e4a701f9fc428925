"""Fans' money, put together: the rates in force, the door for surfaces, and what the clock runs."""

from dataclasses import dataclass
from functools import partial

from bot.config import Settings
from bot.credit.disputes import Disputes
from bot.credit.door import CreditDoor
from bot.credit.judging import JudgeReply
from bot.credit.maturing import MatureFees
from bot.credit.purchases import Purchases
from bot.generation.verdict import Calibration
from bot.ports.clock import Clock
from bot.ports.credit import FanCredit
from bot.ports.proofs import ProofSource
from bot.service import Chore
from bot.wiring.engine import STARTER
from bot.wiring.models import OpenModels
from bot.wiring.stores import Stores
from bot.wiring.twins import UseCases

MATURE_EVERY_S, CHECK_EVERY_S = 60.0, 3.0


@dataclass(frozen=True, slots=True)
class OpenCredit:
    """The door, and what the service runs for it."""

    door: FanCredit
    chores: tuple[Chore, ...]


def build_credit(
    settings: Settings,
    stores: Stores,
    cases: UseCases,
    models: OpenModels,
    *,
    proofs: ProofSource,
    clock: Clock,
) -> OpenCredit:
    """Build the door over the use cases.

    Args:
        settings: from the configuration.
        stores: on the database.
        cases: what is done for fans.
        models: that answer them.
        proofs: bundles as they are served.
        clock: now.
    """
    from adapters.host.system import SystemEntropy

    store, rates, entropy = stores.replies, cases.rates, SystemEntropy()
    judge = _judge(cases, models, proofs)
    disputes = Disputes(
        store=store,
        judge=judge,
        anchored=partial(_is_anchored, stores),
        anchor_hours=settings.money.anchor_hours,
        dispute_days=settings.money.dispute_days,
        token=rates.token,
        clock=clock,
        entropy=entropy,
    )
    mature = MatureFees(store=store, rates=rates, clock=clock)
    purchases = Purchases(
        store=store, rates=rates, endings=cases.endings, clock=clock, entropy=entropy
    )
    door = CreditDoor(
        store=store,
        roster=cases.roster,
        rates=rates,
        paying=cases.paying,
        purchases=purchases,
        disputes=disputes,
        clock=clock,
        entropy=entropy,
    )
    chores = (
        Chore("credit.waiting", MATURE_EVERY_S, purchases.credit_waiting),
        Chore("credit.mature", MATURE_EVERY_S, mature.run),
        Chore("credit.disputes", CHECK_EVERY_S, disputes.run),
    )
    return OpenCredit(door, chores)


def _judge(cases: UseCases, models: OpenModels, proofs: ProofSource) -> JudgeReply:
    """Build what replays disputed replies, with the thresholds beside each model's file."""
    from adapters.files.calibrations import load_calibration

    def calibration_of(gguf: bytes) -> Calibration:
        path = models.checked.paths.get(gguf, models.checked.own.path)
        return load_calibration(path, digest=gguf, default=STARTER)

    return JudgeReply(
        proofs=proofs,
        models=models.served,
        calibration_of=calibration_of,
        library=cases.library,
        busy=lambda: bool(cases.running.all()),
    )


async def _is_anchored(stores: Stores, leaf: int) -> bool:
    return await stores.epochs.anchoring(leaf) is not None
