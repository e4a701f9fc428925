"""Whatever a node or a proxy answers, only errors of our own leave the client."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from aiohttp import web

from adapters.evm.client import EvmSettlementChain, rpc_provider
from bot.domain.errors import ChainUnavailableError, ConfigurationError, OutcomeUnknownError
from bot.domain.settlement import Commitment
from bot.domain.transactions import BlockTag, Purpose, Refusal, SignedTransaction, Signer
from bot.ports.chain import Broadcast
from tests.fakes.settlement_rig import RELAYER_KEY, SETTLER_KEY

T = b"t" * 32
COMMITMENT = Commitment(1, T, 5, T, 5, T)
TRANSACTION = SignedTransaction(Purpose.COMMIT, 1, 0, 0, b"h" * 32, b"\x02raw")


@dataclass(slots=True)
class Answering:
    """A server that answers every request in one way."""

    chain: EvmSettlementChain
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def server() -> AsyncIterator[Answering]:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await found.answer(request)

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    chain = EvmSettlementChain(
        provider=rpc_provider(f"http://127.0.0.1:{port}/"),
        settlement=b"s" * 20,
        settler_key=SETTLER_KEY,
        relayer_key=RELAYER_KEY,
    )
    found = Answering(chain, _html)
    yield found
    await chain.close()
    await runner.cleanup()


async def _html(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>sorry</html>", content_type="text/html")


async def _crash(_: web.Request) -> web.StreamResponse:
    return web.Response(status=502)


async def _busy(_: web.Request) -> web.StreamResponse:
    return web.Response(status=429)


async def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def _nonsense(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b"\xff\xfe\x00{")


def rpc_error(message: str, code: int = -32_000) -> Callable[..., Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        return web.json_response(
            {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": code, "message": message}}
        )

    return answer


def result(value: object) -> Callable[..., Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": value})

    return answer


BROKEN = [_html, _crash, _busy, _hang_up, _nonsense, rpc_error("internal error")]
NAMES = ["html", "502", "429", "hang up", "no utf-8", "rpc error"]


@pytest.mark.parametrize("answer", BROKEN, ids=NAMES)
async def test_questions_without_an_answer_are_unavailability(
    server: Answering, answer: Callable[..., Awaitable[web.StreamResponse]]
) -> None:
    server.answer = answer

    for question in (
        server.chain.identity(),
        server.chain.contract(),
        server.chain.nonce(Signer.SETTLER),
        server.chain.nonce(Signer.SETTLER, finality=3),
        server.chain.inclusion(b"h" * 32),
        server.chain.market(),
        server.chain.height(BlockTag.FINALIZED),
        server.chain.claimed([b"t" * 32]),
        server.chain.balance(b"a" * 20),
    ):
        with pytest.raises(ChainUnavailableError):
            await question


@pytest.mark.parametrize("value", [None, "", "0x", "zz", {}, [], {"a": "x"}, 5, -1, True], ids=repr)
async def test_results_that_are_none_are_errors_of_our_own(
    server: Answering, value: object
) -> None:
    server.answer = result(value)
    chain = server.chain
    questions: list[Awaitable[object]] = [
        *(chain.identity(), chain.contract(), chain.market(), chain.settler(), chain.claimed([T])),
        *(chain.nonce(Signer.SETTLER), chain.nonce(Signer.SETTLER, finality=3)),
        *(chain.inclusion(T), chain.height(BlockTag.FINALIZED), chain.balance(b"a" * 20)),
        *(chain.sign_commit(COMMITMENT, nonce=0), chain.send(TRANSACTION)),
    ]

    # A number may be taken for an answer; what is none may only raise what the publisher expects.
    told = await asyncio.gather(*questions, return_exceptions=True)

    ours = (ChainUnavailableError, ConfigurationError, OutcomeUnknownError)
    foreign = [one for one in told if isinstance(one, Exception) and not isinstance(one, ours)]
    assert foreign == []
    assert sum(isinstance(one, ours) for one in told) >= len(told) // 2


RECEIPT = {
    "blockNumber": "0x5",
    "blockHash": f"0x{b'b'.hex() * 32}",
    "status": "0x1",
    "gasUsed": "0x5208",
    "transactionHash": f"0x{T.hex()}",
}


@pytest.mark.parametrize("name", sorted(RECEIPT))
@pytest.mark.parametrize("value", ["gone", None, "zz", f"0x{b'x'.hex() * 32}"], ids=repr)
async def test_a_receipt_with_a_field_that_makes_no_sense_is_no_answer(
    server: Answering, name: str, value: object
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        found = "0x9" if asked["method"] == "eth_blockNumber" else receipt
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": found})

    server.answer = answer
    receipt: dict[str, object] = dict(RECEIPT)
    whole = await server.chain.inclusion(T)
    receipt = {k: v for k, v in RECEIPT.items() if k != name}
    if value != "gone":
        receipt[name] = value

    assert whole is not None
    assert (whole.block_number, whole.depth, whole.succeeded) == (5, 5, True)
    if name == "blockHash" and value == f"0x{b'x'.hex() * 32}":
        return  # another block is an answer
    with pytest.raises(ChainUnavailableError):
        await server.chain.inclusion(T)


@pytest.mark.parametrize("answer", BROKEN, ids=NAMES)
async def test_a_broadcast_without_an_answer_has_an_unknown_outcome(
    server: Answering, answer: Callable[..., Awaitable[web.StreamResponse]]
) -> None:
    server.answer = answer

    with pytest.raises(OutcomeUnknownError):
        await server.chain.send(TRANSACTION)


async def test_a_node_that_is_not_there_has_certainly_got_nothing() -> None:
    chain = EvmSettlementChain(provider=rpc_provider("http://127.0.0.1:9/"), settlement=b"s" * 20)

    with pytest.raises(ChainUnavailableError):
        await chain.send(TRANSACTION)
    with pytest.raises(ChainUnavailableError):
        await chain.identity()
    await chain.close()


async def test_an_estimate_below_what_any_transaction_takes_is_not_signed_with(
    server: Answering,
) -> None:
    server.answer = result("0x5")

    with pytest.raises(ChainUnavailableError, match="5 gas for a call"):
        await server.chain.sign_commit(COMMITMENT, nonce=0)


async def test_a_gas_limit_that_is_too_low_is_estimated_anew(server: Answering) -> None:
    server.answer = rpc_error("intrinsic gas too low: have 24000, want 26496")

    answer = await server.chain.send(TRANSACTION)

    assert isinstance(answer, Refusal)
    assert answer.too_cheap


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("already known", Broadcast.ACCEPTED),
        ("transaction already imported", Broadcast.ACCEPTED),
        ("nonce too low: next nonce 4, tx nonce 3", Broadcast.NONCE_USED),
        ("replacement transaction underpriced", Refusal),
        ("Insufficient funds for gas * price + value", Refusal),
        ("max fee per gas less than block base fee", Refusal),
        ("nonce too high", Refusal),
    ],
)
async def test_rejections_of_the_known_nodes_are_understood(
    server: Answering, message: str, expected: object
) -> None:
    server.answer = rpc_error(message)

    answer = await server.chain.send(TRANSACTION)

    assert answer is expected or (expected is Refusal and isinstance(answer, Refusal))
