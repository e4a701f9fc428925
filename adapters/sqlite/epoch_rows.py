"""Rows of the epochs' tables as values, and back."""

from typing import Any

import aiosqlite

from bot.domain.settlement import Commitment, Earnings, Epoch, EpochState


async def read_earnings(connection: aiosqlite.Connection, epoch: int) -> tuple[Earnings, ...]:
    """Return what an epoch commits for each twin, in its order."""
    cursor = await connection.execute(
        "SELECT twin, payout, cumulative_nano, entries, twin_log_root, held_nano, carried_nano "
        "FROM epoch_earnings WHERE epoch = ? ORDER BY position",
        (epoch,),
    )
    return tuple(Earnings(*item) for item in await cursor.fetchall())


def read_epoch(row: tuple[Any, ...], earnings: tuple[Earnings, ...]) -> Epoch:
    """Return the epoch of a row and of its earnings."""
    number, state, fee_root, fee_total, log_root, log_size, data_hash, cutoff, begun_at = row
    return Epoch(
        commitment=Commitment(number, fee_root, fee_total, log_root, log_size, data_hash),
        earnings=earnings,
        cutoff=cutoff,
        state=EpochState(state),
        begun_at=begun_at,
    )


async def put_closed(connection: aiosqlite.Connection, epoch: Epoch) -> None:
    """Store a lost or vetoed epoch, in place of the open one that had its number."""
    said = epoch.commitment
    await connection.execute("DELETE FROM epoch_earnings WHERE epoch = ?", (epoch.number,))
    await connection.execute(
        "INSERT INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) "
        "DO UPDATE SET state = excluded.state, cutoff = excluded.cutoff, "
        "fee_root = excluded.fee_root, fee_total = excluded.fee_total, "
        "log_root = excluded.log_root, log_size = excluded.log_size, "
        "data_hash = excluded.data_hash, begun_at = excluded.begun_at",
        (
            *(epoch.number, epoch.state, said.fee_root, said.fee_total, said.log_root),
            *(said.log_size, said.data_hash, epoch.cutoff, epoch.begun_at),
        ),
    )
    await add_earnings(connection, epoch)


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
