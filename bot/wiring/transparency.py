"""Other people's logs: followed from what was seen of them before."""

import fcntl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.crypto.cosignature import parse_witness_vkey
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import VerifierKey, parse_vkey
from bot.domain.errors import ConfigurationError, UserError
from bot.domain.witnesses import WitnessPolicy
from bot.transparency.monitor import Monitor


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
