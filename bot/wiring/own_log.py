"""The service's own log: how it is served, who witnesses it, and whether others know more of it.

A log whose database was put back from an old copy is never gone on with: before anything is signed
the witnesses and the chain are asked what they have seen of it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from bot.config import LogSettings
from bot.crypto.dsse import Envelope, parse_envelope
from bot.crypto.errors import FormatError
from bot.crypto.merkle import EMPTY_ROOT
from bot.crypto.signed_note import Checkpoint, VerifierKey, sign_note
from bot.domain.errors import ConfigurationError, RestoredBackupError, TransientError
from bot.domain.settlement import Commitment
from bot.domain.statements import SealStatement
from bot.domain.witnesses import WitnessPolicy
from bot.ports.anchors import AnchorSource
from bot.ports.book import StoredCheckpoint
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.ports.stores import Store
from bot.ports.transparency import CosignatureStore, LogReader, PublicLog, WitnessPeer
from bot.receipts.auditors import AuditorsDesk
from bot.receipts.log import CheckpointSigner, tree_root
from bot.receipts.source import StoredProofs
from bot.transparency.cosigning import Cosigning, Standing, WitnessReport
from bot.transparency.published import PublishedLog
from bot.wiring.keys import ServiceKeys
from bot.wiring.stores import DATABASE, Stores

KEYS = "keys"
WHAT_TO_DO = (
    "An old copy of the database was put back, it seems. Nothing is signed until you decide: put "
    "back the newest copy that there is, or, if there is no newer one, run `twinproof log "
    "continue`, which seals this log and goes on in a new one."
)
TWO_HISTORIES = (
    "This log and the one that they have seen are two: whoever has a head of each can prove it. "
    "Nothing is signed any more. Put back the copy of the database that belongs to their head."
)

_log = structlog.get_logger("log")


@dataclass(frozen=True, slots=True)
class OpenLog:
    """The service's own log: what is served of it, how its witnesses stand, what it continues."""

    public: PublishedLog
    cosigning: Cosigning
    seals: tuple[Envelope, ...]

    def proofs(
        self,
        store: Store,
        signer: CheckpointSigner,
        anchors: AnchorSource | None = None,
        *,
        signs: bool = True,
    ) -> StoredProofs:
        """Return what joins bundles under the heads that are shown."""
        return StoredProofs(
            store=store,
            signer=signer,
            public=self.public,
            anchors=anchors,
            seals=self.seals,
            signs=signs,
        )


def read_policy(settings: LogSettings) -> WitnessPolicy:
    """Read which witnesses the configuration names.

    Raises:
        ConfigurationError: a key is not one of a witness, or more are needed than are named.
    """
    try:
        return WitnessPolicy.parse([one.key for one in settings.witnesses], settings.quorum)
    except FormatError as error:
        raise ConfigurationError(f"[log] witnesses: {error}.") from error


@asynccontextmanager
async def open_checked_log(
    settings: LogSettings,
    folder: Path,
    keys: ServiceKeys,
    stores: Stores,
    chain: SettlementChain,
) -> AsyncIterator[tuple[ServiceKeys, OpenLog]]:
    """Open the present log, after everybody who can be asked was asked what they know of it.

    Returns:
        The keys with that of the present log, and the log.

    Raises:
        ConfigurationError: the witnesses are not right, or a key is missing.
        RestoredBackupError: somebody knows more of the log than is here.
    """
    from adapters.host.system import SystemClock

    async with stores.replies.reading() as tx:
        seals = await tx.seals()
    present = keys.with_log(folder / KEYS, seals)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            open_log(
                settings,
                folder,
                log=present.log_verifier,
                kept=stores.cosignatures,
                clock=SystemClock(),
                asking=False,
            )
        )
        await check_witnesses(opened.cosigning, stores.replies, present.log_signer)
        try:
            commitment = (await chain.contract()).commitment
        except (TransientError, ConfigurationError) as error:
            # Away, or not the chain that it was: settlement waits or halts by itself.
            _log.warning("log.chain_not_asked", reason=str(error))
        else:
            await check_commitment(stores.replies, commitment)
        asking = asyncio.create_task(opened.cosigning.run())
        try:
            yield present, opened
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking


def kept_by(seals: Sequence[bytes]) -> int:
    """Return how many first leaves are those of a log before this one."""
    if not seals:
        return 0
    return SealStatement.parse(parse_envelope(seals[-1]).payload).kept


@asynccontextmanager
async def open_log(
    settings: LogSettings,
    folder: Path,
    *,
    log: VerifierKey,
    kept: CosignatureStore,
    clock: Clock,
    asking: bool = True,
) -> AsyncIterator[OpenLog]:
    """Open what is served of the log, and ask its witnesses while the block runs.

    Args:
        settings: from the configuration.
        folder: data folder, in which the book is begun.
        log: the log's key.
        kept: where cosignatures go.
        clock: the present.
        asking: whether the witnesses are asked to cosign.

    Raises:
        ConfigurationError: the witnesses are not right.
    """
    policy = read_policy(settings)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(open_reader(folder))
        peers = await stack.enter_async_context(open_peers(settings))
        cosigning = Cosigning(reader=reader, log=log, witnesses=peers, kept=kept, clock=clock)
        envelopes = await reader.seals()
        seals = tuple(map(parse_envelope, envelopes))
        public = PublishedLog(reader=reader, log=log, policy=policy, kept=kept_by(envelopes))
        running = asyncio.create_task(cosigning.run()) if asking else None
        try:
            yield OpenLog(public, cosigning, seals)
        finally:
            if running is not None:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running


def auditors_desk(
    settings: LogSettings, store: Store, keys: ServiceKeys, public: PublicLog
) -> AuditorsDesk:
    """Return what takes in the verdicts of the auditors that the configuration names."""
    auditors = [bytes.fromhex(key) for key in settings.auditors]
    return AuditorsDesk(store=store, log=keys.log_verifier, auditors=auditors, public=public)


@asynccontextmanager
async def open_peers(settings: LogSettings) -> AsyncIterator[Sequence[WitnessPeer]]:
    """Open the witnesses that the configuration names.

    Raises:
        ConfigurationError: the witnesses are not right.
    """
    from adapters.web.log_client import HttpWitness, open_session

    policy = read_policy(settings)
    async with open_session() as session:
        yield [
            HttpWitness(session, one.url, key)
            for one, key in zip(settings.witnesses, policy.witnesses, strict=True)
        ]


async def check_witnesses(
    cosigning: Cosigning, store: Store, signer: CheckpointSigner
) -> dict[str, WitnessReport]:
    """Ask the witnesses whether they know more of the log than is here, before anything is signed.

    A witness that is away says nothing, and stops nothing.

    Raises:
        RestoredBackupError: one does, or knows another log under this key.
    """
    async with store.reading() as tx:
        head = await tx.latest_checkpoint()
        first = kept_by(await tx.seals())
    if head is None or head.size <= first:
        # The head over no leaves says nothing: all others contain it.
        empty = Checkpoint(signer.origin, 0, EMPTY_ROOT)
        note = sign_note(empty.encode(), signer.origin, signer.key)
        head = StoredCheckpoint(0, EMPTY_ROOT, note)
    reports = await cosigning.examine(head)
    wrong = {name: one for name, one in reports.items() if one.standing.is_alarming}
    if wrong:
        said = "; ".join(f"{name}: {one.sentence}" for name, one in wrong.items())
        forked = any(one.standing is Standing.CONTRADICTS for one in wrong.values())
        advice = TWO_HISTORIES if forked else WHAT_TO_DO
        raise RestoredBackupError(
            f"Witnesses know more of the log than this database: {said}. {advice}"
        )
    return reports


async def check_commitment(store: Store, commitment: Commitment) -> None:
    """Compare what a chain says of the log with what is here.

    A head of which a seal has said that it is given up is none of this log, and need not be.

    Raises:
        RestoredBackupError: the chain names a head that this log has not.
    """
    size = commitment.log_size
    if size == 0:
        return
    async with store.reading() as tx:
        here = await tx.log_size()
        root = await tree_root(tx, size) if size <= here else None
        seals = [SealStatement.parse(parse_envelope(one).payload) for one in await tx.seals()]
    if root != commitment.log_root and any(
        seal.gave_up(size, commitment.log_root) for seal in seals
    ):
        return
    if root is None:
        raise RestoredBackupError(
            f"Epoch {commitment.epoch} on the chain names {size} leaves of the log, and this "
            f"database has {here}. {WHAT_TO_DO}"
        )
    if root != commitment.log_root:
        raise RestoredBackupError(
            f"Epoch {commitment.epoch} on the chain names another log at {size} leaves. "
            f"{TWO_HISTORIES}"
        )


@asynccontextmanager
async def open_reader(folder: Path) -> AsyncIterator[LogReader]:
    """Open a second connection to the book, for reading the log only."""
    from adapters.sqlite.database import Database
    from adapters.sqlite.log_reader import SqliteLogReader

    database = await Database.open(folder / DATABASE, schema=(), read_only=True)
    try:
        yield SqliteLogReader(database)
    finally:
        await database.close()
