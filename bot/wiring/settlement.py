"""Settlement as one part: the embedded chain, or a real one by RPC URL, with what publishes to it.

A real chain that is away stops nothing but settlement: the start goes on with a notice, and each
tick asks again. One that answers and is another than was configured refuses the start; where it
becomes another one later, the publisher halts and conversations go on.
"""

import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.config import MoneySettings, SettlementSettings
from bot.domain.errors import (
    ChainUnavailableError,
    ConfigurationError,
    OutcomeUnknownError,
    TransientError,
)
from bot.domain.settlement import ChainIdentity
from bot.ports.anchors import AnchorSource
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.settlement.anchors import CommittedAnchors
from bot.settlement.lease import PublisherLease
from bot.settlement.publish import EpochPublisher
from bot.wiring.anchor_checks import explain_short_time
from bot.wiring.keys import ServiceKeys
from bot.wiring.rpc_chain import RpcChain, open_rpc_chain, open_second, read_place
from bot.wiring.stores import Stores, open_chain, open_chain_snapshot

_WAITS = "Nothing is settled until that is over; replies and their fees go on."
LEASE_FILE = "lock"


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


@asynccontextmanager
async def open_settlement(
    rpc: RpcChain | None,
    folder: Path,
    keys: ServiceKeys,
    clock: Clock,
    stores: Stores,
    *,
    money: MoneySettings | None = None,
) -> AsyncIterator[OpenSettlement]:
    """Open the chain that was configured; None means the embedded one.

    Args:
        rpc: the real chain.
        folder: the data folder.
        keys: for the embedded chain.
        clock: says when epochs begin.
        stores: the book.
        money: looked at together with the contract's delay; None where nobody can dispute.

    Raises:
        ConfigurationError: it can't be used, or is another one than was configured.
    """
    publisher_on = partial(
        EpochPublisher,
        store=stores.epochs,
        earnings=stores.earnings,
        lease=PublisherLease(store=stores.epochs, clock=clock, owner=lease_owner(folder)),
        clock=clock,
    )
    if rpc is None:
        from adapters.evm.machine import CHAIN_ID

        async with open_chain(folder, keys, clock) as embedded:
            publisher = publisher_on(chain=embedded)
            try:
                yield OpenSettlement(embedded, CHAIN_ID, publisher, None)
            finally:
                await _give_back(publisher)
        return
    async with open_rpc_chain(rpc) as chain, open_second(rpc) as second:
        publisher = publisher_on(
            chain=chain,
            finality=rpc.finality,
            relays=rpc.relayer is not None,
            second=second,
            patience_s=rpc.patience_s,
        )
        notices = [*await _look(chain, stores, money), *await _look_again(second)]
        try:
            yield OpenSettlement(
                chain=chain,
                chain_id=rpc.chain_id,
                publisher=publisher,
                anchors=CommittedAnchors(epochs=stores.epochs, store=stores.replies),
                notices=tuple(notices),
                payouts_stay=False,
            )
        finally:
            await _give_back(publisher)


def lease_owner(folder: Path) -> str:
    """Return the name under which this machine's holder of a data folder's lock publishes.

    It is that of the lock, so a process that comes back after a crash has its lease at once, and
    one on another machine, or with another folder on the same database, waits for its end.
    """
    lock = folder / LEASE_FILE
    number = lock.stat().st_ino if lock.exists() else 0
    return f"{platform.node() or 'this machine'} ({folder.resolve()}, {number})"


async def _give_back(publisher: EpochPublisher) -> None:
    # Where the store can't be written any more the lease runs out by itself.
    with suppress(TransientError, OutcomeUnknownError):
        await publisher.close()


async def _look_again(second: SettlementChain | None) -> tuple[str, ...]:
    """Say what keeps the second node from confirming anything."""
    if second is None:
        return ()
    try:
        await second.identity()
    except (ChainUnavailableError, ConfigurationError) as error:
        return (f"The second RPC confirms nothing now ({error}). Nothing is final without it.",)
    return ()


async def _look(
    chain: SettlementChain, stores: Stores, money: MoneySettings | None
) -> tuple[str, ...]:
    """Look at a real chain once, and say what keeps settlement waiting or disputes unfair.

    Raises:
        ConfigurationError: it is not the one that was configured, and nothing was settled yet.
    """
    pinned = await stores.epochs.pinned()
    try:
        here = await chain.identity()
        delay_s = await chain.veto_delay_s()
    except ChainUnavailableError as error:
        return (f"The chain's RPC does not answer now ({error}). {_WAITS}",)
    except ConfigurationError as error:
        if pinned is None:
            raise
        # It was right once. Fans should not go without replies because a node was changed.
        return (f"{error} {_WAITS}",)
    if pinned not in {None, here}:
        return (f"{_moved(pinned, here)} {_WAITS}",)
    short = None if money is None else explain_short_time(money, delay_s)
    if short is not None and pinned is None:
        raise ConfigurationError(short)
    return () if short is None else (short,)


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
