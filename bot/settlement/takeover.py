"""Takes over the epochs that the chain has and a restored book has not, once its log allows."""

from dataclasses import replace

import structlog

from bot.domain.restored import is_of_lost_book
from bot.domain.settlement import Commitment, EpochState
from bot.domain.transactions import Finality
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.courier import Progress, Step
from bot.settlement.due import now_of
from bot.settlement.restored import explain_held, explain_wait, lost_epoch, plan_restored
from bot.settlement.second import SecondOpinion
from bot.settlement.vetoed import is_ours

_log = structlog.get_logger()


class Takeover:
    """Makes a book that was put back from an old copy agree with the chain again.

    Nobody is paid by it: the ledger learns what the chain has committed already. It happens as late
    as it can, right before the next commit, so that claims of lost epochs are known by then.
    """

    def __init__(
        self,
        *,
        chain: SettlementChain,
        store: EpochStore,
        earnings: EarningsReader,
        finality: Finality = 1,
        second: SecondOpinion | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            chain: which has the epoch.
            store: which has not.
            earnings: the book.
            finality: nothing is taken over that is not final in that sense.
            second: another node, which must show the same epoch and the same payouts.
            clock: says when it was taken over; None where nothing begins by the clock.
        """
        self._chain = chain
        self._store = store
        self._earnings = earnings
        self._finality = finality
        self._second = second
        self._clock = clock

    async def advance(self) -> Step | None:
        """Take over what is missing; None if nothing is, or if no seal explains it.

        Raises:
            ChainUnavailableError: nothing was changed.
            InvariantError: the chain has committed less than the book knows, or two nodes
                contradict each other.
        """
        state = await self._chain.contract()
        there = state.commitment
        if await self._knows(there) or is_ours(await self._store.open_epoch(), state):
            return None
        snapshot = await self._earnings.freeze()
        if not is_of_lost_book(there, snapshot.seals):
            return None  # the publisher compares, and halts
        reason = explain_wait(there, snapshot.log_size)
        if reason is not None:
            return Step(Progress.DEFERRED, reason)
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

        Raises:
            ChainUnavailableError: nothing was changed.
            InvariantError: two nodes contradict each other, or the chain has committed less than
                the book knows.
        """
        if await self._knows(there):
            return None
        snapshot = await self._earnings.freeze()
        return await self._take(there, there.log_size, cutoff=snapshot.cutoff)

    async def _take(self, there: Commitment, shared: int, *, cutoff: int) -> Step | None:
        state = await self._chain.contract(finality=self._finality)
        newest = await self._chain.contract()
        if (state.commitment, newest.commitment) != (there, there):
            return Step(Progress.WAITING, f"epoch {there.epoch} on the chain is not final yet")
        if state.may_be_vetoed:
            return Step(Progress.WAITING, f"epoch {there.epoch} can still be vetoed")
        if state.claimed_total != newest.claimed_total:
            # Left out, they would swallow what their twins earn next.
            return Step(Progress.WAITING, "claims of the epochs that were lost are not final yet")
        books = await self._earnings.standing(shared)
        twins = [book.earnings.twin for book in books]
        paid = await self._chain.claimed(twins, finality=self._finality)
        claimed = dict(zip(twins, paid, strict=True))
        doubt = await self._second.doubt_lost(state, claimed) if self._second else None
        if doubt is not None:
            return Step(Progress.WAITING, doubt)
        reason = explain_held(books, claimed)
        if reason is not None:
            return Step(Progress.DEFERRED, reason)
        # Killed between the next two writes: the ledger's key makes the repetition harmless.
        await self._earnings.restore(plan_restored(books, claimed, there))
        books = await self._earnings.standing(shared)
        now = now_of(self._clock)
        lost = replace(lost_epoch(books, there, cutoff=cutoff), begun_at=now)
        await self._store.take_over(lost)
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
