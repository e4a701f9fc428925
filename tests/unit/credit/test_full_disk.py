"""A disk that is full in the middle of a purchase or a refund: told, nothing lost, done later."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.domain.errors import StoreBusyError
from bot.domain.ledger import channel_account, fan_account, held_account
from bot.ports.credit import Purchase, Refunded
from tests.credit_rig import ANA, STAR, STAR_NANO, CreditRig, open_rig
from tests.stage import CREATOR_NANO, PRICE, Stage

REPLIES = 20
ROOM = 1_000_000


@dataclass(slots=True)
class Disk:
    """A book on a disk whose room is set."""

    database: Database
    rig: CreditRig

    async def fill(self) -> None:
        """Leave no room for another page; what the last one has left is still there."""
        async with self.database.reading() as connection:
            cursor = await connection.execute("PRAGMA page_count")
            row = await cursor.fetchone()
            assert row is not None
        await self.set_pages(row[0])

    async def set_pages(self, pages: int) -> None:
        """Let the file have so many pages."""
        await self.database._connection.execute(f"PRAGMA max_page_count = {pages}")

    async def buy_until_full(self) -> int:
        """Use what is left; return how many purchases were credited."""
        for done in range(ROOM):
            try:
                await self.rig.door.credit(Purchase(ANA, f"{done:0255d}x", STAR, 2))
            except StoreBusyError as error:
                assert "full" in str(error)  # noqa: PT017 - which one is it that fails?
                return done
        raise AssertionError("the disk is never full")

    async def money(self) -> tuple[int, ...]:
        """Return credit, held fees, and what the platform owes, after an audit."""
        assert (await self.rig.stage.audit()).wrong == []
        twin = self.rig.stage.roster.find("mira").manifest.twin
        accounts = (fan_account(await self.rig.account()), held_account(twin))
        return tuple(
            [await self.rig.stage.balance(one) for one in (*accounts, channel_account("terminal"))]
        )


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(tmp_path / "twinproof.db", schema=schema)
    stage = Stage(store=SqliteStore(database), reader=SqliteAuditReader(database))
    yield Disk(database, await open_rig(stage))
    await database.close()


async def test_purchase_on_a_full_disk_is_told_and_credited_when_there_is_room(disk: Disk) -> None:
    await disk.rig.buy(charge="first", stars=2)
    await disk.fill()
    done = 1 + await disk.buy_until_full()
    purchase = Purchase(ANA, f"{done:0256d}", STAR, 2)
    each = 2 * STAR_NANO
    assert await disk.money() == (done * each, 0, -done * each)
    with pytest.raises(StoreBusyError, match="full"):
        await disk.rig.door.credit(purchase)
    await disk.set_pages(ROOM)
    credited = [await disk.rig.door.credit(purchase) for _ in range(2)]
    assert [one.again for one in credited] == [False, True]
    assert await disk.money() == ((done + 1) * each, 0, -(done + 1) * each)


async def test_refund_on_a_full_disk_is_told_and_followed_when_there_is_room(disk: Disk) -> None:
    await disk.rig.buy(stars=50)
    for _ in range(REPLIES):
        await disk.rig.say()
    before = await disk.money()
    await disk.fill()

    for _ in range(2):
        with pytest.raises(StoreBusyError, match="full"):
            await disk.rig.door.refund("terminal", "charge")
    between = await disk.money()
    ((_, words),) = (await disk.rig.door.view(ANA)).purchases
    await disk.set_pages(ROOM)
    refunded = [await disk.rig.door.refund("terminal", "charge") for _ in range(2)]

    left = 50 * STAR_NANO - REPLIES * PRICE
    assert between == before == (left, REPLIES * CREATOR_NANO, -50 * STAR_NANO)
    assert "refunded" not in words
    assert refunded == [Refunded(left, REPLIES * PRICE, 0, again=again) for again in (False, True)]
    assert await disk.money() == (0, 0, 0)
