"""Transactions that carry epochs and claims: one job, one nonce, and every attempt that was signed.

An attempt is the same call with the same nonce at other fees. The chain takes at most one of them;
which one, is read from the chain.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.fees import Fees


class Signer(StrEnum):
    """Whose key signs; each has a sequence of nonces of its own."""

    SETTLER = "settler"
    RELAYER = "relayer"


class Purpose(StrEnum):
    """What a transaction is for."""

    COMMIT = "commit"
    CLAIM = "claim"

    @property
    def signer(self) -> Signer:
        """The key that this purpose is reserved to."""
        return Signer.SETTLER if self is Purpose.COMMIT else Signer.RELAYER


class TransactionState(StrEnum):
    """How far a transaction has come; `dead` can't take effect any more, as far as is final."""

    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"
    DEAD = "dead"


TRANSACTION_MOVES: dict[TransactionState, frozenset[TransactionState]] = {
    TransactionState.SIGNED: frozenset({TransactionState.SENT, TransactionState.DEAD}),
    TransactionState.SENT: frozenset({TransactionState.MINED, TransactionState.DEAD}),
    TransactionState.MINED: frozenset(TransactionState)
    - {TransactionState.SIGNED, TransactionState.MINED},
    TransactionState.FINAL: frozenset(),
    TransactionState.DEAD: frozenset({TransactionState.SENT}),
}
"""From `dead` only a commit comes back, after a reorganisation deeper than the finality."""

REPLACEABLE = frozenset({TransactionState.SIGNED, TransactionState.SENT, TransactionState.FINAL})
"""States in which another attempt may be added: not while a block holds one of them. A final
transaction gets one only after a reorganisation deeper than its finality."""


class BlockTag(StrEnum):
    """A chain's own word for how sure a block is."""

    SAFE = "safe"
    FINALIZED = "finalized"


Finality = int | BlockTag
"""When a fact counts as final: so many blocks deep, its own counted, or below the block that the
chain itself names so."""


_UNKNOWN = Fees(0, 0)


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a block holds a transaction.

    Attributes:
        succeeded: False when it was reverted.
        depth: blocks from that block to the newest, both counted; 1 is the newest block.
        transaction: hash of the attempt that the block holds.
    """

    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    depth: int
    transaction: bytes


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Bytes ready for broadcast; sending them twice has the effect of sending them once.

    Attributes:
        chunk: index of the claim chunk; 0 for a commit.
        attempt: counts those of one signer's nonce, from 0; the store gives it.
        signed_at: the newest block's time when it was signed, in seconds since 1970.
        sender: 20 bytes; each account counts its own nonces, and a settler may be replaced.
    """

    purpose: Purpose
    epoch: int
    chunk: int
    nonce: int
    hash: bytes
    raw: bytes = field(repr=False)
    attempt: int = 0
    fees: Fees = _UNKNOWN
    signed_at: int = 0
    sender: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A job's transaction and what is known of it; the block is set while mined or final.

    Attributes:
        signed: the attempt in the block; the newest one where no block holds any.
        others: the other attempts, oldest first.
    """

    signed: SignedTransaction
    state: TransactionState
    block_number: int | None = None
    block_hash: bytes | None = None
    gas_used: int | None = None
    others: tuple[SignedTransaction, ...] = ()

    @property
    def attempts(self) -> tuple[SignedTransaction, ...]:
        """All attempts, oldest first; any of them may be the one that is mined."""
        return tuple(sorted((self.signed, *self.others), key=lambda one: one.attempt))

    @property
    def newest(self) -> SignedTransaction:
        """The attempt with the highest fees."""
        return self.attempts[-1]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the chain would not take something now; an expected answer, not an error.

    Attributes:
        too_cheap: higher fees would change the answer.
    """

    reason: str
    too_cheap: bool = False
