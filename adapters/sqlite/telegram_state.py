"""The Telegram surface's memory in SQLite; its times are SQLite's own."""

from collections.abc import Sequence
from typing import Any

from adapters.sqlite.database import Database
from adapters.sqlite.statements import Statements
from adapters.sqlite.telegram_tables import SCHEMA
from bot.domain.errors import InvariantError
from bot.ports.telegram_state import (
    ChatPlace,
    LinkState,
    ManagedBot,
    OpenQuestion,
    SentPart,
    TakenUpdate,
    TelegramState,
)

__all__ = ["SCHEMA", "SqliteTelegramState"]

SEEN_KEPT = 100_000  # Telegram repeats an update for a day at most; this is days of a full bot

_PART = "bot, chat, thread, message_id, receipt_id, number, twin, fan, answers"
_MANAGED = "manager, account, twin, bot, username, state"
_NOW = "CAST(strftime('%s', 'now') AS INTEGER)"
_FORGET = (
    "DELETE FROM telegram_parts WHERE fan = :fan",
    "DELETE FROM telegram_picks WHERE chat = :fan",
    "DELETE FROM telegram_questions WHERE account = :fan",
    "DELETE FROM telegram_notices WHERE chat = :fan",
    (
        "UPDATE telegram_updates SET payload = NULL WHERE json_valid(payload) "
        "AND CAST(json_extract(payload, '$.spot.fan') AS TEXT) = :fan"
    ),
    # The update's number stays: a repetition is known by it.
    "UPDATE telegram_updates SET chat = '', message_id = '' WHERE chat = :fan",
)


class SqliteTelegramState(TelegramState):
    """The port over a `Database` that was opened with this module's `SCHEMA`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, update: TakenUpdate) -> bool:
        """See the port."""
        return (await self.take_all([update]))[0]

    async def take_all(self, updates: Sequence[TakenUpdate]) -> list[bool]:
        """See the port."""
        fresh = []
        newest = 0
        async with self._database.transaction() as connection:
            for update in updates:
                cursor = await connection.execute(
                    "INSERT OR IGNORE INTO telegram_updates "
                    "(bot, update_id, chat, message_id, payload) VALUES (?, ?, ?, ?, ?)",
                    (update.bot, update.update_id, update.chat, update.message_id, update.payload),
                )
                fresh.append(cursor.rowcount > 0)
                newest = (cursor.lastrowid or 0) if fresh[-1] else newest
            if newest:
                await connection.execute(
                    "DELETE FROM telegram_updates WHERE payload IS NULL AND position <= ?",
                    (newest - SEEN_KEPT,),
                )
        return fresh

    async def unfinished(self, bot: str) -> list[TakenUpdate]:
        """See the port."""
        rows = await self._many(
            "SELECT bot, update_id, chat, message_id, payload FROM telegram_updates "
            "WHERE bot = ? AND payload IS NOT NULL ORDER BY position",
            bot,
        )
        return [TakenUpdate(*row) for row in rows]

    async def finish(self, bot: str, update_id: int) -> None:
        """See the port."""
        await self._write(
            "UPDATE telegram_updates SET payload = NULL WHERE bot = ? AND update_id = ?",
            (bot, update_id),
        )

    async def pick(self, place: ChatPlace, twin: str) -> None:
        """See the port."""
        await self._write(
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
            statements = Statements(connection)
            known = await statements.integer(
                "SELECT count(*) FROM telegram_parts WHERE bot = ? AND receipt_id = ?",
                *(place.bot, part.receipt_id),
            )
            if part.number > known:
                raise InvariantError(f"part {part.number} of {part.receipt_id} came too early")
            await statements.change(
                f"INSERT OR IGNORE INTO telegram_parts ({_PART}) "  # noqa: S608 - a constant
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(place.bot, place.chat, place.thread, part.message_id, part.receipt_id),
                *(part.number, part.twin, part.fan, part.answers),
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

    async def parts_of_answer(self, bot: str, chat: str, answers: str) -> list[SentPart]:
        """See the port."""
        rows = await self._rows(
            f"SELECT {_PART} FROM telegram_parts WHERE bot = ? AND chat = ? "  # noqa: S608
            "AND answers = ? ORDER BY CAST(message_id AS INTEGER)",
            (bot, chat, answers),
        )
        return [_part_of(row) for row in rows]

    async def last_part(self, place: ChatPlace, fan: str) -> SentPart | None:
        """See the port."""
        rows = await self._rows(
            f"SELECT {_PART} FROM telegram_parts WHERE fan = ? AND bot = ? "  # noqa: S608
            "AND chat = ? AND thread = ? ORDER BY CAST(message_id AS INTEGER) DESC LIMIT 1",
            (fan, place.bot, place.chat, place.thread),
        )
        return _part_of(rows[0]) if rows else None

    async def drop_parts(self, bot: str, receipt_id: str) -> None:
        """See the port."""
        await self._write(
            "DELETE FROM telegram_parts WHERE bot = ? AND receipt_id = ?", (bot, receipt_id)
        )

    async def add_notice(self, bot: str, chat: str, message_id: str) -> None:
        """See the port."""
        await self._write(
            "INSERT OR IGNORE INTO telegram_notices VALUES (?, ?, ?)", (bot, chat, message_id)
        )

    async def notices(self, bot: str) -> list[tuple[str, str]]:
        """See the port."""
        rows = await self._many("SELECT chat, message_id FROM telegram_notices WHERE bot = ?", bot)
        return [(str(chat), str(number)) for chat, number in rows]

    async def drop_notice(self, bot: str, chat: str, message_id: str) -> None:
        """See the port."""
        await self._write(
            "DELETE FROM telegram_notices WHERE bot = ? AND chat = ? AND message_id = ?",
            (bot, chat, message_id),
        )

    async def set_talkative(self, bot: str, chat: str, percent: int) -> None:
        """See the port."""
        await self._write(
            "INSERT INTO telegram_talkative (bot, chat, percent) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET percent = excluded.percent",
            (bot, chat, percent),
        )

    async def talkative(self, chat: str) -> dict[str, int]:
        """See the port."""
        rows = await self._rows(
            "SELECT bot, percent FROM telegram_talkative WHERE chat = ? AND percent > 0", (chat,)
        )
        return {str(bot): int(percent) for bot, percent in rows}

    async def ask(self, question: OpenQuestion) -> None:
        """See the port."""
        await self._write(
            f"INSERT OR REPLACE INTO telegram_questions VALUES (?, ?, ?, ?, ?, ?, {_NOW})",  # noqa: S608
            (
                question.bot,
                question.chat,
                question.account,
                question.step,
                question.slug,
                question.note,
            ),
        )

    async def question(
        self, bot: str, chat: str, account: str, *, within_s: float
    ) -> OpenQuestion | None:
        """See the port."""
        rows = await self._rows(
            "SELECT bot, chat, account, step, slug, note FROM telegram_questions "  # noqa: S608
            f"WHERE bot = ? AND chat = ? AND account = ? AND {_NOW} - asked_at <= ?",
            (bot, chat, account, within_s),
        )
        return OpenQuestion(*rows[0]) if rows else None

    async def drop_question(self, bot: str, chat: str, account: str) -> None:
        """See the port."""
        await self._write(
            "DELETE FROM telegram_questions WHERE bot = ? AND chat = ? AND account = ?",
            (bot, chat, account),
        )

    async def keep_managed(self, managed: ManagedBot) -> None:
        """See the port."""
        renewed = _NOW if managed.state is LinkState.PENDING else "offered_at"
        await self._write(
            f"INSERT INTO telegram_managed VALUES (?, ?, ?, ?, ?, ?, {_NOW}) "  # noqa: S608
            "ON CONFLICT DO UPDATE SET bot = excluded.bot, username = excluded.username, "
            f"state = excluded.state, offered_at = {renewed}",
            (
                managed.manager,
                managed.account,
                managed.twin,
                managed.bot,
                managed.username,
                managed.state.value,
            ),
        )

    async def managed(self) -> list[ManagedBot]:
        """See the port."""
        rows = await self._many(
            f"SELECT {_MANAGED} FROM telegram_managed ORDER BY offered_at, manager, account, twin",  # noqa: S608
        )
        return [_managed_of(row) for row in rows]

    async def expire_offers(self, *, older_than_s: float) -> None:
        """See the port."""
        await self._write(
            "UPDATE telegram_managed SET state = 'expired' "  # noqa: S608 - a constant
            f"WHERE state = 'pending' AND bot = '' AND {_NOW} - offered_at > ?",
            (older_than_s,),
        )

    async def stars_followed(self, bot: str) -> int:
        """See the port."""
        rows = await self._rows("SELECT count FROM telegram_stars WHERE bot = ?", (bot,))
        return int(rows[0][0]) if rows else 0

    async def follow_stars(self, bot: str, count: int) -> None:
        """See the port."""
        await self._write(
            "INSERT INTO telegram_stars (bot, count) VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET count = max(count, excluded.count)",
            (bot, count),
        )

    async def forget(self, fan: str) -> None:
        """See the port."""
        async with self._database.transaction() as connection:
            for statement in _FORGET:
                await connection.execute(statement, {"fan": fan})

    async def _write(self, statement: str, values: tuple[object, ...]) -> None:
        async with self._database.transaction() as connection:
            await Statements(connection).change(statement, *values)

    async def _rows(self, query: str, values: tuple[object, ...]) -> list[Any]:
        """Return rows, where an index leads to a few."""
        async with self._database.reading() as connection:
            return await Statements(connection).few(query, *values)

    async def _many(self, query: str, *values: object) -> list[Any]:
        async with self._database.reading() as connection:
            return await Statements(connection).all(query, *values)


def _part_of(row: Any) -> SentPart:  # noqa: ANN401 - a row of SQLite
    bot, chat, thread, *rest = row
    return SentPart(ChatPlace(bot, chat, thread), *rest)


def _managed_of(row: Any) -> ManagedBot:  # noqa: ANN401 - a row of SQLite
    manager, account, twin, bot, username, state = row
    return ManagedBot(manager, account, twin, bot, username, LinkState(state))
