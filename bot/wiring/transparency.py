"""The log as others see it: served with its witnesses, witnessed for others, watched."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bot.config import LogSettings
from bot.crypto.cosignature import WitnessKey, parse_witness_vkey
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import VerifierKey, parse_vkey
from bot.domain.errors import ConfigurationError, UserError
from bot.domain.witnesses import WitnessPolicy
from bot.ports.clock import Clock
from bot.ports.transparency import CosignatureStore, LogReader
from bot.ports.witness import Conflict, SeenHead
from bot.transparency.cosigning import Cosigning
from bot.transparency.monitor import Monitor
from bot.transparency.published import PublishedLog
from bot.transparency.witness import Witness
from bot.wiring.stores import DATABASE

WITNESS_KEY, WITNESS_NAME, WITNESS_STATE = "witness", "name.txt", "witness.db"


@dataclass(frozen=True, slots=True)
class OpenLog:
    """The service's own log: what is served of it, and how its witnesses stand."""

    public: PublishedLog
    cosigning: Cosigning


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
async def open_log(
    settings: LogSettings,
    folder: Path,
    *,
    log: VerifierKey,
    kept: CosignatureStore,
    clock: Clock,
) -> AsyncIterator[OpenLog]:
    """Open what is served of the log, and ask its witnesses while the block runs.

    Args:
        settings: from the configuration.
        folder: data folder, in which the book is begun.
        log: the log's key.
        kept: where cosignatures go.
        clock: the present.

    Raises:
        ConfigurationError: the witnesses are not right.
    """
    from adapters.web.log_client import HttpWitness, open_session

    policy = read_policy(settings)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(open_reader(folder))
        session = await stack.enter_async_context(open_session())
        peers = [
            HttpWitness(session, one.url, key)
            for one, key in zip(settings.witnesses, policy.witnesses, strict=True)
        ]
        cosigning = Cosigning(reader=reader, log=log, witnesses=peers, kept=kept, clock=clock)
        asking = asyncio.create_task(cosigning.run())
        try:
            yield OpenLog(PublishedLog(reader=reader, log=log, policy=policy), cosigning)
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking


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


async def make_witness(folder: Path, name: str) -> WitnessKey:
    """Make the key and the empty state of a new witness; return its public key.

    The state is made last: without it the key signs nothing, so a crash before that loses nothing.

    Raises:
        UserError: there is a witness in the folder, or what is left of one; or the name is no name.
    """
    from adapters.files.keyring import Keyring
    from adapters.sqlite.witness_state import SqliteWitnessState

    if (folder / f"{WITNESS_KEY}.key").exists() or (folder / WITNESS_STATE).exists():
        raise UserError(
            f"There is a witness in {folder} already. A key whose state was lost must never sign "
            "again: make another witness in a new folder, and tell the logs its new key."
        )
    try:
        WitnessKey(name, public_key_of(bytes(32)))
    except FormatError as error:
        raise UserError(f"The name can't be used: {error}.") from error
    private = Keyring(folder).load_or_create(WITNESS_KEY)
    (folder / WITNESS_NAME).write_text(f"{name}\n", encoding="ascii")
    state = await SqliteWitnessState.open(folder / WITNESS_STATE)
    await state.close()
    return WitnessKey(name, public_key_of(private))


@dataclass(frozen=True, slots=True)
class OpenWitness:
    """A witness that answers on a port."""

    key: WitnessKey
    port: int


@asynccontextmanager
async def open_witness(
    folder: Path, logs: Sequence[VerifierKey], *, host: str, port: int
) -> AsyncIterator[OpenWitness]:
    """Run a witness while the block runs; one process at a time in one folder.

    Raises:
        ConfigurationError: no witness is in the folder, it runs already, or the port is taken.
    """
    from adapters.files.data_folder import DataFolder
    from adapters.host.system import SystemClock
    from adapters.sqlite.witness_state import SqliteWitnessState
    from adapters.web.witness import WitnessServer

    name, private = load_witness(folder)
    async with AsyncExitStack() as stack:
        claimed = DataFolder.claim(folder)
        stack.callback(claimed.release)
        state = await SqliteWitnessState.open(folder / WITNESS_STATE)
        stack.push_async_callback(state.close)
        desk = Witness(
            name=name,
            private_key=private,
            logs={log.name: log for log in logs},
            state=state,
            clock=SystemClock(),
        )
        server = WitnessServer(desk=desk, host=host, port=port)
        await server.start()
        stack.push_async_callback(server.stop)
        yield OpenWitness(WitnessKey(name, public_key_of(private)), server.port)


async def look_at_witness(
    folder: Path,
) -> tuple[WitnessKey, dict[str, SeenHead], list[Conflict]]:
    """Return a witness's key, the heads that it has cosigned last, and its evidence."""
    from adapters.sqlite.witness_state import SqliteWitnessState

    name, private = load_witness(folder)
    state = await SqliteWitnessState.open(folder / WITNESS_STATE)
    try:
        key = WitnessKey(name, public_key_of(private))
        return key, await state.heads(), await state.conflicts()
    finally:
        await state.close()


def load_witness(folder: Path) -> tuple[str, bytes]:
    """Return a witness's name and private key.

    Raises:
        ConfigurationError: a part of it is missing.
    """
    from adapters.files.keyring import Keyring

    parts = (f"{WITNESS_KEY}.key", WITNESS_NAME, WITNESS_STATE)
    missing = [part for part in parts if not (folder / part).exists()]
    if len(missing) == len(parts):
        raise ConfigurationError(
            f"There is no witness in {folder}: make one with `twinproof witness init`."
        )
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)} is missing in {folder}. A witness that has forgotten what it "
            "signed must not sign again: make another one in a new folder."
        )
    try:
        name = (folder / WITNESS_NAME).read_text(encoding="ascii").strip()
        WitnessKey(name, public_key_of(bytes(32)))
    except (UnicodeDecodeError, FormatError) as error:
        raise ConfigurationError(
            f"{folder / WITNESS_NAME} does not hold the witness's name: write into it what stands "
            "before the first + in the key that `twinproof witness init` printed."
        ) from error
    return name, Keyring(folder).load(WITNESS_KEY)


def parse_logs(vkeys: Sequence[str]) -> list[VerifierKey]:
    """Parse the keys of logs.

    Raises:
        UserError: one is not a log's vkey.
    """
    try:
        return [parse_vkey(vkey) for vkey in vkeys]
    except FormatError as error:
        raise UserError(f"A log's key is wrong: {error}.") from error


def parse_witnesses(vkeys: Sequence[str], needed: int | None) -> WitnessPolicy:
    """Parse a policy from the command line.

    Raises:
        UserError: a vkey is not one of a witness, or more are needed than are named.
    """
    try:
        for vkey in vkeys:
            parse_witness_vkey(vkey)
        return WitnessPolicy.parse(vkeys, needed)
    except FormatError as error:
        raise UserError(f"The witnesses are wrong: {error}.") from error


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """A settlement contract behind a node's RPC address: `contract` is 20 bytes."""

    rpc: str
    contract: bytes


def _claim(state: Path, stack: AsyncExitStack) -> None:
    """Lock a monitor's memory: two monitors would each keep the same leaves, and find them twice.

    The lock ends with the stack, and with the process, however that ends.
    """
    try:
        lock = Path(f"{state.resolve()}.lock").open("ab")  # noqa: SIM115 - the stack closes it
        stack.callback(lock.close)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigurationError(
            f"Another monitor uses {state} now: wait for it, or give this one another --state."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{state} can't be written ({error.strerror}).") from error


@asynccontextmanager
async def open_monitor(
    prefix: str,
    *,
    log: VerifierKey,
    state: Path,
    policy: WitnessPolicy,
    chain: ChainPlace | None = None,
) -> AsyncIterator[Monitor]:
    """Open a monitor of the log at a prefix, with its memory in a file.

    Raises:
        ConfigurationError: the file can't be used, or another monitor uses it.
    """
    from adapters.sqlite.monitor_state import SqliteMonitorState
    from adapters.web.log_client import HttpLog, open_session

    async with AsyncExitStack() as stack:
        _claim(state, stack)
        memory = await SqliteMonitorState.open(state)
        stack.push_async_callback(memory.close)
        session = await stack.enter_async_context(open_session())
        contract = None
        if chain is not None:
            from adapters.evm.client import EvmSettlementChain, rpc_provider

            contract = EvmSettlementChain(
                provider=rpc_provider(chain.rpc), settlement=chain.contract
            )
            stack.push_async_callback(contract.close)
        yield Monitor(
            log=log, remote=HttpLog(session, prefix), state=memory, policy=policy, chain=contract
        )
