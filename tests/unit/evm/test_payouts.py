"""What a node may answer about a payout, and what is no answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from adapters.evm.anchors import COMMITTED, VETOED
from adapters.evm.json_rpc import JsonRpc
from adapters.evm.payouts import RpcPayoutLookup
from bot.crypto.eip712 import encode_address
from bot.domain.errors import ChainUnavailableError
from bot.domain.settlement import Commitment
from bot.ports.recount import CommitEvent, PayoutAnswers

CONTRACT, TWIN, EPOCH = b"\x11" * 20, b"\x22" * 32, 5
SAID = Commitment(EPOCH, b"f" * 32, 3_400, b"l" * 32, 41, b"d" * 32)


def word(number: int) -> str:
    return number.to_bytes(32, "big").hex()


def event() -> dict[str, object]:
    data = SAID.fee_root.hex() + word(3_400) + SAID.log_root.hex() + word(41) + SAID.data_hash.hex()
    return {
        "address": encode_address(CONTRACT).lower(),
        "topics": [f"0x{COMMITTED.hex()}", f"0x{word(EPOCH)}"],
        "data": f"0x{data}",
        "blockNumber": "0x7",
    }


class Node:
    """Answers as it is told."""

    def __init__(self) -> None:
        self.claimed: object = f"0x{word(32)}{word(1)}{word(3_000)}"
        self.commits: list[dict[str, object]] = [event()]
        self.asked: list[tuple[str, Any]] = []

    def answer(self, method: str, params: list[Any]) -> object:
        self.asked.append((method, params))
        if method == "eth_getLogs":
            return [] if params[0]["topics"][0] == f"0x{VETOED.hex()}" else self.commits
        blocks = {"eth_chainId": "0x7a69", "eth_blockNumber": "0x9", "eth_getCode": "0x60"}
        finalized = {"eth_getBlockByNumber": {"number": "0x8"}}
        return {**blocks, **finalized, "eth_call": self.claimed}[method]


@asynccontextmanager
async def asking(node: Node) -> AsyncIterator[RpcPayoutLookup]:
    async def handle(request: web.Request) -> web.Response:
        asked = await request.json()
        result = node.answer(asked["method"], asked["params"])
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with JsonRpc(f"http://127.0.0.1:{port}/") as rpc:
        yield RpcPayoutLookup(rpc)
    await runner.cleanup()


async def test_an_epoch_and_a_payment_are_read_as_they_are() -> None:
    node = Node()
    async with asking(node) as lookup:
        found = await lookup.ask_payout(CONTRACT, EPOCH, TWIN)

    assert found == PayoutAnswers(31337, (CommitEvent(SAID, 7),), 0, 9, 8, 3_000)
    (call,) = [params for method, params in node.asked if method == "eth_call"]
    assert call[0]["data"].endswith(word(32) + word(1) + TWIN.hex())


@pytest.mark.parametrize(
    "claimed",
    [
        *(None, "", "0x", 7, "0xzz", f"0x{word(1)}", f"0x{word(32)}{word(0)}"),
        *(f"0x{word(32)}{word(1)}{word(5)}00", f"0x{word(64)}{word(1)}{word(5)}"),
    ],
)
async def test_a_payment_that_is_none_is_no_answer(claimed: object) -> None:
    node = Node()
    node.claimed = claimed
    async with asking(node) as lookup:
        with pytest.raises(ChainUnavailableError):
            await lookup.ask_payout(CONTRACT, EPOCH, TWIN)


@pytest.mark.parametrize(
    "change",
    [
        {"data": "0x00"},
        {"data": None},
        {"topics": []},
        {"address": "0x" + "33" * 20},
        {"blockNumber": 7},
    ],
)
async def test_an_event_that_is_another_is_no_answer(change: dict[str, object]) -> None:
    node = Node()
    node.commits = [event() | change]
    async with asking(node) as lookup:
        with pytest.raises(ChainUnavailableError):
            await lookup.ask_payout(CONTRACT, EPOCH, TWIN)
