"""What a hostile or broken service can do to a recount: nothing but be told so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from adapters.web import settlement_client
from adapters.web.log_client import open_session
from adapters.web.settlement_client import HttpSettlement
from bot.crypto.eip712 import parse_address
from bot.domain.errors import TransientError
from bot.domain.ids import derive_twin_id

TWIN = bytes(32)
CREATOR = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[HttpSettlement]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with open_session() as session:
        yield HttpSettlement(session, f"http://{host}:{port}/")
    await runner.cleanup()


def giving(body: bytes, status: int = 200) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    return handler


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(bytes(65_536))
    except (ConnectionError, RuntimeError):
        return response


async def test_an_endless_body_is_cut_at_what_was_asked_for() -> None:
    async with served(_endless) as service:
        with pytest.raises(TransientError, match="more than 100 bytes"):
            await service.twin_log(TWIN, 2)


async def test_a_silent_service_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement_client, "TIMEOUT_S", 0.2)

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await asyncio.sleep(2)
        return response

    async with served(silent) as service:
        with pytest.raises(TransientError, match="can't be read"):
            await service.publication(None)


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_not_there_is_none(status: int) -> None:
    async with served(giving(b"", status)) as service:
        assert await service.publication(3) is None
        assert await service.twin_log(TWIN, None) is None


async def test_a_broken_service_is_asked_again_later() -> None:
    async with served(giving(b"", 500)) as service:
        with pytest.raises(TransientError):
            await service.publication(3)


async def test_a_name_is_looked_up_by_the_creators_address() -> None:
    cards = f'{{"twins":[{{"slug":"a","creator":""}},{{"slug":"mira","creator":"{CREATOR}"}}]}}'
    async with served(giving(cards.encode())) as service:
        wanted = derive_twin_id(parse_address(CREATOR), "mira")
        assert await service.find_twin("mira") == wanted
        assert await service.find_twin("b") is None


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"{}", b'{"twins":3}', b'{"twins":[3]}', b'{"twins":[{"slug":"mira"}]}'),
        *(b'{"twins":[{"slug":"mira","creator":"0x1"}]}', b"\xff", b"[" * 5000),
    ],
)
async def test_nonsense_names_nobody(body: bytes) -> None:
    async with served(giving(body)) as service:
        assert await service.find_twin("mira") is None
