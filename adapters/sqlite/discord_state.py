"""The Discord surface's memory in SQLite: picked twins, webhooks, posts."""

import aiosqlite

from adapters.sqlite.database import Database
from bot.ports.discord_state import DiscordState, Post

SCHEMA = """
CREATE TABLE IF NOT EXISTS discord_picks (
  guild TEXT NOT NULL, channel TEXT NOT NULL, twin TEXT NOT NULL, PRIMARY KEY (guild, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS discord_webhooks (
  webhook TEXT PRIMARY KEY, channel TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS discord_posts (
  message TEXT PRIMARY KEY, asked TEXT NOT NULL, part INTEGER NOT NULL, chat TEXT NOT NULL,
  thread TEXT NOT NULL, sender TEXT NOT NULL, twin TEXT NOT NULL, fan TEXT NOT NULL,
  receipt TEXT NOT NULL, digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS discord_posts_asked ON discord_posts(asked, part);
"""
_POST = "message, asked, part, chat, thread, sender, twin, fan, receipt, digest"
_SELECT = f"SELECT {_POST} FROM discord_posts"  # noqa: S608  a literal of this module


class SqliteDiscordState(DiscordState):
    """Keeps one row for each place, webhook and post."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pick(self, guild: str, channel: str, twin: str) -> None:
        """Let a twin speak in a place; replaces the earlier one."""
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT OR REPLACE INTO discord_picks VALUES (?, ?, ?)", (guild, channel, twin)
            )

    async def picked(self, guild: str, channel: str) -> str | None:
        """Return the twin that was picked for exactly this place."""
        async with self._database.reading() as tx:
            row = await _first(
                tx,
                "SELECT twin FROM discord_picks WHERE guild = ? AND channel = ?",
                (guild, channel),
            )
        return None if row is None else str(row[0])

    async def keep_webhook(self, channel: str, webhook: str) -> None:
        """Remember that a webhook of this channel is ours."""
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT OR REPLACE INTO discord_webhooks VALUES (?, ?)", (webhook, channel)
            )

    async def is_webhook(self, webhook: str) -> bool:
        """Say whether a webhook is, or was, ours."""
        async with self._database.reading() as tx:
            sql = "SELECT 1 FROM discord_webhooks WHERE webhook = ?"
            return await _first(tx, sql, (webhook,)) is not None

    async def keep_post(self, post: Post) -> None:
        """Remember a post; replaces what was known of the same platform message."""
        values = (
            *(post.message, post.asked, post.part, post.chat, post.thread),
            *(post.sender, post.twin, post.fan, post.receipt, post.digest),
        )
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT OR REPLACE INTO discord_posts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values
            )

    async def post(self, message: str) -> Post | None:
        """Return what a platform message shows; None if it shows no reply of ours."""
        async with self._database.reading() as tx:
            row = await _first(tx, f"{_SELECT} WHERE message = ?", (message,))
        return None if row is None else _read(row)

    async def posts_of(self, asked: str) -> tuple[Post, ...]:
        """Return the posts that answer one message or interaction, by part."""
        sql = f"{_SELECT} WHERE asked = ? ORDER BY part, length(message), message"
        async with self._database.reading() as tx, tx.execute(sql, (asked,)) as cursor:
            return tuple([_read(row) async for row in cursor])


async def _first(
    connection: aiosqlite.Connection, sql: str, values: tuple[str, ...]
) -> aiosqlite.Row | None:
    async with connection.execute(sql, values) as cursor:
        return await cursor.fetchone()


def _read(row: aiosqlite.Row) -> Post:
    return Post(*row)
