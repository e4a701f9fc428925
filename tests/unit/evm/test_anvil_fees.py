"""Dearer attempts, finality by tag, two nodes and a signing command, on a real node (anvil)."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from bot.domain.transactions import BlockTag, Purpose, StoredTransaction, TransactionState
from bot.settlement.publish import EpochPublisher, PublisherState
from bot.wiring.rpc_chain import RpcChain, SignedElsewhere, open_rpc_chain, open_second
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
from tests.unit.evm.rpc_rig import deployed

pytestmark = NEEDS_ANVIL
GWEI = 10**9


class House:
    """A publisher on a node; `tick` is a process of its own each time."""

    def __init__(self, node: Anvil, rpc: RpcChain) -> None:
        self.node, self.rpc = node, rpc
        self.store, self.book = MemoryEpochStore(), MemoryEarnings()
        for number in range(3):
            self.book.earn(twin_id(number), 5_000_500, payout=payout_of(number))

    async def tick(self) -> str:
        async with open_rpc_chain(self.rpc) as chain, open_second(self.rpc) as second:
            publisher = EpochPublisher(
                chain=chain,
                store=self.store,
                earnings=self.book,
                finality=self.rpc.finality,
                second=second,
                patience_s=self.rpc.patience_s,
            )
            status = await publisher.tick()
        assert status.state is not PublisherState.HALTED, status.reason
        return status.reason

    async def commit(self) -> StoredTransaction:
        (found,) = await self.store.transactions(Purpose.COMMIT, 1)
        return found

    async def assert_settled(self) -> None:
        reason = "not begun"
        for _ in range(6):
            reason = await self.tick()
            self.node.mine(1)
        assert reason == ""
        async with open_rpc_chain(self.rpc) as chain:
            state = await chain.contract()
            assert state.commitment.epoch == 1
            assert state.claimed_total == state.commitment.fee_total == 15_000
            assert [await chain.balance(payout_of(i)) for i in range(3)] == [5_000] * 3
        sent = self.node.ask(
            "eth_getTransactionCount", f"0x{address_of(SETTLER_KEY).hex()}", "latest"
        )
        assert int(sent, 16) == 1
        assert (await self.commit()).state is TransactionState.FINAL


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    with anvil(tmp_path, "--slots-in-an-epoch", "1") as node:
        yield House(node, await deployed(node))


def automine(node: Anvil, on: bool) -> None:  # noqa: FBT001
    node.ask("evm_setAutomine", on)


async def test_a_spike_of_the_base_fee_is_outbid_and_paid_once(house: House) -> None:
    automine(house.node, False)  # noqa: FBT003
    await house.tick()
    house.node.ask("anvil_setNextBlockBaseFeePerGas", hex(40 * GWEI))

    await house.tick()

    first, second = (await house.commit()).attempts
    assert first.nonce == second.nonce
    assert second.fees.max_fee_wei >= 80 * GWEI
    assert second.fees.tip_wei * 1000 > first.fees.tip_wei * 1125
    house.node.mine(1)
    automine(house.node, True)  # noqa: FBT003
    await house.assert_settled()
    assert (await house.commit()).signed == second


async def test_what_blocks_leave_aside_is_outbid_when_its_time_is_over(house: House) -> None:
    automine(house.node, False)  # noqa: FBT003
    await house.tick()
    (only,) = (await house.commit()).attempts
    house.node.ask("anvil_dropTransaction", f"0x{only.hash.hex()}")
    house.node.ask("evm_increaseTime", house.rpc.patience_s + 1)
    house.node.mine(1)  # a block that holds nothing of ours

    await house.tick()

    attempts = (await house.commit()).attempts
    pool = house.node.ask("txpool_content")["pending"]
    waiting = [one["hash"] for by_nonce in pool.values() for one in by_nonce.values()]
    assert len(attempts) == 2
    assert waiting == [f"0x{attempts[1].hash.hex()}"]
    automine(house.node, True)  # noqa: FBT003
    house.node.mine(1)
    await house.assert_settled()


async def test_an_older_attempt_that_is_mined_is_found(house: House) -> None:
    automine(house.node, False)  # noqa: FBT003
    await house.tick()
    sent = await house.commit()
    async with open_rpc_chain(house.rpc) as chain:
        dearer = await chain.raise_fees(sent.signed)
    # Killed before it was sent: it is on disk alone, and the first attempt is mined.
    await house.store.replace(sent, dearer)  # type: ignore[arg-type]
    house.node.mine(1)
    automine(house.node, True)  # noqa: FBT003

    await house.assert_settled()

    assert (await house.commit()).signed == sent.signed


async def test_a_deep_reorganisation_with_dear_gas_is_healed_by_a_dearer_attempt(
    house: House,
) -> None:
    house.node.mine(3)
    await house.assert_settled()
    before = await house.commit()
    depth = int(house.node.ask("eth_blockNumber"), 16) - (before.block_number or 0) + 1
    house.node.ask("anvil_reorg", depth, [])
    house.node.fund()
    house.node.ask("anvil_setNextBlockBaseFeePerGas", hex(40 * GWEI))

    await house.assert_settled()

    after = await house.commit()
    assert len(after.attempts) == 2
    assert after.attempts[1].nonce == before.signed.nonce


def word(value: bytes | int) -> str:
    return (value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")).hex()


@pytest.mark.parametrize("what", ["allowance", "treasury", "gas"])
async def test_what_is_empty_is_waited_for_and_nothing_is_signed_meanwhile(
    house: House, what: str
) -> None:
    node, token = house.node, f"0x{house.rpc.token.hex()}"
    settler, everything = f"0x{address_of(SETTLER_KEY).hex()}", 10**12
    approve = f"0x095ea7b3{word(house.rpc.contract)}"
    to_relayer = f"0xa9059cbb{word(address_of(RELAYER_KEY))}{word(everything)}"
    back = f"0xa9059cbb{word(address_of(TREASURY_KEY))}{word(everything)}"
    match what:
        case "allowance":
            node.send(TREASURY_KEY, to=token, data=approve + word(10))
        case "treasury":
            node.send(TREASURY_KEY, to=token, data=to_relayer)
        case _:
            node.ask("anvil_setBalance", settler, "0x1")

    reasons = [await house.tick() for _ in range(2)]

    assert all(("can't pay the gas" if what == "gas" else "revert") in one for one in reasons)
    assert await house.store.transactions(Purpose.COMMIT, 1) == ()
    match what:
        case "allowance":
            node.send(TREASURY_KEY, to=token, data=approve + word(10**9))
        case "treasury":
            node.send(RELAYER_KEY, to=token, data=back)
        case _:
            node.fund()
    await house.assert_settled()


async def test_final_by_tag_waits_for_the_chains_own_word(house: House) -> None:
    house.rpc = replace(house.rpc, finality=BlockTag.FINALIZED)
    reasons = []
    for _ in range(4):
        reasons.append(await house.tick())
        if await house.store.last_final():
            break
        house.node.mine(1)

    assert len(reasons) == 3, "two blocks above it make a block final on this node"
    assert "is above the finalized one" in reasons[0]
    await house.assert_settled()


@asynccontextmanager
async def mirror(node: Anvil, lies: dict[str, Any]) -> AsyncIterator[str]:
    """Serve the node once more; the results that `lies` names are changed on their way."""

    async def answer(request: web.Request) -> web.Response:
        asked = await request.json()
        async with ClientSession() as session, session.post(node.url, json=asked) as told:
            values = await told.json()
        lie = lies.get(asked["method"])
        if lie is not None and values.get("result"):
            values["result"] = lie(values["result"])
        return web.json_response(values)

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_nothing_is_final_on_one_lying_node(house: House) -> None:
    lies: dict[str, Any] = {}
    async with mirror(house.node, lies) as url:
        house.rpc = replace(house.rpc, second_url=url)
        for method, lie, words in (
            ("eth_getTransactionReceipt", lambda r: {**r, "status": "0x0"}, "disagrees on whether"),
            (
                "eth_getTransactionReceipt",
                lambda r: {**r, "blockHash": "0x" + "11" * 32},
                "does not hold the transaction",
            ),
            ("eth_getTransactionReceipt", lambda _: None, "does not hold the transaction"),
            ("eth_getBlockByNumber", lambda b: {**b, "hash": "0x" + "22" * 32}, "another chain"),
            ("eth_chainId", lambda _: "0x1", "The RPC serves chain 1"),
            ("eth_getCode", lambda _: "0x", "There is no contract"),
        ):
            lies.clear()
            lies[method] = lie
            reason = await house.tick()
            assert words in reason
            assert "the second RPC" in reason
            assert await house.store.last_final() is None
        lies.clear()
        await house.assert_settled()


async def test_a_second_node_that_is_away_stops_nothing_but_the_last_step(house: House) -> None:
    house.rpc = replace(house.rpc, second_url="http://127.0.0.1:9/")

    reason = await house.tick()

    assert "the second RPC gives no answer that counts" in reason
    assert (await house.commit()).state is TransactionState.MINED
    house.rpc = replace(house.rpc, second_url="")
    await house.assert_settled()


async def test_a_signing_command_settles_an_epoch(house: House, tmp_path: Path) -> None:
    script = tmp_path / "sign.py"
    script.write_text(
        "import json, sys\nfrom eth_account import Account\n"
        "asked = json.load(sys.stdin)\nasked.pop('from')\n"
        f"print(Account.from_key({SETTLER_KEY!r}).sign_transaction(asked)"
        ".raw_transaction.to_0x_hex())\n"
    )
    house.rpc = replace(
        house.rpc,
        settler=SignedElsewhere((sys.executable, str(script)), address_of(SETTLER_KEY)),
    )

    await house.assert_settled()

    assert SETTLER_KEY.hex() not in json.dumps(str(house.store.stored))
