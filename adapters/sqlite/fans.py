"""What the database holds of people: their messages, complaints, and what was erased."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiosqlite

from adapters.sqlite import erasing, rows
from adapters.sqlite.database import Database
from adapters.sqlite.statements import Statements
from bot.domain.errors import InvariantError
from bot.ports.chat import Surface
from bot.ports.erasures import Tombstone
from bot.ports.fans import Asked, Erasure, FanRecords, Person, PrivatePick, Report

SCHEMA = """
CREATE TABLE IF NOT EXISTS reports (
  receipt_id TEXT NOT NULL, twin BLOB NOT NULL, slug TEXT NOT NULL, platform TEXT NOT NULL,
  fan TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (receipt_id, platform, fan)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reports_twin ON reports(twin, platform, fan);
CREATE INDEX IF NOT EXISTS reports_fan ON reports(platform, fan);
CREATE TABLE IF NOT EXISTS erasures (
  digest BLOB NOT NULL, at TEXT NOT NULL, replies INTEGER NOT NULL, messages INTEGER NOT NULL,
  overwritten INTEGER NOT NULL, PRIMARY KEY (digest, at)
) STRICT, WITHOUT ROWID;
"""
DAY = timedelta(days=1)
AT_ONCE_BYTES = 256 * 1024 * 1024  # are written anew in about two seconds
REST = 9  # times as long as a rewriting took is waited for before the next one
NOTICED_S = 0.05  # what is shorter keeps nobody waiting

_REPORT = "SELECT receipt_id, twin, slug, platform, fan, reason, at FROM reports"


class SqliteFanRecords(FanRecords):
    """The port over a database with the tables of all surfaces.

    `_erased` counts the erasures of this process, `_gone` those of them that are overwritten.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rewriting = asyncio.Lock()
        self._erased = self._gone = 0
        self._rests_until = 0.0

    async def asked(self, person: Person, *, after: int = 0, limit: int = 100) -> list[Asked]:
        """Return a person's messages, oldest first, from behind a position."""
        return await self._asked(person, "rowid > ? ORDER BY rowid LIMIT ?", after, limit)

    async def unsettled(self, person: Person) -> list[Asked]:
        """Return those of their messages that are open, or whose reply has no outcome."""
        where = (
            "(state = 'open' OR EXISTS (SELECT 1 FROM replies WHERE replies.intent = intents.key "
            "AND outcome IS NULL)) ORDER BY rowid"
        )
        return await self._asked(person, where)

    async def _asked(self, person: Person, where: str, *values: object) -> list[Asked]:
        mine = "platform = ? AND fan = ? AND opening_key <> x''"
        async with self._database.reading() as connection:
            read = Statements(connection)
            found = await read.all(
                f"SELECT rowid, key FROM intents WHERE {mine} AND {where}",  # noqa: S608 - literals
                *(person.platform, person.fan, *values),
            )
            return [await _read_asked(read, *row) for row in found]

    async def picks(self, person: Person) -> list[PrivatePick]:
        """Return what they have picked in private chats."""
        async with self._database.reading() as connection:
            cursor = await connection.execute(
                erasing.PICKS, {"platform": person.platform, "fan": person.fan}
            )
            found = [tuple(row) for row in await cursor.fetchall()]
        return [
            PrivatePick(Surface(person.platform, *map(str, place)), str(twin))
            for *place, twin in found
        ]

    async def reports_by(self, person: Person) -> list[Report]:
        """Return a person's complaints, oldest first."""
        where = "WHERE platform = ? AND fan = ? ORDER BY at, receipt_id"
        return await self._reports(where, person.platform, person.fan)

    async def add_report(self, report: Report) -> bool:
        """Keep a complaint; False, and the earlier one stays, if they have reported it before."""
        person = (report.person.platform, report.person.fan)
        at = _text_of(report.at)
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT OR IGNORE INTO reports VALUES (?, ?, ?, ?, ?, ?, ?)",
                (report.receipt_id, report.twin, report.slug, *person, report.reason, at),
            )
            return cursor.rowcount == 1

    async def reports(self) -> list[Report]:
        """Return all complaints, newest first."""
        return await self._reports("ORDER BY at DESC, receipt_id, platform, fan")

    async def _reports(self, where: str, *values: str) -> list[Report]:
        async with self._database.reading() as connection:
            found = await Statements(connection).all(f"{_REPORT} {where}", *values)
        return [_read_report(row) for row in found]

    async def reports_of(self, twin: bytes) -> int:
        """Return how many people have complained about a twin's replies."""
        people = "SELECT DISTINCT platform, fan FROM reports WHERE twin = ?"
        async with self._database.reading() as connection:
            sql = f"SELECT COUNT(*) FROM ({people})"  # noqa: S608 - a literal
            return await Statements(connection).total(sql, twin)

    async def people(self) -> list[Person]:
        """Return everybody of whom anything is stored."""
        async with self._database.reading() as connection:
            found = await Statements(connection).all(erasing.PEOPLE)
        return [Person(str(platform), str(fan)) for platform, fan in found]

    async def knows(self, person: Person) -> bool:
        """Say whether anything is stored of a person."""
        whose = {"platform": person.platform, "fan": person.fan}
        async with self._database.reading() as connection:
            row = await (await connection.execute(erasing.KNOWN, whose)).fetchone()
        return row is not None and bool(row[0])

    async def erase(self, person: Person, tombstone: Tombstone) -> Erasure | None:
        """Delete what a person said, was told and is called, up to the tombstone's time."""
        async with self._database.transaction() as connection:
            erasure = await _erase(connection, person, tombstone)
        if erasure is None:
            return None
        self._erased += 1
        return replace(erasure, overwritten=await self._overwrite_soon(self._erased))

    async def mark(self, tombstones: list[Tombstone]) -> None:
        """Note tombstones of people of whom nothing is stored as applied."""
        async with self._database.transaction() as connection:
            for tombstone in tombstones:
                await _note(connection, Erasure(tombstone, replies=0, messages=0))

    async def sweep(self) -> None:
        """Finish earlier erasures; to be called at a start, before anybody waits."""
        async with self._database.transaction() as connection:
            deleted = [(await connection.execute(sql)).rowcount for sql in erasing.LEFT_BEHIND]
        left = [erasure for erasure in await self.erasures() if not erasure.overwritten]
        if left or any(deleted):
            await self._overwrite(max_bytes=None)

    async def erasures(self) -> list[Erasure]:
        """Return the tombstones that were applied to this store."""
        async with self._database.reading() as connection:
            found = await Statements(connection).all(
                "SELECT digest, at, replies, messages, overwritten FROM erasures "
                "ORDER BY at, digest"
            )
        return [_read_erasure(row) for row in found]

    async def _overwrite_soon(self, number: int) -> bool:
        """Overwrite what was deleted by an erasure; several that wait are done at once.

        Everybody else waits while the file is written anew, and a person may ask to be forgotten as
        often as they like: so rewritings get a tenth of the time at most.
        """
        loop = asyncio.get_running_loop()
        async with self._rewriting:
            if number <= self._gone:
                return True
            await asyncio.sleep(self._rests_until - loop.time())
            deleted, begun = self._erased, loop.time()
            done = await self._overwrite(max_bytes=AT_ONCE_BYTES)
            took = loop.time() - begun
            self._rests_until = loop.time() + (REST * took if took > NOTICED_S else 0)
            if done:
                self._gone = deleted
            return done

    async def _overwrite(self, *, max_bytes: int | None) -> bool:
        """Overwrite what was deleted, in the file and in the write-ahead log."""
        if not await self._database.rewrite(max_bytes=max_bytes):
            # At least the log, which holds it in clear.
            await self._database.truncate_wal()
            return False
        async with self._database.transaction() as connection:
            await connection.execute("UPDATE erasures SET overwritten = 1 WHERE overwritten = 0")
        return await self._database.truncate_wal()


async def _erase(
    connection: aiosqlite.Connection, person: Person, tombstone: Tombstone
) -> Erasure | None:
    whose = {
        "platform": person.platform,
        "fan": person.fan,
        "at": _text_of(tombstone.at),
        "since": _text_of(tombstone.at - DAY),
    }

    async def run(sql: str) -> aiosqlite.Cursor:
        return await connection.execute(sql, whose)

    async def number(sql: str) -> int:
        row = await (await run(sql)).fetchone()
        return int(row[0]) if row else 0

    if await number(erasing.UNSETTLED):
        return None
    messages = await number(erasing.RECENT)
    for sql in erasing.BESIDE_REPLIES:
        await run(sql)
    replies = (await run(erasing.REPLIES)).rowcount
    await run(erasing.INTENTS)
    await connection.execute("UPDATE erasures SET messages = 0 WHERE at < :since", whose)
    erasure = Erasure(tombstone, replies=replies, messages=messages, overwritten=False)
    await _note(connection, erasure)
    return erasure


async def _note(connection: aiosqlite.Connection, erasure: Erasure) -> None:
    await connection.execute(
        "INSERT INTO erasures VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            erasure.tombstone.digest,
            _text_of(erasure.tombstone.at),
            erasure.replies,
            erasure.messages,
            erasure.overwritten,
        ),
    )


async def _read_asked(read: Statements, position: object, key: object) -> Asked:
    intent = await read.one(f"{rows.SELECT_INTENT} WHERE key = ?", key)
    reply = await read.one(f"{rows.SELECT_REPLY} WHERE intent = ?", key)
    if intent is None or not isinstance(position, int):
        raise InvariantError("an intent went away while it was read")
    return Asked(
        position, rows.read_intent(intent), None if reply is None else rows.read_reply(reply)
    )


def _read_report(row: rows.Row) -> Report:
    receipt_id, twin, slug, platform, fan, reason, at = row
    return Report(
        receipt_id=str(receipt_id),
        twin=rows.blob(twin),
        slug=str(slug),
        person=Person(str(platform), str(fan)),
        reason=str(reason),
        at=datetime.fromisoformat(str(at)),
    )


def _read_erasure(row: rows.Row) -> Erasure:
    digest, at, replies, messages, overwritten = row
    return Erasure(
        Tombstone(rows.blob(digest), datetime.fromisoformat(str(at))),
        replies=int(str(replies)),
        messages=int(str(messages)),
        overwritten=bool(overwritten),
    )


def _text_of(moment: datetime) -> str:
    """Write a time so that texts compare as times do."""
    return moment.astimezone(UTC).isoformat()
