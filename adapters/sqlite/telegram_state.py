"""The Telegram surface's memory in SQLite: an inbox table, picks, and messages by receipt."""

from collections.abc import Iterable
from typing import Any

from adapters.sqlite.database import Database
from bot.domain.errors import InvariantError
from bot.ports.telegram_state import ChatPlace, SentPart, TakenUpdate, TelegramState

SEEN_KEPT = 100_000  # Telegram repeats an update for a day at most; this is days of a full bot

SCHEMA = """
CREATE TABLE IF NOT EXISTS telegram_updates (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  bot TEXT NOT NULL,
  update_id INTEGER NOT NULL,
  chat TEXT NOT NULL,
  message_id TEXT NOT NULL,
  payload TEXT,
  UNIQUE (bot, update_id)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS telegram_one_update_a_message
  ON telegram_updates (bot, chat, message_id) WHERE message_id <> '';
CREATE INDEX IF NOT EXISTS telegram_unfinished
  ON telegram_updates (bot, position) WHERE payload IS NOT NULL;

CREATE TABLE IF NOT EXISTS telegram_picks (
  bot TEXT NOT NULL, chat TEXT NOT NULL, thread TEXT NOT NULL, twin TEXT NOT NULL,
  PRIMARY KEY (bot, chat, thread)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS telegram_parts (
  bot TEXT NOT NULL,
  receipt_id TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number >= 0),
  chat TEXT NOT NULL,
  thread TEXT NOT NULL,
  message_id TEXT NOT NULL,
  twin TEXT NOT NULL,
  fan TEXT NOT NULL,
  PRIMARY KEY (bot, receipt_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS telegram_part_of_message ON telegram_parts (bot, chat, message_id);
"""

_PART = "bot, chat, thread, message_id, receipt_id, number, twin, fan"


class SqliteTelegramState(TelegramState):
    """The port over a `Database` that was opened with this module's `SCHEMA`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, update: TakenUpdate) -> bool:
        """See the port."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT OR IGNORE INTO telegram_updates "
                "(bot, update_id, chat, message_id, payload) VALUES (?, ?, ?, ?, ?)",
                (update.bot, update.update_id, update.chat, update.message_id, update.payload),
            )
            if cursor.rowcount == 0:
                return False
            await connection.execute(
                "DELETE FROM telegram_updates WHERE payload IS NULL AND position <= ?",
                ((cursor.lastrowid or 0) - SEEN_KEPT,),
            )
        return True

    async def unfinished(self, bot: str) -> list[TakenUpdate]:
        """See the port."""
        rows = await self._rows(
            "SELECT bot, update_id, chat, message_id, payload FROM telegram_updates "
            "WHERE bot = ? AND payload IS NOT NULL ORDER BY position",
            (bot,),
        )
        return [TakenUpdate(*row) for row in rows]

    async def finish(self, bot: str, update_id: int) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE telegram_updates SET payload = NULL WHERE bot = ? AND update_id = ?",
                (bot, update_id),
            )

    async def pick(self, place: ChatPlace, twin: str) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO telegram_picks VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET twin = excluded.twin",
                (place.bot, place.chat, place.thread, twin),
            )

    async def picked(self, place: ChatPlace) -> str | None:
        """See the port."""
        rows = await self._rows(
            "SELECT twin FROM telegram_picks WHERE bot = ? AND chat = ? AND thread = ?",
            (place.bot, place.chat, place.thread),
        )
        return str(rows[0][0]) if rows else None

    async def add_part(self, part: SentPart) -> None:
        """See the port."""
        place = part.place
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM telegram_parts WHERE bot = ? AND receipt_id = ?",
                (place.bot, part.receipt_id),
            )
            row = await cursor.fetchone()
            known = int(row[0]) if row else 0
            if part.number > known:
                raise InvariantError(f"part {part.number} of {part.receipt_id} came too early")
            await connection.execute(
                f"INSERT OR IGNORE INTO telegram_parts ({_PART}) "  # noqa: S608 - a constant
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    place.bot,
                    place.chat,
                    place.thread,
                    part.message_id,
                    part.receipt_id,
                    part.number,
                    part.twin,
                    part.fan,
                ),
            )

    async def parts(self, bot: str, receipt_id: str) -> list[SentPart]:
        """See the port."""
        rows = await self._rows(
            f"SELECT {_PART} FROM telegram_parts "  # noqa: S608 - a constant
            "WHERE bot = ? AND receipt_id = ? ORDER BY number",
            (bot, receipt_id),
        )
        return [_part_of(row) for row in rows]

    async def find_part(self, bot: str, chat: str, message_id: str) -> SentPart | None:
        """See the port."""
        rows = await self._rows(
            f"SELECT {_PART} FROM telegram_parts "  # noqa: S608 - a constant
            "WHERE bot = ? AND chat = ? AND message_id = ?",
            (bot, chat, message_id),
        )
        return _part_of(rows[0]) if rows else None

    async def _rows(self, query: str, values: Iterable[object]) -> list[Any]:
        async with self._database.reading() as connection:
            cursor = await connection.execute(query, tuple(values))
            return list(await cursor.fetchall())


def _part_of(row: Any) -> SentPart:  # noqa: ANN401 - a row of SQLite
    bot, chat, thread, message_id, receipt_id, number, twin, fan = row
    return SentPart(ChatPlace(bot, chat, thread), message_id, receipt_id, number, twin, fan)
