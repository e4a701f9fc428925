"""The contract of the book's side of settlement, over the fake and over SQLite."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.earnings import SqliteEarnings
from adapters.sqlite.epochs import SCHEMA as EPOCHS_SCHEMA
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.crypto.eip712 import parse_address
from bot.crypto.hashing import sha256
from bot.domain.errors import InvariantError
from bot.domain.ledger import creator_account, settled_account
from bot.domain.restored import LOST_FEES, Restored, lost_fees
from bot.domain.settlement import EpochSettlement
from bot.domain.statements import Outcome
from bot.ports.settlement import EarningsReader
from tests.fakes.epochs import MemoryEarnings
from tests.stage import CREATOR_NANO, MIRA, THEO, Stage

FAKE_TWIN, PAYOUT = sha256(b"twin"), bytes(20)


@dataclass(frozen=True, slots=True)
class Book:
    """A reader, a twin, and a way to earn `CREATOR_NANO` for it."""

    reader: EarningsReader
    twin: bytes
    earn: Callable[[], Awaitable[None]]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, EPOCHS_SCHEMA)
    database = await Database.open(tmp_path / "book.db", schema=schema)
    opened = Stage(
        store=SqliteStore(database),
        reader=SqliteAuditReader(database),
        earnings=SqliteEarnings(database),
    )
    await opened.open((MIRA, THEO))
    yield opened
    await database.close()


async def _earn(stage: Stage, outcome: Outcome | None = Outcome.DELIVERED) -> None:
    reply = await stage.say(number=f"m{stage.entropy.given}")
    if outcome is not None:
        await stage.delivery.record(reply.receipt_id, outcome)


@pytest.fixture(params=["memory", "sqlite"])
def book(request: pytest.FixtureRequest, stage: Stage) -> Book:
    if request.param == "memory":
        fake = MemoryEarnings()

        async def earn() -> None:
            fake.earn(FAKE_TWIN, CREATOR_NANO, payout=PAYOUT)

        return Book(fake, FAKE_TWIN, earn)

    async def answer_and_sign() -> None:
        await _earn(stage)
        await stage.signer.publish(stage.store)

    return Book(stage.earnings, stage.roster.find("mira").manifest.twin, answer_and_sign)


async def test_twin_without_receipts_has_earned_nothing_to_speak_of(book: Book) -> None:
    assert await book.reader.earned(book.twin) is None
    assert (await book.reader.freeze()).earnings == ()


async def test_earnings_grow_with_every_receipt_and_never_shrink(book: Book) -> None:
    seen = []
    for _ in range(3):
        await book.earn()
        seen.append(await book.reader.freeze())

    totals = [snapshot.earnings[0].cumulative_nano for snapshot in seen]
    assert totals == [CREATOR_NANO, 2 * CREATOR_NANO, 3 * CREATOR_NANO]
    assert [snapshot.earnings[0].entries for snapshot in seen] == [1, 2, 3]
    assert sorted(s.log_size for s in seen) == [s.log_size for s in seen]
    assert len({s.earnings[0].twin_log_root for s in seen}) == 3
    assert await book.reader.earned(book.twin) == seen[-1].earnings[0]


async def test_freezing_changes_nothing(book: Book) -> None:
    await book.earn()

    assert await book.reader.freeze() == await book.reader.freeze()


async def test_settled_money_still_counts_as_earned_and_moves_once(book: Book) -> None:
    await book.earn()
    before = await book.reader.earned(book.twin)
    settlement = EpochSettlement(1, ((book.twin, 1_000_000),))

    for _ in range(2):
        await book.reader.settle(settlement)

    assert await book.reader.earned(book.twin) == before
    with pytest.raises(InvariantError):
        await book.reader.settle(EpochSettlement(2, ((book.twin, 1_000_000),)))


async def test_settlement_of_nothing_posts_nothing(book: Book) -> None:
    await book.reader.settle(EpochSettlement(1, ()))
    await book.earn()

    await book.reader.settle(EpochSettlement(1, ((book.twin, 1_000),)))


# What SQLite joins from receipts, outcomes, ledger and log.


async def test_only_delivered_replies_under_a_signed_head_are_counted(stage: Stage) -> None:
    for outcome in (Outcome.DELIVERED, Outcome.REFUNDED, Outcome.UNDELIVERED, None):
        await _earn(stage, outcome)
    head = await stage.signer.publish(stage.store)
    await _earn(stage)  # past the head

    snapshot = await stage.earnings.freeze()

    (earned,) = snapshot.earnings
    log = await stage.earnings.twin_log(earned.twin, snapshot.log_size)
    assert head is not None
    assert (snapshot.log_size, snapshot.log_root) == (head.size, head.root)
    assert (earned.cumulative_nano, earned.entries) == (CREATOR_NANO, 3)
    assert [entry.outcome for entry in log.entries] == [
        Outcome.DELIVERED,
        Outcome.REFUNDED,
        Outcome.UNDELIVERED,
    ]
    assert earned.twin_log_root == log.root()
    now = await stage.earnings.earned(earned.twin)
    assert now is not None
    assert (now.cumulative_nano, now.entries) == (2 * CREATOR_NANO, 4)


async def test_reply_under_the_head_whose_outcome_is_past_it_waits(stage: Stage) -> None:
    reply = await stage.say()
    await stage.signer.publish(stage.store)
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    (earned,) = (await stage.earnings.freeze()).earnings

    assert (earned.cumulative_nano, earned.entries) == (0, 0)


async def test_payout_address_is_the_newest_manifests(stage: Stage) -> None:
    await _earn(stage)
    twin = await stage.publisher.publish(replace(MIRA, price_nano=9))
    await stage.signer.publish(stage.store)

    (earned,) = (await stage.earnings.freeze()).earnings

    assert earned.payout == parse_address(twin.manifest.payout)


async def test_settlement_moves_from_the_creator_to_settled_and_the_audit_misses_its_epoch(
    stage: Stage,
) -> None:
    await _earn(stage)
    twin = stage.roster.find("mira").manifest.twin

    await stage.earnings.settle(EpochSettlement(1, ((twin, 1_000_000),)))

    assert await stage.balance(creator_account(twin)) == CREATOR_NANO - 1_000_000
    assert await stage.balance(settled_account(twin)) == 1_000_000
    assert any("settled" in sentence for sentence in (await stage.audit()).wrong)


async def test_what_is_carried_counts_as_earned_and_is_posted_once(book: Book) -> None:
    await book.earn()
    before = await book.reader.earned(book.twin)
    assert before is not None
    restored = Restored(7, ((book.twin, 1_000_000),), ((book.twin, 500), (LOST_FEES, 3_000)))

    for _ in range(2):
        await book.reader.restore(restored)

    now = await book.reader.earned(book.twin)
    snapshot = {one.twin: one for one in (await book.reader.freeze()).earnings}
    assert now is not None
    assert now.cumulative_nano == before.cumulative_nano + 500
    assert snapshot == {book.twin: now, LOST_FEES: lost_fees(3_000)}
    standing = await book.reader.standing(10**6)
    assert {one.earnings.twin: one.settled_nano for one in standing} == {
        book.twin: 1_000_500,
        LOST_FEES: 3_000,
    }


async def test_the_standing_is_that_of_the_leaves_that_are_asked_for(book: Book) -> None:
    await book.earn()
    size = (await book.reader.freeze()).log_size
    await book.earn()

    for leaves, replies in ((0, 0), (size, 1), (10**6, 2)):
        (found,) = await book.reader.standing(leaves)
        assert found.earnings.cumulative_nano == replies * CREATOR_NANO
