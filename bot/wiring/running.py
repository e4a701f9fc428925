"""What runs beside the conversations, and what re-derives the book, over opened parts."""

from bot.audit.run import Audit
from bot.config import Settings
from bot.crypto.ed25519 import public_key_of
from bot.service import Service
from bot.wiring.credit import OpenCredit
from bot.wiring.funding import treasury_funds
from bot.wiring.keys import ServiceKeys
from bot.wiring.settlement import OpenSettlement
from bot.wiring.stores import Stores
from bot.wiring.twins import UseCases


def build_service(
    settings: Settings,
    keys: ServiceKeys,
    stores: Stores,
    cases: UseCases,
    *,
    settled: OpenSettlement,
    credit: OpenCredit,
) -> Service:
    """Build what the clock runs; it starts when it is entered."""
    return Service(
        store=stores.replies,
        signer=keys.log_signer,
        recovery=cases.recovery,
        settlement=settled.publisher,
        epoch_seconds=settings.money.epoch_seconds,
        chores=credit.chores,
    )


def build_audit(
    settings: Settings, keys: ServiceKeys, stores: Stores, settled: OpenSettlement
) -> Audit:
    """Build the audit of the running service."""
    from adapters.host.system import SystemClock

    return Audit(
        reader=stores.audit,
        epochs=stores.epochs,
        chain=settled.chain,
        payouts_stay=settled.payouts_stay,
        log=keys.log_verifier,
        signing_key=public_key_of(keys.receipts),
        fees=stores.fees,
        funds=treasury_funds(settings.settlement),
        clock=SystemClock(),
    )
