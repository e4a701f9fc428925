"""Takes over the epochs that the chain has and a restored book has not, once its log allows."""

import structlog

from bot.domain.restored import is_of_lost_book
from bot.domain.settlement import Commitment, EpochState
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.courier import Progress, Step
from bot.settlement.restored import explain_held, explain_wait, lost_epoch, plan_restored

_log = structlog.get_logger()


class Takeover:
    """Makes a book that was put back from an old copy agree with the chain again.

    Nobody is paid by it: the ledger learns what the chain has committed already. It happens as late
    as it can, right before the next commit, so that claims of lost epochs are known by then.
    """

    def __init__(
        self, *, chain: SettlementChain, store: EpochStore, earnings: EarningsReader
    ) -> None:
        self._chain = chain
        self._store = store
        self._earnings = earnings

    async def advance(self) -> Step | None:
        """Take over what is missing; None if nothing is, or if no seal explains it.

        Raises:
            ChainUnavailableError: nothing was changed.
            InvariantError: the chain has committed less than the book knows.
        """
        state = await self._chain.contract()
        there = state.commitment
        if await self._knows(there):
            return None
        snapshot = await self._earnings.freeze()
        if not is_of_lost_book(there, snapshot.seals):
            return None  # the publisher compares, and halts
        reason = explain_wait(there, snapshot.log_size)
        if reason is not None:
            return Step(Progress.DEFERRED, reason)
        if state.may_be_vetoed:
            return Step(Progress.WAITING, f"epoch {there.epoch} can still be vetoed")
        # Fees of later leaves are not in it, whatever the chain has paid.
        shared = min(there.log_size, snapshot.seals[-1].kept)
        return await self._take(there, shared, cutoff=snapshot.cutoff)

    async def adopt(self, there: Commitment) -> Step | None:
        """Take over an epoch that an operator has looked at; no seal explains it.

        The book has all leaves that the epoch names: only the epoch itself is unknown to it.

        Args:
            there: the contract's newest commitment, whose log root follows from this log.

        Returns:
            what is still waited for; None once it was taken over.
        """
        if await self._knows(there):
            return None
        snapshot = await self._earnings.freeze()
        return await self._take(there, there.log_size, cutoff=snapshot.cutoff)

    async def _take(self, there: Commitment, shared: int, *, cutoff: int) -> Step | None:
        books = await self._earnings.standing(shared)
        twins = [book.earnings.twin for book in books]
        claimed = dict(zip(twins, await self._chain.claimed(twins), strict=True))
        reason = explain_held(books, claimed)
        if reason is not None:
            return Step(Progress.DEFERRED, reason)
        # Killed between the next two writes: the ledger's key makes the repetition harmless.
        await self._earnings.restore(plan_restored(books, claimed, there))
        books = await self._earnings.standing(shared)
        await self._store.take_over(lost_epoch(books, there, cutoff=cutoff))
        _log.warning("epoch.taken_over", epoch=there.epoch, fee_total_units=there.fee_total)
        return None

    async def _knows(self, there: Commitment) -> bool:
        final = await self._store.last_final()
        if there.epoch <= (final.number if final else 0):
            return True
        ours = await self._store.open_epoch()
        return (
            ours is not None and ours.state is not EpochState.PLANNED and ours.commitment == there
        )
