"""Why no block takes a transaction, where the chain itself says it, and when there is no hope left.

Dearer bytes help against none of this. What is given up here may be mined all the same, in another
order of blocks: a commit then counts, or the contract refuses the next one of that number; a claim
pays nothing twice.
"""

from dataclasses import dataclass

from bot.crypto.eip712 import encode_address
from bot.domain.transactions import Finality, Purpose, StoredTransaction
from bot.ports.chain import SettlementChain
from bot.settlement.second import SecondOpinion


@dataclass(frozen=True, slots=True)
class Stuck:
    """Why a transaction can't be mined as things are; hopeless says that it may be given up."""

    reason: str
    is_hopeless: bool = False


class StuckDiagnosis:
    """Asks the chain, and the second node before anything is hopeless."""

    def __init__(
        self,
        *,
        chain: SettlementChain,
        finality: Finality,
        patience_s: int,
        second: SecondOpinion | None,
    ) -> None:
        self._chain = chain
        self._finality = finality
        self._patience_s = patience_s
        self._second = second

    async def of(self, transaction: StoredTransaction) -> Stuck | None:
        """Return what is wrong with a transaction that no block holds; None if nothing is known.

        Raises:
            ChainUnavailableError: the chain does not answer.
        """
        return await self._dismissed(transaction) or await self._gap(transaction)

    async def is_left_behind(self, transaction: StoredTransaction) -> bool:
        """Whether it is a claim of an account that does not relay any more.

        Its leaves are cumulative: ours pay the same and nothing twice, whatever becomes of it.
        """
        signed = transaction.signed
        if signed.purpose is not Purpose.CLAIM:
            return False
        return await self._chain.account(signed.purpose.signer) != signed.sender

    async def _dismissed(self, transaction: StoredTransaction) -> Stuck | None:
        signed = transaction.signed
        if signed.purpose is not Purpose.COMMIT:
            return None
        # As of a block that stays: mined after it, the commit is only reverted.
        if await self._chain.settler(finality=self._finality) == signed.sender:
            return None
        sender = encode_address(signed.sender)
        reason = f"the contract does not let {sender} commit any more, which has signed this commit"
        doubt = await self._second.doubt_dismissal(transaction) if self._second else None
        return Stuck(reason, is_hopeless=True) if doubt is None else Stuck(f"{reason}; {doubt}")

    async def _gap(self, transaction: StoredTransaction) -> Stuck | None:
        signed = transaction.signed
        used = await self._chain.nonce(signed.sender)
        if used >= signed.nonce:
            return None
        sender = encode_address(signed.sender)
        reason = f"nonce {used} of {sender} is missing before its transaction of {signed.nonce}"
        market = await self._chain.market()
        if market.time - transaction.newest.signed_at < self._patience_s:
            return Stuck(reason)
        doubt = await self._second.doubt_gap(transaction) if self._second else None
        return Stuck(reason, is_hopeless=True) if doubt is None else Stuck(f"{reason}; {doubt}")
