"""The chain, as the settlement room asks for it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from bot.domain.fees import Market
from bot.domain.settlement import ChainIdentity, ClaimChunk, Commitment, ContractState
from bot.domain.transactions import (
    BlockTag,
    Finality,
    Inclusion,
    Refusal,
    SignedTransaction,
    Signer,
)


class Broadcast(StrEnum):
    """How the chain took bytes that it was given."""

    ACCEPTED = "accepted"
    """It has them now, or had them already."""
    NONCE_USED = "nonce used"
    """A transaction with this nonce is mined: these very bytes, or others."""


class SettlementChain(Protocol):
    """One settlement contract on one chain, and the two keys that write to it.

    Facts are what the newest block says at the moment of the call; nothing is cached but what can
    never change. Methods may be called concurrently. Reading never changes anything. A method that
    reads or signs raises `ChainUnavailableError` when the chain can't be asked; it may be called
    again at any time.
    """

    async def identity(self) -> ChainIdentity:
        """Return which chain and contract this is.

        Raises:
            ConfigurationError: there is no settlement contract of ours at the address.
            ChainUnavailableError: the chain does not answer.
        """
        ...

    async def contract(self, *, finality: Finality = 1) -> ContractState:
        """Return the contract's newest commitment and what it has paid.

        Args:
            finality: as of the newest block that is final in that sense; 1 is the newest.
        """
        ...

    async def veto_delay_s(self) -> int:
        """Return how long after a commit the guardian can veto it; it never changes."""
        ...

    async def account(self, signer: Signer) -> bytes:
        """Return the 20-byte address of the account that signs as that signer now.

        Raises:
            ConfigurationError: no key of that signer was given.
        """
        ...

    async def settler(self, *, finality: Finality = 1) -> bytes:
        """Return the 20-byte address of who may commit; zero where nobody may.

        Args:
            finality: as in `contract`.
        """
        ...

    async def nonce(self, account: Signer | bytes, *, finality: Finality = 1) -> int:
        """Return how many transactions of an account are mined and final in that sense.

        At 1 that is the next free nonce, pending transactions aside.

        Args:
            account: 20 bytes, or a signer: the account that signs as that now.
            finality: as in `contract`.
        """
        ...

    async def height(self, tag: BlockTag) -> int:
        """Return the number of the newest block that the chain calls so."""
        ...

    async def market(self) -> Market:
        """Return what the chain asks for gas now."""
        ...

    async def sign_commit(
        self, commitment: Commitment, *, nonce: int
    ) -> SignedTransaction | Refusal:
        """Sign a commit with the settler's key after a rehearsal; nothing is sent.

        The rehearsal runs the call on the newest state. A refusal says why it would fail now:
        no gas money, an empty treasury, an earlier root still pending, fees above the limit.

        Raises:
            ConfigurationError: no settler's key was given.
        """
        ...

    async def sign_claims(self, chunk: ClaimChunk, *, nonce: int) -> SignedTransaction | Refusal:
        """Sign a chunk of claims with the relayer's key after a rehearsal; nothing is sent.

        Raises:
            ConfigurationError: no relayer's key was given.
        """
        ...

    async def raise_fees(self, transaction: SignedTransaction) -> SignedTransaction | Refusal:
        """Sign the same call with the same nonce again, at fees that replace it; nothing is sent.

        Only what is offered for gas differs: the call's bytes never change. It is rehearsed as when
        it was first signed. A refusal says why there can be no dearer one now: the limit, or that
        the key of the account that has signed it is not here any more.

        Raises:
            ConfigurationError: the key of its signer was not given.
        """
        ...

    async def send(self, transaction: SignedTransaction) -> Broadcast | Refusal:
        """Broadcast stored bytes. Idempotent: the same bytes may be sent any number of times.

        Raises:
            ChainUnavailableError: certainly not sent.
            OutcomeUnknownError: the answer was lost; look for the inclusion, or send again.
        """
        ...

    async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
        """Return the block that holds the transaction; None while none does."""
        ...

    async def claimed(self, twins: Sequence[bytes], *, finality: Finality = 1) -> tuple[int, ...]:
        """Return what each twin has been paid so far, in token units, in the order asked.

        Args:
            twins: 32 bytes each.
            finality: as in `contract`.
        """
        ...

    async def balance(self, address: bytes) -> int:
        """Return how much of the settlement token a 20-byte address holds, in token units."""
        ...
