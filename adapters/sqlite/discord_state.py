"""The Discord surface's memory in SQLite: picks, webhooks, posts, talkativeness, purchases."""

from typing import cast

from adapters.sqlite.database import Database
from adapters.sqlite.rows import Row
from adapters.sqlite.statements import Statements
from bot.ports.discord_state import DiscordState, Followed, Post

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
CREATE INDEX IF NOT EXISTS discord_posts_receipt ON discord_posts(receipt) WHERE receipt != '';
CREATE TABLE IF NOT EXISTS discord_talk (
  guild TEXT NOT NULL, channel TEXT NOT NULL, percent INTEGER NOT NULL,
  PRIMARY KEY (guild, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS discord_entitlements (
  application TEXT PRIMARY KEY, since INTEGER NOT NULL, until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
_POST = "message, asked, part, chat, thread, sender, twin, fan, receipt, digest"
_SELECT = f"SELECT {_POST} FROM discord_posts"  # noqa: S608  a literal of this module


class SqliteDiscordState(DiscordState):
    """Keeps one row for each place, webhook, post, talkative channel and application."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pick(self, guild: str, channel: str, twin: str) -> None:
        """Let a twin speak in a place; replaces the earlier one."""
        await self._change(
            "INSERT OR REPLACE INTO discord_picks VALUES (?, ?, ?)",
            guild,
            channel,
            twin,
        )

    async def picked(self, guild: str, channel: str) -> str | None:
        """Return the twin that was picked for exactly this place."""
        row = await self._first(
            "SELECT twin FROM discord_picks WHERE guild = ? AND channel = ?", guild, channel
        )
        return None if row is None else str(row[0])

    async def keep_webhook(self, channel: str, webhook: str) -> None:
        """Remember that a webhook of this channel is ours."""
        await self._change(
            "INSERT OR REPLACE INTO discord_webhooks VALUES (?, ?)",
            webhook,
            channel,
        )

    async def is_webhook(self, webhook: str) -> bool:
        """Say whether a webhook is, or was, ours."""
        sql = "SELECT 1 FROM discord_webhooks WHERE webhook = ?"
        return await self._first(sql, webhook) is not None

    async def keep_post(self, post: Post) -> None:
        """Remember a post; replaces what was known of the same platform message."""
        values = (
            *(post.message, post.asked, post.part, post.chat, post.thread),
            *(post.sender, post.twin, post.fan, post.receipt, post.digest),
        )
        await self._change(
            "INSERT OR REPLACE INTO discord_posts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *values,
        )

    async def post(self, message: str) -> Post | None:
        """Return what a platform message shows; None if it shows no reply of ours."""
        row = await self._first(f"{_SELECT} WHERE message = ?", message)
        return None if row is None else _read(row)

    async def posts_of(self, asked: str) -> tuple[Post, ...]:
        """Return the posts that answer one message or interaction, by part."""
        sql = f"{_SELECT} WHERE asked = ? ORDER BY part, length(message), message"
        async with self._database.reading() as tx:
            return tuple([_read(row) for row in await Statements(tx).few(sql, asked)])

    async def posts_showing(self, receipt: str) -> tuple[Post, ...]:
        """Return the posts that show one reply, by part."""
        where = "receipt = ? AND receipt != '' ORDER BY part, length(message), message"
        return await self._posts(where, receipt)

    async def posts_in(self, chat: str, thread: str | None) -> tuple[Post, ...]:
        """Return the first part of each answer in a channel, oldest first."""
        order = "ORDER BY length(message), message"
        if thread is None:
            return await self._posts(f"chat = ? AND part = 0 {order}", chat)
        return await self._posts(f"chat = ? AND thread = ? AND part = 0 {order}", chat, thread)

    async def _posts(self, where: str, *values: str) -> tuple[Post, ...]:
        sql = f"{_SELECT} WHERE {where}"
        async with self._database.reading() as tx:
            return tuple([_read(row) for row in await Statements(tx).all(sql, *values)])

    async def drop_post(self, message: str) -> None:
        """Forget one post."""
        await self._change("DELETE FROM discord_posts WHERE message = ?", message)

    async def posts_for(self, fan: str) -> tuple[Post, ...]:
        """Return every post that answers a person, oldest first."""
        return await self._posts("fan = ? ORDER BY length(message), message", fan)

    async def forget_fan(self, fan: str) -> int:
        """Forget every post that answers a person, and what was picked in their direct channels."""
        async with self._database.transaction() as tx:
            statements = Statements(tx)
            await statements.change(
                "DELETE FROM discord_picks WHERE guild = '' AND channel IN "
                "(SELECT chat FROM discord_posts WHERE fan = ?)",
                fan,
            )
            return await statements.change("DELETE FROM discord_posts WHERE fan = ?", fan)

    async def set_talkativeness(self, guild: str, channel: str, percent: int) -> None:
        """Keep how many of a hundred messages a twin answers unasked in a channel."""
        await self._change(
            "INSERT OR REPLACE INTO discord_talk VALUES (?, ?, ?)",
            guild,
            channel,
            percent,
        )

    async def talkativeness(self, guild: str, channel: str) -> int:
        """Return that percentage; 0 where it was never set."""
        sql = "SELECT percent FROM discord_talk WHERE guild = ? AND channel = ?"
        row = await self._first(sql, guild, channel)
        return 0 if row is None else cast("int", row[0])

    async def entitlements_followed(self, application: str) -> Followed | None:
        """Return how far an application's list was followed."""
        sql = "SELECT since, until FROM discord_entitlements WHERE application = ?"
        row = await self._first(sql, application)
        return None if row is None else Followed(cast("int", row[0]), cast("int", row[1]))

    async def follow_entitlements(self, application: str, followed: Followed) -> None:
        """Remember how far it was followed; an older copy of the book has an older mark."""
        await self._change(
            "INSERT INTO discord_entitlements VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET until = max(until, excluded.until)",
            application,
            followed.since,
            followed.until,
        )

    async def _first(self, sql: str, *values: str) -> Row | None:
        async with self._database.reading() as tx:
            return await Statements(tx).one(sql, *values)

    async def _change(self, sql: str, *values: str | int) -> None:
        async with self._database.transaction() as tx:
            await Statements(tx).change(sql, *values)


def _read(row: Row) -> Post:
    return Post(*row)  # type: ignore[arg-type]  # STRICT tables hold the types
