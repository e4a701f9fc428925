"""Keys that are replaced while a transaction is in flight, on a real node (anvil)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from bot.domain.transactions import Purpose, TransactionState
from bot.settlement.publish import EpochPublisher, PublisherState
from bot.wiring.rpc_chain import RpcChain, open_rpc_chain
from bot.wiring.stores import Stores, open_stores
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.epochs import MemoryEarnings
from tests.fakes.settlement_rig import (
    RELAYER_KEY,
    SETTLER_KEY,
    TREASURY_KEY,
    address_of,
    payout_of,
    twin_id,
)
from tests.unit.evm.rpc_rig import deployed

pytestmark = NEEDS_ANVIL
NEW_KEY = bytes([9]) * 32
DEAD, FINAL = TransactionState.DEAD, TransactionState.FINAL


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Anvil]:
    with anvil(tmp_path) as started:
        started.ask("anvil_setBalance", account(NEW_KEY), hex(10**20))
        yield started


@asynccontextmanager
async def opened(
    rpc: RpcChain, stores: Stores, book: MemoryEarnings
) -> AsyncIterator[EpochPublisher]:
    async with open_rpc_chain(rpc) as chain, open_rpc_chain(rpc) as second:
        yield EpochPublisher(
            chain=chain, second=second, store=stores.epochs, earnings=book, finality=rpc.finality
        )


def earn(book: MemoryEarnings) -> None:
    for number in range(3):
        book.earn(twin_id(number), 5_000_000, payout=payout_of(number))


def account(key: bytes) -> str:
    return f"0x{address_of(key).hex()}"


def name_settler(node: Anvil, rpc: RpcChain, key: bytes) -> None:
    data = keccak(text="set_settler(address)")[:4] + address_of(key).rjust(32, b"\x00")
    node.send(TREASURY_KEY, to=f"0x{rpc.contract.hex()}", data=f"0x{data.hex()}")


def spoil(node: Anvil, key: bytes, trouble: str) -> None:
    if trouble == "nonce gone":
        node.send(key, to=account(NEW_KEY), value=hex(1))
    elif trouble == "drained":
        node.ask("anvil_setBalance", account(key), hex(0))
    else:
        node.ask("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
        node.mine(1)


@pytest.mark.parametrize("trouble", ["nonce gone", "drained", "base fee rose"])
async def test_a_settler_is_replaced_while_its_commit_is_in_flight(
    node: Anvil, tmp_path: Path, trouble: str
) -> None:
    rpc, book = replace(await deployed(node), finality=2), MemoryEarnings()
    node.mine(2)
    earn(book)
    async with open_stores(tmp_path) as stores:
        async with opened(rpc, stores, book) as publisher:
            node.ask("evm_setAutomine", False)  # noqa: FBT003 - JSON
            await publisher.tick()
            node.ask("anvil_dropAllTransactions")
            node.ask("evm_setAutomine", True)  # noqa: FBT003
        spoil(node, SETTLER_KEY, trouble)
        name_settler(node, rpc, NEW_KEY)
        async with opened(replace(rpc, settler=NEW_KEY), stores, book) as publisher:
            for _ in range(6):
                await publisher.tick(begin=False)
                node.mine(2)
            done = await publisher.tick(begin=False)
        commits = await stores.epochs.transactions(Purpose.COMMIT, 1)
    async with open_rpc_chain(rpc) as chain:
        state = await chain.contract()

    assert done.state is PublisherState.IDLE
    senders = [(one.state, one.signed.sender) for one in commits]
    assert senders == [(DEAD, address_of(SETTLER_KEY)), (FINAL, address_of(NEW_KEY))]
    assert (state.commitment.epoch, state.claimed_total) == (1, 15_000)


@pytest.mark.parametrize("trouble", ["nonce gone", "drained"])
async def test_a_relayer_is_replaced_while_its_claim_is_in_flight(
    node: Anvil, tmp_path: Path, trouble: str
) -> None:
    rpc, book = await deployed(node), MemoryEarnings()
    earn(book)
    async with open_stores(tmp_path) as stores:
        async with opened(rpc, stores, book) as publisher:
            node.ask("evm_setAutomine", False)  # noqa: FBT003 - JSON
            await publisher.tick()
            node.mine(1)
            await publisher.tick(begin=False)
            stuck = await stores.epochs.in_flight(Purpose.CLAIM)
            node.ask("anvil_dropAllTransactions")
            node.ask("evm_setAutomine", True)  # noqa: FBT003
        spoil(node, RELAYER_KEY, trouble)
        async with opened(replace(rpc, relayer=NEW_KEY), stores, book) as publisher:
            done = await publisher.tick(begin=False)
            earn(book)
            await publisher.tick()
    async with open_rpc_chain(rpc) as chain:
        state = await chain.contract()
        paid = [await chain.balance(payout_of(i)) for i in range(3)]

    assert stuck is not None
    assert done.state is PublisherState.IDLE
    assert (state.commitment.epoch, state.claimed_total) == (2, 30_000)
    assert paid == [10_000] * 3
