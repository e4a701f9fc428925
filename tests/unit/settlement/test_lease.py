"""One publisher of several: the lease, and what happens where it does not hold."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.epochs import SCHEMA, SqliteEpochStore
from bot.domain.transactions import Purpose, Signer, TransactionState
from bot.settlement.lease import LEASE_S, PublisherLease
from bot.settlement.publish import EpochPublisher, PublisherState
from tests.fakes.chain import MemoryChain
from tests.fakes.clock import SetClock
from tests.fakes.epochs import MemoryEarnings, MemoryEpochStore
from tests.fakes.settlement_house import House
from tests.fakes.settlement_rig import payout_of, twin_id


@pytest.fixture
def house() -> House:
    house = House()
    house.earn(5_000_000)
    return house


def leased(house: House, clock: SetClock, owner: str) -> EpochPublisher:
    house.lease = PublisherLease(store=house.store, clock=clock, owner=owner)
    return house.publisher()


async def test_the_second_process_writes_nothing_and_says_who_does(house: House) -> None:
    clock = SetClock()
    first, second = leased(house, clock, "a"), leased(house, clock, "b")
    house.chain.automine = False
    await first.tick()
    sends = len(house.chain.sends)

    told = await second.tick()

    assert told.state is PublisherState.WAITING
    assert "another process, a, publishes" in told.reason
    assert f"takes over in {LEASE_S} s" in told.reason
    assert len(house.chain.sends) == sends


async def test_what_a_dead_process_began_is_taken_over_when_its_lease_has_run_out(
    house: House,
) -> None:
    clock = SetClock()
    first, second = leased(house, clock, "a"), leased(house, clock, "b")
    house.chain.automine = False
    await first.tick()
    house.chain.automine = True
    clock.advance(timedelta(seconds=LEASE_S))

    assert (await second.tick()).state is PublisherState.IDLE

    await house.assert_settled()
    assert "another process, b" in (await first.tick()).reason


async def test_the_same_owner_has_it_at_once_after_a_crash(house: House) -> None:
    clock = SetClock()
    await leased(house, clock, "a").tick()
    house.earn(1_000_000)

    assert (await leased(house, clock, "a").tick()).state is PublisherState.IDLE
    await house.assert_settled()


async def test_a_lease_that_is_given_back_is_free_at_once(house: House) -> None:
    clock = SetClock()
    first, second = leased(house, clock, "a"), leased(house, clock, "b")
    await first.tick()
    await first.close()

    assert (await second.tick()).state is PublisherState.IDLE


async def test_a_lease_is_written_once_in_half_its_time() -> None:
    clock = SetClock()
    writes = []

    class Counting(MemoryEpochStore):
        async def hold(self, owner: str, *, now: int, until: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
            writes.append(now)
            return await super().hold(owner, now=now, until=until)

    lease = PublisherLease(store=Counting(), clock=clock, owner="a")
    for _ in range(60):
        assert await lease.hold() is None
        clock.advance(timedelta(seconds=1))

    assert len(writes) == 2


@pytest.mark.parametrize("with_lease", [True, False])
async def test_three_workers_at_once_on_one_book_and_key_pay_once(
    tmp_path: Path, *, with_lease: bool
) -> None:
    chain, book, clock = MemoryChain(), MemoryEarnings(), SetClock()
    async with AsyncExitStack() as stack:
        databases = []
        for _ in range(3):
            database = await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA])
            stack.push_async_callback(database.close)
            databases.append(database)
        await work(databases, chain, book, clock, with_lease=with_lease)


async def work(
    databases: list[Database],
    chain: MemoryChain,
    book: MemoryEarnings,
    clock: SetClock,
    *,
    with_lease: bool,
) -> None:
    workers = []
    for number, database in enumerate(databases):
        store = SqliteEpochStore(database)
        lease = PublisherLease(store=store, clock=clock, owner=f"worker {number}")
        workers.append(
            EpochPublisher(
                chain=chain, store=store, earnings=book, lease=lease if with_lease else None
            )
        )
    statuses: set[PublisherState] = set()
    for turn in range(6):
        for number in range(70):
            book.earn(twin_id(number), 1_000_000 + turn, payout=payout_of(number))
        chain.automine = turn % 2 == 0
        for _ in range(4):
            found = await asyncio.gather(*(worker.tick() for worker in workers))
            statuses.update(one.state for one in found)
            chain.mine(empty=1)
    await asyncio.gather(*(worker.tick() for worker in workers))

    store = SqliteEpochStore(databases[0])
    final = await store.last_final()
    state = await chain.contract()
    total = sum(one.cumulative_units for one in book.earnings.values())
    assert PublisherState.HALTED not in statuses
    assert final is not None
    assert final.number == state.commitment.epoch
    assert state.commitment.fee_total == state.claimed_total == total
    assert await chain.nonce(Signer.SETTLER) == final.number
    for number in range(1, final.number + 1):
        commits = await store.transactions(Purpose.COMMIT, number)
        living = [one for one in commits if one.state is not TransactionState.DEAD]
        assert [one.state for one in living] == [TransactionState.FINAL]
