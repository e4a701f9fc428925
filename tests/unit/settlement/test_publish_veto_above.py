"""A thief who commits above our own epoch before that is final here, and what the veto leaves."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import structlog

from bot.domain.settlement import Commitment, EpochState
from bot.domain.transactions import BlockTag, Purpose, Signer, TransactionState
from bot.settlement.publish import PublisherState
from bot.settlement.vetoed import is_unnoted_veto
from tests.fakes.chain import MemoryChain
from tests.fakes.clock import SetClock
from tests.fakes.settlement_house import House, settle
from tests.fakes.settlement_rig import payout_of

FEE, UNITS = 5_000_000, 5_000


@pytest.fixture
def house() -> House:
    house = House(clock=SetClock(), finality=BlockTag.FINALIZED)
    house.chain.mine(empty=5)
    house.earn(FEE, FEE)
    return house


def false_epoch(number: int) -> Commitment:
    return Commitment(number, b"f" * 32, 10**9, b"l" * 32, 10**6, b"d" * 32)


async def states(house: House) -> list[str]:
    return [str(one.state) for one in house.store.epochs.values()]


@pytest.mark.parametrize("stolen", [1, 2], ids=["one above", "two above"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen standing", "not seen"])
async def test_our_epoch_below_a_vetoed_one_becomes_final_first(
    house: House,
    stolen: int,
    seen: bool,  # noqa: FBT001
) -> None:
    publisher = house.publisher()
    await publisher.tick()
    house.earn(FEE)
    standing = []
    for number in range(2, 2 + stolen):
        house.chain.commit(false_epoch(number))
        if seen:
            standing.append((await publisher.tick(begin=False)).state)
        house.chain.veto()
    early = await publisher.tick(begin=False)
    before = await states(house)
    house.chain.mine(empty=5)

    with structlog.testing.capture_logs() as log:
        noted = await publisher.tick(begin=False)

    assert standing == [PublisherState.HALTED] * stolen * seen
    assert early.state is PublisherState.WAITING
    assert before == ["mined"]
    assert noted.state is PublisherState.DEFERRED
    assert f"vetoed epoch {1 + stolen}" in noted.reason
    assert await states(house) == ["final", *["vetoed"] * stolen]
    assert house.book.keys == ["settle:epoch:1"]
    assert not [one for one in log if one["log_level"] == "error"]
    (commit,) = await house.store.transactions(Purpose.COMMIT, 1)
    assert commit.state is TransactionState.FINAL

    for _ in range(5):
        await publisher.tick(begin=not await publisher.is_under_way())
        house.chain.mine(empty=5)
    await house.assert_settled()
    assert house.store.epochs[2 + stolen].commitment.fee_total == 3 * UNITS


async def test_a_veto_above_an_epoch_of_ours_is_known_for_what_it_is(house: House) -> None:
    await house.publisher().tick()
    house.chain.commit(false_epoch(2))
    standing = await house.chain.contract()
    house.chain.veto()

    state, ours = await house.chain.contract(), await house.store.open_epoch()

    assert is_unnoted_veto(state, None, ours)
    assert not is_unnoted_veto(state, None)
    assert not is_unnoted_veto(standing, None, ours)
    other = replace(state, commitment=replace(state.commitment, fee_total=1))
    assert not is_unnoted_veto(other, None, ours)


async def test_what_a_veto_leaves_that_is_not_our_commit_is_never_made_final(
    house: House,
) -> None:
    # The same contents, committed by bytes that are not ours: our own were never mined.
    house.chain.automine = False
    publisher = house.publisher()
    await publisher.tick()
    ours = await house.store.open_epoch()
    assert ours is not None
    house.chain.pool.clear()
    house.chain.commit(ours.commitment)
    house.chain.commit(false_epoch(2))
    house.chain.veto()
    house.chain.spend_nonce(Signer.SETTLER)
    house.chain.mine(empty=5)

    ends = [await publisher.tick(begin=False) for _ in range(3)]

    assert PublisherState.IDLE not in {one.state for one in ends}
    assert await house.store.last_final() is None
    assert house.book.keys == []


class Behind(MemoryChain):
    """The second node, which has seen nothing newer than a block."""

    def __init__(self, of: MemoryChain, height: int) -> None:
        super().__init__(blocks=of.blocks[:height])


async def test_our_epoch_below_a_vetoed_one_needs_the_second_nodes_word(house: House) -> None:
    publisher = house.publisher()
    await publisher.tick()
    house.chain.mine(empty=5)
    height = len(house.chain.blocks)
    house.chain.commit(false_epoch(2))
    house.chain.veto()
    house.chain.mine(empty=5)
    house.second = Behind(house.chain, height)

    doubted = await house.publisher().tick(begin=False)
    before = await states(house)
    house.second = MemoryChain(blocks=house.chain.blocks)
    agreed = await house.publisher().tick(begin=False)

    assert "the second RPC shows other contents of the contract" in doubted.reason
    assert before == ["mined"]
    assert agreed.state is PublisherState.DEFERRED
    assert await states(house) == ["final", "vetoed"]


async def test_an_epoch_that_was_given_up_is_taken_up_below_a_vetoed_number(house: House) -> None:
    # Its nonce had gone to other bytes, a deep reorganisation took these off the chain, and our own
    # bytes came in after all, before the thief's.
    house.finality = 1
    house.chain.automine = False
    publisher = house.publisher()
    await publisher.tick()
    (commit,) = house.chain.pool
    house.chain.pool.clear()
    house.chain.spend_nonce(Signer.SETTLER)
    house.chain.refuse_signing = "the treasury is empty"
    await publisher.tick(begin=False)
    assert await states(house) == ["planned"]
    house.chain.reorganise(1)
    house.chain.pool.append(commit)
    house.chain.mine()
    house.chain.commit(false_epoch(2))
    house.chain.veto()

    noted = await publisher.tick(begin=False)

    assert noted.state is PublisherState.DEFERRED
    assert await states(house) == ["final", "vetoed"]


async def test_claims_go_on_while_a_veto_waits_for_the_second_node(house: House) -> None:
    house.finality, house.relays = 1, False
    await settle(house)
    house.relays = True
    house.second = MemoryChain(available=False)
    house.chain.commit(false_epoch(2))
    house.chain.veto()
    publisher = house.publisher()

    waiting = [await publisher.tick() for _ in range(2)]

    assert {one.state for one in waiting} == {PublisherState.WAITING}
    assert "gives no answer that counts" in waiting[-1].reason
    assert await states(house) == ["final"]
    # The claims' transaction is out; that it is final is for the second node to say, too.
    assert await house.chain.balance(payout_of(0)) == UNITS


def lag_behind(house: House) -> Callable[[], None]:
    newest = house.chain.blocks
    house.chain.blocks = newest[:-2]

    def catch_up() -> None:
        house.chain.blocks = newest

    return catch_up


async def test_a_node_that_lags_behind_a_noted_veto_is_waited_for(house: House) -> None:
    house.finality = 1
    await settle(house)
    house.chain.commit(false_epoch(2))
    house.chain.veto()
    publisher = house.publisher()
    assert (await publisher.tick(begin=False)).state is PublisherState.DEFERRED
    house.earn(FEE)
    catch_up = lag_behind(house)
    sent = len(house.chain.sends)

    with structlog.testing.capture_logs() as log:
        lagging = await publisher.tick()
    quiet = len(house.chain.sends) == sent
    catch_up()
    done = await publisher.tick(begin=False)

    assert lagging.state is PublisherState.WAITING
    assert "the node does not show epoch 2, which the guardian has vetoed" in lagging.reason
    assert not [one for one in log if one["event"] == "epoch.lost_by_chain"]
    assert quiet
    assert done.state is PublisherState.IDLE
    assert house.store.epochs[2].state is EpochState.VETOED
    await house.assert_settled()
