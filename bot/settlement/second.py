"""A second node's word before anything counts as final, so that no single one can lie the book on.

Nothing is signed or sent through it. What the first node shows is believed where the second shows
the same; otherwise the publisher waits, and says what differs.
"""

from collections.abc import Mapping

from bot.crypto.eip712 import encode_address
from bot.domain.errors import ConfigurationError, InvariantError, TransientError
from bot.domain.settlement import ContractState
from bot.domain.transactions import Finality, Inclusion, StoredTransaction
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EpochStore

_LEAD = "the second RPC"


class SecondOpinion:
    """Asks the same questions elsewhere; every answer is a reason to wait, or None."""

    def __init__(self, *, chain: SettlementChain, store: EpochStore, finality: Finality) -> None:
        self._chain = chain
        self._store = store
        self._finality = finality

    async def doubt_inclusion(self, inclusion: Inclusion) -> str | None:
        """Return why the second node does not confirm that a block holds a transaction."""
        try:
            wrong = await self._compare_chain()
            if wrong is not None:
                return wrong
            told = await why_not_final(self._chain, inclusion, self._finality)
        except (TransientError, ConfigurationError) as error:
            return _silent(error)
        return None if told is None else f"{_LEAD}: {told}"

    async def doubt_contents(self, state: ContractState) -> str | None:
        """Return why the second node does not confirm what the contract holds."""
        try:
            wrong = await self._compare_chain()
            if wrong is not None:
                return wrong
            there = await self._chain.contract(finality=self._finality)
        except (TransientError, ConfigurationError) as error:
            return _silent(error)
        if there.commitment != state.commitment:
            return _differs(there, state)
        if there.may_be_vetoed:
            return f"{_LEAD} says that epoch {there.commitment.epoch} can still be vetoed"
        return None

    async def doubt_veto(self, state: ContractState) -> str | None:
        """Return why the second node does not confirm that the newest epoch was vetoed."""
        doubt = await self.doubt_contents(state)
        if doubt is not None:
            return doubt
        try:
            there = await self._chain.contract(finality=self._finality)
        except (TransientError, ConfigurationError) as error:
            return _silent(error)
        is_same = there.was_vetoed and there.commitment == state.commitment
        return None if is_same else f"{_LEAD} shows no veto"

    async def doubt_lost(self, state: ContractState, claimed: Mapping[bytes, int]) -> str | None:
        """Return why the second node does not confirm an epoch that the book is to take over.

        Nothing in the book speaks for such an epoch, so a node that only waits is waited for, and
        one that contradicts halts.

        Args:
            state: what the first node calls final.
            claimed: token units that it has paid by then, by twin.

        Raises:
            InvariantError: the two contradict each other.
        """
        doubt = await self.doubt_identity()
        if doubt is not None:
            return doubt
        try:
            there = await self._chain.contract(finality=self._finality)
            paid = await self._chain.claimed(list(claimed), finality=self._finality)
        except (TransientError, ConfigurationError) as error:
            return _silent(error)
        if there.commitment.epoch < state.commitment.epoch:
            return f"{_LEAD} does not call epoch {state.commitment.epoch} final yet"
        wrong = None if there.commitment == state.commitment else _differs(there, state)
        if wrong is None and there.claimed_total != state.claimed_total:
            return f"{_LEAD} does not call the same claims final yet"
        if wrong is None and paid != tuple(claimed.values()):
            wrong = f"{_LEAD} shows other payouts than the first one"
        if wrong is not None:
            raise InvariantError(
                f"{wrong}: epoch {state.commitment.epoch} is not taken over on the word of one "
                "node; see which of rpc_url and second_rpc_url in [settlement] is wrong"
            )
        return None

    async def doubt_identity(self) -> str | None:
        """Return why the second node can't confirm anything; it may serve another chain."""
        try:
            wrong = await self._compare_chain()
        except (TransientError, ConfigurationError) as error:
            return _silent(error)
        if wrong is not None:
            raise InvariantError(f"{wrong}: correct second_rpc_url in [settlement]")
        return None

    async def doubt_loss(self, transaction: StoredTransaction) -> str | None:
        """Return why the second node does not confirm that other bytes have used up the nonce."""
        signed = transaction.signed
        try:
            wrong = await self._compare_chain()
            if wrong is not None:
                return wrong
            if await self._chain.nonce(signed.sender, finality=self._finality) <= signed.nonce:
                return (
                    f"{_LEAD} does not show the {signed.purpose.signer}'s nonce {signed.nonce} used"
                )
            found = [await self._chain.inclusion(one.hash) for one in transaction.attempts]
        except (TransientError, ConfigurationError) as error:
            return _silent(error)
        return f"{_LEAD} shows one of our own transactions mined" if any(found) else None

    async def doubt_dismissal(self, transaction: StoredTransaction) -> str | None:
        """Return why the second node does not confirm that its sender may not commit any more."""
        try:
            wrong = await self._compare_chain()
            if wrong is not None:
                return wrong
            if await self._chain.settler(finality=self._finality) == transaction.signed.sender:
                return f"{_LEAD} does not show another settler"
            found = [await self._chain.inclusion(one.hash) for one in transaction.attempts]
        except (TransientError, ConfigurationError) as error:
            return _silent(error)
        return f"{_LEAD} shows one of our own transactions mined" if any(found) else None

    async def doubt_gap(self, transaction: StoredTransaction) -> str | None:
        """Return why the second node does not confirm that nonces before its own are missing."""
        signed = transaction.signed
        try:
            wrong = await self._compare_chain()
            if wrong is not None:
                return wrong
            there = await self._chain.nonce(signed.sender)
        except (TransientError, ConfigurationError) as error:
            return _silent(error)
        return None if there < signed.nonce else f"{_LEAD} shows that none is missing"

    async def doubt_nonce(self, account: bytes, nonce: int) -> str | None:
        """Return that the second node names another next nonce; a silent one has no say here.

        What is signed can still be given up: nothing is final without this node's word.
        """
        try:
            if await self._compare_chain() is not None:
                return None
            there = await self._chain.nonce(account)
        except (TransientError, ConfigurationError):
            return None
        if there == nonce:
            return None
        account_at = encode_address(account)
        return f"{_LEAD} says that {account_at} goes on with nonce {there}, the first one {nonce}"

    async def _compare_chain(self) -> str | None:
        """Hold chain id, genesis, contract, token and code against what the book is pinned to."""
        here, pinned = await self._chain.identity(), await self._store.pinned()
        return None if here == pinned else f"{_LEAD} serves another chain or contract"


async def why_not_final(
    chain: SettlementChain, inclusion: Inclusion, finality: Finality
) -> str | None:
    """Return why a node does not call an inclusion final; None where it does.

    Raises:
        ChainUnavailableError: it does not answer.
    """
    # The line first: what is found below it afterwards can't leave the chain any more.
    line = None if isinstance(finality, int) else await chain.height(finality)
    now = await chain.inclusion(inclusion.transaction)
    if now is None or now.block_hash != inclusion.block_hash:
        return f"block {inclusion.block_number} does not hold the transaction"
    if now.succeeded != inclusion.succeeded:
        return "it disagrees on whether the transaction was reverted"
    if line is None:
        enough = isinstance(finality, int) and now.depth >= finality
        return None if enough else f"{now.depth} of {finality} confirmations"
    if now.block_number > line:
        return f"block {now.block_number} is above the {finality} one, {line}"
    return None


def _differs(there: ContractState, here: ContractState) -> str:
    return (
        f"{_LEAD} shows other contents of the contract: epoch {there.commitment.epoch} "
        f"with {there.commitment.fee_total} token units, and the first one epoch "
        f"{here.commitment.epoch} with {here.commitment.fee_total}"
    )


def _silent(error: Exception) -> str:
    return f"{_LEAD} gives no answer that counts ({error}); nothing is final without it"
