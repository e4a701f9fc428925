"""Takes one transaction, a commit or a chunk of claims, as far as the chain allows.

```
signed --send--> sent --an attempt included--> mined --final--> (the caller makes it final)
  ^  |             |  |                          +-- left the chain: back to sent
  |  |             |  +-- too cheap, or too long: the same call and nonce at higher fees
  +--+-------------+--------------------------------- (signed again, on disk before it is sent)
     +-------------+-- its nonce went to other bytes, or it was reverted, for good: dead
                   +-- nothing can come of it any more (`stuck.py`): dead
```
Every arrow is one durable compare-and-set. Killed before it, the step is done again: sending the
same bytes twice has the effect of once, and facts are read from the chain each time, of all
attempts: an older one may be the one that is mined.
"""

from dataclasses import dataclass
from enum import StrEnum

import structlog

from bot.domain.fees import is_too_cheap
from bot.domain.transactions import (
    Finality,
    Inclusion,
    Refusal,
    Signer,
    StoredTransaction,
    TransactionState,
)
from bot.ports.chain import Broadcast, SettlementChain
from bot.ports.settlement import EpochStore
from bot.settlement.second import SecondOpinion, why_not_final
from bot.settlement.stuck import StuckDiagnosis

PATIENCE_S = 120
"""Of the chain's own time: a chain that makes no blocks is no reason to pay more."""

_log = structlog.get_logger()


class Progress(StrEnum):
    """What a step came to."""

    MOVED = "moved"
    WAITING = "waiting"
    DEFERRED = "deferred"
    """Nothing of the chain's is waited for: our log has to grow first."""
    CONFIRMED = "confirmed"
    """Final and successful: the caller may make it so."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step's result; `reason` says what is waited for."""

    progress: Progress
    reason: str = ""


class Courier:
    """Moves transactions; keeps no state of its own."""

    def __init__(
        self,
        *,
        chain: SettlementChain,
        store: EpochStore,
        finality: Finality,
        patience_s: int = PATIENCE_S,
        second: SecondOpinion | None = None,
    ) -> None:
        self._chain = chain
        self._store = store
        self._finality = finality
        self._patience_s = patience_s
        self._second = second
        self._diagnosis = StuckDiagnosis(
            chain=chain, finality=finality, patience_s=patience_s, second=second
        )

    async def next_nonce(self, signer: Signer) -> int | Refusal:
        """Return the nonce to sign with, where the second node does not name another one.

        Raises:
            ChainUnavailableError: the chain does not answer.
        """
        account = await self._chain.account(signer)
        nonce = await self._chain.nonce(account)
        doubt = await self._second.doubt_nonce(account, nonce) if self._second else None
        return nonce if doubt is None else Refusal(doubt)

    async def advance(self, transaction: StoredTransaction) -> Step:
        """Take a transaction that is neither final nor dead one step further.

        Raises:
            ChainUnavailableError: nothing was changed.
            OutcomeUnknownError: it may have been sent; the next step sends the same bytes.
            StoreBusyError: nothing was changed.
        """
        inclusion = await self._find(transaction)
        if inclusion is not None:
            return await self._follow(transaction, inclusion)
        if transaction.state is TransactionState.MINED:
            return await self._move(transaction, TransactionState.SENT)
        if await self._diagnosis.is_left_behind(transaction):
            return await self._move(transaction, TransactionState.DEAD)
        return await self._send(transaction)

    async def bring_back(self, transaction: StoredTransaction) -> Step:
        """Send a final transaction again that a deep reorganisation took off the chain.

        It stays final. Where it has become too cheap, a dearer attempt goes out with the next step.

        Raises:
            ChainUnavailableError: nothing was changed.
            OutcomeUnknownError: it may have been sent; the next step sends the same bytes.
            StoreBusyError: nothing was changed.
        """
        # Any attempt will do; the newest one is the dearest.
        answer = await self._chain.send(transaction.newest)
        if isinstance(answer, Refusal):
            return await self._answer(transaction, answer)
        if answer is Broadcast.NONCE_USED and await self._find(transaction) is None:
            nonce = transaction.signed.nonce
            return self._wait(f"its nonce {nonce} was used by a transaction that is not ours")
        # It was signed long ago, so only the market says whether it is too cheap now.
        dear = await self._outbid(transaction, patience_s=None)
        return dear or self._wait("sent again")

    async def _find(self, transaction: StoredTransaction) -> Inclusion | None:
        """Return the block that holds any of the attempts."""
        for attempt in (transaction.signed, *reversed(transaction.others)):
            inclusion = await self._chain.inclusion(attempt.hash)
            if inclusion is not None:
                return inclusion
        return None

    async def _follow(self, transaction: StoredTransaction, inclusion: Inclusion) -> Step:
        if transaction.state is TransactionState.SIGNED:
            return await self._move(transaction, TransactionState.SENT)
        if not inclusion.succeeded:
            return await self._bury(transaction, inclusion)
        if transaction.state is TransactionState.SENT:
            return await self._move(transaction, TransactionState.MINED, inclusion)
        block = (inclusion.block_hash, inclusion.transaction)
        if block != (transaction.block_hash, transaction.signed.hash):
            return await self._move(transaction, TransactionState.SENT)
        doubt = await self._doubt(inclusion)
        return Step(Progress.CONFIRMED) if doubt is None else self._wait(doubt)

    async def _doubt(self, inclusion: Inclusion) -> str | None:
        """Return why an inclusion is not final yet."""
        doubt = await why_not_final(self._chain, inclusion, self._finality)
        if doubt is None and self._second is not None:
            doubt = await self._second.doubt_inclusion(inclusion)
        return doubt

    async def _send(self, transaction: StoredTransaction) -> Step:
        # Killed right after this line: it stays as it is, and the next start sends it again. A node
        # may have dropped it from its pool or lost the pool: the same bytes once more.
        answer = await self._chain.send(transaction.newest)
        if answer is Broadcast.NONCE_USED:
            return await self._abandon_if_replaced(transaction)
        is_taken = not isinstance(answer, Refusal)
        if is_taken and transaction.state is TransactionState.SIGNED:
            return await self._move(transaction, TransactionState.SENT)
        if is_taken and await self._find(transaction) is not None:
            return Step(Progress.MOVED)
        hopeless = await self._give_up_if_hopeless(transaction)
        if hopeless is not None:
            return hopeless
        if isinstance(answer, Refusal):
            return await self._answer(transaction, answer)
        dear = await self._outbid(transaction, patience_s=self._patience_s)
        return dear or self._wait("not mined yet")

    async def _answer(self, transaction: StoredTransaction, refusal: Refusal) -> Step:
        """Take a node's refusal: only where the fee is at fault is anything signed for it."""
        if not refusal.too_cheap:
            return self._wait(refusal.reason)
        # It is believed once a block: a node that always says so would drive fees to their limit.
        dear = await self._outbid(transaction, patience_s=1)
        return dear or self._wait(refusal.reason)

    async def _outbid(
        self, transaction: StoredTransaction, *, patience_s: int | None
    ) -> Step | None:
        """Raise the fees where the base fee is above them, or it took too long; else None.

        Args:
            transaction: what nobody has mined.
            patience_s: how long the newest attempt may take; None: as long as it likes.
        """
        market, newest = await self._chain.market(), transaction.newest
        is_late = patience_s is not None and market.time - newest.signed_at >= patience_s
        if not is_late and not is_too_cheap(newest.fees, market):
            return None
        signed = await self._chain.raise_fees(newest)
        if isinstance(signed, Refusal):
            return self._wait(signed.reason)
        # From here on the dearer bytes are on disk before anybody else has them.
        await self._store.replace(transaction, signed)
        return Step(Progress.MOVED)

    async def _give_up_if_hopeless(self, transaction: StoredTransaction) -> Step | None:
        stuck = await self._diagnosis.of(transaction)
        if stuck is None or not stuck.is_hopeless:
            return None if stuck is None else self._wait(stuck.reason)
        # Looked for after the reason, so that a block that came first shows.
        if await self._find(transaction) is not None:
            return Step(Progress.MOVED)
        if await self._store.move(transaction, TransactionState.DEAD):
            signed = transaction.signed
            _log.warning(
                "settlement.given_up",
                purpose=signed.purpose,
                epoch=signed.epoch,
                transaction=signed.hash.hex(),
                reason=stuck.reason,
            )
        # Once a tick: a node that says one thing and then another can't keep it going.
        return self._wait(f"given up, and signed anew next: {stuck.reason}")

    async def _abandon_if_replaced(self, transaction: StoredTransaction) -> Step:
        sender, nonce = transaction.signed.sender, transaction.signed.nonce
        used = await self._chain.nonce(sender, finality=self._finality)
        # Looked for after the nonce, so that what has used it shows.
        if await self._find(transaction) is not None:
            return Step(Progress.MOVED)
        if used <= nonce:
            return self._wait("another transaction has taken the nonce, and that is not final yet")
        if self._second is not None:
            doubt = await self._second.doubt_loss(transaction)
            if doubt is not None:
                return self._wait(doubt)
        return await self._move(transaction, TransactionState.DEAD)

    async def _bury(self, transaction: StoredTransaction, inclusion: Inclusion) -> Step:
        doubt = await self._doubt(inclusion)
        if doubt is not None:
            return self._wait(f"reverted, and that is not final yet: {doubt}")
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
