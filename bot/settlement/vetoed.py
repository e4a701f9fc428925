"""Goes on after the guardian's veto: notes that a number is used up and that nothing was committed.

A veto is what the delay is there for: against a false root of a stolen key, or a wrong one of our
own. The contract then stands at that number with the contents of the epoch before. Where these are
the contents that the book has, nothing is unknown, and the next epoch commits from there; claims
are cumulative, so what was vetoed is simply in it again. Where they are those of our open epoch,
that one is past its own veto (the contract took another commit after it): it becomes final first.
Anything else is left to the takeover and the comparison, which halt.
"""

from dataclasses import replace

import structlog

from bot.domain.settlement import Commitment, ContractState, Epoch, EpochState
from bot.domain.transactions import Finality
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.ports.settlement import EpochStore
from bot.settlement.courier import Progress, Step
from bot.settlement.due import now_of
from bot.settlement.second import SecondOpinion

_NOTHING = Commitment(0, bytes(32), 0, bytes(32), 0, bytes(32))

_log = structlog.get_logger()


class Vetoes:
    """Brings vetoes of the guardian's into the book; keeps no state of its own."""

    def __init__(
        self,
        *,
        chain: SettlementChain,
        store: EpochStore,
        finality: Finality,
        second: SecondOpinion | None,
        clock: Clock | None,
    ) -> None:
        self._chain = chain
        self._store = store
        self._finality = finality
        self._second = second
        self._clock = clock

    async def advance(self) -> Step | None:
        """Note a veto that the book does not know; None if there is none.

        `DEFERRED` says that one was noted: the next epoch has to wait for its regular moment, so
        that a guardian who vetoes everything costs one commit an interval.

        Raises:
            ChainUnavailableError: nothing was changed.
            StoreBusyError: nothing was changed.
        """
        state = await self._chain.contract()
        final = await self._store.last_final()
        known = final.number if final else 0
        newest = state.commitment.epoch
        if not state.was_vetoed or newest <= known or not repeats(final, state.commitment):
            return None
        vetoed = f"the guardian has vetoed epoch {newest}"
        # Written down it is for good, so it has to be: an epoch that is not vetoed after all pays.
        deep = await self._chain.contract(finality=self._finality)
        if not (deep.was_vetoed and deep.commitment == state.commitment):
            return Step(Progress.WAITING, f"{vetoed}, and that is not final yet")
        doubt = await self._second.doubt_veto(deep) if self._second else None
        if doubt is not None:
            return Step(Progress.WAITING, f"{vetoed}; {doubt}")
        for number in range(known + 1, newest + 1):
            await self._note(number, final)
        reason = (
            f"The guardian has vetoed epoch {newest}: nothing of it was paid, and all of it is in "
            "the next epoch. That begins at its regular moment, and is committed once the "
            "contract's owner has named a settler again (set_settler)."
        )
        return Step(Progress.DEFERRED, reason)

    async def _note(self, number: int, before: Epoch | None) -> None:
        ours = await self._store.open_epoch()
        now = now_of(self._clock)
        # Killed here: the next tick finds the same veto. When the compare-and-set fails, somebody
        # else has noted it.
        if await self._store.veto(_repeated(before, number, begun_at=now)):
            is_ours = ours is not None and ours.number == number
            _log.warning(
                "epoch.vetoed",
                epoch=number,
                was_planned_here=is_ours,
                fee_total_units=ours.commitment.fee_total if ours and is_ours else None,
                reason=(
                    "the guardian has taken this epoch back; find out why before the contract's "
                    "owner names a settler again"
                ),
            )


async def standing(store: EpochStore) -> Epoch | None:
    """Return the newest closed epoch that was not vetoed: what the contract pays from."""
    found = await store.last_final()
    while found is not None and found.state is EpochState.VETOED:
        found = await store.epoch(found.number - 1)
    return found


def is_unnoted_veto(state: ContractState, final: Epoch | None, ours: Epoch | None = None) -> bool:
    """Whether the contract stands where a veto leaves it, and the book does not know that yet.

    Args:
        state: the contract's.
        final: the book's newest closed epoch.
        ours: its open one, to count one that becomes final before the veto is noted.
    """
    newer = state.commitment.epoch > (final.number if final else 0)
    if state.was_vetoed and newer and repeats(final, state.commitment):
        return True
    return is_ours(ours, state) and ours is not None and state.commitment.epoch > ours.number


def is_ours(ours: Epoch | None, state: ContractState) -> bool:
    """Whether the contract holds our open epoch, and a commit of it was signed here."""
    return ours is not None and ours.state is not EpochState.PLANNED and holds(state, ours)


def holds(state: ContractState, epoch: Epoch) -> bool:
    """Whether an epoch is what the contract holds: as its newest, or below vetoed numbers."""
    there = state.commitment
    if there.epoch <= epoch.number or not state.was_vetoed:
        return there == epoch.commitment
    return repeats(epoch, there)


def repeats(final: Epoch | None, there: Commitment) -> bool:
    """Whether a commitment says for the rest what the book's newest epoch says."""
    said = final.commitment if final else _NOTHING
    return replace(said, epoch=there.epoch) == there


def _repeated(before: Epoch | None, number: int, *, begun_at: int) -> Epoch:
    said = replace(before.commitment if before else _NOTHING, epoch=number)
    earnings, cutoff = (before.earnings, before.cutoff) if before else ((), 0)
    return Epoch(said, earnings, cutoff, EpochState.VETOED, begun_at)
