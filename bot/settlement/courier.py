"""Takes one signed transaction, a commit or a chunk of claims, as far as the chain allows.

```
signed --send--> sent --included--> mined --N deep--> (the caller makes it final)
   |               |                  +-- left the chain: back to sent, the same bytes again
   +---------------+-- its nonce went to other bytes, or it was reverted, N deep: dead
```
Every arrow is one durable compare-and-set. Killed before it, the step is done again: sending the
same bytes twice has the effect of once, and facts are read from the chain each time.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.settlement import Inclusion, Refusal, StoredTransaction, TransactionState
from bot.ports.chain import Broadcast, SettlementChain
from bot.ports.settlement import EpochStore


class Progress(StrEnum):
    """What a step came to."""

    MOVED = "moved"
    WAITING = "waiting"
    DEFERRED = "deferred"
    """Nothing of the chain's is waited for: our log has to grow first."""
    CONFIRMED = "confirmed"
    """Mined deep enough, and successful: the caller may make it final."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step's result; `reason` says what is waited for."""

    progress: Progress
    reason: str = ""


class Courier:
    """Moves transactions; keeps no state of its own."""

    def __init__(self, *, chain: SettlementChain, store: EpochStore, confirmations: int) -> None:
        self._chain = chain
        self._store = store
        self._confirmations = confirmations

    async def advance(self, transaction: StoredTransaction) -> Step:
        """Take a transaction that is neither final nor dead one step further.

        Raises:
            ChainUnavailableError: nothing was changed.
            OutcomeUnknownError: it may have been sent; the next step sends the same bytes.
            StoreBusyError: nothing was changed.
        """
        inclusion = await self._chain.inclusion(transaction.signed.hash)
        if transaction.state is TransactionState.SIGNED:
            return await self._send(transaction, inclusion)
        if inclusion is None:
            return await self._seek(transaction)
        return await self._follow(transaction, inclusion)

    async def _follow(self, transaction: StoredTransaction, inclusion: Inclusion) -> Step:
        if not inclusion.succeeded:
            return await self._bury(transaction, inclusion)
        if transaction.state is TransactionState.SENT:
            return await self._move(transaction, TransactionState.MINED, inclusion)
        if inclusion.block_hash != transaction.block_hash:
            return await self._move(transaction, TransactionState.SENT)
        if inclusion.depth < self._confirmations:
            return self._wait(f"{inclusion.depth} of {self._confirmations} confirmations")
        return Step(Progress.CONFIRMED)

    async def _send(self, transaction: StoredTransaction, inclusion: Inclusion | None) -> Step:
        if inclusion is None:
            # Killed right after this line: it stays `signed`, and the next start sends it again.
            answer = await self._chain.send(transaction.signed)
            if isinstance(answer, Refusal):
                return self._wait(answer.reason)
            if answer is Broadcast.NONCE_USED:
                return await self._abandon_if_replaced(transaction)
        return await self._move(transaction, TransactionState.SENT)

    async def _seek(self, transaction: StoredTransaction) -> Step:
        if transaction.state is TransactionState.MINED:
            return await self._move(transaction, TransactionState.SENT)
        # A node may have dropped it from its pool or lost the pool: the same bytes once more.
        answer = await self._chain.send(transaction.signed)
        if answer is Broadcast.NONCE_USED:
            return await self._abandon_if_replaced(transaction)
        if isinstance(answer, Refusal):
            return self._wait(answer.reason)
        if await self._chain.inclusion(transaction.signed.hash) is not None:
            return Step(Progress.MOVED)
        return self._wait("not mined yet")

    async def _abandon_if_replaced(self, transaction: StoredTransaction) -> Step:
        if await self._chain.inclusion(transaction.signed.hash) is not None:
            if transaction.state is TransactionState.SIGNED:
                return await self._move(transaction, TransactionState.SENT)
            return Step(Progress.MOVED)
        signer = transaction.signed.purpose.signer
        used = await self._chain.nonce(signer, depth=self._confirmations)
        if used <= transaction.signed.nonce:
            return self._wait("another transaction has taken the nonce, not deep enough yet")
        return await self._move(transaction, TransactionState.DEAD)

    async def _bury(self, transaction: StoredTransaction, inclusion: Inclusion) -> Step:
        if inclusion.depth < self._confirmations:
            return self._wait("reverted, not deep enough yet")
        return await self._move(transaction, TransactionState.DEAD)

    async def _move(
        self,
        transaction: StoredTransaction,
        to: TransactionState,
        inclusion: Inclusion | None = None,
    ) -> Step:
        await self._store.move(transaction, to, inclusion)
        # When the compare-and-set failed, someone else moved it: read it again all the same.
        return Step(Progress.MOVED)

    def _wait(self, reason: str) -> Step:
        return Step(Progress.WAITING, reason)
