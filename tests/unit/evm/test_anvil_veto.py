"""Vetoes on a real node (anvil), with the real contract: of our own epoch and of a thief's."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from bot.config import MoneySettings
from bot.domain.errors import ConfigurationError
from bot.domain.settlement import Commitment, EpochState
from bot.domain.transactions import Purpose, SignedTransaction, Signer, TransactionState
from bot.settlement.publish import EpochPublisher, PublisherState
from bot.wiring.anchor_checks import explain_short_time
from bot.wiring.rpc_chain import RpcChain, open_rpc_chain
from bot.wiring.settlement import open_settlement
from bot.wiring.stores import Stores, open_stores
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.clock import SetClock
from tests.fakes.epochs import MemoryEarnings
from tests.fakes.settlement_rig import SETTLER_KEY, TREASURY_KEY, address_of, payout_of, twin_id
from tests.unit.evm.rpc_rig import deployed, keys_of_nobody

pytestmark = NEEDS_ANVIL
DELAY_S = 3_600
OTHER_KEY = bytes([9]) * 32


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Anvil]:
    with anvil(tmp_path) as started:
        started.ask("anvil_setBalance", f"0x{address_of(OTHER_KEY).hex()}", hex(10**20))
        yield started


@asynccontextmanager
async def opened(
    rpc: RpcChain, stores: Stores, book: MemoryEarnings
) -> AsyncIterator[EpochPublisher]:
    async with open_rpc_chain(rpc) as chain:
        yield EpochPublisher(
            chain=chain, store=stores.epochs, earnings=book, finality=rpc.finality, clock=SetClock()
        )


def earn(book: MemoryEarnings) -> None:
    for number in range(3):
        book.earn(twin_id(number), 5_000_000, payout=payout_of(number))


def wait_out(node: Anvil) -> None:
    node.ask("evm_increaseTime", hex(DELAY_S + 1))
    node.mine(1)


def call(node: Anvil, rpc: RpcChain, key: bytes, data: bytes) -> Any:  # noqa: ANN401 - JSON
    receipt = node.send(key, to=f"0x{rpc.contract.hex()}", data=f"0x{data.hex()}", gas=hex(500_000))
    assert int(receipt["status"], 16) == 1
    return receipt


def veto(node: Anvil, rpc: RpcChain) -> None:
    call(node, rpc, TREASURY_KEY, keccak(text="veto()")[:4])


def name_settler(node: Anvil, rpc: RpcChain, key: bytes) -> None:
    selector = keccak(text="set_settler(address)")[:4]
    call(node, rpc, TREASURY_KEY, selector + address_of(key).rjust(32, b"\x00"))


async def settle(node: Anvil, publisher: EpochPublisher) -> None:
    """Begin an epoch and wait until it is final and paid."""
    assert "can still be vetoed" in (await publisher.tick()).reason
    wait_out(node)
    ends = [await publisher.tick(begin=False) for _ in range(3)]
    assert ends[-1].state is PublisherState.IDLE


async def test_an_epoch_of_ones_own_is_vetoed_and_the_next_one_pays_all_of_it(
    node: Anvil, tmp_path: Path
) -> None:
    rpc, book = await deployed(node, delay_s=DELAY_S), MemoryEarnings()
    earn(book)
    async with open_stores(tmp_path) as stores:
        async with opened(rpc, stores, book) as publisher:
            await settle(node, publisher)
            earn(book)
            await publisher.tick()
            veto(node, rpc)
            noted = await publisher.tick(begin=False)
        # A restart while the contract has no settler: that is no wrong key.
        async with opened(rpc, stores, book) as publisher:
            waits = await publisher.tick()
            sent = int(node.ask("eth_getTransactionCount", settler(SETTLER_KEY), "latest"), 16)
            name_settler(node, rpc, SETTLER_KEY)
            await settle(node, publisher)
        epochs = [await stores.epochs.epoch(number) for number in (1, 2, 3)]
        (dead,) = await stores.epochs.transactions(Purpose.COMMIT, 2)
    async with open_rpc_chain(rpc) as chain:
        state = await chain.contract()
        paid = [await chain.balance(payout_of(i)) for i in range(3)]

    assert noted.state is PublisherState.DEFERRED
    assert waits.reason.startswith("the contract lets nobody commit: its guardian has removed")
    assert sent == 2, "nothing is sent while it would only be reverted"
    assert [one and one.state for one in epochs] == ["final", "vetoed", "final"]
    assert dead.state is TransactionState.DEAD
    assert (state.commitment.epoch, state.commitment.fee_total) == (3, 30_000)
    assert state.claimed_total == 30_000
    assert paid == [10_000] * 3
    assert book.keys == ["settle:epoch:1", "settle:epoch:3"]


def settler(key: bytes) -> str:
    return f"0x{address_of(key).hex()}"


@pytest.mark.parametrize("signed_here", [False, True], ids=["nothing of ours", "ours is signed"])
async def test_a_thiefs_epoch_is_vetoed_and_another_key_goes_on(
    node: Anvil,
    tmp_path: Path,
    signed_here: bool,  # noqa: FBT001
) -> None:
    rpc, book = await deployed(node, delay_s=DELAY_S), MemoryEarnings()
    earn(book)
    async with open_stores(tmp_path) as stores:
        async with opened(rpc, stores, book) as publisher:
            await settle(node, publisher)
            earn(book)
            node.ask("evm_setAutomine", False)  # noqa: FBT003
            if signed_here:
                await publisher.tick()
                node.ask("anvil_dropAllTransactions")
            await steal(rpc, 2)
            node.mine(1)
            node.ask("evm_setAutomine", True)  # noqa: FBT003
            false = await publisher.tick(begin=False)
            veto(node, rpc)
            noted = await publisher.tick(begin=False)
        # The stolen key is replaced: its account's nonces begin at 0, as the first one's did.
        name_settler(node, rpc, OTHER_KEY)
        other = replace(rpc, settler=OTHER_KEY)
        async with opened(other, stores, book) as publisher:
            await settle(node, publisher)
        vetoed, final = await stores.epochs.epoch(2), await stores.epochs.epoch(3)
        (commit,) = await stores.epochs.transactions(Purpose.COMMIT, 3)
    async with open_rpc_chain(other) as chain:
        paid = [await chain.balance(payout_of(i)) for i in range(3)]

    assert false.state is PublisherState.HALTED
    assert noted.state is PublisherState.DEFERRED
    assert (vetoed and vetoed.state, final and final.state) == ("vetoed", "final")
    assert (commit.signed.nonce, commit.signed.sender) == (0, address_of(OTHER_KEY))
    assert paid == [10_000] * 3


async def steal(rpc: RpcChain, epoch: int) -> None:
    """Commit a false root with the settler's key."""
    async with open_rpc_chain(rpc) as chain:
        false = Commitment(epoch, b"f" * 32, 9_000_000, b"l" * 32, 10**6, b"d" * 32)
        signed = await chain.sign_commit(false, nonce=await chain.nonce(Signer.SETTLER))
        assert isinstance(signed, SignedTransaction)
        await chain.send(signed)


async def test_the_same_contents_again_are_no_veto_and_halt(node: Anvil, tmp_path: Path) -> None:
    rpc, book = await deployed(node, delay_s=DELAY_S), MemoryEarnings()
    earn(book)
    async with open_stores(tmp_path) as stores, opened(rpc, stores, book) as publisher:
        await settle(node, publisher)
        final = await stores.epochs.last_final()
        assert final is not None
        async with open_rpc_chain(rpc) as chain:
            again = replace(final.commitment, epoch=2)
            signed = await chain.sign_commit(again, nonce=await chain.nonce(Signer.SETTLER))
            assert isinstance(signed, SignedTransaction)
            await chain.send(signed)
            wait_out(node)
            state = await chain.contract()
        status = await publisher.tick()

    assert (state.was_vetoed, state.may_be_vetoed) == (False, False)
    assert status.state is PublisherState.HALTED
    assert "ahead of the book" in status.reason


async def test_the_very_first_epoch_is_vetoed(node: Anvil, tmp_path: Path) -> None:
    rpc, book = await deployed(node, delay_s=DELAY_S), MemoryEarnings()
    earn(book)
    async with open_stores(tmp_path) as stores, opened(rpc, stores, book) as publisher:
        await publisher.tick()
        veto(node, rpc)
        await publisher.tick(begin=False)
        name_settler(node, rpc, SETTLER_KEY)
        await settle(node, publisher)
        states = [await stores.epochs.epoch(number) for number in (1, 2)]

    assert [one and one.state for one in states] == [EpochState.VETOED, EpochState.FINAL]
    assert book.keys == ["settle:epoch:2"]


@pytest.mark.parametrize("is_new", [True, False], ids=["first start", "settled before"])
async def test_a_start_says_where_a_reply_can_not_be_anchored_in_time(
    node: Anvil,
    tmp_path: Path,
    is_new: bool,  # noqa: FBT001
) -> None:
    rpc = await deployed(node, delay_s=DELAY_S)
    short = MoneySettings(anchor_hours=4, epoch_seconds=3_600)
    enough = MoneySettings(anchor_hours=6, epoch_seconds=3_600)
    words = (
        r"anchor_hours is 4, and a paid reply may be on the chain only after 5\.0 hours.*"
        "set anchor_hours to 6 or more"
    )

    async with open_stores(tmp_path) as stores:
        keys, clock = keys_of_nobody(), SetClock()
        async with open_settlement(rpc, tmp_path, keys, clock, stores, money=enough) as settled:
            assert settled.notices == ()
            if not is_new:
                await settled.publisher.tick()
        if is_new:
            with pytest.raises(ConfigurationError, match=words):
                async with open_settlement(rpc, tmp_path, keys, clock, stores, money=short):
                    pass
        else:
            async with open_settlement(rpc, tmp_path, keys, clock, stores, money=short) as settled:
                (notice,) = settled.notices
                assert notice == explain_short_time(short, DELAY_S)


async def test_the_end_of_the_time_for_a_veto_has_to_be_final_too(
    node: Anvil, tmp_path: Path
) -> None:
    rpc = replace(await deployed(node, delay_s=DELAY_S), finality=3)
    node.mine(3)
    book = MemoryEarnings()
    earn(book)
    async with open_stores(tmp_path) as stores, opened(rpc, stores, book) as publisher:
        await publisher.tick()
        node.mine(5)
        wait_out(node)
        early = await publisher.tick(begin=False)
        kept = await stores.epochs.last_final()
        node.mine(2)
        await publisher.tick(begin=False)
        final = await stores.epochs.last_final()

    assert early.reason == "epoch 1 can still be vetoed"
    assert kept is None
    assert final is not None


async def test_a_thief_above_our_epoch_that_is_not_final_yet_stops_nothing_after_the_veto(
    node: Anvil, tmp_path: Path
) -> None:
    rpc, book = replace(await deployed(node, delay_s=DELAY_S), finality=5), MemoryEarnings()
    node.mine(5)
    earn(book)
    async with open_stores(tmp_path) as stores, opened(rpc, stores, book) as publisher:
        await publisher.tick()
        node.mine(5)
        mined = await publisher.tick(begin=False)
        wait_out(node)
        await steal(rpc, 2)
        false = await publisher.tick(begin=False)
        veto(node, rpc)
        node.mine(5)
        noted = await publisher.tick(begin=False)
        await publisher.tick(begin=False)
        paid = await stores.epochs.transactions(Purpose.CLAIM, 1)
        states = [await stores.epochs.epoch(number) for number in (1, 2)]
        name_settler(node, rpc, SETTLER_KEY)
        node.mine(5)
        earn(book)
        await publisher.tick()
        for _ in range(5):
            node.mine(5)
            wait_out(node)
            node.mine(5)
            await publisher.tick(begin=False)
        done = await publisher.tick(begin=False)
        third = await stores.epochs.epoch(3)
    async with open_rpc_chain(rpc) as chain:
        state = await chain.contract()
        balances = [await chain.balance(payout_of(i)) for i in range(3)]

    assert mined.reason == "epoch 1 can still be vetoed"
    assert false.state is PublisherState.HALTED
    assert noted.state is PublisherState.DEFERRED
    assert [one and one.state for one in states] == ["final", "vetoed"]
    assert len(paid) == 1, "claims of what stands go on"
    assert done.state is PublisherState.IDLE
    assert third is not None
    assert third.state is EpochState.FINAL
    assert (state.commitment.epoch, state.claimed_total) == (3, 30_000)
    assert balances == [10_000] * 3
