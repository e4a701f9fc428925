"""A stage with people's data: the real use case over fakes, or over all tables of the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.files.erasures import TombstoneFile
from adapters.files.proofs import ProofFolder
from bot.ports.chat import IncomingMessage, ReplyShown
from bot.ports.erasures import Tombstones
from bot.ports.fans import FanRecords
from bot.twins.endings import Endings
from bot.twins.fans_data import FansData
from bot.twins.forgotten import Forgotten
from bot.wiring.stores import open_stores
from tests.fakes.fans import MemoryFanRecords, MemoryTombstones
from tests.fakes.store import MemoryStore
from tests.stage import ERASURES_KEY, Stage, memory_stage

BASE = "http://127.0.0.1:8800"


@dataclass(slots=True)
class FansRig:
    """One life of the service.

    Attributes:
        stage: everything else.
        folder: the data folder.
    """

    stage: Stage
    records: FanRecords
    tombstones: Tombstones
    folder: Path

    @property
    def saved(self) -> ProofFolder:
        """Where bundles are saved."""
        return ProofFolder(self.folder / "proofs")

    @property
    def fans(self) -> FansData:
        """The use case."""
        stage = self.stage
        return FansData(
            store=stage.store,
            records=self.records,
            tombstones=self.tombstones,
            saved=self.saved,
            states=self.stage.engine,
            endings=Endings(stage.issuer),
            turns=stage.turns,
            running=stage.running,
            forgotten=stage.forgotten,
            clock=stage.clock,
            base_url=BASE,
        )

    async def ask(self, message: IncomingMessage) -> ReplyShown:
        """Send a message through the door of surfaces, and have its reply delivered."""
        inbox = replace(self.stage, privacy=self.fans).make_inbox()
        *_, shown = [event async for event in inbox.answer(message)]
        assert isinstance(shown, ReplyShown)
        await inbox.delivered(shown.receipt_id)
        return shown

    def restarted(self, store: MemoryStore) -> "FansRig":
        """Return the next life in memory over what is durable, or over a backup of it."""
        assert isinstance(self.records, MemoryFanRecords)
        assert isinstance(self.stage.store, MemoryStore)
        self.stage.store = store
        stage = replace(self.stage.restarted(), forgotten=Forgotten(ERASURES_KEY))
        assert isinstance(stage.store, MemoryStore)
        records = replace(self.records, store=stage.store)
        return FansRig(stage, records, self.tombstones, self.folder)


def memory_rig(folder: Path, **changes: object) -> FansRig:
    """Return a service in memory; only saved bundles are files."""
    stage = memory_stage(**changes)
    assert isinstance(stage.store, MemoryStore)
    return FansRig(stage, MemoryFanRecords(stage.store), MemoryTombstones(), folder)


@asynccontextmanager
async def sqlite_rig(folder: Path, **changes: object) -> AsyncIterator[FansRig]:
    """Open a service over the database in a folder; a second one over it is a restart."""
    async with open_stores(folder) as stores:
        stage = Stage(
            store=stores.replies,
            reader=stores.audit,
            epochs=stores.epochs,
            earnings=stores.earnings,
        )
        stage = replace(stage, **changes)  # type: ignore[arg-type]
        yield FansRig(stage, stores.fans, TombstoneFile(folder / "erasures.jsonl"), folder)
