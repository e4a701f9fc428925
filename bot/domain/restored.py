"""What settlement knows of a book that was lost: the chain has epochs that an old copy has not.

The contract never lets the committed log shrink, nor the fees. So the book that was put back takes
over what the chain says, and goes on with the epoch after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.crypto.hashing import sha256
from bot.crypto.merkle import EMPTY_ROOT
from bot.domain.settlement import NO_PAYOUT, Commitment, Earnings, to_units
from bot.domain.statements import SealStatement

LOST_FEES = sha256(b"twinproof/lost-fees")
"""Stands in for the twins of a lost book: what was committed for them and is not known any more.

It has no payout address, so it keeps the totals right and pays nobody.
"""
RESTORES = "restore:epoch:"
"""Keys of ledger transactions that take over what a lost book committed begin with it."""


def is_of_lost_book(commitment: Commitment, seals: Sequence[SealStatement]) -> bool:
    """Return whether a seal explains that the chain knows an epoch which the book does not.

    It names leaves that the copy still has, or a head that a sealed log had.

    Args:
        commitment: the contract's newest one.
        seals: of the logs that the book's log continues, oldest first.
    """
    size, root = commitment.log_size, commitment.log_root
    if not seals:
        return False
    return size <= seals[-1].kept or any(seal.gave_up(size, root) for seal in seals)


@dataclass(frozen=True, slots=True)
class TwinBook:
    """What a book says of one twin.

    Attributes:
        earnings: as of the leaves that were asked for.
        settled_nano: committed by epochs so far.
        bought_nano: how much of the cumulative amount was paid with bought credit: it may have been
            held still when an epoch was committed that this book does not know.
    """

    earnings: Earnings
    settled_nano: int
    bought_nano: int = 0

    @property
    def committed_units(self) -> int:
        """What every epoch that covers these leaves has committed at least, in token units."""
        certain = self.earnings.cumulative_nano - self.bought_nano
        return to_units(max(certain, self.settled_nano))


@dataclass(frozen=True, slots=True)
class Restored:
    """What an epoch of a lost book has committed, as the ledger takes it over.

    Attributes:
        epoch: its number.
        moves: (twin, nano > 0) that the book has, and that is committed now.
        carried: (twin, nano > 0) that the book has not, and that the chain has.
    """

    epoch: int
    moves: tuple[tuple[bytes, int], ...]
    carried: tuple[tuple[bytes, int], ...]

    @property
    def key(self) -> str:
        """The ledger's idempotency key."""
        return f"{RESTORES}{self.epoch}"


def epoch_of(key: str) -> int:
    """Return which epoch a ledger transaction took over, by its key; 0 if it is no such key."""
    number = key.removeprefix(RESTORES)
    return int(number) if number.isdecimal() and key == f"{RESTORES}{number}" else 0


def lost_fees(nano: int) -> Earnings:
    """Return the leaf of what was committed for twins that nobody knows any more."""
    return Earnings(LOST_FEES, NO_PAYOUT, nano, 0, EMPTY_ROOT, carried_nano=nano)
