"""What an operator does about settlement by hand: look ahead, settle, look back, adopt."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.config import Settings
from bot.domain.errors import BotError, UserError
from bot.domain.settlement import Epoch, EpochState, Lease
from bot.domain.transactions import Inclusion, Purpose, StoredTransaction
from bot.logs import configure_logs
from bot.ports.chain import SettlementChain
from bot.settlement.publish import EpochPublisher
from bot.settlement.vetoed import is_unnoted_veto
from bot.wiring.keys import ServiceKeys
from bot.wiring.rpc_chain import open_rpc_chain, open_second, read_place, read_rpc_chain
from bot.wiring.settlement import open_settlement
from bot.wiring.stores import CHAIN, DATABASE, Stores, open_stores

if TYPE_CHECKING:
    from adapters.evm.facts import FactReader

KEYS, LOG = "keys", "twinproof.log"
NEWEST_EPOCHS = 20


@dataclass(frozen=True, slots=True)
class Look:
    """A chain that is only looked at.

    Attributes:
        second: the same contract through another node; None where none is named.
        facts: None on the embedded chain's copy.
    """

    chain: SettlementChain
    second: SettlementChain | None
    facts: "FactReader"
    is_embedded: bool


@asynccontextmanager
async def open_look(settings: Settings) -> AsyncIterator[Look | None]:
    """Open the chain for reading, beside a service that may be running; None before there is one.

    Raises:
        ConfigurationError: the configuration is wrong.
    """
    from adapters.evm.client import EvmSettlementChain, rpc_provider
    from adapters.evm.embedded import EmbeddedChain
    from adapters.evm.facts import FactReader

    place = read_place(settings.settlement)
    async with AsyncExitStack() as stack:
        if place is not None:
            chain = await stack.enter_async_context(open_rpc_chain(place))
            second = await stack.enter_async_context(open_second(place))
            provider = rpc_provider(place.url)
            stack.push_async_callback(provider.disconnect)
            facts = FactReader(provider=provider, settlement=place.contract)
            yield Look(chain, second, facts, is_embedded=False)
            return
        path = settings.service.data_dir / CHAIN
        if not path.exists():
            yield None
            return
        embedded = await EmbeddedChain.open_snapshot(path)
        stack.push_async_callback(embedded.close)
        where = embedded.deployment.settlement
        yield Look(
            EvmSettlementChain(provider=embedded.provider, settlement=where),
            None,
            FactReader(provider=embedded.provider, settlement=where),
            is_embedded=True,
        )


@asynccontextmanager
async def open_book(settings: Settings) -> AsyncIterator[Stores]:
    """Open the book for reading, beside a service that may be running.

    Raises:
        UserError: there is none.
    """
    folder = settings.service.data_dir
    if not (folder / DATABASE).exists():
        raise UserError(f"There is no book in {folder} yet: it begins with the first start.")
    async with open_stores(folder, read_only=True) as stores:
        yield stores


@dataclass(frozen=True, slots=True)
class Line:
    """One transaction in the table of epochs; `inclusion` is None while no block holds it."""

    stored: StoredTransaction
    inclusion: Inclusion | None


@dataclass(frozen=True, slots=True)
class Row:
    """One epoch with its transactions."""

    epoch: Epoch
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the book and the chain say of settlement.

    Attributes:
        on_chain: the contract's newest epoch; None where it can't be asked.
        why_not: why it can't.
        lease: who publishes.
        unnoted: the number of a veto that the book does not know yet; 0 for none.
    """

    rows: tuple[Row, ...]
    on_chain: int | None
    why_not: str
    lease: Lease | None
    unnoted: int = 0

    @property
    def vetoed(self) -> tuple[int, ...]:
        """Numbers that the guardian has vetoed."""
        found = [row.epoch.number for row in self.rows if row.epoch.state is EpochState.VETOED]
        return (*found, *([self.unnoted] if self.unnoted else ()))


async def look_back(settings: Settings) -> Standing:
    """Return the newest epochs with their transactions, and where the chain stands.

    Raises:
        UserError: there is no book.
        ConfigurationError: the configuration is wrong.
    """
    async with open_book(settings) as stores, open_look(settings) as look:
        chain = None if look is None else look.chain
        on_chain, why_not, unnoted = None, "" if chain else "there is no chain yet", 0
        try:
            if chain is not None:
                await chain.identity()
                state = await chain.contract()
                on_chain = state.commitment.epoch
                known = await stores.epochs.last_final(), await stores.epochs.open_epoch()
                if is_unnoted_veto(state, *known):
                    unnoted = on_chain
        except BotError as error:
            why_not, chain = str(error), None
        final, current = await stores.epochs.last_final(), await stores.epochs.open_epoch()
        newest = max((one.number for one in (final, current) if one), default=0)
        rows = []
        for number in range(max(1, newest - NEWEST_EPOCHS + 1), newest + 1):
            epoch = await stores.epochs.epoch(number)
            if epoch is not None:
                rows.append(Row(epoch, await _lines(stores, chain, number)))
        lease = await stores.epochs.holder()
    return Standing(tuple(rows), on_chain, why_not, lease, unnoted)


async def _lines(stores: Stores, chain: SettlementChain | None, number: int) -> tuple[Line, ...]:
    lines = []
    for purpose in Purpose:
        for stored in await stores.epochs.transactions(purpose, number):
            found = None
            for attempt in stored.attempts:
                if chain is not None and found is None:
                    found = await chain.inclusion(attempt.hash)
            lines.append(Line(stored, found))
    return tuple(lines)


@asynccontextmanager
async def open_publisher(settings: Settings) -> AsyncIterator[tuple[EpochPublisher, Stores]]:
    """Hold the data folder, sign a head over its log, and open what publishes.

    Raises:
        UserError: there is no book.
        ConfigurationError: a service runs on the folder, or something is configured wrong.
    """
    from adapters.files.data_folder import DataFolder
    from adapters.host.system import SystemClock

    folder = settings.service.data_dir
    if not (folder / DATABASE).exists():
        raise UserError(f"There is no book in {folder} yet: it begins with the first start.")
    rpc = await read_rpc_chain(settings.settlement)
    async with AsyncExitStack() as stack:
        claimed = DataFolder.claim(folder)
        stack.callback(claimed.release)
        configure_logs(settings.log.level, folder / LOG)
        stores = await stack.enter_async_context(open_stores(folder))
        async with stores.replies.reading() as tx:
            seals = list(await tx.seals())
        keys = ServiceKeys.load(folder / KEYS, fresh=False)
        settled = await stack.enter_async_context(
            open_settlement(rpc, folder, keys, SystemClock(), stores)
        )
        # What was not under a signed head yet would wait for the next start.
        await keys.with_log(folder / KEYS, seals).log_signer.publish(stores.replies)
        yield settled.publisher, stores
