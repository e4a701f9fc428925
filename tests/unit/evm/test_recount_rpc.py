"""A creator recounts over the network: a service's pages on one side, a real node on the other."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from adapters.files.recounts import RecountFolder
from adapters.sqlite.database import Database
from adapters.sqlite.log_reader import SqliteLogReader
from adapters.web.server import WebServer
from bot.cli.recounting import Options, recount_twin
from bot.crypto.eip712 import encode_address
from bot.crypto.encoding import encode_b64url
from bot.domain.errors import ConfigurationError, UserError
from bot.domain.statements import Outcome
from bot.domain.witnesses import WitnessPolicy
from bot.receipts.rates import publish_rates
from bot.settlement.publish import EpochPublisher
from bot.settlement.published import PublishedEpochs
from bot.transparency.published import PublishedLog
from bot.wiring import recounting
from bot.wiring.settlement import open_settlement
from bot.wiring.stores import DATABASE, open_stores
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.clock import SetClock
from tests.stage import CREATOR_NANO, LOG, MIRA, RECEIPTS_KEY, Stage
from tests.unit.evm.rpc_rig import deployed, keys_of_nobody

pytestmark = NEEDS_ANVIL


@dataclass(slots=True)
class Service:
    """A miniature service that settles on a node and serves what it publishes."""

    stage: Stage
    publisher: EpochPublisher
    node: Anvil
    contract: str
    folder: Path
    server: WebServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def twin(self) -> str:
        return self.stage.roster.find("mira").manifest.twin.hex()

    @property
    def options(self) -> Options:
        return Options(
            twin=self.twin,
            source=self.url,
            rpc=self.node.url,
            contract=self.contract,
            key=LOG.encode(),
            payout=self.stage.roster.find("mira").manifest.payout,
            as_json=True,
        )

    async def answer(self, number: str, outcome: Outcome = Outcome.DELIVERED) -> str:
        """Answer, decide, sign a head; return the name of the proof that the fan keeps."""
        reply = await self.stage.say(number=number)
        await self.stage.delivery.record(reply.receipt_id, outcome)
        await self.stage.signer.publish(self.stage.store)
        bundle = await self.stage.proofs.bundle(reply.receipt_id)
        assert bundle is not None
        path = self.folder / f"{number}.json"
        path.write_bytes(bundle)
        return f"{path}#k={encode_b64url(reply.opening_key)}"

    async def settle(self) -> None:
        await self.publisher.settle_now(timeout_s=30)
        self.node.mine(70)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        node = stack.enter_context(anvil(tmp_path))
        rpc = await deployed(node)
        folder = tmp_path / "service"
        folder.mkdir()
        stores = await stack.enter_async_context(open_stores(folder))
        clock = SetClock()
        settled = await stack.enter_async_context(
            open_settlement(rpc, folder, keys_of_nobody(), clock, stores)
        )
        publisher = EpochPublisher(
            chain=settled.chain, store=stores.epochs, earnings=stores.earnings, finality=1
        )
        stage = Stage(
            store=stores.replies,
            reader=stores.audit,
            epochs=stores.epochs,
            earnings=stores.earnings,
        )
        await stage.open((MIRA,))
        reading = await Database.open(folder / DATABASE, schema=(), read_only=True)
        stack.push_async_callback(reading.close)
        server = WebServer(
            inbox=stage.make_inbox(),
            proofs=stage.proofs,
            log=PublishedLog(reader=SqliteLogReader(reading), log=LOG, policy=WitnessPolicy(0, ())),
            settlement=PublishedEpochs(store=stores.epochs, earnings=stores.earnings),
            host="127.0.0.1",
            port=0,
        )
        await server.start()
        stack.push_async_callback(server.stop)
        contract = encode_address(rpc.contract)
        yield Service(stage, publisher, node, contract, tmp_path, server)


async def _recount(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> tuple[int, dict[str, object]]:
    code = await recount_twin(options)
    out = capsys.readouterr().out  # the server's log lines stand there too
    found: dict[str, object] = json.JSONDecoder().raw_decode(out, out.index("{"))[0]
    return code, found


async def test_a_creator_proves_a_payout_and_finds_history_that_was_rewritten(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = service.folder / "kept"
    async with service.stage.store.transaction() as tx:
        await publish_rates(tx, RECEIPTS_KEY, token="tUSD", held_hours=720, rates={})  # noqa: S106
    first = await service.answer("one")
    await service.settle()
    second = await service.answer("two")
    await service.answer("three", Outcome.UNDELIVERED)
    await service.settle()
    newer = await service.answer("four")
    options = replace(service.options, keep=keep, proofs=(first, second, newer))

    code, found = await _recount(replace(options, twin="mira"), capsys)

    assert (code, found["verdict"]) == (0, "proved"), found
    states = {step["number"]: step["state"] for step in found["steps"]}  # type: ignore[attr-defined]
    assert set(states.values()) == {"holds"}
    lines = found["epochs"]
    assert [line["entries"] for line in lines] == [1, 3]  # type: ignore[attr-defined]
    assert lines[-1]["earned_nano"] == str(2 * CREATOR_NANO)  # type: ignore[index]
    assert lines[-1]["paid_units"] == str(2 * CREATOR_NANO // 1000)  # type: ignore[index]
    # It is kept what was there when; and the log's own table says how long fees may be held.
    assert [entries for _, entries in RecountFolder(keep).looks(bytes.fromhex(service.twin))] == [3]
    question = recounting.Question(twin=service.twin, source=service.url, keep=keep)
    evidence = await recounting.gather(question)
    assert evidence.reading is not None
    assert (evidence.reading.held_hours, [one.entries for one in evidence.looks]) == (720, [3])
    # From what was kept, without the service: the log alone is left out.
    offline = replace(options, source=str(keep), keep=None, key=None)
    code, again = await _recount(offline, capsys)
    assert (code, again["verdict"]) == (0, "proved")
    # What was kept differs from what is served now.
    log = keep / "twins" / f"{service.twin}.log"
    log.write_bytes(b"\x01" + log.read_bytes()[1:])
    code, lied = await _recount(options, capsys)
    assert (code, lied["verdict"]) == (1, "refuted")
    assert "step 5" in str(lied["sentence"])


async def test_without_a_node_or_on_another_contract_nothing_is_proved(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    await service.answer("one")
    await service.settle()

    code, bare = await _recount(replace(service.options, rpc=None, contract=None), capsys)
    other = replace(service.options, contract="0x" + "11" * 20)

    assert (code, bare["verdict"]) == (3, "not yet")
    assert "nobody else can ask" in str(bare["sentence"])
    with pytest.raises(UserError, match="belong together"):
        await recount_twin(replace(service.options, rpc=None))
    with pytest.raises(UserError, match="no live twin"):
        await recount_twin(replace(service.options, twin="nobody"))
    with pytest.raises(ConfigurationError, match=r"no contract at 0x1{40} on chain 31337\."):
        await recount_twin(other)
    wrong = service.contract.swapcase().replace("X", "x", 1)
    with pytest.raises(UserError, match="a letter is wrong; copy it again"):
        await recount_twin(replace(service.options, contract=wrong))
    fresh = encode_address((await deployed(service.node)).contract)
    code, early = await _recount(replace(service.options, contract=fresh), capsys)
    assert (code, early["verdict"]) == (3, "not yet")
    assert "epoch 1: see whether the address is that of this service's" in str(early["sentence"])


async def test_what_is_served_may_be_kept_and_nothing_else_is_served(service: Service) -> None:
    await service.answer("one")
    async with aiohttp.ClientSession(service.url) as client:
        async with client.get("/settlement/epochs/latest") as early:
            assert early.status == 404
        await service.settle()
        await service.answer("two")
        base = f"/settlement/twins/{service.twin}/log"
        for path, status, caching in (
            ("/settlement/epochs/latest", 200, "no-cache"),
            ("/settlement/epochs/1", 200, "public, max-age=31536000, immutable"),
            ("/settlement/epochs/2", 404, "no-store"),
            ("/settlement/epochs/0", 404, "no-store"),
            ("/settlement/epochs/9999999999", 404, "no-store"),
            (base, 200, "no-cache"),
            (f"{base}?entries=1", 200, "public, max-age=31536000, immutable"),
            (f"{base}?entries=2", 404, "no-store"),  # decided, and in no final epoch
            (f"{base}?entries=-1", 400, "no-store"),
            (f"{base}?entries=%D9%A1", 400, "no-store"),
            (f"/settlement/twins/{'0' * 64}/log", 404, "no-store"),
            ("/settlement/twins/mira/log", 404, "no-store"),
        ):
            async with client.get(path) as answer:
                assert (path, answer.status) == (path, status)
                assert answer.headers["Cache-Control"] == caching
                etag = answer.headers.get("ETag")
            if etag is not None:
                async with client.get(path, headers={"If-None-Match": etag}) as known:
                    assert known.status == 304
