"""The publisher over fakes when the chain or the book does not behave."""

from dataclasses import replace

import pytest

from bot.domain.errors import ChainUnavailableError, InvariantError
from bot.domain.transactions import Purpose, Signer, TransactionState
from bot.settlement.publish import PublisherState
from tests.fakes.chain import SendFault
from tests.fakes.epochs import MemoryEpochStore
from tests.fakes.settlement_house import House, settle


@pytest.fixture
def house() -> House:
    return House()


async def test_a_transaction_dropped_from_the_pool_goes_out_again_unchanged(house: House) -> None:
    house.chain.automine = False
    house.earn(5_000_000)
    publisher = house.publisher()
    await publisher.tick()
    house.chain.pool.clear()

    house.chain.automine = True
    await publisher.tick()

    commits = await house.store.transactions(Purpose.COMMIT, 1)
    assert len(commits) == 1
    assert set(house.chain.sends[:-1]) == {commits[0].signed.hash}
    await house.assert_settled()


@pytest.mark.parametrize("keep_pool", [True, False])
async def test_a_reorganisation_before_final_is_sent_again_and_paid_once(
    house: House, *, keep_pool: bool
) -> None:
    house.finality = 2
    house.earn(5_000_000)
    publisher = house.publisher()
    await publisher.tick()
    house.chain.reorganise(1, keep_pool=keep_pool)

    await publisher.tick()
    for _ in range(4):
        house.chain.mine(empty=2)
        await publisher.tick()

    await house.assert_settled()
    assert len(await house.store.transactions(Purpose.COMMIT, 1)) == 1


async def test_a_reorganisation_after_final_is_healed_with_the_same_bytes(house: House) -> None:
    house.earn(5_000_000)
    await settle(house)
    house.chain.reorganise(2)

    lost = await house.publisher().tick()
    healed = await house.publisher().tick()

    assert "lost epoch 1" in lost.reason
    assert healed.state is PublisherState.IDLE
    assert (await house.chain.contract()).commitment.epoch == 1
    assert len(await house.store.transactions(Purpose.COMMIT, 1)) == 1


async def test_a_nonce_taken_by_a_foreign_transaction_is_replaced_same_contents(
    house: House,
) -> None:
    house.finality = 2
    house.chain.automine = False
    house.earn(5_000_000)
    publisher = house.publisher()
    await publisher.tick()
    house.chain.pool.clear()
    house.chain.spend_nonce(Signer.SETTLER)

    shallow = await publisher.tick()
    house.chain.mine(empty=1)
    house.chain.automine = True
    for _ in range(4):
        await publisher.tick()
        house.chain.mine(empty=2)

    assert "nonce" in shallow.reason
    commits = await house.store.transactions(Purpose.COMMIT, 1)
    assert [t.state for t in commits] == [TransactionState.DEAD, TransactionState.FINAL]
    assert [t.signed.nonce for t in commits] == [0, 1]
    await house.assert_settled()


async def test_a_refused_rehearsal_waits_and_goes_on_later(house: House) -> None:
    house.earn(5_000_000)
    house.chain.refuse_signing = "underfunded"
    publisher = house.publisher()

    status = await publisher.tick()
    assert (status.state, status.reason) == (PublisherState.WAITING, "underfunded")
    assert house.chain.sends == []
    house.chain.refuse_signing = ""

    assert (await publisher.tick()).state is PublisherState.IDLE
    await house.assert_settled()


async def test_bytes_that_the_node_refuses_stay_stored_and_go_out_later(house: House) -> None:
    house.earn(5_000_000)
    house.chain.faults = [SendFault.REFUSED]
    publisher = house.publisher()

    assert (await publisher.tick()).reason == "insufficient funds"
    await publisher.tick()

    assert len(await house.store.transactions(Purpose.COMMIT, 1)) == 1
    await house.assert_settled()


async def test_a_silent_node_is_waited_for(house: House) -> None:
    house.earn(5_000_000)
    house.chain.available = False
    publisher = house.publisher()

    assert (await publisher.tick()).state is PublisherState.WAITING
    with pytest.raises(ChainUnavailableError):
        await publisher.settle_now(timeout_s=0.01)
    house.chain.available = True

    assert (await publisher.tick()).state is PublisherState.IDLE
    await house.assert_settled()


@pytest.mark.parametrize("field_name", ["chain_id", "genesis_hash", "settlement", "code_hash"])
async def test_another_chain_halts_until_the_right_one_is_back(
    house: House, field_name: str
) -> None:
    house.earn(5_000_000)
    await settle(house)
    right = house.chain.chain_identity
    other = 8 if field_name == "chain_id" else b"x" * 32
    house.chain.chain_identity = replace(right, **{field_name: other})  # type: ignore[arg-type]
    house.earn(1_000_000)
    publisher = house.publisher()

    assert (await publisher.tick()).state is PublisherState.HALTED
    with pytest.raises(InvariantError):
        await publisher.settle_now()
    house.chain.chain_identity = right

    assert (await publisher.tick()).state is PublisherState.IDLE
    await house.assert_settled()


async def test_a_contract_ahead_of_the_book_halts(house: House) -> None:
    house.earn(5_000_000)
    await settle(house)
    house.store = MemoryEpochStore()

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert "ahead of the book" in status.reason
    assert len(house.chain.sends) == 2


async def test_other_contents_for_a_known_epoch_halt(house: House) -> None:
    house.earn(5_000_000)
    epoch = await settle(house)
    forged = replace(epoch.commitment, fee_root=b"e" * 32)
    house.store.epochs[1] = replace(epoch, commitment=forged)

    assert "other contents" in (await house.publisher().tick()).reason


async def test_shrinking_earnings_halt_and_commit_nothing(house: House) -> None:
    house.earn(5_000_000)
    await settle(house)
    twin, entry = house.book.log[0]
    house.book.log[0] = (twin, replace(entry, creator_nano=1_000))

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert list(house.store.epochs) == [1]


async def test_a_transaction_mined_again_in_another_block_starts_its_count_anew(
    house: House,
) -> None:
    house.finality = 2
    house.earn(5_000_000)
    publisher = house.publisher()
    await publisher.tick()
    (before,) = await house.store.transactions(Purpose.COMMIT, 1)
    house.chain.reorganise(1)
    house.chain.pool.append(before.signed)
    house.chain.mine()

    assert (await publisher.tick()).reason == "1 of 2 confirmations"

    (after,) = await house.store.transactions(Purpose.COMMIT, 1)
    assert after.block_hash != before.block_hash
    for _ in range(3):
        house.chain.mine(empty=2)
        await publisher.tick()
    await house.assert_settled()


async def test_what_can_still_be_vetoed_moves_nothing_in_the_book(house: House) -> None:
    house.earn(5_000_000)
    house.chain.may_be_vetoed = True
    publisher = house.publisher()

    early = await publisher.tick()
    moved, final = dict(house.book.settled), await house.store.last_final()
    house.chain.may_be_vetoed = False
    late = await publisher.tick()

    assert (early.state, early.reason) == (
        PublisherState.WAITING,
        "epoch 1 can still be vetoed",
    )
    assert (moved, final) == ({}, None)
    assert late.state is PublisherState.IDLE
    await house.assert_settled()


async def test_a_publisher_that_relays_nothing_commits_all_the_same(house: House) -> None:
    house.relays = False
    house.earn(5_000_000)

    status = await house.publisher().tick()

    state = await house.chain.contract()
    assert status.state is PublisherState.IDLE
    assert (state.commitment.fee_total, state.claimed_total) == (5_000, 0)
    assert await house.store.transactions(Purpose.CLAIM, 1) == ()


@pytest.mark.parametrize("signed_again", [False, True], ids=["planned", "signed again"])
async def test_what_was_given_up_and_is_on_the_chain_after_all_counts(
    house: House,
    signed_again: bool,  # noqa: FBT001
) -> None:
    house.earn(5_000_000)
    house.chain.automine = False
    publisher = house.publisher()
    await publisher.tick()
    first = house.chain.pool[0]
    house.chain.pool.clear()
    house.chain.spend_nonce(Signer.SETTLER)
    house.chain.refuse_signing = "" if signed_again else "not now"
    await publisher.tick()
    dead = (await house.store.transactions(Purpose.COMMIT, 1))[0]
    assert dead.state is TransactionState.DEAD
    # Deeper than the finality of one block: the foreign transaction was never there.
    house.chain.reorganise(1)
    house.chain.pool.insert(0, first)
    house.chain.mine()
    house.chain.automine = True
    house.chain.refuse_signing = ""

    done = await house.publisher().tick()

    assert done.state is PublisherState.IDLE
    commits = await house.store.transactions(Purpose.COMMIT, 1)
    states = [one.state for one in commits if one.signed.hash == first.hash]
    assert states == [TransactionState.FINAL]
    assert {one.state for one in commits[1:]} <= {TransactionState.DEAD}
    assert house.book.keys == ["settle:epoch:1"]
    assert (await house.chain.contract()).claimed_total == 5_000


async def test_an_epoch_that_somebody_else_has_committed_alike_halts(house: House) -> None:
    house.earn(5_000_000)
    house.chain.automine = False
    await house.publisher().tick()
    house.chain.pool.clear()
    house.chain.spend_nonce(Signer.SETTLER)
    house.chain.refuse_signing = "not now"
    await house.publisher().tick()
    (dead,) = await house.store.transactions(Purpose.COMMIT, 1)
    assert dead.state is TransactionState.DEAD
    house.chain.commit(house.store.epochs[1].commitment)

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert "ahead of the book" in status.reason
