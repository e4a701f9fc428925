"""Witnesses that this program runs for other people's logs: made, started, looked at."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.crypto.cosignature import WitnessKey
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import VerifierKey
from bot.domain.errors import ConfigurationError, UserError
from bot.ports.witness import Conflict, SeenHead
from bot.transparency.witness import Witness

WITNESS_KEY, WITNESS_NAME, WITNESS_STATE = "witness", "name.txt", "witness.db"


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
