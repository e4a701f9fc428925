"""Adopting what a chain has committed into a book that was put back, after a person's look."""

from dataclasses import dataclass

from bot.config import Settings
from bot.domain.errors import ConfigurationError, InvariantError, UserError
from bot.domain.restored import Restored, is_of_lost_book
from bot.domain.settlement import Commitment, EpochState
from bot.logs import configure_logs
from bot.ports.chain import SettlementChain
from bot.receipts.log import tree_root
from bot.settlement.restored import plan_restored
from bot.settlement.second import SecondOpinion
from bot.settlement.takeover import Takeover
from bot.settlement.vetoed import is_unnoted_veto
from bot.wiring.rpc_chain import read_place
from bot.wiring.settling import LOG, Look, open_book, open_look
from bot.wiring.stores import Stores, open_stores


@dataclass(frozen=True, slots=True)
class Adoption:
    """What the book would take over of the chain.

    Attributes:
        commitment: the contract's newest one; `known` is the book's newest epoch.
        restored: what the ledger would take over.
        waits: what has to pass first; empty where nothing has.
    """

    commitment: Commitment
    known: int
    restored: Restored
    waits: str = ""


async def review(settings: Settings) -> Adoption:
    """Return what `adopt` would do; nothing is written.

    Raises:
        UserError: there is nothing to adopt, or nothing that may be.
        ChainUnavailableError: the chain does not answer.
    """
    async with open_book(settings) as stores, open_look(settings) as look:
        if look is None:
            raise UserError("There is no chain yet, so there is nothing to adopt.")
        return await _review(stores, look.chain)


async def _review(stores: Stores, chain: SettlementChain) -> Adoption:
    here, pinned = await chain.identity(), await stores.epochs.pinned()
    if pinned not in {None, here}:
        raise UserError(
            "This book was settled with another contract or on another chain than the one that is "
            "configured: nothing of that can be adopted."
        )
    state = await chain.contract()
    there = state.commitment
    final, current = await stores.epochs.last_final(), await stores.epochs.open_epoch()
    if is_unnoted_veto(state, final, current):
        raise UserError(
            f"The guardian has vetoed epoch {there.epoch}, and the chain says for the rest what "
            "this book knows: nothing is to be adopted, the service goes on by itself. Start it."
        )
    known = final.number if final else 0
    is_ours = (
        current is not None
        and current.state is not EpochState.PLANNED
        and current.commitment == there
    )
    if there.epoch <= known or is_ours:
        raise UserError(
            f"The chain is at epoch {there.epoch}, which this book knows: nothing is to be adopted."
        )
    await _check_log(stores, there)
    books = await stores.earnings.standing(there.log_size)
    twins = [book.earnings.twin for book in books]
    claimed = dict(zip(twins, await chain.claimed(twins), strict=True))
    try:
        restored = plan_restored(books, claimed, there)
    except InvariantError as error:
        raise UserError(f"This can't be adopted: {error}.") from error
    waits = f"epoch {there.epoch} can still be vetoed" if state.may_be_vetoed else ""
    return Adoption(there, known, restored, waits)


async def _check_log(stores: Stores, there: Commitment) -> None:
    """Refuse a commitment that is not of this log, as far as this log goes."""
    snapshot = await stores.earnings.freeze()
    async with stores.replies.reading() as tx:
        size = await tx.log_size()
        same = size >= there.log_size and await tree_root(tx, there.log_size) == there.log_root
    if is_of_lost_book(there, snapshot.seals):
        raise UserError(
            "The log was continued, and its seal explains what the chain has: the service takes it "
            "over by itself. Start it."
        )
    if size < there.log_size:
        raise UserError(
            f"The chain's epoch {there.epoch} names {there.log_size} leaves of the log, and this "
            f"copy has {size}: leaves are lost. Run `twinproof log continue` first "
            '(docs/operators.md, "Restore a backup").'
        )
    if not same:
        raise UserError(
            f"The chain's epoch {there.epoch} names another log than this one: another service "
            "settles with this contract. Nothing of it can be adopted."
        )


def _takeover(settings: Settings, look: Look, stores: Stores) -> Takeover:
    """Return what takes over: nothing that is not final, or that the second node contradicts."""
    from adapters.host.system import SystemClock

    place = read_place(settings.settlement)
    finality = 1 if place is None else place.finality
    second = None
    if look.second is not None:
        second = SecondOpinion(chain=look.second, store=stores.epochs, finality=finality)
    return Takeover(
        chain=look.chain,
        store=stores.epochs,
        earnings=stores.earnings,
        finality=finality,
        second=second,
        clock=SystemClock(),
    )


async def adopt(settings: Settings, reviewed: Adoption) -> None:
    """Take over what was reviewed.

    Raises:
        UserError: something else is there by now, something has to pass first, or two nodes
            contradict each other.
        ConfigurationError: a service runs on the folder.
    """
    from adapters.files.data_folder import DataFolder

    claimed = DataFolder.claim(settings.service.data_dir)
    try:
        configure_logs(settings.log.level, settings.service.data_dir / LOG)
        async with open_stores(settings.service.data_dir) as stores, open_look(settings) as look:
            if look is None:
                raise ConfigurationError("The chain is gone.")
            if await _review(stores, look.chain) != reviewed or reviewed.waits:
                raise UserError(reviewed.waits or "The chain has moved on meanwhile: look again.")
            takeover = _takeover(settings, look, stores)
            await stores.epochs.pin(await look.chain.identity())
            try:
                waits = await takeover.adopt(reviewed.commitment)
            except InvariantError as error:
                raise UserError(f"This can't be adopted: {error}.") from error
            if waits is not None:
                raise UserError(f"It can't be adopted yet: {waits.reason}")
    finally:
        claimed.release()
