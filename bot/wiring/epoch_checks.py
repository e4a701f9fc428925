"""What an operator's check-up says where the chain and the book are not at the same epoch."""

from pathlib import Path

from bot.domain.errors import ConfigurationError
from bot.domain.restored import is_of_lost_book
from bot.domain.settlement import Commitment, EarningsSnapshot, Epoch, EpochState
from bot.ports.checks import Finding, State
from bot.settlement.restored import explain_wait
from bot.settlement.vetoed import repeats
from bot.wiring.stores import DATABASE, open_stores

_LINE = "settlement"


async def look_at_epochs(
    commitment: Commitment, folder: Path, *, was_vetoed: bool = False
) -> list[Finding]:
    """Compare the newest epoch on a chain with the book; where they agree there is no line.

    Args:
        commitment: the contract's newest one.
        folder: the data folder.
        was_vetoed: its number was vetoed.
    """
    if not (folder / DATABASE).exists() or not commitment.epoch:
        return []
    try:
        async with open_stores(folder, read_only=True) as stores:
            final, current = await stores.epochs.last_final(), await stores.epochs.open_epoch()
            snapshot = await stores.earnings.freeze()
    except ConfigurationError:
        return []  # the line of the book says why it can't be used
    if was_vetoed and _falls_back(commitment, final, current):
        return [_vetoed(commitment.epoch)]
    newest = max(one.number if one else 0 for one in (final, current))
    if commitment.epoch <= newest:
        return []
    return [_judge_ahead(commitment, newest, snapshot)]


def _falls_back(there: Commitment, final: Epoch | None, current: Epoch | None) -> bool:
    """Whether a veto left what the book knows; an open epoch then becomes final first."""
    if repeats(final, there):
        return True
    if current is None or current.state is EpochState.PLANNED:
        return False
    return there.epoch > current.number and repeats(current, there)


def _vetoed(epoch: int) -> Finding:
    what = (
        f"the guardian has vetoed epoch {epoch}: nothing of it was paid, and all of it is in the "
        "next epoch."
    )
    advice = (
        "Find out why. Where a key was stolen, make another one; then the contract's owner names "
        "the settler again (set_settler)."
    )
    return Finding(_LINE, State.WARNING, what, advice)


def _judge_ahead(commitment: Commitment, newest: int, snapshot: EarningsSnapshot) -> Finding:
    """Say what it means that the chain is ahead of the book."""
    if not is_of_lost_book(commitment, snapshot.seals):
        what = f"the chain is at epoch {commitment.epoch}, and the book at {newest}."
        advice = (
            "The database was put back from an old copy, or another process settles with this key. "
            'Put back the newest copy, or see docs/operators.md, "Restore a backup".'
        )
        return Finding(_LINE, State.FAULT, what, advice)
    waits = explain_wait(commitment, snapshot.log_size)
    if waits is not None:
        return Finding(_LINE, State.WARNING, waits)
    what = f"epoch {commitment.epoch} of the lost book is taken over with the next commit."
    return Finding(_LINE, State.OK, what)
