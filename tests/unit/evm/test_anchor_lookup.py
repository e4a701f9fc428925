"""Anchors on a real node: found in the book, looked up by an outsider, true or false."""

# ruff: noqa: ANN401 - a node answers any JSON

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.evm.anchors import COMMITTED, VETOED, RpcAnchorLookup
from adapters.evm.json_rpc import JsonRpc
from bot.cli.anchoring import ask_chain
from bot.crypto.hashing import keccak256
from bot.crypto.merkle import leaf_hash
from bot.domain.errors import ChainUnavailableError, UserError
from bot.ports.anchors import Anchor, AnchorAnswers, AnchorPlace
from bot.receipts.anchor import AnchorReport, AnchorState, check_placement
from bot.receipts.log import CheckpointSigner, append_leaf
from bot.settlement.anchors import CommittedAnchors
from bot.settlement.publish import PublisherState
from bot.wiring.anchors import check_rpcs, look_up
from bot.wiring.rpc_chain import RpcChain
from bot.wiring.settlement import OpenSettlement, open_settlement
from bot.wiring.stores import Stores, open_stores
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.clock import SetClock
from tests.fakes.settlement_rig import SETTLER_KEY, TREASURY_KEY
from tests.unit.evm.rpc_rig import deployed, keys_of_nobody

pytestmark = NEEDS_ANVIL
DELAY_S = 3600
LOG_KEY = bytes([9]) * 32
VETO = f"0x{keccak256(b'veto()')[:4].hex()}"
LEAVES = [b"leaf %d" % number for number in range(7)]


@dataclass(slots=True)
class Service:
    """A log whose heads are settled on a node."""

    node: Anvil
    rpc: RpcChain
    settled: OpenSettlement
    stores: Stores

    async def append(self, leaves: list[bytes]) -> None:
        async with self.stores.replies.transaction() as tx:
            for leaf in leaves:
                await append_leaf(tx, leaf)
        await CheckpointSigner(origin="anchored.example/log", key=LOG_KEY).publish(
            self.stores.replies
        )

    async def commit(self, leaves: list[bytes]) -> None:
        """Append leaves and settle a head over them."""
        await self.append(leaves)
        await self.settled.publisher.settle_now(timeout_s=20)

    async def anchor_of(self, index: int) -> Anchor | None:
        assert self.settled.anchors is not None
        return await self.settled.anchors.anchor_of(index)

    async def anchor(self, index: int = 0) -> Anchor:
        anchor = await self.anchor_of(index)
        assert anchor is not None
        return anchor

    async def look(self, anchor: Anchor, *urls: str, named: bool = True) -> AnchorReport:
        policy = {anchor.place} if named else set()
        return await look_up(anchor, urls or (self.node.url,), policy)


@asynccontextmanager
async def service(node: Anvil, folder: Path, *, delay_s: int = 0) -> AsyncIterator[Service]:
    rpc = await deployed(node, delay_s=delay_s)
    async with (
        open_stores(folder) as stores,
        open_settlement(rpc, folder, keys_of_nobody(), SetClock(), stores) as settled,
    ):
        yield Service(node, rpc, settled, stores)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Anvil]:
    # Two blocks above a block make it final there.
    with anvil(tmp_path, "--slots-in-an-epoch", "1") as started:
        yield started


@pytest.fixture
async def committed(node: Anvil, tmp_path: Path) -> AsyncIterator[Service]:
    async with service(node, tmp_path) as made:
        await made.commit(LEAVES[:5])
        node.mine(4)
        yield made


Lie = Callable[[str, Any], Any]
"""What a lying node makes of a method's true result."""


@asynccontextmanager
async def between(node: Anvil, lie: Lie) -> AsyncIterator[str]:
    """Stand between a viewer and a node, and change what it says."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        async with aiohttp.ClientSession() as session, session.post(node.url, json=asked) as true:
            said = await true.json()
        if "result" in said:
            changed = lie(asked["method"], said["result"])
            if isinstance(changed, web.Response):
                return changed
            said["result"] = changed
        return web.json_response(said)

    async with served(answer) as url:
        yield url


@asynccontextmanager
async def served(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


def on_logs(event: bytes, change: Callable[[list[Any]], Any]) -> Lie:
    """Lie about the logs of one event."""

    def lie(method: str, result: Any) -> Any:
        is_asked = method == "eth_getLogs" and (not result or _topic(result) == event.hex())
        return change(result) if is_asked else result

    return lie


def _topic(entries: list[Any]) -> str:
    return str(entries[0]["topics"][0]).removeprefix("0x")


def with_word(number: int, word: bytes) -> Callable[[list[Any]], Any]:
    """Put another word into the data of each event."""

    def change(entries: list[Any]) -> Any:
        for entry in entries:
            data = bytearray.fromhex(entry["data"][2:])
            data[32 * number : 32 * number + 32] = word
            entry["data"] = f"0x{data.hex()}"
        return entries

    return change


async def test_each_leaf_gets_the_first_commitment_that_covers_it_with_a_proof(
    committed: Service,
) -> None:
    early = [await committed.anchor(index) for index in range(5)]
    none = await committed.anchor_of(5)
    await committed.commit(LEAVES[5:])
    late = [await committed.anchor(index) for index in range(7)]

    assert none is None
    assert late[:5] == early
    assert [(one.epoch, one.size) for one in late] == [(1, 5)] * 5 + [(2, 7)] * 2
    for index, anchor in enumerate(late):
        check_placement(
            anchor,
            leaf=leaf_hash(LEAVES[index]),
            index=index,
            head_size=7,
            head_root=late[6].root,
        )
        assert anchor.place.chain == 31337
        assert anchor.place.contract == committed.rpc.contract


async def test_an_anchor_of_another_log_than_the_book_holds_now_is_not_given(
    committed: Service,
) -> None:
    epochs = committed.stores.epochs
    last = await epochs.last_final()
    assert last is not None
    commitment = replace(last.commitment, log_root=b"r" * 32)

    class Elsewhere(type(epochs)):  # type: ignore[misc]  # the store's class is the adapter's
        async def anchoring(self, leaf_index: int) -> Any:
            del leaf_index
            return commitment

    other = Elsewhere(epochs._database)  # type: ignore[attr-defined]
    anchors = CommittedAnchors(epochs=other, store=committed.stores.replies)

    assert await anchors.anchor_of(0) is None


async def test_the_embedded_chain_gives_no_anchors(tmp_path: Path) -> None:
    keys = replace(
        keys_of_nobody(), settler=SETTLER_KEY, relayer=b"\x07" * 32, treasury=TREASURY_KEY
    )
    async with (
        open_stores(tmp_path) as stores,
        open_settlement(None, tmp_path, keys, SetClock(), stores) as settled,
    ):
        assert settled.anchors is None


async def test_a_real_commitment_gives_level_2_where_the_policy_names_the_contract(
    committed: Service,
) -> None:
    anchor = await committed.anchor(3)

    named, unnamed = await committed.look(anchor), await committed.look(anchor, named=False)

    assert named.agreed is not None
    assert named.agreed.level == "L2"
    assert "with 5 leaves in epoch 1" in named.sentence
    assert unnamed.agreed is not None
    assert (unnamed.agreed.state, unnamed.agreed.level) == (AnchorState.ANCHORED, None)
    assert "no policy of yours names" in unnamed.sentence


async def test_a_commitment_that_is_not_final_is_pending_and_not_false(
    node: Anvil, tmp_path: Path
) -> None:
    async with service(node, tmp_path) as made:
        await made.commit(LEAVES)
        anchor = await made.anchor()
        early = await made.look(anchor)
        node.mine(2)
        late = await made.look(anchor)

    assert early.agreed is not None
    assert early.agreed.state is AnchorState.PENDING
    assert not early.agreed.state.is_false
    assert "not final yet" in early.sentence
    assert late.agreed is not None
    assert late.agreed.level == "L2"


@pytest.mark.parametrize("refusal", ["null", "-32602", "-39001"])
async def test_where_the_chain_names_no_final_block_it_takes_12_blocks(
    committed: Service, refusal: str
) -> None:
    anchor = await committed.anchor()

    def lie(method: str, result: Any) -> Any:
        if method != "eth_getBlockByNumber":
            return result
        if refusal == "null":
            return None
        error = {"code": int(refusal), "message": "unknown block"}
        return web.json_response({"jsonrpc": "2.0", "id": 2, "error": error})

    async with between(committed.node, lie) as url:
        committed.node.mine(7)
        early = await committed.look(anchor, url)
        committed.node.mine(1)
        late = await committed.look(anchor, url)

    assert early.agreed is not None
    assert early.agreed.state is AnchorState.PENDING
    assert late.agreed is not None
    assert late.agreed.level == "L2"


async def test_too_many_requests_is_not_taken_for_a_chain_without_finality(
    committed: Service,
) -> None:
    anchor = await committed.anchor()

    def lie(method: str, result: Any) -> Any:
        if method != "eth_getBlockByNumber":
            return result
        error = {"code": -32_005, "message": "limit exceeded"}
        return web.json_response({"jsonrpc": "2.0", "id": 2, "error": error})

    async with between(committed.node, lie) as url:
        with pytest.raises(ChainUnavailableError, match="limit exceeded"):
            await committed.look(anchor, url)


LIES: dict[str, tuple[Lie, AnchorState]] = {
    "another chain": (
        lambda method, result: "0x1" if method == "eth_chainId" else result,
        AnchorState.OTHER_CHAIN,
    ),
    "no such log": (on_logs(COMMITTED, lambda _: []), AnchorState.NO_LOG),
    "two logs": (on_logs(COMMITTED, lambda entries: entries * 2), AnchorState.TWO_LOGS),
    "other root": (on_logs(COMMITTED, with_word(2, b"r" * 32)), AnchorState.OTHER_ROOT),
    "other size": (
        on_logs(COMMITTED, with_word(3, (6).to_bytes(32, "big"))),
        AnchorState.OTHER_SIZE,
    ),
}


@pytest.mark.parametrize("name", LIES)
async def test_each_way_to_be_false_has_its_name_and_another_rpc_disagrees(
    committed: Service, name: str
) -> None:
    lie, state = LIES[name]
    anchor = await committed.anchor()

    async with between(committed.node, lie) as url:
        alone = await committed.look(anchor, url)
        both = await committed.look(anchor, committed.node.url, url)

    assert alone.agreed is not None
    assert alone.agreed.state is state
    assert alone.agreed.level is None
    assert both.agreed is None
    assert "do not agree" in both.sentence
    assert f"says: {state.value}" in both.sentence


async def test_two_rpcs_that_agree_say_so(committed: Service) -> None:
    anchor = await committed.anchor()

    async with between(committed.node, lambda _, result: result) as url:
        report = await committed.look(anchor, committed.node.url, url)

    assert report.agreed is not None
    assert report.agreed.level == "L2"
    assert report.sentence.startswith("2 RPCs agree: ")


@pytest.mark.parametrize(
    "change",
    [{"root": b"r" * 32}, {"size": 6}, {"epoch": 2}],
    ids=["root", "size", "epoch"],
)
async def test_a_claim_that_the_chain_does_not_bear_out_is_false(
    committed: Service, change: dict[str, Any]
) -> None:
    report = await committed.look(replace(await committed.anchor(), **change))

    assert report.agreed is not None
    assert report.agreed.state.is_false


async def test_a_vetoed_epoch_is_false_and_anchors_nothing(node: Anvil, tmp_path: Path) -> None:
    async with service(node, tmp_path, delay_s=DELAY_S) as made:
        await made.append(LEAVES)
        await made.settled.publisher.tick()
        epoch = await made.stores.epochs.open_epoch()
        assert epoch is not None
        node.send(TREASURY_KEY, to=f"0x{made.rpc.contract.hex()}", data=VETO)
        node.mine(4)
        status = await made.settled.publisher.tick()
        never = await made.anchor_of(0)
        commitment = epoch.commitment
        claimed = Anchor(
            place=AnchorPlace(made.rpc.chain_id, made.rpc.contract),
            epoch=1,
            size=commitment.log_size,
            root=commitment.log_root,
            inclusion=(),
        )
        report = await made.look(claimed)

    assert status.state is PublisherState.DEFERRED
    assert never is None
    assert report.agreed is not None
    assert report.agreed.state is AnchorState.VETOED


async def test_an_answer_to_another_question_is_no_answer(committed: Service) -> None:
    anchor = await committed.anchor()

    def elsewhere(entries: list[Any]) -> Any:
        return [{**entry, "address": "0x" + "ab" * 20} for entry in entries]

    def all_events(entries: list[Any]) -> Any:
        return [{**e, "topics": [f"0x{VETOED.hex()}", e["topics"][1]]} for e in entries]

    def short(entries: list[Any]) -> Any:
        return [{**entry, "data": entry["data"][:-64]} for entry in entries]

    changes: list[Callable[[list[Any]], Any]] = [elsewhere, all_events, short]
    for change in (*changes, lambda _: {}, lambda _: ["0x"], lambda _: None):
        async with between(committed.node, on_logs(COMMITTED, change)) as url:
            with pytest.raises(ChainUnavailableError, match="makes sense"):
                await committed.look(anchor, url)


async def test_a_commitment_that_a_reorganisation_took_off_the_chain_does_not_count(
    committed: Service,
) -> None:
    anchor = await committed.anchor()
    removed = on_logs(COMMITTED, lambda es: [{**entry, "removed": True} for entry in es])

    async with between(committed.node, removed) as url:
        report = await committed.look(anchor, url)

    assert report.agreed is not None
    assert report.agreed.state is AnchorState.NO_LOG


async def _html(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<html>sorry</html>")


async def _busy(_: web.Request) -> web.StreamResponse:
    return web.Response(status=429, text="slow down")


async def _large(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b" " * 2_000_000)


async def _deep(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b"[" * 100_000)


async def _redirect(_: web.Request) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/"})


async def _hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def _array(_: web.Request) -> web.StreamResponse:
    return web.json_response([1])


async def _foreign_id(_: web.Request) -> web.StreamResponse:
    return web.json_response({"jsonrpc": "2.0", "id": 77, "result": "0x7a69"})


async def _number(request: web.Request) -> web.StreamResponse:
    asked = json.loads(await request.read())
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": 31337})


async def _words(request: web.Request) -> web.StreamResponse:
    asked = json.loads(await request.read())
    error = {"code": -32_601, "message": "\x1b[2Jno such method" + "!" * 1000}
    return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "error": error})


BROKEN = [_html, _busy, _large, _deep, _redirect, _hang_up, _array, _foreign_id, _number, _words]


@pytest.mark.parametrize("answer", BROKEN, ids=lambda one: one.__name__.strip("_"))
async def test_what_is_no_node_is_out_of_reach_and_not_false(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], tmp_path: Path
) -> None:
    del tmp_path
    async with served(answer) as url:
        with pytest.raises(ChainUnavailableError) as refused:
            await ask(url)

    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 400


async def test_the_command_says_each_case_apart_in_its_exit_code(committed: Service) -> None:
    anchor, url = await committed.anchor(), committed.node.url
    policy = {anchor.place}

    async def code(*urls: str, **change: Any) -> tuple[str, str | None, int]:
        answer = await ask_chain(replace(anchor, **change), urls, policy)
        return answer.state, answer.level, answer.code

    assert await code(url) == ("anchored", "L2", 0)
    assert await code(url, root=b"r" * 32) == ("other root", None, 1)
    elsewhere = AnchorPlace(5, anchor.place.contract)
    assert await code(url, place=elsewhere) == ("wrong chain", None, 2)
    assert await code("http://127.0.0.1:9/") == ("out of reach", None, 3)
    assert await code(url, "http://127.0.0.1:9/") == ("out of reach", None, 3)
    async with between(committed.node, LIES["no such log"][0]) as liar:
        assert await code(liar) == ("no such log", None, 1)
        assert await code(url, liar) == ("no agreement", None, 3)
    await committed.commit(LEAVES[5:])
    late = await ask_chain(await committed.anchor(6), [url], policy)
    assert (late.state, late.code) == ("not final yet", 3)
    none = await ask_chain(None, [url], policy)
    assert (none.state, none.code) == ("no anchor", 3)
    assert late.as_json()["rpcs"] == [
        {"name": url, "state": "not final yet", "sentence": late.sentence}
    ]


@pytest.mark.parametrize(
    "urls",
    [
        ("ws://x",),
        ("127.0.0.1:8545",),
        ("http://",),
        ("http://a:99999/",),
        ("http://a:b/",),
        ("http://a", "http://a"),
        tuple(f"http://{number}.example" for number in range(6)),
    ],
)
def test_addresses_that_can_not_be_asked_are_refused(urls: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="--rpc"):
        check_rpcs(urls)


async def test_a_dead_rpc_is_out_of_reach_and_its_secret_path_stays_out_of_the_sentence() -> None:
    with pytest.raises(ChainUnavailableError) as refused:
        await ask("http://user:word@127.0.0.1:9/v3/SECRET?key=SECRET")

    assert "http://127.0.0.1:9 can't be reached" in str(refused.value)
    assert "SECRET" not in str(refused.value)
    assert "word" not in str(refused.value)


async def ask(url: str) -> AnchorAnswers:
    async with JsonRpc(url) as rpc:
        return await RpcAnchorLookup(rpc).ask(AnchorPlace(31337, b"c" * 20), 1)
