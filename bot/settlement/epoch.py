"""Whether there is a next epoch, and what it commits to: a pure decision.

Source: a snapshot of earnings and log, and the last final epoch. Nothing here reads a clock, a
store or a chain.
"""

from bot.crypto.hashing import sha256
from bot.domain.errors import InvariantError
from bot.domain.settlement import (
    NANO_PER_UNIT,
    Commitment,
    EarningsSnapshot,
    Epoch,
    EpochSettlement,
)
from bot.settlement.claims import ClaimTree, claim_order, to_leaf
from bot.settlement.publication import encode_publication


def plan_epoch(snapshot: EarningsSnapshot, last: Epoch | None) -> Epoch | None:
    """Plan the epoch after `last`; None when neither fees nor the log have grown.

    Fees below one token unit are no reason for an epoch; a changed payout address alone is none
    either, it takes effect with the next fee or log entry.

    Raises:
        InvariantError: earnings, a twin's log or the log shrank, or the log forked.
    """
    _refuse_shrinking(snapshot, last)
    ordered = claim_order(snapshot.earnings)
    fee_total = sum(earnings.cumulative_units for earnings in ordered)
    before = (last.commitment.fee_total, last.commitment.log_size) if last else (0, 0)
    if (fee_total, snapshot.log_size) == before:
        return None
    number = last.number + 1 if last else 1
    publication = encode_publication(
        number, ordered, log_size=snapshot.log_size, log_root=snapshot.log_root
    )
    commitment = Commitment(
        epoch=number,
        fee_root=ClaimTree([to_leaf(earnings) for earnings in ordered]).root,
        fee_total=fee_total,
        log_root=snapshot.log_root,
        log_size=snapshot.log_size,
        data_hash=sha256(publication),
    )
    return Epoch(commitment=commitment, earnings=ordered, cutoff=snapshot.cutoff)


def plan_settlement(epoch: Epoch, before: Epoch | None) -> EpochSettlement:
    """Return what the book moves when `epoch` is final and `before` was the final one before it."""
    settled = {item.twin: item.cumulative_units for item in before.earnings} if before else {}
    moves = (
        (item.twin, (item.cumulative_units - settled.get(item.twin, 0)) * NANO_PER_UNIT)
        for item in epoch.earnings
    )
    return EpochSettlement(
        epoch=epoch.number, moves=tuple(sorted(move for move in moves if move[1] > 0))
    )


def _refuse_shrinking(snapshot: EarningsSnapshot, last: Epoch | None) -> None:
    # A cumulative claim can't be taken back: the contract would pay nothing and owe the same.
    if last is None:
        return
    now = {item.twin: item for item in snapshot.earnings}
    for old in last.earnings:
        new = now.get(old.twin)
        if new is None:
            raise InvariantError(f"twin {old.twin.hex()} has gone from the earnings")
        if new.cumulative_nano < old.cumulative_nano or new.entries < old.entries:
            raise InvariantError(f"the earnings of twin {old.twin.hex()} have shrunk")
    if snapshot.log_size < last.commitment.log_size:
        raise InvariantError("the log is shorter than the one committed on-chain")
    same_size = snapshot.log_size == last.commitment.log_size
    if same_size and snapshot.log_root != last.commitment.log_root:
        raise InvariantError("the log differs from the one committed on-chain at the same size")
