"""Finality by tag, and a second node whose word is needed before anything is final."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.errors import ConfigurationError
from bot.domain.settlement import ChainIdentity
from bot.domain.transactions import BlockTag, Inclusion, Purpose, Signer, TransactionState
from bot.settlement.publish import PublisherState
from tests.fakes.chain import MemoryChain, World
from tests.fakes.settlement_house import House


class Mirror(MemoryChain):
    """Another node of the same chain, which shows the same blocks until it lies."""

    def __init__(self, of: MemoryChain) -> None:
        super().__init__(blocks=of.blocks)
        self.lie: Callable[[Inclusion], Inclusion | None] = lambda told: told

    async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
        told = await super().inclusion(transaction_hash)
        return None if told is None else self.lie(told)


class Elsewhere(Mirror):
    async def identity(self) -> ChainIdentity:
        raise ConfigurationError("There is no contract at 0x00 on chain 7.")


@pytest.fixture
def house() -> House:
    house = House()
    house.second = Mirror(house.chain)
    house.earn(5_000_000)
    return house


def mirror_of(house: House) -> Mirror:
    assert isinstance(house.second, Mirror)
    return house.second


@pytest.mark.parametrize(("tag", "deep"), [(BlockTag.SAFE, 2), (BlockTag.FINALIZED, 4)])
async def test_final_waits_for_the_block_that_the_chain_itself_calls_so(
    house: House, tag: BlockTag, deep: int
) -> None:
    house.finality = tag
    publisher = house.publisher()
    reasons = []
    for _ in range(deep - 1):
        reasons.append((await publisher.tick()).reason)
        assert await house.store.last_final() is None
        house.chain.mine(empty=1)

    await publisher.tick()

    assert all(f"is above the {tag} one" in reason for reason in reasons)
    assert await house.store.last_final() is not None


async def test_two_nodes_that_agree_settle_as_one(house: House) -> None:
    assert (await house.publisher().tick()).state is PublisherState.IDLE
    await house.assert_settled()


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (lambda _: None, "does not hold the transaction"),
        (lambda told: replace(told, block_hash=b"z" * 32), "does not hold the transaction"),
        (lambda told: replace(told, succeeded=False), "disagrees on whether"),
        (lambda told: replace(told, depth=0), "0 of 1 confirmations"),
    ],
    ids=["not there", "other block", "reverted", "too shallow"],
)
async def test_nothing_is_final_while_the_second_node_shows_something_else(
    house: House, lie: Callable[[Inclusion], Inclusion | None], reason: str
) -> None:
    mirror_of(house).lie = lie
    publisher = house.publisher()
    doubted = [await publisher.tick() for _ in range(3)]
    moved = dict(house.book.settled)
    mirror_of(house).lie = lambda told: told

    assert {one.state for one in doubted} == {PublisherState.WAITING}
    assert {reason in one.reason and "the second RPC" in one.reason for one in doubted} == {True}
    assert moved == {}
    assert (await publisher.tick()).state is PublisherState.IDLE
    await house.assert_settled()


async def test_a_second_node_that_is_away_or_elsewhere_is_waited_for(house: House) -> None:
    publisher = house.publisher()
    mirror_of(house).available = False
    dead = await publisher.tick()
    mirror_of(house).available = True
    mirror_of(house).chain_identity = replace(house.chain.chain_identity, genesis_hash=b"x" * 32)
    reset = await publisher.tick()
    house.second = Elsewhere(house.chain)
    elsewhere = await house.publisher().tick()

    assert "gives no answer that counts (the node is down)" in dead.reason
    assert "serves another chain or contract" in reset.reason
    assert "There is no contract" in elsewhere.reason
    assert await house.store.last_final() is None
    house.second = Mirror(house.chain)
    assert (await house.publisher().tick()).state is PublisherState.IDLE
    await house.assert_settled()


async def test_contents_that_only_one_node_shows_are_not_final(house: House) -> None:
    class Doctored(Mirror):
        def _world(self) -> World:
            world = super()._world().copy()
            world.commitment = replace(world.commitment, fee_total=9)
            return world

    house.second = Doctored(house.chain)

    told = await house.publisher().tick()

    assert "shows other contents of the contract: epoch 1 with 9 token units" in told.reason
    assert house.book.settled == {}


async def test_one_lying_node_can_not_make_a_transaction_dead(house: House) -> None:
    # The first node says that the nonce is gone, and hides the block that holds our own bytes.
    class Hiding(MemoryChain):
        hides = True

        async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
            return None if self.hides else await super().inclusion(transaction_hash)

    house.chain = hiding = Hiding()
    house.second = Mirror(hiding)
    publisher = house.publisher()

    lied = [await publisher.tick() for _ in range(3)]

    assert {one.state for one in lied} == {PublisherState.WAITING}
    assert "shows one of our own transactions mined" in lied[-1].reason
    hiding.hides = False
    await publisher.tick()
    await house.assert_settled()
    assert await hiding.nonce(Signer.SETTLER) == 1
    (commit,) = await house.store.transactions(Purpose.COMMIT, 1)
    assert commit.state is TransactionState.FINAL
