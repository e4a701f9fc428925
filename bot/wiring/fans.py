"""What a fan may ask about their own data, put together."""

from pathlib import Path

from bot.ports.clock import Clock
from bot.twins.fans_data import FansData
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
