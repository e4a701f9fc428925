"""The publisher over fakes: what it does when the chain and the book behave in every way."""

from dataclasses import dataclass, field, replace

import pytest

from bot.domain.errors import ChainUnavailableError, InvariantError
from bot.domain.settlement import (
    NO_PAYOUT,
    Earnings,
    Epoch,
    Purpose,
    Signer,
    TransactionState,
    to_units,
)
from bot.settlement.publish import Publisher, PublisherState
from bot.settlement.relay import MAX_REVERTED
from tests.fakes.chain import MemoryChain, SendFault
from tests.fakes.epochs import MemoryEarnings, MemoryEpochStore
from tests.fakes.settlement_rig import payout_of, twin_id


@dataclass
class House:
    """A publisher with its fakes."""

    chain: MemoryChain = field(default_factory=MemoryChain)
    store: MemoryEpochStore = field(default_factory=MemoryEpochStore)
    book: MemoryEarnings = field(default_factory=MemoryEarnings)
    confirmations: int = 1

    def publisher(self) -> Publisher:
        return Publisher(
            chain=self.chain,
            store=self.store,
            earnings=self.book,
            confirmations=self.confirmations,
        )

    def earn(self, *nano: int) -> None:
        for number, amount in enumerate(nano):
            self.book.earn(twin_id(number), amount, payout=payout_of(number))

    async def assert_settled(self) -> None:
        """Book, contract and pay-out balances agree, and nothing was done twice."""
        total = sum(to_units(item.cumulative_nano) for item in self.book.earnings.values())
        state = await self.chain.contract()
        final = await self.store.last_final()
        assert final is not None
        assert state.commitment == final.commitment
        assert state.commitment.fee_total == total
        assert state.claimed_total == total
        for item in self.book.earnings.values():
            assert await self.chain.balance(item.payout) == item.cumulative_units
            assert self.book.settled.get(item.twin, 0) == item.cumulative_units * 1_000
        finals = [t for t in self.store.stored if t.state is TransactionState.FINAL]
        commits = [t.signed.epoch for t in finals if t.signed.purpose is Purpose.COMMIT]
        assert commits == list(range(1, final.number + 1))


@pytest.fixture
def house() -> House:
    return House()


async def settle(house: House) -> Epoch:
    epoch = await house.publisher().settle_now(timeout_s=5)
    assert epoch is not None
    return epoch


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
    house.confirmations = 3
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
    house.confirmations = 2
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
    house.confirmations = 2
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
    old = house.book.earnings[twin_id(0)]
    house.book.earnings[twin_id(0)] = Earnings(
        old.twin, old.payout, 1_000, old.receipt_count, old.twin_log_root
    )

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert list(house.store.epochs) == [1]


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
    house.chain.faults = []
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
