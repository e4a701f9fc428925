"""The publisher over fakes when the chain behaves: epochs, amounts, chunks, claims."""

from dataclasses import replace

import pytest

from bot.domain.settlement import NO_PAYOUT, EarningsSnapshot
from bot.domain.transactions import Purpose
from bot.settlement.publish import PublisherState
from bot.settlement.reverts import MAX_REVERTED
from tests.fakes.epochs import MemoryEarnings
from tests.fakes.settlement_house import House, settle
from tests.fakes.settlement_rig import payout_of, twin_id


@pytest.fixture
def house() -> House:
    return House()


async def test_nothing_earned_is_nothing_to_settle(house: House) -> None:
    assert await house.publisher().settle_now() is None
    assert (await house.publisher().tick()).state is PublisherState.IDLE
    assert house.store.epochs == {}


async def test_one_tick_takes_an_epoch_from_plan_to_paid(house: House) -> None:
    house.earn(5_000_000, 3_999)

    status = await house.publisher().tick()

    assert status.state is PublisherState.IDLE
    await house.assert_settled()
    assert house.book.settled == {twin_id(0): 5_000_000, twin_id(1): 3_000}


async def test_without_anything_new_no_second_epoch_is_planned(house: House) -> None:
    house.earn(5_000_000)
    publisher = house.publisher()
    await publisher.tick()

    await publisher.tick()
    await publisher.tick()

    assert list(house.store.epochs) == [1]
    assert len(house.chain.sends) == 2


async def test_a_second_epoch_pays_the_difference_and_moves_only_what_is_new(house: House) -> None:
    house.earn(5_000_500, 1_000_000)
    await settle(house)
    house.earn(1_000_600)

    assert (await settle(house)).number == 2

    await house.assert_settled()
    assert house.book.settled[twin_id(0)] == 6_001_000


async def test_log_growth_alone_is_anchored_and_moves_no_money(house: House) -> None:
    house.earn(5_000_000)
    first = await settle(house)
    house.earn(0)

    second = await settle(house)

    assert second.commitment.fee_total == first.commitment.fee_total
    assert second.commitment.log_size == first.commitment.log_size + 1
    assert house.book.settled == {twin_id(0): 5_000_000}
    await house.assert_settled()


async def test_a_creator_without_an_address_is_committed_and_not_paid(house: House) -> None:
    house.earn(5_000_000)
    house.book.earn(twin_id(7), 2_000_000, payout=NO_PAYOUT)

    epoch = await settle(house)

    assert epoch.earnings[-1].twin == twin_id(7)
    assert epoch.commitment.fee_total == 7_000
    assert await house.chain.claimed([twin_id(0), twin_id(7)]) == (5_000, 0)


async def test_many_creators_are_paid_in_chunks(house: House) -> None:
    house.earn(*(1_000_000 + i for i in range(150)))

    epoch = await settle(house)

    claims = await house.store.transactions(Purpose.CLAIM, epoch.number)
    assert [claim.signed.chunk for claim in claims] == [0, 1, 2]
    assert [claim.signed.nonce for claim in claims] == [0, 1, 2]
    await house.assert_settled()


async def test_final_waits_for_the_confirmations(house: House) -> None:
    house.finality = 3
    house.chain.automine = False
    house.earn(5_000_000)
    publisher = house.publisher()

    waiting = [(await publisher.tick()).reason]
    house.chain.mine()
    waiting.append((await publisher.tick()).reason)
    house.chain.mine(empty=1)
    waiting.append((await publisher.tick()).reason)
    assert await house.store.last_final() is None
    assert house.book.keys == []
    house.chain.mine(empty=1)
    await publisher.tick()

    assert waiting == ["not mined yet", "1 of 3 confirmations", "2 of 3 confirmations"]
    assert (await house.store.last_final()) is not None
    assert house.book.keys == ["settle:epoch:1"]


async def test_claims_that_keep_reverting_are_left_to_the_next_epoch(house: House) -> None:
    house.earn(5_000_000)
    house.chain.automine = False
    publisher = house.publisher()
    await publisher.tick()
    house.chain.mine()
    for _ in range(MAX_REVERTED):
        # The claim is signed and in the pool; the state changes before it is mined.
        await publisher.tick()
        world = house.chain.blocks[-1][2]
        right, world.commitment = world.commitment, replace(world.commitment, fee_root=b"z" * 32)
        house.chain.mine()
        house.chain.blocks[-1][2].commitment = right

    house.chain.automine = True
    assert (await publisher.tick()).state is PublisherState.IDLE
    assert (await house.chain.contract()).claimed_total == 0
    house.earn(1_000_000)
    await publisher.tick()
    await house.assert_settled()


async def test_a_commit_that_waits_does_not_hold_up_older_claims(house: House) -> None:
    house.earn(5_000_000)
    publisher = house.publisher()
    house.chain.automine = False
    await publisher.tick()
    house.chain.mine()
    await publisher.tick()
    house.earn(1_000_000)
    await publisher.tick()
    house.chain.mine()
    house.chain.automine = True

    await publisher.tick()

    await house.assert_settled()


async def test_fees_that_keep_arriving_do_not_keep_claims_waiting(house: House) -> None:
    class BusyBook(MemoryEarnings):
        async def freeze(self) -> EarningsSnapshot:
            self.earn(twin_id(0), 1_000_000, payout=payout_of(0))
            return await super().freeze()

    house.book = BusyBook()
    publisher = house.publisher()

    for number in (1, 2):
        assert (await publisher.tick()).state is PublisherState.IDLE
        assert list(house.store.epochs)[-1] == number
        await house.assert_settled()
