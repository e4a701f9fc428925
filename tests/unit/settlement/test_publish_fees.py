"""The publisher when a transaction is too cheap or stuck, or an older attempt is mined."""

import pytest

from bot.domain.transactions import (
    Purpose,
    Refusal,
    SignedTransaction,
    Signer,
    StoredTransaction,
    TransactionState,
)
from bot.settlement.publish import PublisherState
from tests.fakes.chain import MemoryChain
from tests.fakes.settlement_house import House, settle

GWEI = 10**9


class Greedy(MemoryChain):
    def _too_cheap(self, new: SignedTransaction) -> Refusal:
        return Refusal(f"{new.fees} is underpriced", too_cheap=True)


@pytest.fixture
def house() -> House:
    house = House()
    house.earn(5_000_000)
    house.chain.automine = False
    return house


async def commit_of(house: House, epoch: int = 1) -> StoredTransaction:
    (found,) = await house.store.transactions(Purpose.COMMIT, epoch)
    return found


async def finish(house: House) -> None:
    house.chain.automine = True
    house.chain.mine()
    for _ in range(3):
        await house.publisher().tick()
        house.chain.mine(empty=1)
    await house.assert_settled()


async def test_a_base_fee_above_the_offer_is_answered_by_a_dearer_attempt(house: House) -> None:
    publisher = house.publisher()
    await publisher.tick()
    house.chain.base_fee_wei = 40 * GWEI

    await publisher.tick()

    commit = await commit_of(house)
    assert [one.nonce for one in commit.attempts] == [0, 0]
    assert commit.newest.fees.max_fee_wei >= 81 * GWEI
    assert house.chain.pool == [commit.newest]
    await finish(house)
    assert (await commit_of(house)).signed == commit.newest


async def test_the_very_call_never_changes_when_fees_rise(house: House) -> None:
    publisher = house.publisher()
    await publisher.tick()
    house.earn(7_000_000)  # what arrives meanwhile belongs to the next epoch
    house.chain.base_fee_wei = 40 * GWEI
    await publisher.tick()

    first, second = (await commit_of(house)).attempts
    assert house.chain._calls[first.hash] == house.chain._calls[second.hash]


async def test_nothing_is_raised_while_the_chain_makes_no_blocks(house: House) -> None:
    publisher = house.publisher()
    for _ in range(20):
        assert (await publisher.tick()).reason == "not mined yet"

    assert len((await commit_of(house)).attempts) == 1


async def test_what_is_left_aside_too_long_is_raised_once_in_its_time(house: House) -> None:
    publisher = house.publisher()
    await publisher.tick()
    counts = []
    for _ in range(25):  # blocks of 12 s that leave it out; 120 s are its patience
        pool, house.chain.pool = house.chain.pool, []
        house.chain.mine(empty=1)
        house.chain.pool = pool
        await publisher.tick()
        counts.append(len((await commit_of(house)).attempts))

    assert counts == [1] * 9 + [2] * 10 + [3] * 6
    await finish(house)


async def test_an_older_attempt_that_is_mined_counts(house: House) -> None:
    publisher = house.publisher()
    await publisher.tick()
    first = (await commit_of(house)).signed
    house.chain.base_fee_wei = 40 * GWEI
    await publisher.tick()
    house.chain.base_fee_wei = GWEI
    house.chain.pool = [first]

    await finish(house)

    commit = await commit_of(house)
    assert commit.signed == first
    assert [one.attempt for one in commit.attempts] == [0, 1]
    assert await house.chain.nonce(Signer.SETTLER) == 1


async def test_an_attempt_that_was_never_sent_does_not_hide_the_one_that_was(
    house: House,
) -> None:
    # Killed between the two lines: the dearer bytes are on disk, and nobody has them.
    publisher = house.publisher()
    await publisher.tick()
    sent = await commit_of(house)
    house.chain.base_fee_wei = 40 * GWEI
    dearer = await house.chain.raise_fees(sent.signed)
    await house.store.replace(sent, dearer)  # type: ignore[arg-type]
    house.chain.base_fee_wei = GWEI
    house.chain.mine()

    await finish(house)

    assert (await commit_of(house)).signed == sent.signed


async def test_above_the_limit_it_waits_says_so_and_goes_on_when_gas_is_cheaper(
    house: House,
) -> None:
    house.chain.max_fee_wei = 10 * GWEI
    publisher = house.publisher()
    await publisher.tick()
    house.chain.base_fee_wei = 40 * GWEI

    dear = [await publisher.tick() for _ in range(3)]
    attempts = (await commit_of(house)).attempts
    house.chain.base_fee_wei = 2 * GWEI

    assert {(one.state, one.reason) for one in dear} == {
        (PublisherState.WAITING, "gas costs more than the limit")
    }
    assert len(attempts) == 1
    await finish(house)


async def test_a_node_that_always_calls_it_too_cheap_does_not_drive_fees_up_at_once(
    house: House,
) -> None:
    house.chain = greedy = Greedy(automine=False)
    publisher = house.publisher()
    for _ in range(5):
        await publisher.tick()
    still = len((await commit_of(house)).attempts)
    for _ in range(3):
        greedy.mine(empty=1)
        await publisher.tick()

    assert still == 1
    assert len((await commit_of(house)).attempts) == 4


async def test_a_final_epoch_that_is_lost_and_too_cheap_by_now_comes_back_dearer(
    house: House,
) -> None:
    house.chain.automine = True
    await settle(house)
    house.chain.reorganise(2, keep_pool=False)
    house.chain.base_fee_wei = 40 * GWEI

    lost = await house.publisher().tick()
    healed = await house.publisher().tick()

    commit = await commit_of(house)
    assert "the chain has lost" in lost.reason
    assert healed.state is PublisherState.IDLE
    assert commit.state is TransactionState.FINAL
    assert [one.nonce for one in commit.attempts] == [0, 0]
    await house.assert_settled()


async def test_claims_that_a_deep_reorganisation_took_are_paid_after_all(house: House) -> None:
    house.chain.automine = True
    publisher = house.publisher()
    await publisher.tick()
    house.chain.reorganise(1, keep_pool=False)

    for _ in range(2):
        await publisher.tick()

    await house.assert_settled()
    assert len(await house.store.transactions(Purpose.CLAIM, 1)) == 1
