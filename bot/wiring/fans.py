"""The fans' door, and what a fan may ask about their own data, put together."""

from pathlib import Path

from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.settlement.statement import EarningsStatements
from bot.twins.fans_data import FansData
from bot.twins.inbox import Inbox
from bot.wiring.stores import Stores
from bot.wiring.twins import UseCases

ERASURES = "erasures.jsonl"


async def open_fans_data(
    proofs: Path, stores: Stores, cases: UseCases, clock: Clock, *, base_url: str
) -> FansData:
    """Build the use case and forget again whom this database has not forgotten yet.

    Args:
        proofs: where bundles are saved; tombstones lie beside it, apart from the database.
        stores: on the database.
        cases: what is done for fans; nothing of it has been used yet.
        clock: for the times of tombstones.
        base_url: what proof links begin with.

    Raises:
        ConfigurationError: the list of tombstones is damaged.
    """
    from adapters.files.erasures import TombstoneFile
    from adapters.files.proofs import ProofFolder

    fans = FansData(
        store=stores.replies,
        records=stores.fans,
        tombstones=TombstoneFile(proofs.parent / ERASURES),
        saved=ProofFolder(proofs),
        states=cases.states,
        endings=cases.endings,
        turns=cases.turns,
        running=cases.running,
        forgotten=cases.forgotten,
        clock=clock,
        base_url=base_url,
    )
    await fans.replay()
    return fans


def build_inbox(
    stores: Stores, chain: SettlementChain, cases: UseCases, privacy: FansData, *, base_url: str
) -> Inbox:
    """Build the door of chat surfaces."""
    return Inbox(
        roster=cases.roster,
        store=stores.replies,
        answer=cases.answer,
        delivery=cases.delivery,
        withdrawal=cases.withdrawal,
        running=cases.running,
        privacy=privacy,
        statements=EarningsStatements(chain=chain, store=stores.epochs, earnings=stores.earnings),
        base_url=base_url,
    )
