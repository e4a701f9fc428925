"""The commits of epochs: plans one, signs it, follows it to final, and mends what a chain loses."""

import asyncio
from dataclasses import replace

import structlog

from bot.domain.errors import InvariantError
from bot.domain.settlement import ContractState, Epoch, EpochState
from bot.domain.transactions import (
    Finality,
    Purpose,
    Refusal,
    Signer,
    StoredTransaction,
    TransactionState,
)
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.courier import Courier, Progress, Step
from bot.settlement.due import now_of
from bot.settlement.epoch import plan_epoch, plan_settlement
from bot.settlement.reverts import RevertBrake
from bot.settlement.second import SecondOpinion
from bot.settlement.vetoed import holds, is_ours, is_unnoted_veto

_log = structlog.get_logger()


class EpochCommits:
    """Takes one epoch after the other to the contract; its brake alone remembers anything."""

    def __init__(
        self,
        *,
        chain: SettlementChain,
        store: EpochStore,
        earnings: EarningsReader,
        courier: Courier,
        finality: Finality,
        second: SecondOpinion | None,
        clock: Clock | None,
    ) -> None:
        self._chain = chain
        self._store = store
        self._earnings = earnings
        self._courier = courier
        self._finality = finality
        self._second = second
        self._clock = clock
        self._brake = RevertBrake(chain=chain, store=store, clock=clock)

    async def advance(self, last_number: int) -> Step | None:
        """Take the epoch one step further; None when there is nothing to commit.

        No epoch after `last_number` is planned. `DEFERRED` says that a veto has to be noted first.

        Raises:
            InvariantError: the contract says something that this book never committed.
            ChainUnavailableError: nothing was changed.
            OutcomeUnknownError: something may have been sent; the next step sends the same again.
        """
        # In this order another publisher that works meanwhile can't look like a lost database: what
        # the chain shows is in the book already, and what is open now may be final a moment later.
        state = await self._chain.contract()
        epoch = await self._store.open_epoch()
        final = await self._store.last_final()
        if epoch is not None and final is not None and epoch.number <= final.number:
            return Step(Progress.MOVED)
        if state.commitment.epoch < (final.number if final else 0):
            return await self._heal(state)
        if epoch is not None and await self._bring_to_life(state, epoch):
            return Step(Progress.MOVED)
        if is_unnoted_veto(state, final):
            return Step(Progress.DEFERRED)
        if not is_ours(epoch, state):
            self._compare(state, final, epoch)
        is_due = (final.number if final else 0) < last_number
        return await self._go_on(epoch, final, is_due=is_due)

    async def _go_on(
        self, epoch: Epoch | None, final: Epoch | None, *, is_due: bool
    ) -> Step | None:
        if epoch is None:
            return await self._plan(final) if is_due else None
        if epoch.state is EpochState.PLANNED:
            return await self._sign(epoch)
        return await self._follow(epoch, final)

    async def _follow(self, epoch: Epoch, final: Epoch | None) -> Step:
        transaction = await self._store.in_flight(Purpose.COMMIT)
        if transaction is None:
            if await self._store.open_epoch() != epoch:
                return Step(Progress.MOVED)  # somebody else was faster
            raise InvariantError(f"epoch {epoch.number} is {epoch.state} without a transaction")
        step = await self._courier.advance(transaction)
        if step.progress is Progress.CONFIRMED:
            return await self._finish(epoch, final, transaction)
        return step

    async def _bring_to_life(self, state: ContractState, epoch: Epoch) -> bool:
        """Take up again a commit that was given up for good, where the chain has it after all.

        Its nonce had gone to other bytes, and a reorganisation deeper than the finality took these
        off the chain. It is ours: its bytes are here, and the contract holds exactly this epoch.
        """
        if epoch.state is not EpochState.PLANNED or not holds(state, epoch):
            return False
        for transaction in await self._store.transactions(Purpose.COMMIT, epoch.number):
            found = [await self._chain.inclusion(one.hash) for one in transaction.attempts]
            if any(one is not None and one.succeeded for one in found):
                _log.error("epoch.given_up_too_soon", epoch=epoch.number)
                return await self._store.move(transaction, TransactionState.SENT)
        return False

    def _compare(self, state: ContractState, final: Epoch | None, epoch: Epoch | None) -> None:
        """Refuse to go on when the contract says something that this book never committed."""
        there = state.commitment
        if there.epoch == (final.number if final else 0):
            known = final
        elif epoch is not None and epoch.state is not EpochState.PLANNED:
            known = epoch
        else:
            known = None
        if known is None and there.epoch == 0:
            return
        if known is None or known.number != there.epoch:
            ours = final.number if final else 0
            raise InvariantError(
                f"the contract is at epoch {there.epoch}, ahead of the book at {ours}: the "
                "database was restored from a backup (then see `twinproof settle adopt`), or "
                "another process settles with this key"
            )
        if known.commitment != there:
            raise InvariantError(f"the contract holds other contents for epoch {there.epoch}")

    async def _heal(self, state: ContractState) -> Step:
        # A reorganisation deeper than the finality took a final epoch off the chain. The same call
        # goes out again with the same nonce.
        missing = state.commitment.epoch + 1
        if (await self._chain.contract()).commitment.epoch >= missing:
            return Step(Progress.MOVED)  # it was mined between two questions
        known = await self._store.epoch(missing)
        if known is not None and known.state is EpochState.VETOED:
            # Nothing of it could be sent again, and nothing has to be.
            reason = f"the node does not show epoch {missing}, which the guardian has vetoed"
            return Step(Progress.WAITING, f"{reason}: it lags behind, or the chain has lost that")
        _log.error("epoch.lost_by_chain", epoch=missing)
        lost = f"the chain has lost epoch {missing}"
        for transaction in await self._store.transactions(Purpose.COMMIT, missing):
            if transaction.state is TransactionState.FINAL:
                step = await self._courier.bring_back(transaction)
                reason = f"{lost}; {step.reason}" if step.reason else ""
                return Step(step.progress, reason)
        raise InvariantError(f"{lost}, which another book had committed: it can't be sent again")

    async def _plan(self, final: Epoch | None) -> Step | None:
        begun_at = now_of(self._clock)
        snapshot = await self._earnings.freeze()
        planned = await asyncio.to_thread(plan_epoch, snapshot, final)
        if planned is None:
            return None
        epoch = replace(planned, begun_at=begun_at)
        # Killed before this line: nothing happened, and the next plan is as good as this one.
        if await self._store.plan(epoch):
            _log.info(
                "epoch.planned", epoch=epoch.number, fee_total_units=epoch.commitment.fee_total
            )
        return Step(Progress.MOVED)

    async def _sign(self, epoch: Epoch) -> Step:
        brake = await self._brake.why_wait(epoch)
        nonce = await self._courier.next_nonce(Signer.SETTLER) if brake is None else Refusal(brake)
        if isinstance(nonce, Refusal):
            return Step(Progress.WAITING, nonce.reason)
        signed = await self._chain.sign_commit(epoch.commitment, nonce=nonce)
        if isinstance(signed, Refusal):
            return Step(Progress.WAITING, signed.reason)
        # Killed before this line: the bytes are gone and were never sent. After it: on disk.
        if await self._store.record(signed):
            self._brake.note_signed()
            return Step(Progress.MOVED)
        if await self._store.open_epoch() != epoch:
            return Step(Progress.MOVED)  # somebody else was faster
        # These very bytes were given up once, and the chain has given their nonce back.
        for dead in await self._store.transactions(Purpose.COMMIT, epoch.number):
            is_same = signed.hash in {one.hash for one in dead.attempts}
            if is_same and await self._store.move(dead, TransactionState.SENT):
                return Step(Progress.MOVED)
        return Step(
            Progress.WAITING,
            f"the RPC gives the settler's nonce as {nonce}, which a commit of ours has used: it is "
            "behind, or it is wrong",
        )

    async def _finish(
        self, epoch: Epoch, final: Epoch | None, transaction: StoredTransaction
    ) -> Step:
        # As of a block that stays: the end of the time for a veto is a fact of the chain's, too.
        state = await self._chain.contract(finality=self._finality)
        if not holds(state, epoch):
            return Step(Progress.WAITING, f"the contract does not show epoch {epoch.number} yet")
        if state.may_be_vetoed:
            # Final must mean final: the book is moved by it, and bundles name it as their anchor.
            return Step(Progress.WAITING, f"epoch {epoch.number} can still be vetoed")
        doubt = await self._doubt(state, epoch)
        if doubt is not None:
            return Step(Progress.WAITING, doubt)
        # The book first: `final` then means that nothing of this epoch is left to do. Killed
        # between the two lines, the book's idempotency key makes the repetition harmless.
        await self._earnings.settle(plan_settlement(epoch, final))
        if await self._store.move(transaction, TransactionState.FINAL):
            _log.info(
                "epoch.final",
                epoch=epoch.number,
                transaction=transaction.signed.hash.hex(),
                gas_used=transaction.gas_used,
            )
        return Step(Progress.MOVED)

    async def _doubt(self, state: ContractState, epoch: Epoch) -> str | None:
        if self._second is None:
            return None
        if state.commitment.epoch == epoch.number:
            return await self._second.doubt_contents(state)
        return await self._second.doubt_veto(state)
