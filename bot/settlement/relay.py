"""Submits the claims of the newest final epoch, so that creators are paid without a transaction.

A claim pays the address in its leaf whoever submits it, and pays nothing twice, so this needs no
more trust than a creator's own claim. Chunks that pay nobody anything new are not sent.
"""

import asyncio

import structlog

from bot.domain.settlement import (
    ClaimChunk,
    Epoch,
    EpochState,
    Purpose,
    Refusal,
    Signer,
    StoredTransaction,
    TransactionState,
)
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EpochStore
from bot.settlement.claims import CHUNK_LEAVES, ClaimTree
from bot.settlement.courier import Courier, Progress, Step

MAX_REVERTED = 3
"""A chunk that was reverted so often, although its rehearsal passed, waits for the next epoch."""

_log = structlog.get_logger()


class ClaimRelay:
    """Relays claims with the relayer's key, one transaction in flight at a time."""

    def __init__(
        self,
        *,
        chain: SettlementChain,
        store: EpochStore,
        courier: Courier,
        min_units: int = 1,
    ) -> None:
        """Prepare.

        Args:
            chain: where the claims go.
            store: where their bytes are kept.
            courier: moves the transaction in flight.
            min_units: a chunk goes out when one of its creators gains at least so many token units.
        """
        self._chain = chain
        self._store = store
        self._courier = courier
        self._min_units = min_units
        # Number of the epoch whose chunks are all done; after a restart it is found out again.
        self._done_epoch = 0

    async def advance(self) -> Step | None:
        """Take the relay one step further; None when there is nothing to relay.

        Raises:
            ChainUnavailableError: nothing was changed.
            OutcomeUnknownError: a chunk may have been sent; the next step sends the same bytes.
        """
        in_flight = await self._store.in_flight(Purpose.CLAIM)
        if in_flight is not None:
            return await self._advance(in_flight)
        epoch = await self._store.last_final()
        if epoch is None or epoch.number == self._done_epoch or epoch.state is EpochState.LOST:
            return None  # the leaves of a lost epoch are lost too
        state = await self._chain.contract()
        if state.claimable_root != epoch.commitment.fee_root:
            return Step(Progress.WAITING, f"the root of epoch {epoch.number} is not claimable yet")
        chunk = await self._next_chunk(epoch)
        if chunk is None:
            self._done_epoch = epoch.number
            return None
        nonce = await self._chain.nonce(Signer.RELAYER)
        signed = await self._chain.sign_claims(chunk, nonce=nonce)
        if isinstance(signed, Refusal):
            return Step(Progress.WAITING, signed.reason)
        # From here on the bytes are on disk before anybody else has them.
        await self._store.record(signed)
        return Step(Progress.MOVED)

    async def _advance(self, transaction: StoredTransaction) -> Step:
        step = await self._courier.advance(transaction)
        if step.progress is not Progress.CONFIRMED:
            return step
        if await self._store.move(transaction, TransactionState.FINAL):
            _log.info(
                "claims.relayed",
                epoch=transaction.signed.epoch,
                chunk=transaction.signed.chunk,
                gas_used=transaction.gas_used,
            )
        return Step(Progress.MOVED)

    async def _next_chunk(self, epoch: Epoch) -> ClaimChunk | None:
        payable = sum(earnings.is_payable for earnings in epoch.earnings)
        pending = [
            index
            for index in range(-(-payable // CHUNK_LEAVES))
            if not await self._is_settled(epoch.number, index)
        ]
        if not pending:
            return None
        # 10,000 leaves take half a second of hashing.
        tree = await asyncio.to_thread(ClaimTree.of_epoch, epoch)
        for index in pending:
            chunk = tree.chunk(epoch.number, index)
            leaves = [
                leaf
                for leaf, earnings in zip(
                    chunk.leaves, epoch.earnings[index * CHUNK_LEAVES :], strict=False
                )
                if earnings.is_payable
            ]
            paid = await self._chain.claimed([leaf.twin for leaf in leaves])
            gains = [
                leaf.cumulative_units - units for leaf, units in zip(leaves, paid, strict=True)
            ]
            if max(gains, default=0) >= max(1, self._min_units):
                return chunk
        return None

    async def _is_settled(self, epoch: int, index: int) -> bool:
        attempts = [
            attempt.state
            for attempt in await self._store.transactions(Purpose.CLAIM, epoch)
            if attempt.signed.chunk == index
        ]
        # A final chunk whose transfer failed (a blocked address) is tried again next epoch.
        given_up = attempts.count(TransactionState.DEAD) >= MAX_REVERTED
        return given_up or TransactionState.FINAL in attempts
