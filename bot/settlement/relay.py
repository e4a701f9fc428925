"""Submits the claims of the newest final epoch, so that creators are paid without a transaction.

A claim pays the address in its leaf whoever submits it, and pays nothing twice, so this needs no
more trust than a creator's own claim. Chunks that pay nobody anything new are not sent.
"""

import asyncio

import structlog

from bot.domain.settlement import NO_PAYOUT, ClaimChunk, Epoch, EpochState
from bot.domain.transactions import (
    Purpose,
    Refusal,
    SignedTransaction,
    Signer,
    StoredTransaction,
    TransactionState,
)
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EpochStore
from bot.settlement.claims import CHUNK_LEAVES, ClaimTree
from bot.settlement.courier import Courier, Progress, Step
from bot.settlement.reverts import MAX_REVERTED, count_reverted
from bot.settlement.vetoed import standing

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
        # Number of the epoch whose chunks are all done, and what was paid by then; after a restart
        # it is found out again.
        self._done_epoch = 0
        self._done_units = 0

    def is_done(self, epoch: Epoch) -> bool:
        """Whether nothing of the newest epoch is left to relay, as far as was seen."""
        return epoch.number == self._done_epoch or epoch.state is EpochState.LOST

    async def advance(self) -> Step | None:
        """Take the relay one step further; None when there is nothing to relay.

        Raises:
            ChainUnavailableError: nothing was changed.
            OutcomeUnknownError: a chunk may have been sent; the next step sends the same bytes.
        """
        in_flight = await self._store.in_flight(Purpose.CLAIM)
        if in_flight is not None:
            return await self._advance(in_flight)
        epoch = await standing(self._store)
        if epoch is None or epoch.state is EpochState.LOST:
            return None  # the leaves of a lost epoch are lost too
        state = await self._chain.contract()
        if self.is_done(epoch) and state.claimed_total >= self._done_units:
            return None
        if state.claimable_root != epoch.commitment.fee_root:
            return Step(Progress.WAITING, f"the root of epoch {epoch.number} is not claimable yet")
        chunk = await self._next_chunk(epoch)
        if chunk is None:
            self._done_epoch, self._done_units = epoch.number, state.claimed_total
        return await self._sign(epoch, chunk) if isinstance(chunk, ClaimChunk) else chunk

    async def _sign(self, epoch: Epoch, chunk: ClaimChunk) -> Step:
        nonce = await self._courier.next_nonce(Signer.RELAYER)
        if isinstance(nonce, Refusal):
            return Step(Progress.WAITING, nonce.reason)
        signed = await self._chain.sign_claims(chunk, nonce=nonce)
        if isinstance(signed, Refusal):
            return Step(Progress.WAITING, signed.reason)
        # From here on the bytes are on disk before anybody else has them.
        if await self._store.record(signed):
            return Step(Progress.MOVED)
        return await self._make_room(epoch, signed)

    async def _make_room(self, epoch: Epoch, signed: SignedTransaction) -> Step:
        """See what keeps a claim out of the store: somebody else's, or one of ours before it."""
        if await self._store.in_flight(Purpose.CLAIM) is not None:
            return Step(Progress.MOVED)
        tree = await asyncio.to_thread(ClaimTree.of_epoch, epoch)
        lost = await self._bring_back(epoch, tree, await self._done_chunks(epoch.number))
        if lost is not None:
            return lost
        # These very bytes were given up once: dearer ones are others.
        dearer = await self._chain.raise_fees(signed)
        if isinstance(dearer, SignedTransaction) and await self._store.record(dearer):
            return Step(Progress.MOVED)
        return Step(
            Progress.WAITING,
            f"the RPC gives the relayer's nonce as {signed.nonce}, which a claim of ours has used: "
            "it is behind, or it is wrong",
        )

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

    async def _next_chunk(self, epoch: Epoch) -> ClaimChunk | Step | None:
        """Return the next chunk to sign, or what became of one that the chain has lost again."""
        payable = sum(earnings.is_payable for earnings in epoch.earnings)
        done = await self._done_chunks(epoch.number)
        chunks = range(-(-payable // CHUNK_LEAVES))
        if not chunks:
            return None
        # 10,000 leaves take half a second of hashing.
        tree = await asyncio.to_thread(ClaimTree.of_epoch, epoch)
        for index in chunks:
            if index not in done:
                chunk = tree.chunk(epoch.number, index)
                if await self._pays(chunk):
                    return chunk
        return await self._bring_back(epoch, tree, done)

    async def _bring_back(
        self, epoch: Epoch, tree: ClaimTree, done: dict[int, StoredTransaction | None]
    ) -> Step | None:
        """Send a final chunk again that the chain has lost."""
        for index, final in done.items():
            if final is not None and await self._pays(tree.chunk(epoch.number, index)):
                found = [await self._chain.inclusion(one.hash) for one in final.attempts]
                # A final chunk whose transfer failed (a blocked address) is tried again next epoch.
                if not any(found):
                    _log.error("claims.lost_by_chain", epoch=epoch.number, chunk=index)
                    step = await self._courier.bring_back(final)
                    lost = f"the chain has lost claims of epoch {epoch.number}"
                    return Step(step.progress, f"{lost}; {step.reason}" if step.reason else "")
        return None

    async def _pays(self, chunk: ClaimChunk) -> bool:
        """Whether one of its creators gains enough."""
        leaves = [leaf for leaf in chunk.leaves if leaf.payout != NO_PAYOUT]
        paid = await self._chain.claimed([leaf.twin for leaf in leaves])
        gains = [leaf.cumulative_units - units for leaf, units in zip(leaves, paid, strict=True)]
        return max(gains, default=0) >= max(1, self._min_units)

    async def _done_chunks(self, epoch: int) -> dict[int, StoredTransaction | None]:
        """Return chunks that were done, with what did it; None for those that were given up."""
        done: dict[int, StoredTransaction | None] = {}
        dead: dict[int, list[StoredTransaction]] = {}
        for one in await self._store.transactions(Purpose.CLAIM, epoch):
            if one.state is TransactionState.FINAL:
                done[one.signed.chunk] = one
            elif one.state is TransactionState.DEAD:
                dead.setdefault(one.signed.chunk, []).append(one)
        for chunk, jobs in dead.items():
            if chunk not in done and await count_reverted(self._chain, jobs) >= MAX_REVERTED:
                done[chunk] = None
        return done
