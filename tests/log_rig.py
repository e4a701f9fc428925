"""A log that is served: the miniature service over SQLite, and a web server over its file."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.cosignatures import SCHEMA as COSIGNATURES_SCHEMA
from adapters.sqlite.cosignatures import SqliteCosignatures
from adapters.sqlite.database import Database
from adapters.sqlite.log_reader import SqliteLogReader
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from adapters.web.server import WebServer
from bot.crypto import eip712
from bot.domain.leaf import OrderLeaf, twin_prefix
from bot.domain.manifest import Manifest
from bot.domain.order import TwinOrder, order_data
from bot.domain.witnesses import WitnessPolicy
from bot.ports.stores import StoredCheckpoint
from bot.ports.transparency import PublicLog, WitnessPeer
from bot.receipts.log import append_leaf
from bot.transparency.cosigning import Cosigning
from bot.transparency.published import PublishedLog
from tests.fakes.chat import MemoryInbox, MemoryProofs
from tests.fakes.clock import SetClock
from tests.stage import LOG, Stage

SCHEMA = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, COSIGNATURES_SCHEMA)
NOBODY = WitnessPolicy(0, ())


@dataclass(slots=True)
class LogRig:
    """A service's log on a port.

    Attributes:
        url: prefix of the log.
    """

    stage: Stage
    database: Database
    reader: SqliteLogReader
    cosignatures: SqliteCosignatures
    public: PublicLog
    url: str

    async def append(self, leaves: Sequence[bytes]) -> None:
        """Append leaves in one transaction."""
        async with self.stage.store.transaction() as tx:
            for leaf in leaves:
                await append_leaf(tx, leaf)

    async def sign(self) -> StoredCheckpoint:
        """Sign a head over all leaves."""
        head = await self.stage.signer.publish(self.stage.store)
        assert head is not None
        return head

    def asking(self, *witnesses: WitnessPeer, clock: SetClock | None = None) -> Cosigning:
        """Return what asks witnesses."""
        return Cosigning(
            reader=self.reader,
            log=LOG,
            witnesses=witnesses,
            kept=self.cosignatures,
            clock=clock or SetClock(),
        )


@asynccontextmanager
async def log_rig(folder: Path, *, policy: WitnessPolicy = NOBODY) -> AsyncIterator[LogRig]:
    """Open the log of a folder, new or with what is in it."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - a test waits for nobody
    path = folder / "twinproof.db"
    async with AsyncExitStack() as stack:
        database = await Database.open(path, schema=SCHEMA)
        stack.push_async_callback(database.close)
        reading = await Database.open(path, schema=(), read_only=True)
        stack.push_async_callback(reading.close)
        reader = SqliteLogReader(reading)
        public = PublishedLog(reader=reader, log=LOG, policy=policy)
        server = WebServer(
            inbox=MemoryInbox(), proofs=MemoryProofs(), log=public, host="127.0.0.1", port=0
        )
        await server.start()
        stack.push_async_callback(server.stop)
        yield LogRig(
            stage=Stage(store=SqliteStore(database), reader=SqliteAuditReader(database)),
            database=database,
            reader=reader,
            cosignatures=SqliteCosignatures(database),
            public=public,
            url=f"http://127.0.0.1:{server.port}/log",
        )


async def log_order(rig: LogRig, manifest: Manifest, order: TwinOrder, key: bytes) -> int:
    """Sign a creator's order, keep it and log it, right or not; return its leaf's index."""
    signature = eip712.sign_digest(key, order_data(order, manifest.name).digest())
    async with rig.stage.store.transaction() as tx:
        leaf = OrderLeaf(order.hash, twin_prefix(order.twin)).encode()
        index = await append_leaf(tx, leaf)
    async with rig.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO orders (hash, twin, number, body, signature, log_index) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(order.hash, order.twin, order.number, order.encode()),
                *(eip712.encode_signature(signature), index),
            ),
        )
    return index
