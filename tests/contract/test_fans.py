"""What is stored of people, and tombstones: the contracts over the fakes, SQLite and the file."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.files.erasures import TombstoneFile
from bot.crypto.hashing import sha256
from bot.domain.errors import ConfigurationError
from bot.ports.erasures import Tombstone, Tombstones
from bot.ports.fans import FanRecords, Person, Report
from bot.ports.stores import Intent, Store, StoredReply
from bot.wiring.stores import open_stores
from tests.fakes.clock import START
from tests.fakes.fans import MemoryFanRecords, MemoryTombstones
from tests.fakes.store import MemoryStore
from tests.stored_values import MANIFEST, OTHER_TWIN, TWIN, make_intent, make_reply

ANA, BEN = Person("terminal", "ana"), Person("terminal", "ben")
NOW = Tombstone(sha256(b"ana"), START)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REPORT = Report(
    receipt_id="r" * 22, twin=TWIN, slug="mira", person=ANA, reason="rude 🐙\x1b", at=START
)


@dataclass(slots=True)
class Book:
    """A store and what it knows of people."""

    store: Store
    records: FanRecords

    async def say(
        self, number: int, *, fan: str = "ana", outcome: str | None = "delivered", **changes: object
    ) -> StoredReply:
        """Keep a message and its reply."""
        changes.setdefault("conversation", sha256(fan.encode()))
        intent = make_intent(number, fan=fan, **changes)
        reply = make_reply(
            intent, seq=number, turn=number, outcome=outcome, halt="h", opening_key=b"k" * 32
        )
        async with self.store.transaction() as tx:
            if await tx.find_manifest(MANIFEST.manifest_hash) is None:
                await tx.add_manifest(MANIFEST)
            await tx.add_intent(intent)
            await tx.add_reply(reply)
            await tx.close_intent(intent.key, "done")
        return reply

    async def both(self, reply: StoredReply) -> tuple[Intent, StoredReply]:
        """Return what is stored now."""
        async with self.store.reading() as tx:
            intent, found = await tx.find_intent(reply.intent), await tx.reply_of(reply.intent)
        assert intent is not None
        assert found is not None
        return intent, found


@pytest.fixture(params=["memory", "sqlite"])
async def book(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Book]:
    if request.param == "memory":
        store = MemoryStore()
        yield Book(store, MemoryFanRecords(store))
        return
    async with open_stores(tmp_path) as stores:
        yield Book(stores.replies, stores.fans)


async def test_messages_come_in_pages_and_are_ones_own(book: Book) -> None:
    said = [await book.say(n, fan="ben" if n == 2 else "ana") for n in (1, 2, 3, 4)]

    first = await book.records.asked(ANA, limit=2)
    second = await book.records.asked(ANA, after=first[-1].position, limit=2)

    assert [a.reply.receipt_id for a in (*first, *second) if a.reply] == [
        said[n].receipt_id for n in (0, 2, 3)
    ]
    assert first[0].intent == replace(make_intent(1, conversation=sha256(b"ana")), state="done")
    assert await book.records.asked(ANA, after=second[-1].position) == []
    assert await book.records.asked(Person("discord", "ana")) == []


async def test_unsettled_are_the_open_and_the_undecided(book: Book) -> None:
    await book.say(1)
    undecided = await book.say(2, outcome=None)
    still_open = make_intent(3, conversation=sha256(b"ana"))
    async with book.store.transaction() as tx:
        await tx.add_intent(still_open)

    found = await book.records.unsettled(ANA)

    assert [asked.intent.key for asked in found] == [undecided.intent, still_open.key]
    assert [asked.reply for asked in found] == [undecided, None]
    assert await book.records.unsettled(BEN) == []


async def test_erased_rows_keep_what_log_and_fees_need_and_nothing_else(book: Book) -> None:
    before = await book.both(await book.say(1, regenerate="again", replaces=sha256(b"r")))

    erasure = await book.records.erase(ANA, NOW)
    intent, reply = await book.both(before[1])

    assert erasure is not None
    assert (erasure.replies, erasure.messages) == (1, 1)
    assert intent.erased
    assert reply.erased
    message = replace(
        before[0].message,
        surface=replace(before[0].message.surface, bot="", chat="", thread=""),
        fan="",
        message_id="",
        text="",
        server="",
    )
    assert before[0].message.server
    assert intent == replace(
        before[0],
        message=message,
        conversation=reply.receipt_hash,
        spans=(),
        context=(),
        parts=(),
        opening_key=b"",
        regenerate=None,
        replaces=None,
    )
    assert reply == replace(
        before[1],
        conversation=reply.receipt_hash,
        fan_tokens=(),
        output_tokens=(),
        fan_text="",
        text="",
        opening_key=b"",
        sealed=b"",
        halt=None,
    )


async def test_erasing_leaves_others_and_other_platforms_alone(book: Book) -> None:
    others = [
        await book.both(await book.say(1, fan="ben")),
        await book.both(
            await book.say(
                2,
                message=replace(
                    make_intent(2).message,
                    surface=replace(make_intent(2).message.surface, platform="web"),
                ),
                conversation=sha256(b"web"),
            )
        ),
    ]
    await book.say(3)

    await book.records.erase(ANA, NOW)

    assert [await book.both(reply) for _, reply in others] == others
    assert not await book.records.knows(ANA)
    assert await book.records.people() == [BEN, Person("web", "ana")]


async def test_void_message_is_erased_and_its_statement_stays(book: Book) -> None:
    await book.say(1, fan="ben")
    intent = make_intent(2)
    async with book.store.transaction() as tx:
        await tx.add_intent(intent)
        await tx.close_intent(intent.key, "void", void_statement=b"{}")

    erasure = await book.records.erase(ANA, NOW)

    async with book.store.reading() as tx:
        found = await tx.find_intent(intent.key)
    assert erasure is not None
    assert (erasure.replies, erasure.messages) == (0, 1)
    assert found is not None
    assert (found.state, found.void_statement, found.erased) == ("void", b"{}", True)
    assert found.conversation == intent.slot_tag + bytes(16)


@pytest.mark.parametrize("outcome", ["open", None])
async def test_nothing_is_erased_while_something_is_unsettled(
    book: Book, outcome: str | None
) -> None:
    done = await book.both(await book.say(1))
    if outcome is None:
        await book.say(2, outcome=None)
    else:
        async with book.store.transaction() as tx:
            await tx.add_intent(make_intent(2, conversation=sha256(b"ana")))

    assert await book.records.erase(ANA, NOW) is None

    assert await book.both(done[1]) == done
    assert await book.records.erasures() == []


async def test_newer_conversation_stays_and_one_that_quotes_older_turns_goes(book: Book) -> None:
    later = START + HOUR
    await book.say(1)
    quoting = await book.say(2, created_at=later)
    fresh = await book.both(await book.say(3, created_at=later, conversation=sha256(b"new")))

    erasure = await book.records.erase(ANA, NOW)

    assert erasure is not None
    assert erasure.replies == 2
    assert (await book.both(quoting))[1].erased
    assert await book.both(fresh[1]) == fresh


async def test_erased_again_nothing_is_left_and_the_count_stands(book: Book) -> None:
    await book.say(1)
    await book.say(2, created_at=START - 2 * DAY)
    first = await book.records.erase(ANA, NOW)

    again = await book.records.erase(ANA, NOW)

    assert first is not None
    assert (first.replies, first.messages) == (2, 1)
    assert again is not None
    assert (again.replies, again.messages) == (0, 0)
    assert await book.records.erasures() == [first]


async def test_count_of_an_erasure_is_gone_with_one_a_day_later(book: Book) -> None:
    await book.say(1)
    await book.records.erase(ANA, NOW)
    later = Tombstone(sha256(b"ben"), START + DAY + HOUR)

    await book.say(2, fan="ben", created_at=START + DAY)
    await book.records.erase(BEN, later)

    assert [(e.tombstone, e.messages) for e in await book.records.erasures()] == [
        (NOW, 0),
        (later, 1),
    ]


async def test_marked_tombstones_count_as_applied_once(book: Book) -> None:
    other = Tombstone(sha256(b"x"), START - HOUR)

    await book.records.mark([NOW, other])
    await book.records.mark([NOW])

    found = await book.records.erasures()
    assert [(e.tombstone, e.replies, e.messages) for e in found] == [(other, 0, 0), (NOW, 0, 0)]


async def test_report_is_kept_once_for_each_person_and_reply(book: Book) -> None:
    assert await book.records.add_report(REPORT)
    assert not await book.records.add_report(replace(REPORT, reason="again", at=START + HOUR))
    assert await book.records.add_report(replace(REPORT, person=BEN, at=START + HOUR))
    assert await book.records.add_report(
        replace(REPORT, receipt_id="s" * 22, twin=OTHER_TWIN, at=START - HOUR)
    )

    assert [r.reason for r in await book.records.reports_by(ANA)] == [REPORT.reason] * 2
    assert [r.at - START for r in await book.records.reports()] == [HOUR, 0 * HOUR, -HOUR]
    assert await book.records.reports_of(TWIN) == 2
    assert await book.records.reports_of(OTHER_TWIN) == 1


async def test_person_who_reports_much_is_one_person(book: Book) -> None:
    await book.records.add_report(REPORT)
    await book.records.add_report(replace(REPORT, receipt_id="s" * 22))

    assert await book.records.reports_of(TWIN) == 1


async def test_reports_of_a_person_go_with_them_up_to_that_time(book: Book) -> None:
    newer = replace(REPORT, receipt_id="s" * 22, at=START + HOUR)
    for report in (REPORT, replace(REPORT, person=BEN), newer):
        await book.records.add_report(report)

    await book.records.erase(ANA, NOW)

    assert await book.records.reports_by(ANA) == [newer]
    assert await book.records.knows(ANA)
    assert len(await book.records.reports_by(BEN)) == 1


@pytest.fixture(params=["memory", "file"])
def tombstones(request: pytest.FixtureRequest, tmp_path: Path) -> Tombstones:
    return (
        MemoryTombstones()
        if request.param == "memory"
        else TombstoneFile(tmp_path / "erasures.jsonl")
    )


async def test_tombstones_read_back_in_order(tombstones: Tombstones) -> None:
    given = [Tombstone(sha256(b"%d" % n), START + n * timedelta(microseconds=1)) for n in range(80)]
    assert await tombstones.all() == []

    for tombstone in given:
        await tombstones.add(tombstone)

    assert await tombstones.all() == given


@pytest.mark.parametrize("torn", [b'{"at": "2026-11', b"{", b'{"at": "x", "digest": "y"}'])
async def test_line_cut_short_by_a_crash_is_written_over(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "erasures.jsonl"
    first, second = NOW, Tombstone(sha256(b"second"), START)
    await TombstoneFile(path).add(first)
    with path.open("ab") as file:
        file.write(torn)

    assert await TombstoneFile(path).all() == [first]
    await TombstoneFile(path).add(second)

    assert await TombstoneFile(path).all() == [first, second]


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b'{"at": 5, "digest": ""}',
        b'{"at": "2026-11-20T10:00:00+00:00", "digest": "ab"}',
        b'{"digest": "' + b"a" * 64 + b'"}',
        b"\xff",
    ],
)
async def test_damaged_line_is_refused_with_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "erasures.jsonl"
    await TombstoneFile(path).add(NOW)
    with path.open("ab") as file:
        file.write(line + b"\n")

    with pytest.raises(ConfigurationError, match="line 2"):
        await TombstoneFile(path).all()


async def test_list_holds_no_ids_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "erasures.jsonl"

    await TombstoneFile(path).add(NOW)

    assert path.stat().st_mode & 0o777 == 0o600
    assert NOW.digest.hex().encode() in path.read_bytes()
