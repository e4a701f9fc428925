"""The crash-safe publisher: one epoch at a time from plan to final, then its claims.

```
planned --rehearse, sign, store bytes--> signed --> sent --> mined --N deep, contents equal--> final
   ^                                        |         |        |
   +----- dead: nonce gone or reverted -----+---------+--------+
```
Three things stop a second payment independently: a nonce is used once, the contract wants exactly
the next epoch number, and claims are cumulative. The settler's key signs nothing else.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

import structlog

from bot.domain.errors import (
    ChainUnavailableError,
    ConfigurationError,
    InvariantError,
    OutcomeUnknownError,
    TransientError,
)
from bot.domain.settlement import (
    ContractState,
    Epoch,
    EpochState,
    Purpose,
    Refusal,
    Signer,
    StoredTransaction,
    TransactionState,
)
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.courier import Courier, Progress, Step
from bot.settlement.epoch import plan_epoch, plan_settlement
from bot.settlement.relay import ClaimRelay
from bot.settlement.takeover import Takeover

MAX_STEPS = 200
"""Steps of one tick; 10,000 creators are 157 chunks of four steps, done in a few ticks."""

_POLL_S = 0.2

_log = structlog.get_logger()


class PublisherState(StrEnum):
    """How a tick ended."""

    IDLE = "idle"
    """Everything that was earned is committed and paid out, as far as it can be."""
    WAITING = "waiting"
    DEFERRED = "deferred"
    """The chain knows more leaves than a log that was restored: it has to grow past them."""
    HALTED = "halted"
    """A person must look; nothing is written to the chain until the reason is gone."""


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """Where the publisher stands; `reason` is for the operator, empty when idle."""

    state: PublisherState
    reason: str = ""


class EpochPublisher:
    """Owns the settlement of one book on one chain; ticks never overlap."""

    def __init__(
        self,
        *,
        chain: SettlementChain,
        store: EpochStore,
        earnings: EarningsReader,
        confirmations: int = 1,
        min_claim_units: int = 1,
        relays: bool = True,
    ) -> None:
        """Wire the publisher.

        Args:
            chain: the settlement contract.
            store: where epochs and signed bytes are kept.
            earnings: the book.
            confirmations: blocks before a fact counts as final; 1 on the embedded chain, which
                makes no blocks without transactions.
            min_claim_units: see `ClaimRelay`.
            relays: submit claims too; otherwise creators do that by themselves.
        """
        self._chain = chain
        self._store = store
        self._earnings = earnings
        self._courier = Courier(chain=chain, store=store, confirmations=confirmations)
        relay = ClaimRelay(
            chain=chain, store=store, courier=self._courier, min_units=min_claim_units
        )
        self._relay = relay if relays else None
        self._takeover = Takeover(chain=chain, store=store, earnings=earnings)
        self._one_at_a_time = asyncio.Lock()

    async def tick(self) -> PublisherStatus:
        """Take the open epoch, or a new one, as far as it goes now, then the claims.

        It may be killed or cancelled anywhere; the next tick of any process goes on. Never raises
        for what the chain or the store does: the status says it.
        """
        async with self._one_at_a_time:
            try:
                status = await self._work()
            except (TransientError, OutcomeUnknownError) as error:
                status = PublisherStatus(PublisherState.WAITING, str(error))
            except (ConfigurationError, InvariantError) as error:
                status = PublisherStatus(PublisherState.HALTED, str(error))
                _log.error("settlement.halted", reason=status.reason)
        if status.state is PublisherState.WAITING:
            _log.info("settlement.waiting", reason=status.reason)
        if status.state is PublisherState.DEFERRED:
            _log.warning("settlement.deferred", reason=status.reason)
        return status

    async def settle_now(self, *, timeout_s: float = 60.0) -> Epoch | None:
        """Commit whatever is new and wait until it is final and its claims are relayed.

        Where the log has to grow first, nothing is committed, and nothing is waited for.

        Returns:
            the newest final epoch; None when there has never been anything to commit.

        Raises:
            InvariantError: the publisher halted.
            ChainUnavailableError: it still waits after `timeout_s`; ticks go on with it.
        """
        status = await self.tick()
        try:
            async with asyncio.timeout(timeout_s):
                while status.state is PublisherState.WAITING:
                    await asyncio.sleep(_POLL_S)
                    status = await self.tick()
        except TimeoutError as error:
            raise ChainUnavailableError(status.reason) from error
        if status.state is PublisherState.HALTED:
            raise InvariantError(status.reason)
        return await self._store.last_final()

    async def _work(self) -> PublisherStatus:
        await self._check_identity()
        taking = await self._takeover.advance()
        if taking is not None:
            deferred = taking.progress is Progress.DEFERRED
            state = PublisherState.DEFERRED if deferred else PublisherState.WAITING
            return PublisherStatus(state, taking.reason)
        step: Step | None = None
        # One new epoch a tick: fees that arrive while it settles wait for the next tick, or on a
        # busy service the claims would never get their turn.
        newest = await self._store.open_epoch() or await self._store.last_final()
        last_number = newest.number + 1 if newest else 1
        for _ in range(MAX_STEPS):
            step = await self._advance_epoch(last_number)
            if step is None or step.progress is Progress.WAITING:
                # Claims of earlier epochs go on while a commit waits.
                relayed = await self._relay.advance() if self._relay else None
                if relayed is not None and relayed.progress is Progress.MOVED:
                    continue
                step = step or relayed
                break
        if step is None:
            return PublisherStatus(PublisherState.IDLE)
        return PublisherStatus(PublisherState.WAITING, step.reason or "more to do")

    async def _check_identity(self) -> None:
        here = await self._chain.identity()
        pinned = await self._store.pin(here)
        if here != pinned:
            raise InvariantError(
                f"the chain is not the one that this book was settled on: chain id {here.chain_id} "
                f"and genesis {here.genesis_hash.hex()} instead of {pinned.chain_id} and "
                f"{pinned.genesis_hash.hex()}, or another contract at 0x{here.settlement.hex()}"
            )

    async def _advance_epoch(self, last_number: int) -> Step | None:
        """Take the epoch one step further; None when there is nothing to commit.

        No epoch after `last_number` is planned.
        """
        state = await self._chain.contract()
        final = await self._store.last_final()
        epoch = await self._store.open_epoch()
        if state.commitment.epoch < (final.number if final else 0):
            return await self._heal(state)
        self._compare(state, final, epoch)
        if epoch is None:
            is_due = final is None or final.number < last_number
            return await self._plan(final) if is_due else None
        if epoch.state is EpochState.PLANNED:
            return await self._sign(epoch)
        transaction = await self._store.in_flight(Purpose.COMMIT)
        if transaction is None:
            raise InvariantError(f"epoch {epoch.number} is {epoch.state} without a transaction")
        step = await self._courier.advance(transaction)
        if step.progress is Progress.CONFIRMED:
            return await self._finish(epoch, final, transaction)
        return step

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
            raise InvariantError(
                f"the contract is at epoch {there.epoch}, ahead of the book at "
                f"{final.number if final else 0}: the database was restored from a backup, or "
                "another process settles with this key"
            )
        if known.commitment != there:
            raise InvariantError(f"the contract holds other contents for epoch {there.epoch}")

    async def _heal(self, state: ContractState) -> Step:
        # A reorganisation deeper than the confirmations took a final epoch off the chain. Its very
        # bytes go out again: same nonce, same contents.
        missing = state.commitment.epoch + 1
        _log.error("epoch.lost_by_chain", epoch=missing)
        for transaction in await self._store.transactions(Purpose.COMMIT, missing):
            if transaction.state is TransactionState.FINAL:
                await self._chain.send(transaction.signed)
        return Step(Progress.WAITING, f"the chain has lost epoch {missing}; sent again")

    async def _plan(self, final: Epoch | None) -> Step | None:
        snapshot = await self._earnings.freeze()
        epoch = await asyncio.to_thread(plan_epoch, snapshot, final)
        if epoch is None:
            return None
        # Killed before this line: nothing happened, and the next plan is as good as this one.
        if await self._store.plan(epoch):
            _log.info(
                "epoch.planned", epoch=epoch.number, fee_total_units=epoch.commitment.fee_total
            )
        return Step(Progress.MOVED)

    async def _sign(self, epoch: Epoch) -> Step:
        nonce = await self._chain.nonce(Signer.SETTLER)
        signed = await self._chain.sign_commit(epoch.commitment, nonce=nonce)
        if isinstance(signed, Refusal):
            return Step(Progress.WAITING, signed.reason)
        # Killed before this line: the bytes are gone and were never sent. After it: on disk.
        await self._store.record(signed)
        return Step(Progress.MOVED)

    async def _finish(
        self, epoch: Epoch, final: Epoch | None, transaction: StoredTransaction
    ) -> Step:
        state = await self._chain.contract()
        if state.commitment != epoch.commitment:
            return Step(Progress.WAITING, f"the contract does not show epoch {epoch.number} yet")
        if state.may_be_vetoed:
            # Final must mean final: the book is moved by it, and bundles name it as their anchor.
            return Step(Progress.WAITING, f"epoch {epoch.number} can still be vetoed")
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
