"""The contracts of a witness's memory, of logs far away and of witnesses: fakes and real ones."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from adapters.sqlite.database import Database
from adapters.sqlite.witness_state import SCHEMA, VERSION, SqliteWitnessState
from adapters.web import log_client
from adapters.web.log_client import HttpLog, HttpWitness, open_session
from adapters.web.witness import WitnessServer
from bot.crypto.cosignature import WitnessKey
from bot.crypto.ed25519 import public_key_of
from bot.crypto.tiles import Tile, parse_bundle
from bot.domain.errors import TransientError
from bot.ports.monitor import RemoteLog
from bot.ports.transparency import WitnessAnswer, WitnessPeer
from bot.ports.witness import Conflict, SeenHead, WitnessState
from bot.transparency.witness import Witness
from scripts.vector_log import fixed_key
from tests.fakes.clock import SetClock
from tests.fakes.transparency import MemoryWitnessState, NearLog, NearWitness
from tests.log_rig import LogRig, log_rig
from tests.stage import LOG

ORIGIN = "example.com/log"
FIVE, SIX = SeenHead(5, b"5" * 32, "five"), SeenHead(6, b"6" * 32, "six")
KEY = WitnessKey("w.example/1", public_key_of(fixed_key("witness")))


@pytest.fixture(params=["memory", "sqlite"])
async def state(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[WitnessState]:
    if request.param == "memory":
        yield MemoryWitnessState()
        return
    opened = await SqliteWitnessState.open(tmp_path / "witness.db")
    yield opened
    await opened.close()


async def test_a_head_takes_the_place_of_the_expected_one(state: WitnessState) -> None:
    assert await state.latest(ORIGIN) is None
    assert await state.advance(ORIGIN, expected=None, new=FIVE)
    assert await state.advance(ORIGIN, expected=FIVE, new=SIX)

    assert await state.latest(ORIGIN) == SIX
    assert await state.heads() == {ORIGIN: SIX}


async def test_a_head_takes_the_place_of_no_other_one(state: WitnessState) -> None:
    await state.advance(ORIGIN, expected=None, new=FIVE)

    assert not await state.advance(ORIGIN, expected=None, new=SIX)
    assert not await state.advance(ORIGIN, expected=SIX, new=SIX)
    assert await state.latest(ORIGIN) == FIVE
    assert await state.latest("other.example") is None


async def test_of_two_at_once_one_wins(state: WitnessState) -> None:
    other = SeenHead(6, b"x" * 32, "other")

    won = await asyncio.gather(
        state.advance(ORIGIN, expected=None, new=SIX),
        state.advance(ORIGIN, expected=None, new=other),
    )

    assert sorted(won) == [False, True]


async def test_evidence_is_kept_once(state: WitnessState) -> None:
    one = Conflict(ORIGIN, 5, "kept", "offered")
    await state.keep_conflict(one)
    await state.keep_conflict(Conflict(ORIGIN, 5, "kept", "another"))
    await state.keep_conflict(Conflict(ORIGIN, 6, "kept", "offered"))

    assert await state.conflicts() == [one, Conflict(ORIGIN, 6, "kept", "offered")]


async def test_a_witness_on_disk_never_goes_back_nor_forgets(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "w.db", schema=(SCHEMA,), expected=VERSION)
    state = SqliteWitnessState(database)
    await state.advance(ORIGIN, expected=None, new=SIX)
    for sql in ("UPDATE heads SET size = 5", "DELETE FROM heads"):
        with pytest.raises(Exception, match="a witness never"):
            async with database.transaction() as connection:
                await connection.execute(sql)
    await state.close()

    again = await SqliteWitnessState.open(tmp_path / "w.db")
    assert await again.latest(ORIGIN) == SIX
    await again.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[LogRig]:
    async with log_rig(tmp_path / "log") as opened:
        await opened.append([b"leaf %d" % number for number in range(300)])
        await opened.sign()
        yield opened


@pytest.fixture(params=["near", "http"])
async def remote(request: pytest.FixtureRequest, rig: LogRig) -> AsyncIterator[RemoteLog]:
    if request.param == "near":
        yield NearLog(rig.public)
        return
    async with open_session() as session:
        yield HttpLog(session, rig.url + "/")


async def test_a_log_is_fetched_as_it_is(remote: RemoteLog, rig: LogRig) -> None:
    assert await remote.checkpoint() == await rig.public.checkpoint()
    for tile in (Tile(0, 0), Tile(0, 1, 44)):
        assert await remote.tile(tile) == await rig.public.tile(tile)
        assert await remote.entries(tile) == await rig.public.entries(tile)
        assert await remote.bodies(tile) == await rig.public.bodies(tile)


async def test_what_a_log_does_not_have_is_none(remote: RemoteLog) -> None:
    assert await remote.tile(Tile(0, 9)) is None
    assert await remote.entries(Tile(0, 1, 45)) is None


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def host() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    """Starts a host that answers everything with one handler; returns its address."""
    runners = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_a_full_bundle_stands_in_for_a_partial_one_that_is_gone(
    rig: LogRig, host: Callable[[Handler], Awaitable[str]]
) -> None:
    async def only_full(request: web.Request) -> web.Response:
        if ".p/" in request.path:
            return web.Response(status=404)
        tile = Tile(0, 0)
        kind = request.path.split("/")[-2]
        data = {"0": rig.public.tile, "entries": rig.public.entries, "bodies": rig.public.bodies}
        return web.Response(body=await data[kind](tile))

    address = await host(only_full)
    part = Tile(0, 0, 7)
    async with open_session() as session:
        remote = HttpLog(session, address)
        hashes, entries = await remote.tile(part), await remote.entries(part)
        bodies = await remote.bodies(part)

    assert hashes == await rig.public.tile(part)
    assert parse_bundle(entries or b"", 7) == [b"leaf %d" % number for number in range(7)]
    assert parse_bundle(bodies or b"", 7, prefix_bytes=4) == [b""] * 7


async def test_a_host_that_fails_sends_too_much_or_is_away_is_transient(
    host: Callable[[Handler], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_client, "FETCH_TIMEOUT_S", 0.3)

    async def fails(_request: web.Request) -> web.Response:
        return web.Response(status=500)

    async def floods(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100_000)

    async def sleeps(_request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with open_session() as session:
        for address in [await host(one) for one in (fails, floods, sleeps)] + [_nobody()]:
            with pytest.raises(TransientError):
                await HttpLog(session, address).checkpoint()


def _nobody() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(params=["near", "http"])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[WitnessPeer]:
    desk = Witness(
        name=KEY.name,
        private_key=fixed_key("witness"),
        logs={LOG.name: LOG},
        state=MemoryWitnessState(),
        clock=SetClock(),
    )
    if request.param == "near":
        yield NearWitness(KEY, desk)
        return
    server = WitnessServer(desk=desk, host="127.0.0.1", port=0)
    await server.start()
    async with open_session() as session:
        yield HttpWitness(session, f"http://127.0.0.1:{server.port}/", KEY)
    await server.stop()


async def test_a_witness_is_asked_and_answers(peer: WitnessPeer, rig: LogRig) -> None:
    head = await rig.sign()

    told = await peer.ask(b"old 7\n\n" + head.note.encode())
    signed = await peer.ask(b"old 0\n\n" + head.note.encode())
    unknown = await peer.ask(b"old 0\n\nnobody.example\n1\n\n")

    assert told == WitnessAnswer(409, b"0\n")
    assert (signed.status, unknown.status) == (200, 404)
    assert signed.body.startswith(f"— {KEY.name} ".encode())


async def test_a_witness_server_says_who_it_is_and_takes_nothing_else() -> None:
    state = MemoryWitnessState()
    desk = Witness(
        name=KEY.name,
        private_key=fixed_key("witness"),
        logs={LOG.name: LOG},
        state=state,
        clock=SetClock(),
    )
    server = WitnessServer(desk=desk, host="127.0.0.1", port=0)
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        async with client.get("/") as response:
            page = await response.text()
        async with client.post("/add-checkpoint", data=b"x" * 100_000) as response:
            too_long = response.status
        async with client.get("/add-checkpoint") as response:
            wrong_method = response.status
        body = b"old 1\n\n" + (LOG.name + "\n1\n").encode()
        async with client.post("/add-checkpoint", data=body) as response:
            unreadable = response.status
    await server.stop()

    assert KEY.encode() in page
    assert (too_long, wrong_method, unreadable) == (413, 405, 400)


async def test_a_conflict_has_the_protocols_content_type(rig: LogRig) -> None:
    desk = Witness(
        name=KEY.name,
        private_key=fixed_key("witness"),
        logs={LOG.name: LOG},
        state=MemoryWitnessState(),
        clock=SetClock(),
    )
    server = WitnessServer(desk=desk, host="127.0.0.1", port=0)
    await server.start()
    head = await rig.sign()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        data = b"old 3\n\n" + head.note.encode()
        async with client.post("/add-checkpoint", data=data) as response:
            answer = (response.status, response.headers["Content-Type"], await response.text())
    await server.stop()

    assert answer == (409, "text/x.tlog.size", "0\n")


async def test_a_witness_that_is_away_slow_or_floods_is_transient(
    host: Callable[[Handler], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_client, "ASK_TIMEOUT_S", 0.3)

    async def floods(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100_000)

    async def sleeps(_request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with open_session() as session:
        for address in [await host(floods), await host(sleeps), _nobody()]:
            with pytest.raises(TransientError):
                await HttpWitness(session, address, KEY).ask(b"old 0\n\n")


async def test_a_redirect_of_a_witness_is_not_followed(
    host: Callable[[Handler], Awaitable[str]],
) -> None:
    async def sends_away(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})

    async with open_session() as session:
        answer = await HttpWitness(session, await host(sends_away), KEY).ask(b"old 0\n\n")

    assert answer.status == 302
