"""Where epochs are kept, and where the earnings that they settle come from."""

from typing import Protocol

from bot.domain.restored import Restored, TwinBook
from bot.domain.settlement import (
    ChainIdentity,
    Commitment,
    Earnings,
    EarningsSnapshot,
    Epoch,
    EpochSettlement,
    Lease,
)
from bot.domain.transactions import (
    Inclusion,
    Purpose,
    SignedTransaction,
    StoredTransaction,
    TransactionState,
)
from bot.domain.twin_log import TwinLog


class EpochStore(Protocol):
    """Epochs and their transactions, and the chain that they belong to.

    A method that returned has made its change durable, whole; one that raised may have made it
    (`OutcomeUnknownError`) or not (`StoreBusyError`). Every change is a compare-and-set: False
    means that the state was another one and nothing was written; the caller reads again.
    """

    async def pin(self, identity: ChainIdentity) -> ChainIdentity:
        """Store the identity if none is stored yet, and return the stored one."""
        ...

    async def pinned(self) -> ChainIdentity | None:
        """Return the stored identity; None before anything was settled."""
        ...

    async def anchoring(self, leaf_index: int) -> Commitment | None:
        """Return the commitment of the first final epoch whose log holds that leaf."""
        ...

    async def plan(self, epoch: Epoch) -> bool:
        """Store a planned epoch.

        False when its number is not the last one + 1 or an epoch is still open.

        Raises:
            InvariantError: the epoch is not in state `planned`.
        """
        ...

    async def open_epoch(self) -> Epoch | None:
        """Return the one epoch that is not closed: neither final nor lost nor vetoed."""
        ...

    async def last_final(self) -> Epoch | None:
        """Return the final, lost or vetoed epoch with the highest number."""
        ...

    async def veto(self, epoch: Epoch) -> bool:
        """Store a vetoed epoch as the newest one, in place of the open one of its number.

        Commits in flight are dead in the same step. False when its number is not the one after
        that of `last_final`.

        Args:
            epoch: with the contents that the contract has fallen back to.

        Raises:
            InvariantError: the epoch is not in state `vetoed`.
        """
        ...

    async def epoch(self, number: int) -> Epoch | None:
        """Return an epoch by its number."""
        ...

    async def take_over(self, epoch: Epoch) -> None:
        """Store a lost epoch as the newest one, with whatever number; nothing is open after it.

        An epoch that was open is lost too, for the chain is past it, and nobody has looked whether
        it was committed and stayed: it anchors nothing. Its commits are dead. The open one of the
        same number is replaced.

        Raises:
            InvariantError: the epoch is not in state `lost`, or its number is not above that of
                every final one.
        """
        ...

    async def record(self, transaction: SignedTransaction) -> bool:
        """Store a signed transaction, before anything is broadcast.

        A commit takes its epoch from `planned` to `signed` in the same step. Its attempt number is
        the next one of the sender's nonce: 0, unless a dead transaction had it. False when a living
        transaction has the same job (purpose, epoch, chunk) or the same sender and nonce, or when
        the epoch is not `planned` (commit) or not `final` (claim).
        """
        ...

    async def move(
        self,
        transaction: StoredTransaction,
        to: TransactionState,
        inclusion: Inclusion | None = None,
    ) -> bool:
        """Take a transaction from the state given to another one.

        A commit takes its epoch along in the same step: to the state of the same name, and from
        anywhere back to `planned` when the transaction is `dead`. From there it comes back only
        where its epoch is still `planned` and nothing living has its nonce; else False.

        Args:
            transaction: as it was read; its state and attempts are compared with the stored ones.
            to: a state in `TRANSACTION_MOVES`.
            inclusion: given exactly when `to` is `mined`; it names one of the attempts.

        Raises:
            InvariantError: there is no such move.
        """
        ...

    async def replace(self, transaction: StoredTransaction, signed: SignedTransaction) -> bool:
        """Add an attempt to a transaction, before it is broadcast.

        It has the next attempt number. A transaction that was `sent` is `signed` again, and the
        epoch of a commit with it; one that is `final` stays so. False when the transaction is not
        in the state given any more, has another newest attempt, or knows these bytes already.

        Args:
            transaction: as it was read, in one of the states `REPLACEABLE`.
            signed: the same job with the same nonce.

        Raises:
            InvariantError: it is another job or nonce, or nothing can be added in that state.
        """
        ...

    async def hold(self, owner: str, *, now: int, until: int) -> Lease:
        """Take or prolong the right to publish; return who has it after that, and until when.

        It is taken where nobody has it, where it has run out by `now`, and by its own owner.
        """
        ...

    async def holder(self) -> Lease | None:
        """Return who has taken the right to publish last; None after it was given back."""
        ...

    async def let_go(self, owner: str) -> None:
        """Give the right to publish back, if that owner has it."""
        ...

    async def in_flight(self, purpose: Purpose) -> StoredTransaction | None:
        """Return the oldest transaction of that purpose that is neither final nor dead."""
        ...

    async def transactions(self, purpose: Purpose, epoch: int) -> tuple[StoredTransaction, ...]:
        """Return all transactions of that purpose and epoch, dead ones too, oldest first."""
        ...


class EarningsReader(Protocol):
    """The book's side of settlement: what each twin has earned, and what has been committed.

    What a twin has earned follows from its twin log (`bot.domain.twin_log`); the ledger has the sum
    of it in the accounts `creator:`, `held:` and `settled:`.
    """

    async def freeze(self) -> EarningsSnapshot:
        """Return earnings and log as of one moment, from one consistent snapshot of the store.

        - Only outcomes whose leaf stands below `log_size` count, and no money that a platform may
          still take back: a fee of bought credit is held until its key `mature:<intent>` is
          posted. So no `cumulative_nano`, `entries` or `log_size` is ever smaller than in an
          earlier snapshot, and no twin disappears.
        - `log_size` and `log_root` belong to a signed checkpoint: what is past it waits for the
          next freeze.
        - The payout address is the one of the twin's newest manifest at that moment.

        Freezing writes nothing, and keeps nobody waiting: long work is done in a thread.
        """
        ...

    async def twin_log(self, twin: bytes, log_size: int) -> TwinLog:
        """Return a twin's entries whose outcome leaves stand below `log_size`; none if unknown."""
        ...

    async def standing(self, log_size: int) -> tuple[TwinBook, ...]:
        """Return every known twin's earnings as of the log's first leaves, and what is settled.

        What is held is what is held now, of these leaves. Besides twins it names `LOST_FEES`, once
        something is settled for it.
        """
        ...

    async def earned(self, twin: bytes) -> Earnings | None:
        """Return one twin's earnings as `freeze` would now; None when it never had a receipt."""
        ...

    async def settle(self, settlement: EpochSettlement) -> None:
        """Post the ledger transaction of an epoch that the chain has confirmed.

        Its key is `settlement.key`, its kind `settle`; each move is a debit of
        `creator_account(twin)` and a credit of `settled_account(twin)`. No moves: nothing is
        posted. Posting the same key again changes nothing, so this may be called again after
        any crash.

        Raises:
            InvariantError: a creator's account would become negative.
        """
        ...

    async def restore(self, restored: Restored) -> None:
        """Post the ledger transaction that takes over an epoch which a lost book had committed.

        Its key is `restored.key`, its kind `restore`: moves are as in `settle`, and what is carried
        is a debit of `RESTORED` and a credit of `settled_account(twin)`. From then on it counts as
        earned. Posting the same key again changes nothing.

        Raises:
            InvariantError: a creator's account would become negative.
        """
        ...
