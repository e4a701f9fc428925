"""Rows of the epochs' tables as values, and back."""

from collections.abc import Sequence
from typing import Any

import aiosqlite

from bot.domain.settlement import Commitment, Earnings, Epoch, EpochState


def read_epoch(row: tuple[Any, ...], earnings: Sequence[tuple[Any, ...]]) -> Epoch:
    """Return the epoch of a row and of those of its earnings."""
    number, state, fee_root, fee_total, log_root, log_size, data_hash, cutoff = row
    return Epoch(
        commitment=Commitment(number, fee_root, fee_total, log_root, log_size, data_hash),
        earnings=tuple(Earnings(*item) for item in earnings),
        cutoff=cutoff,
        state=EpochState(state),
    )


async def add_earnings(connection: aiosqlite.Connection, epoch: Epoch) -> None:
    """Store what an epoch commits for each twin, in its order."""
    await connection.executemany(
        "INSERT INTO epoch_earnings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(epoch.number, position, item.twin, item.payout, item.cumulative_nano),
                *(item.entries, item.twin_log_root, item.held_nano, item.carried_nano),
            )
            for position, item in enumerate(epoch.earnings)
        ],
    )
