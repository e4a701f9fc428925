"""What an operator's check-up says where the chain and the book are not at the same epoch."""

from pathlib import Path

from bot.domain.errors import ConfigurationError
from bot.domain.restored import is_of_lost_book
from bot.domain.settlement import Commitment
from bot.ports.checks import Finding, State
from bot.settlement.restored import explain_wait
from bot.wiring.stores import DATABASE, open_stores

_LINE = "settlement"


async def look_at_epochs(commitment: Commitment, folder: Path) -> list[Finding]:
    """Compare the newest epoch on a chain with the book; where they agree there is no line.

    Args:
        commitment: the contract's newest one.
        folder: the data folder.
    """
    if not (folder / DATABASE).exists() or not commitment.epoch:
        return []
    try:
        async with open_stores(folder, read_only=True) as stores:
            final, current = await stores.epochs.last_final(), await stores.epochs.open_epoch()
            snapshot = await stores.earnings.freeze()
    except ConfigurationError:
        return []  # the line of the book says why it can't be used
    newest = max(one.number if one else 0 for one in (final, current))
    if commitment.epoch <= newest:
        return []
    if not is_of_lost_book(commitment, snapshot.seals):
        what = f"the chain is at epoch {commitment.epoch}, and the book at {newest}."
        advice = (
            "The database was put back from an old copy, or another process settles with this key. "
            'Put back the newest copy, or see docs/operators.md, "Restore a backup".'
        )
        return [Finding(_LINE, State.FAULT, what, advice)]
    waits = explain_wait(commitment, snapshot.log_size)
    if waits is not None:
        return [Finding(_LINE, State.WARNING, waits)]
    what = f"epoch {commitment.epoch} of the lost book is taken over with the next commit."
    return [Finding(_LINE, State.OK, what)]
