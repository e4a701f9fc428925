"""The tables of a SQLite file: whether there are any, and how they come to be."""

from collections.abc import Sequence

import aiosqlite


async def look_into(connection: aiosqlite.Connection) -> tuple[bool, int]:
    """Return whether there are tables, and the version that they were made with."""
    tables = await connection.execute_fetchall("SELECT 1 FROM sqlite_schema LIMIT 1")
    versions = await connection.execute_fetchall("PRAGMA user_version")
    return bool(list(tables)), next(iter(versions))[0]


async def prepare_tables(
    connection: aiosqlite.Connection, schema: Sequence[str], *, version: int
) -> None:
    """Make the file durable and its tables complete; what is deleted is overwritten.

    The version is written into a new file alone (0: none): it would change the others each time.
    """
    await connection.execute("PRAGMA journal_mode = WAL")
    await connection.execute("PRAGMA synchronous = FULL")
    await connection.execute("PRAGMA secure_delete = ON")
    stamp = f"PRAGMA user_version = {version};" if schema and version else ""
    script = ("BEGIN IMMEDIATE;", *schema, stamp, "COMMIT;")
    await connection.executescript("\n".join(script))
