"""The lease of the publisher: one row, taken by whoever finds it free, run out, or their own."""

import aiosqlite

from bot.domain.errors import InvariantError
from bot.domain.settlement import Lease

LEASE_TABLE = """
CREATE TABLE IF NOT EXISTS publisher_lease (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  owner TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT;
"""


async def take_lease(
    connection: aiosqlite.Connection, owner: str, *, now: int, until: int
) -> Lease:
    """Take or prolong it where that is allowed, and return what stands then."""
    await connection.execute(
        "INSERT INTO publisher_lease VALUES (1, ?, ?) ON CONFLICT (only_row) DO UPDATE "
        "SET owner = excluded.owner, until = excluded.until "
        "WHERE owner = excluded.owner OR until <= ?",
        (owner, until, now),
    )
    lease = await read_lease(connection)
    if lease is None:
        raise InvariantError("the publisher's lease has vanished")
    return lease


async def read_lease(connection: aiosqlite.Connection) -> Lease | None:
    """Return what stands now."""
    cursor = await connection.execute("SELECT owner, until FROM publisher_lease")
    row = await cursor.fetchone()
    return None if row is None else Lease(*row)
