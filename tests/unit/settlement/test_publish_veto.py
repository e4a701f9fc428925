"""The guardian's veto: of an epoch of one's own, of a thief's, once and again; nobody is halted."""

from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from bot.domain.settlement import Commitment, EpochState
from bot.domain.transactions import BlockTag, Purpose, TransactionState
from bot.settlement.publish import EpochPublisher, PublisherState
from bot.settlement.statement import EarningsStatements
from tests.fakes.chain import MemoryChain
from tests.fakes.clock import SetClock
from tests.fakes.settlement_house import House, settle
from tests.fakes.settlement_rig import payout_of, twin_id

FEE, UNITS = 5_000_000, 5_000


@pytest.fixture
def house() -> House:
    house = House(clock=SetClock())
    house.earn(FEE, FEE)
    return house


async def commit_and_veto(house: House, publisher: EpochPublisher) -> None:
    """Let an epoch of our own be committed, and vetoed before it is final."""
    house.chain.may_be_vetoed = True
    waiting = await publisher.tick()
    assert "can still be vetoed" in waiting.reason
    house.chain.veto()


async def test_an_epoch_of_ones_own_that_is_vetoed_is_committed_again_with_the_next(
    house: House,
) -> None:
    await settle(house)
    house.earn(FEE, FEE)
    publisher = house.publisher()
    await commit_and_veto(house, publisher)
    moved = dict(house.book.settled)

    with structlog.testing.capture_logs() as log:
        noted = await publisher.tick(begin=False)
    sent = len(house.chain.sends)
    between = [await publisher.tick(begin=False) for _ in range(3)]
    house.earn(FEE)

    assert noted.state is PublisherState.DEFERRED
    assert noted.reason.startswith("The guardian has vetoed epoch 2: nothing of it was paid")
    (said,) = [one for one in log if one["event"] == "epoch.vetoed"]
    assert (said["log_level"], said["epoch"], said["was_planned_here"]) == ("warning", 2, True)
    vetoed = house.store.epochs[2]
    assert vetoed.state is EpochState.VETOED
    assert vetoed.commitment == replace(house.store.epochs[1].commitment, epoch=2)
    (commit,) = await house.store.transactions(Purpose.COMMIT, 2)
    assert commit.state is TransactionState.DEAD
    # Nothing is committed again before the clock says so, and nothing has moved in the book.
    assert {one.state for one in between} == {PublisherState.IDLE}
    assert (len(house.chain.sends), house.book.settled) == (sent, moved)

    assert (await publisher.tick()).state is PublisherState.IDLE
    assert house.store.epochs[3].commitment.fee_total == 5 * UNITS
    claims = {one.twin: one.cumulative_nano for one in house.store.epochs[3].earnings}
    assert claims == {twin_id(0): 3 * FEE, twin_id(1): 2 * FEE}
    await house.assert_settled()
    assert house.book.keys == ["settle:epoch:1", "settle:epoch:3"]


@pytest.mark.parametrize("before", [0, 1], ids=["the very first", "a later one"])
@pytest.mark.parametrize("signed_here", [False, True], ids=["nothing of ours", "ours is signed"])
async def test_a_thiefs_epoch_that_is_vetoed_is_no_reason_to_halt(
    house: House,
    before: int,
    signed_here: bool,  # noqa: FBT001
) -> None:
    if before:
        await settle(house)
        house.earn(FEE)
    publisher = house.publisher()
    if signed_here:
        house.chain.automine = False
        await publisher.tick()
        (ours,) = await house.store.transactions(Purpose.COMMIT, before + 1)
        assert ours.state is TransactionState.SENT
        house.chain.pool.clear()
    house.chain.commit(Commitment(before + 1, b"f" * 32, 10**9, b"l" * 32, 10**6, b"d" * 32))
    house.chain.may_be_vetoed = True
    false = await publisher.tick()
    house.chain.veto()
    house.chain.automine = True

    noted = await publisher.tick(begin=False)
    done = await publisher.tick()

    assert false.state is PublisherState.HALTED
    assert noted.state is PublisherState.DEFERRED
    assert done.state is PublisherState.IDLE
    assert house.store.epochs[before + 1].state is EpochState.VETOED
    assert house.store.epochs[before + 2].state is EpochState.FINAL
    await house.assert_settled()


async def test_a_planned_epoch_whose_number_a_thief_has_used_up_is_planned_anew(
    house: House,
) -> None:
    await settle(house)
    house.earn(FEE)
    house.chain.refuse_signing = "the treasury is empty"
    publisher = house.publisher()
    await publisher.tick()
    assert house.store.epochs[2].state is EpochState.PLANNED
    house.chain.commit(Commitment(2, b"f" * 32, 10**9, b"l" * 32, 10**6, b"d" * 32))
    house.chain.veto()
    house.chain.refuse_signing = ""

    await publisher.tick(begin=False)
    await publisher.tick()

    assert [one.state for one in house.store.epochs.values()] == ["final", "vetoed", "final"]
    await house.assert_settled()


async def test_what_stays_after_a_veto_and_is_not_the_books_halts(house: House) -> None:
    await settle(house)
    false = Commitment(2, b"f" * 32, 10**9, b"l" * 32, 10**6, b"d" * 32)
    house.chain.commit(false)
    house.chain.commit(replace(false, epoch=3, data_hash=b"e" * 32))
    house.chain.veto()

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert "the contract is at epoch 3, ahead of the book at 1" in status.reason
    assert list(house.store.epochs) == [1]


async def test_several_vetoes_in_a_row_use_up_their_numbers_and_nothing_else(house: House) -> None:
    await settle(house)
    house.earn(FEE)
    for epoch in (2, 3, 4):
        house.chain.commit(Commitment(epoch, b"f" * 32, 10**9, b"l" * 32, 10**6, b"d" * 32))
        house.chain.veto()
    publisher = house.publisher()

    noted = await publisher.tick()
    done = await publisher.tick()

    assert "vetoed epoch 4" in noted.reason
    assert done.state is PublisherState.IDLE
    states = [house.store.epochs[number].state for number in range(1, 6)]
    assert states == ["final", "vetoed", "vetoed", "vetoed", "final"]
    await house.assert_settled()


async def test_a_guardian_who_vetoes_everything_costs_one_commit_for_each_moment(
    house: House,
) -> None:
    await settle(house)
    publisher = house.publisher()
    for _ in range(5):
        house.earn(FEE)
        before = len(house.chain.sends)
        await commit_and_veto(house, publisher)
        for _ in range(20):
            await publisher.tick(begin=False)
        assert len(house.chain.sends) == before + 1

    await publisher.tick()

    await house.assert_settled()
    assert (await house.chain.contract()).commitment.epoch == 7


async def test_an_epoch_that_fell_due_before_the_veto_waits_for_the_next_moment(
    house: House,
) -> None:
    publisher = house.publisher()
    house.chain.may_be_vetoed = True
    await publisher.tick()
    await publisher.tick()  # the clock's next moment, at which the root still waits
    house.chain.veto()
    for _ in range(3):
        await publisher.tick(begin=False)

    assert list(house.store.epochs) == [1]
    assert not await publisher.is_under_way()
    assert (await publisher.tick()).state is PublisherState.IDLE
    await house.assert_settled()


async def test_a_veto_is_noted_once_it_is_final_and_not_before(house: House) -> None:
    house.finality = BlockTag.FINALIZED
    house.chain.mine(empty=5)
    publisher = house.publisher()
    house.chain.may_be_vetoed = True
    await publisher.tick()
    house.chain.mine(empty=1)
    house.chain.veto()

    early = await publisher.tick(begin=False)
    ours = await house.store.open_epoch()
    # The veto leaves the chain again: then nothing has happened.
    house.chain.reorganise(1)
    house.chain.mine(empty=5)
    await publisher.tick(begin=False)

    assert early.reason == "the guardian has vetoed epoch 1, and that is not final yet"
    assert ours is not None
    final = await house.store.last_final()
    assert final is not None
    assert (final.number, final.state) == (1, EpochState.FINAL)


async def test_a_veto_that_only_one_node_shows_is_not_noted(house: House) -> None:
    await settle(house)
    house.earn(FEE)
    house.second = MemoryChain(blocks=list(house.chain.blocks))
    house.chain.commit(Commitment(2, b"f" * 32, 10**9, b"l" * 32, 10**6, b"d" * 32))
    house.chain.veto()
    publisher = house.publisher()

    doubted = await publisher.tick()
    house.second.available = False
    silent = await publisher.tick()
    house.second = MemoryChain(blocks=house.chain.blocks)
    agreed = await house.publisher().tick()

    assert "the second RPC shows other contents of the contract: epoch 1" in doubted.reason
    assert "gives no answer that counts" in silent.reason
    assert agreed.state is PublisherState.DEFERRED
    assert house.store.epochs[2].state is EpochState.VETOED


async def test_claims_of_the_epoch_before_go_on_after_a_veto(house: House) -> None:
    house.relays = False
    await settle(house)
    house.earn(FEE)
    publisher = house.publisher()
    await commit_and_veto(house, publisher)
    house.relays = True

    await publisher.tick(begin=False)
    assert (await house.publisher().tick(begin=False)).state is PublisherState.IDLE

    assert await house.chain.balance(payout_of(0)) == UNITS
    (claims,) = await house.store.transactions(Purpose.CLAIM, 1)
    assert claims.state is TransactionState.FINAL


async def test_a_statement_counts_what_was_vetoed_as_not_committed(house: House) -> None:
    await settle(house)
    house.earn(FEE)
    publisher = house.publisher()
    await commit_and_veto(house, publisher)
    await publisher.tick(begin=False)

    statement = await EarningsStatements(
        chain=house.chain, store=house.store, earnings=house.book
    ).statement(twin_id(0))

    assert (statement.epoch, statement.committed_units) == (1, UNITS)
    assert statement.earned_nano == 2 * FEE
    (first,) = await house.store.transactions(Purpose.COMMIT, 1)
    assert statement.commit_hash == first.signed.hash


async def test_a_start_after_a_veto_does_not_take_it_for_an_epoch_that_is_overdue(
    house: House,
) -> None:
    clock = house.clock
    assert isinstance(clock, SetClock)
    await settle(house)
    house.earn(FEE)
    clock.advance(timedelta(hours=1))
    publisher = house.publisher()
    await commit_and_veto(house, publisher)
    clock.advance(timedelta(hours=1))
    await publisher.tick(begin=False)

    again = house.publisher()
    await again.catch_up(clock.now() - timedelta(minutes=90), 3_600)

    assert (await again.tick(begin=False)).state is PublisherState.IDLE
    assert await house.store.epoch(3) is None
