"""The same client class through JSON-RPC, against a real node on loopback (anvil)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from web3 import AsyncWeb3
from web3.types import RPCEndpoint

from adapters.evm.client import EvmSettlementChain, rpc_provider
from adapters.evm.deploy import deploy
from bot.domain.settlement import Commitment
from bot.domain.transactions import (
    Finality,
    Purpose,
    Refusal,
    SignedTransaction,
    Signer,
    TransactionState,
)
from bot.ports.chain import Broadcast
from bot.settlement.publish import EpochPublisher, PublisherState
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.epochs import MemoryEarnings, MemoryEpochStore
from tests.fakes.settlement_rig import (
    RELAYER_KEY,
    SETTLER_KEY,
    TREASURY_KEY,
    address_of,
    payout_of,
    twin_id,
)

COMMITMENT = Commitment(1, b"f" * 32, 5, b"l" * 32, 3, b"d" * 32)

pytestmark = NEEDS_ANVIL


@dataclass(slots=True)
class Node:
    """A running anvil."""

    anvil: Anvil
    chain: EvmSettlementChain
    web3: AsyncWeb3[Any]

    async def ask(self, method: str, *params: object) -> object:
        response = await self.web3.provider.make_request(RPCEndpoint(method), list(params))
        assert "error" not in response, response
        return response["result"]

    def publisher(
        self, store: MemoryEpochStore, book: MemoryEarnings, *, finality: Finality = 1
    ) -> EpochPublisher:
        return EpochPublisher(chain=self.chain, store=store, earnings=book, finality=finality)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    with anvil(tmp_path) as started:
        provider = rpc_provider(started.url)
        web3: AsyncWeb3[Any] = AsyncWeb3(provider)
        deployment = await deploy(web3, treasury_key=TREASURY_KEY, settler=address_of(SETTLER_KEY))
        chain = EvmSettlementChain(
            provider=provider,
            settlement=deployment.settlement,
            settler_key=SETTLER_KEY,
            relayer_key=RELAYER_KEY,
        )
        yield Node(started, chain, web3)
        await chain.close()


def earn(book: MemoryEarnings, nano: int, *, twins: int = 70) -> None:
    for number in range(twins):
        book.earn(twin_id(number), nano + 1_000 * number, payout=payout_of(number))


async def assert_settled(node: Node, book: MemoryEarnings) -> None:
    total = sum(item.cumulative_units for item in book.earnings.values())
    state = await node.chain.contract()
    assert state.commitment.fee_total == total
    assert state.claimed_total == total
    for item in list(book.earnings.values())[:3]:
        assert await node.chain.balance(item.payout) == item.cumulative_units


async def test_two_epochs_and_their_claims_through_json_rpc(node: Node) -> None:
    store, book = MemoryEpochStore(), MemoryEarnings()
    for number in (1, 2):
        earn(book, 5_000_500)
        epoch = await node.publisher(store, book).settle_now()

        assert epoch is not None
        assert epoch.number == number
        await assert_settled(node, book)
        for purpose, nonces in ((Purpose.COMMIT, 1), (Purpose.CLAIM, 2)):
            sent = await store.transactions(purpose, number)
            assert [t.state for t in sent] == [TransactionState.FINAL] * nonces
    assert (await node.publisher(store, book).tick()).state is PublisherState.IDLE


async def test_a_reorganisation_before_final_is_paid_once(node: Node) -> None:
    store, book = MemoryEpochStore(), MemoryEarnings()
    earn(book, 5_000_500, twins=3)
    publisher = node.publisher(store, book, finality=3)
    await publisher.tick()
    await node.ask("anvil_reorg", 1, [])

    for _ in range(12):
        await publisher.tick()
        await node.ask("evm_mine")

    await assert_settled(node, book)
    assert await node.chain.nonce(Signer.SETTLER) == 1
    assert len(await store.transactions(Purpose.COMMIT, 1)) == 1


async def test_a_transaction_dropped_from_the_pool_is_sent_again(node: Node) -> None:
    store, book = MemoryEpochStore(), MemoryEarnings()
    earn(book, 5_000_500, twins=3)
    publisher = node.publisher(store, book)
    await node.ask("evm_setAutomine", False)  # noqa: FBT003
    assert (await publisher.tick()).reason == "not mined yet"
    (commit,) = await store.transactions(Purpose.COMMIT, 1)
    await node.ask("anvil_dropTransaction", f"0x{commit.signed.hash.hex()}")

    await node.ask("evm_setAutomine", True)  # noqa: FBT003
    await publisher.settle_now(timeout_s=10)

    assert len(await store.transactions(Purpose.COMMIT, 1)) == 1
    await assert_settled(node, book)


async def test_a_dead_node_is_waited_for(node: Node) -> None:
    store, book = MemoryEpochStore(), MemoryEarnings()
    earn(book, 5_000_500, twins=3)
    node.anvil.stop()

    status = await node.publisher(store, book).tick()

    assert status.state is PublisherState.WAITING
    assert store.epochs == {}


async def test_what_a_node_says_to_a_broadcast_is_understood(node: Node) -> None:
    first = await node.chain.sign_commit(COMMITMENT, nonce=0)
    rival = await node.chain.sign_commit(
        Commitment(1, b"r" * 32, 6, b"l" * 32, 3, b"d" * 32), nonce=0
    )
    assert isinstance(first, SignedTransaction)
    assert isinstance(rival, SignedTransaction)
    await node.ask("evm_setAutomine", False)  # noqa: FBT003

    assert await node.chain.send(first) is Broadcast.ACCEPTED
    assert await node.chain.send(first) is Broadcast.ACCEPTED  # already imported
    assert isinstance(await node.chain.send(rival), Refusal)  # underpriced replacement
    await node.ask("evm_mine")

    assert await node.chain.send(rival) is Broadcast.NONCE_USED
    assert (await node.chain.contract()).commitment == COMMITMENT


async def test_a_rehearsal_through_json_rpc_gives_the_contracts_reason(node: Node) -> None:
    skipped = cast(
        "Refusal",
        await node.chain.sign_commit(Commitment(5, b"f" * 32, 5, b"l" * 32, 3, b"d" * 32), nonce=0),
    )

    assert "epoch" in skipped.reason
