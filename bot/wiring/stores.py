"""The durable side: one database with every store on it, and the embedded chain."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.ports.audit import AuditReader
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.ports.creator_store import CreatorStore
from bot.ports.discord_state import DiscordState
from bot.ports.fans import FanRecords
from bot.ports.secrets import SecretStore
from bot.ports.settlement import EarningsReader, EpochStore
from bot.ports.statements import FeeReader
from bot.ports.stores import Store
from bot.ports.telegram_state import TelegramState
from bot.ports.transparency import CosignatureStore
from bot.wiring.keys import ServiceKeys

DATABASE, CHAIN = "twinproof.db", "chain.db"


@dataclass(frozen=True, slots=True)
class Stores:
    """What is kept in the data folder's database.

    Attributes:
        fans: what is stored about people, by all of the others.
        secrets: returns the secrets that a key of 32 bytes opens.
    """

    replies: Store
    epochs: EpochStore
    earnings: EarningsReader
    audit: AuditReader
    discord: DiscordState
    telegram: TelegramState
    fans: FanRecords
    secrets: Callable[[bytes], SecretStore]
    creators: CreatorStore
    cosignatures: CosignatureStore
    fees: FeeReader


@asynccontextmanager
async def open_stores(folder: Path, *, read_only: bool = False) -> AsyncIterator[Stores]:
    """Open the database of a data folder, making it where it may be written.

    Raises:
        ConfigurationError: the file can't be used.
    """
    from adapters.sqlite.audit import SqliteAuditReader
    from adapters.sqlite.cosignatures import SCHEMA as COSIGNATURES_SCHEMA
    from adapters.sqlite.cosignatures import SqliteCosignatures
    from adapters.sqlite.creators import SCHEMA as CREATORS_SCHEMA
    from adapters.sqlite.creators import SqliteCreatorStore
    from adapters.sqlite.database import Database
    from adapters.sqlite.discord_state import SCHEMA as DISCORD_SCHEMA
    from adapters.sqlite.discord_state import SqliteDiscordState
    from adapters.sqlite.earnings import SqliteEarnings
    from adapters.sqlite.epochs import SCHEMA as EPOCHS_SCHEMA
    from adapters.sqlite.epochs import SqliteEpochStore
    from adapters.sqlite.fans import SCHEMA as FANS_SCHEMA
    from adapters.sqlite.fans import SqliteFanRecords
    from adapters.sqlite.fees import SqliteFees
    from adapters.sqlite.replies import SqliteStore
    from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
    from adapters.sqlite.secrets import SCHEMA as SECRETS_SCHEMA
    from adapters.sqlite.secrets import SqliteSecrets
    from adapters.sqlite.telegram_state import SCHEMA as TELEGRAM_SCHEMA
    from adapters.sqlite.telegram_state import SqliteTelegramState

    book = (
        *(REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, EPOCHS_SCHEMA, DISCORD_SCHEMA, TELEGRAM_SCHEMA),
        *(FANS_SCHEMA, SECRETS_SCHEMA, CREATORS_SCHEMA, COSIGNATURES_SCHEMA),
    )
    schema = () if read_only else book
    database = await Database.open(folder / DATABASE, schema=schema, read_only=read_only)
    try:
        yield Stores(
            replies=SqliteStore(database),
            epochs=SqliteEpochStore(database),
            earnings=SqliteEarnings(database),
            audit=SqliteAuditReader(database),
            discord=SqliteDiscordState(database),
            telegram=SqliteTelegramState(database),
            fans=SqliteFanRecords(database),
            creators=SqliteCreatorStore(database),
            cosignatures=SqliteCosignatures(database),
            fees=SqliteFees(database),
            secrets=lambda key: SqliteSecrets(database, key),
        )
    finally:
        await database.close()


@asynccontextmanager
async def open_chain(
    folder: Path, keys: ServiceKeys, clock: Clock
) -> AsyncIterator[SettlementChain]:
    """Open the embedded chain for writing, with its contracts.

    Raises:
        ConfigurationError: the file can't be used, or was made with other keys.
    """
    from adapters.evm.client import EvmSettlementChain
    from adapters.evm.embedded import EmbeddedChain

    embedded = await EmbeddedChain.open(
        folder / CHAIN,
        settler_key=keys.settler,
        relayer_key=keys.relayer,
        treasury_key=keys.treasury,
        clock=clock,
    )
    try:
        yield EvmSettlementChain(
            provider=embedded.provider,
            settlement=embedded.deployment.settlement,
            settler_key=keys.settler,
            relayer_key=keys.relayer,
        )
    finally:
        await embedded.close()


@asynccontextmanager
async def open_chain_snapshot(folder: Path) -> AsyncIterator[SettlementChain | None]:
    """Open a copy of the embedded chain for reading; None where there is none."""
    from adapters.evm.client import EvmSettlementChain
    from adapters.evm.embedded import EmbeddedChain

    if not (folder / CHAIN).exists():
        yield None
        return
    embedded = await EmbeddedChain.open_snapshot(folder / CHAIN)
    try:
        yield EvmSettlementChain(
            provider=embedded.provider, settlement=embedded.deployment.settlement
        )
    finally:
        await embedded.close()
