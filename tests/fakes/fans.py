"""What is stored of people, over the store in memory; and tombstones in memory."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from bot.domain.errors import InvariantError, StoreBusyError
from bot.domain.payment import Payer
from bot.ports.erasures import Tombstone, Tombstones
from bot.ports.fans import Asked, Erasure, FanRecords, Person, PrivatePick, Report
from bot.ports.stores import Intent
from tests.fakes.credit_book import forget_account
from tests.fakes.store import MemoryStore, MemoryTransaction, Tables

DAY = timedelta(days=1)


@dataclass(slots=True)
class MemoryFanRecords(FanRecords):
    """Reads and changes the tables of a `MemoryStore`.

    Attributes:
        busy: for each coming `erase`, whether the store is busy.
    """

    store: MemoryStore
    picked: list[tuple[Person, PrivatePick]] = field(default_factory=list)
    kept: list[Report] = field(default_factory=list)
    applied: list[Erasure] = field(default_factory=list)
    busy: list[bool] = field(default_factory=list)

    async def asked(self, person: Person, *, after: int = 0, limit: int = 100) -> list[Asked]:
        """Return a person's messages, oldest first, from behind a position."""
        if limit < 1:
            raise InvariantError("the port: a page has at least one message")
        theirs = _all(self.store.tables, person)
        return [asked for asked in theirs if asked.position > after][:limit]

    async def unsettled(self, person: Person) -> list[Asked]:
        """Return those of their messages that are open, or whose reply has no outcome."""
        return [asked for asked in _all(self.store.tables, person) if _is_unsettled(asked)]

    async def picks(self, person: Person) -> list[PrivatePick]:
        """Return what they have picked in private chats."""
        return [pick for owner, pick in self.picked if owner == person]

    async def reports_by(self, person: Person) -> list[Report]:
        """Return a person's complaints, oldest first."""
        mine = [report for report in self.kept if report.person == person]
        return sorted(mine, key=lambda report: (report.at, report.receipt_id))

    async def add_report(self, report: Report) -> bool:
        """Keep a complaint, once per person and reply."""
        known = {(one.receipt_id, one.person) for one in self.kept}
        if (report.receipt_id, report.person) in known:
            return False
        self.kept.append(report)
        return True

    async def reports(self) -> list[Report]:
        """Return all complaints, newest first."""
        ordered = sorted(self.kept, key=lambda report: report.receipt_id)
        return sorted(ordered, key=lambda report: report.at, reverse=True)

    async def reports_of(self, twin: bytes) -> int:
        """Return how many people have complained about a twin's replies."""
        return len({report.person for report in self.kept if report.twin == twin})

    async def people(self) -> list[Person]:
        """Return everybody of whom anything is stored."""
        intents = self.store.tables.intents.values()
        found = {_author(intent) for intent in intents if not intent.erased}
        found |= {report.person for report in self.kept} | {owner for owner, _ in self.picked}
        credit = self.store.tables.credit
        found |= {one.person for one in credit.accounts} | {one.person for one in credit.notes}
        return sorted(found, key=lambda person: (person.platform, person.fan))

    async def knows(self, person: Person) -> bool:
        """Say whether anything is stored of a person."""
        return person in await self.people()

    async def erase(self, person: Person, tombstone: Tombstone) -> Erasure | None:
        """Delete what a person said, was told and is called, up to the tombstone's time."""
        if self.busy and self.busy.pop(0):
            raise StoreBusyError("busy on demand")
        # Beside others' transactions, not under them: they replace the tables when they end.
        async with self.store.transaction() as tx:
            assert isinstance(tx, MemoryTransaction)
            return self._erase(tx.tables, person, tombstone)

    def _erase(self, tables: Tables, person: Person, tombstone: Tombstone) -> Erasure | None:
        everything = _all(tables, person)
        older = {a.intent.conversation for a in everything if _before(a, tombstone)}
        theirs = [
            asked
            for asked in everything
            if _before(asked, tombstone) or asked.intent.conversation in older
        ]
        if any(_is_unsettled(asked) for asked in theirs):
            return None
        since = tombstone.at - DAY
        erasure = Erasure(
            tombstone,
            replies=sum(asked.reply is not None for asked in theirs),
            messages=sum(asked.intent.created_at >= since for asked in theirs),
        )
        stays = [asked.intent for asked in everything if asked not in theirs]
        forget_account(
            tables.credit,
            person,
            tombstone.at,
            receipts={asked.reply.receipt_id for asked in theirs if asked.reply is not None},
            pays_on=any(one.payment.payer in {Payer.PAID, Payer.PROMOTIONAL} for one in stays),
        )
        for asked in theirs:
            _blank(tables, asked)
        self.kept = [one for one in self.kept if one.person != person or one.at > tombstone.at]
        self.picked = [(owner, pick) for owner, pick in self.picked if owner != person]
        self.applied = [
            replace(one, messages=0) if one.tombstone.at < since else one for one in self.applied
        ]
        if tombstone not in {one.tombstone for one in self.applied}:
            self.applied.append(erasure)
        return erasure

    async def mark(self, tombstones: list[Tombstone]) -> None:
        """Note tombstones of people of whom nothing is stored as applied."""
        known = {one.tombstone for one in self.applied}
        self.applied += [Erasure(one, 0, 0) for one in tombstones if one not in known]

    async def sweep(self) -> None:
        """Find nothing: no surface writes into this memory."""

    async def erasures(self) -> list[Erasure]:
        """Return the tombstones that were applied to this store."""
        return sorted(self.applied, key=lambda one: (one.tombstone.at, one.tombstone.digest))


@dataclass(slots=True)
class MemoryTombstones(Tombstones):
    """Keeps tombstones in a list; a copy of it is another process's view."""

    kept: list[Tombstone] = field(default_factory=list)

    async def add(self, tombstone: Tombstone) -> None:
        """Add one."""
        if len(tombstone.digest) != 32 or tombstone.at.tzinfo is None:
            raise InvariantError("the port: a digest of 32 bytes and a time with its zone")
        self.kept.append(tombstone)

    async def all(self) -> list[Tombstone]:
        """Return all, oldest first."""
        return list(self.kept)


def _all(tables: Tables, person: Person) -> list[Asked]:
    replies = {reply.intent: reply for reply in tables.replies.values()}
    return [
        Asked(position, intent, replies.get(intent.key))
        for position, intent in enumerate(tables.intents.values(), start=1)
        if not intent.erased and _author(intent) == person
    ]


def _is_unsettled(asked: Asked) -> bool:
    return asked.intent.state == "open" or (asked.reply is not None and asked.reply.outcome is None)


def _blank(tables: Tables, asked: Asked) -> None:
    intent = asked.intent
    surface = replace(intent.message.surface, bot="", chat="", thread="")
    conversation = intent.slot_tag + bytes(16)
    if asked.reply is not None:
        conversation = asked.reply.receipt_hash
        tables.replies[conversation] = replace(
            asked.reply,
            conversation=conversation,
            fan_tokens=(),
            output_tokens=(),
            fan_text="",
            text="",
            opening_key=b"",
            sealed=b"",
            halt=None,
        )
    tables.intents[intent.key] = replace(
        intent,
        conversation=conversation,
        message=replace(intent.message, surface=surface, fan="", message_id="", text="", server=""),
        spans=(),
        context=(),
        parts=(),
        opening_key=b"",
        regenerate=None,
        replaces=None,
    )


def _author(intent: Intent) -> Person:
    return Person(intent.message.surface.platform, intent.message.fan)


def _before(asked: Asked, tombstone: Tombstone) -> bool:
    return asked.intent.created_at <= tombstone.at
