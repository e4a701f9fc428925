"""Settlement as one part: the embedded chain, or a real one by RPC URL, with what publishes to it.

A real chain that is away stops nothing but settlement: the start goes on with a notice, and each
tick asks again. One that answers and is another than was configured refuses the start; where it
becomes another one later, the publisher halts and conversations go on.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.config import SettlementSettings
from bot.crypto.eip712 import address_of, parse_address
from bot.crypto.errors import FormatError
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.settlement import ChainIdentity
from bot.ports.anchors import AnchorSource
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.settlement.anchors import CommittedAnchors
from bot.settlement.publish import EpochPublisher
from bot.wiring.chain_keys import read_key
from bot.wiring.keys import ServiceKeys
from bot.wiring.stores import Stores, open_chain, open_chain_snapshot

SETTLER_KEY, RELAYER_KEY = "TWINPROOF_SETTLER_KEY", "TWINPROOF_RELAYER_KEY"
_GWEI = 10**9
_WAITS = "Nothing is settled until that is over; replies and their fees go on."


@dataclass(frozen=True, slots=True)
class RpcChain:
    """A real chain as it was configured, checked for form; nothing was asked of it yet.

    Attributes:
        url: the node's; may hold a secret.
        contract: 20 bytes; `token` likewise.
        settler_key: 32 bytes; None for reading only.
        relayer_key: 32 bytes; None where creators claim by themselves.
    """

    url: str
    chain_id: int
    contract: bytes
    token: bytes
    settler_key: bytes | None
    relayer_key: bytes | None
    confirmations: int
    max_fee_wei: int

    def __repr__(self) -> str:
        """Name the chain alone: the rest is secret or long."""
        return f"RpcChain({self.chain_id})"


@dataclass(frozen=True, slots=True)
class OpenSettlement:
    """Settlement as the service holds it.

    Attributes:
        anchors: what bundles name; None on the embedded chain, which nobody else can ask.
        notices: sentences for the operator.
    """

    chain: SettlementChain
    chain_id: int
    publisher: EpochPublisher
    anchors: AnchorSource | None
    notices: tuple[str, ...] = ()
    payouts_stay: bool = True


async def read_rpc_chain(settings: SettlementSettings) -> RpcChain | None:
    """Read what the configuration says of a real chain, with its keys; None where it names none.

    Raises:
        ConfigurationError: something is missing or can't be used.
    """
    place = read_place(settings)
    if place is None:
        return None
    settler = await read_key(
        "settler",
        variable=SETTLER_KEY,
        file=settings.settler_key,
        password_file=settings.password_file,
    )
    relayer = await read_key(
        "relayer",
        variable=RELAYER_KEY,
        file=settings.relayer_key,
        password_file=settings.password_file,
    )
    if settler is None:
        raise ConfigurationError(
            "Settling on a chain needs the key that commits epochs: name its file in [settlement] "
            f"settler_key, or set {SETTLER_KEY}."
        )
    if settler == relayer:
        raise ConfigurationError(
            f"Settler and relayer are both {address_of(settler)}: give them accounts of their own, "
            "because each account's transactions are numbered by one of them."
        )
    return replace(place, settler_key=settler, relayer_key=relayer)


def read_place(settings: SettlementSettings) -> RpcChain | None:
    """Read which chain the configuration names, for reading only; None where it names none.

    Raises:
        ConfigurationError: something is missing or is no address.
    """
    wanted = ("chain_id", "contract", "token")
    if not settings.rpc_url:
        given = [name for name in wanted if getattr(settings, name)]
        if given:
            raise ConfigurationError(
                f"[settlement] {', '.join(given)} means nothing without rpc_url: set that too."
            )
        return None
    missing = [name for name in wanted if not getattr(settings, name)]
    if missing:
        raise ConfigurationError(
            f"[settlement] rpc_url needs {', '.join(missing)} beside it "
            "(`twinproof chain deploy` prints them)."
        )
    return RpcChain(
        url=settings.rpc_url,
        chain_id=settings.chain_id,
        contract=parse_account(settings.contract, "[settlement] contract"),
        token=parse_account(settings.token, "[settlement] token"),
        settler_key=None,
        relayer_key=None,
        confirmations=settings.confirmations,
        max_fee_wei=settings.max_fee_gwei * _GWEI,
    )


def parse_account(text: str, where: str) -> bytes:
    """Parse an address; one in lower case has no checksum, another one's must be right.

    Raises:
        ConfigurationError: it is none.
    """
    digits = text.removeprefix("0x")
    try:
        if text.startswith("0x") and len(digits) == 40 and digits == digits.lower():  # noqa: PLR2004
            return bytes.fromhex(digits)
        return parse_address(text)
    except (FormatError, ValueError) as error:
        raise ConfigurationError(
            f"{where} {text!r} is no address: 0x and 40 hex digits, with the capitals that it was "
            "given with."
        ) from error


@asynccontextmanager
async def open_settlement(
    rpc: RpcChain | None, folder: Path, keys: ServiceKeys, clock: Clock, stores: Stores
) -> AsyncIterator[OpenSettlement]:
    """Open the chain that was configured; None means the embedded one.

    Raises:
        ConfigurationError: it can't be used, or is another one than was configured.
    """
    if rpc is None:
        from adapters.evm.machine import CHAIN_ID

        async with open_chain(folder, keys, clock) as embedded:
            publisher = EpochPublisher(
                chain=embedded, store=stores.epochs, earnings=stores.earnings
            )
            yield OpenSettlement(embedded, CHAIN_ID, publisher, None)
        return
    async with open_rpc_chain(rpc) as chain:
        yield OpenSettlement(
            chain=chain,
            chain_id=rpc.chain_id,
            publisher=EpochPublisher(
                chain=chain,
                store=stores.epochs,
                earnings=stores.earnings,
                confirmations=rpc.confirmations,
                relays=rpc.relayer_key is not None,
            ),
            anchors=CommittedAnchors(epochs=stores.epochs, store=stores.replies),
            notices=await _look(chain, stores),
            payouts_stay=False,
        )


@asynccontextmanager
async def open_rpc_chain(rpc: RpcChain) -> AsyncIterator[SettlementChain]:
    """Open a client of a real chain; nothing is asked yet."""
    from adapters.evm.checks import ExpectedChain
    from adapters.evm.client import EvmSettlementChain, rpc_provider

    chain = EvmSettlementChain(
        provider=rpc_provider(rpc.url),
        settlement=rpc.contract,
        settler_key=rpc.settler_key,
        relayer_key=rpc.relayer_key,
        max_fee_per_gas_wei=rpc.max_fee_wei,
        expected=ExpectedChain(rpc.chain_id, rpc.token),
    )
    try:
        yield chain
    finally:
        await chain.close()


async def _look(chain: SettlementChain, stores: Stores) -> tuple[str, ...]:
    """Look at a real chain once, and say what keeps settlement waiting.

    Raises:
        ConfigurationError: it is not the one that was configured, and nothing was settled yet.
    """
    pinned = await stores.epochs.pinned()
    try:
        here = await chain.identity()
    except ChainUnavailableError as error:
        return (f"The chain's RPC does not answer now ({error}). {_WAITS}",)
    except ConfigurationError as error:
        if pinned is None:
            raise
        # It was right once. Fans should not go without replies because a node was changed.
        return (f"{error} {_WAITS}",)
    return () if pinned in {None, here} else (f"{_moved(pinned, here)} {_WAITS}",)


def _moved(pinned: ChainIdentity | None, here: ChainIdentity) -> str:
    if pinned is not None and pinned.chain_id != here.chain_id:
        return f"This book was settled on chain {pinned.chain_id}, not on {here.chain_id}."
    return "This book was settled with another contract, or the chain was reset since."


@dataclass(frozen=True, slots=True)
class ReadChain:
    """A chain for reading: None where there is none, and whether payouts stay where they are."""

    chain: SettlementChain | None
    payouts_stay: bool


@asynccontextmanager
async def open_chain_to_read(
    settings: SettlementSettings, folder: Path, stores: Stores
) -> AsyncIterator[ReadChain]:
    """Open the chain that a book was settled on, for an audit; no key is read.

    Raises:
        ConfigurationError: it is a real chain, and the configuration names none.
    """
    from adapters.evm.machine import CHAIN_ID

    pinned = await stores.epochs.pinned()
    if pinned is None or pinned.chain_id == CHAIN_ID:
        async with open_chain_snapshot(folder) as snapshot:
            yield ReadChain(snapshot, payouts_stay=True)
        return
    place = read_place(settings)
    if place is None:
        raise ConfigurationError(
            f"This book is settled on chain {pinned.chain_id}: run this with the configuration "
            "that names its RPC ([settlement] rpc_url)."
        )
    async with open_rpc_chain(place) as chain:
        yield ReadChain(chain, payouts_stay=False)
