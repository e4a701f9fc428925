"""An Ethereum node's JSON-RPC, as far as looking an anchor up needs it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.crypto.hashing import keccak256

_COMMITTED = "EpochCommitted(uint64,bytes32,uint128,bytes32,uint64,bytes32)"
_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "content-type"}


def _word(number: int) -> str:
    return f"{number:064x}"


@dataclass(slots=True)
class Node:
    """A node with one commitment.

    Attributes:
        anchor: of the bundle, which this chain confirms.
        chain: number of the chain.
        root: of the log, as the contract has it.
        final: height of the newest final block; the commitment stands in block 90.
        moved: an address that every question is sent on to, if any.
        asked: methods, in order.
        origins: what pages said where they come from.
    """

    anchor: dict[str, Any]
    chain: int = 1
    root: str = ""
    final: int = 100
    moved: str = ""
    asked: list[str] = field(default_factory=list)
    origins: set[str | None] = field(default_factory=set)
    host: str = ""

    @property
    def address(self) -> str:
        """Where to ask."""
        return f"http://{self.host}/rpc"

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a question, or a browser's question before it."""
        if request.method == "OPTIONS":
            return web.Response(headers=_CORS)
        if self.moved:
            return web.Response(status=307, headers=_CORS | {"Location": self.moved})
        question = json.loads(await request.text())
        self.asked.append(question["method"])
        self.origins.add(request.headers.get("Origin"))
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": self._result(question)}
        return web.json_response(answer, headers=_CORS)

    def _result(self, question: dict[str, Any]) -> object:
        method, params = question["method"], question["params"]
        if method == "eth_chainId":
            return hex(self.chain)
        if method == "eth_getBlockByNumber":
            return {"number": hex(self.final)}
        assert method == "eth_getLogs"
        event, epoch = params[0]["topics"]
        if event != "0x" + keccak256(_COMMITTED.encode()).hex():
            return []
        assert epoch == "0x" + _word(self.anchor["epoch"])
        root, size = self.root or self.anchor["root"], _word(self.anchor["size"])
        data = "0x" + _word(1) + _word(2) + root + size + _word(3)
        topics = [event, epoch]
        return [
            {"address": params[0]["address"], "topics": topics, "data": data, "blockNumber": "0x5a"}
        ]


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    """Serve a node on a free port."""
    app = web.Application()
    app.router.add_route("*", "/rpc", node.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    node.host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield node
    finally:
        await runner.cleanup()
