"""Goes on after a book was lost: takes over the epochs that the chain has and the book has not.

Pure. Only a seal in the book explains such an epoch (`twinproof log continue`); without one the
publisher halts. What was committed for a twin is found out as far as it can be: what the book still
has of that time, or what the chain has paid, whichever is more. The rest belongs to nobody who is
known any more, and stands in one leaf without a payout address, so that totals never shrink.

Fees of bought credit may have been held still when that epoch was committed. Where the chain has
committed less than the book knows, they were, and count as committed only as far as they were paid.
"""

from collections.abc import Mapping, Sequence

from bot.domain.errors import InvariantError
from bot.domain.restored import LOST_FEES, Restored, TwinBook
from bot.domain.settlement import (
    NANO_PER_UNIT,
    Commitment,
    Earnings,
    Epoch,
    EpochState,
)
from bot.settlement.claims import claim_order


def explain_wait(commitment: Commitment, log_size: int) -> str | None:
    """Return why nothing can be committed yet, for the operator; None where it can.

    Args:
        commitment: the contract's newest one, of the book that was lost.
        log_size: leaves under the newest signed head.
    """
    if log_size > commitment.log_size:
        return None
    return (
        f"Epoch {commitment.epoch} on the chain names {commitment.log_size} leaves of the log that "
        f"was sealed, and the log that continues it has {log_size}: fees are committed again when "
        "it has more. Until then they add up; nothing is lost, and there is nothing to do."
    )


def explain_held(books: Sequence[TwinBook], claimed: Mapping[bytes, int]) -> str | None:
    """Return why an epoch can't be taken over yet, for the operator; None where it can.

    What the chain has paid and this book still holds would be counted twice: as carried now, and
    as earned once it is payable.

    Args:
        books: as of the leaves that the epoch's log and the book share.
        claimed: token units that the chain has paid, by twin.
    """
    for book in books:
        earnings = book.earnings
        if earnings.held_nano and claimed.get(earnings.twin, 0) > earnings.cumulative_units:
            return (
                f"The chain has paid twin {earnings.twin.hex()[:16]} for fees that this book, an "
                "old copy, still holds: fees are committed again when these are payable here too. "
                "Until then they add up; nothing is lost, and there is nothing to do."
            )
    return None


def plan_restored(
    books: Sequence[TwinBook], claimed: Mapping[bytes, int], commitment: Commitment
) -> Restored:
    """Plan what the ledger takes over of an epoch that the book has lost.

    Args:
        books: of all known twins, as of the leaves that the epoch's log and the book share.
        claimed: token units that the chain has paid, by twin.
        commitment: the epoch's.

    Raises:
        InvariantError: the chain has committed less than the book knows.
    """
    moves, carried, total = [], [], 0
    known = sum(max(b.earnings.cumulative_units, claimed.get(b.earnings.twin, 0)) for b in books)
    is_all = known <= commitment.fee_total
    for book in books:
        twin, nano = book.earnings.twin, book.earnings.cumulative_nano
        here = book.earnings.cumulative_units if is_all else book.committed_units
        units = max(here, claimed.get(twin, 0))
        total += units
        unknown = max(0, units * NANO_PER_UNIT - nano)
        moves.append((twin, units * NANO_PER_UNIT - unknown - book.settled_nano))
        carried.append((twin, unknown))
    left = commitment.fee_total - total
    if left < 0 or any(nano < 0 for _, nano in moves):
        raise InvariantError(
            f"epoch {commitment.epoch} on the chain has committed less than this book knows"
        )
    carried.append((LOST_FEES, left * NANO_PER_UNIT))
    return Restored(
        epoch=commitment.epoch,
        moves=tuple(move for move in moves if move[1]),
        carried=tuple(move for move in carried if move[1]),
    )


def lost_epoch(books: Sequence[TwinBook], commitment: Commitment, *, cutoff: int) -> Epoch:
    """Return the lost epoch as the book keeps it: all that is settled once it was taken over."""
    earnings = [
        Earnings(
            twin=book.earnings.twin,
            payout=book.earnings.payout,
            cumulative_nano=book.settled_nano,
            entries=book.earnings.entries,
            twin_log_root=book.earnings.twin_log_root,
        )
        for book in books
    ]
    return Epoch(commitment, claim_order(earnings), cutoff, EpochState.LOST)
