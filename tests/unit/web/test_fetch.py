"""Fetching a bundle: what hosts answer, and what a person is told."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.web.fetch import MAX_BYTES, fetch_bundle
from bot.domain.errors import TransientError, UserError


@pytest.fixture
async def host() -> AsyncIterator[TestServer]:
    app = web.Application()
    answers = {
        "good": (200, b"{}"),
        "pending": (202, b""),
        "unknown": (404, b"no"),
        "broken": (500, b"no"),
        "endless": (200, b"x" * (MAX_BYTES + 1)),
    }

    async def answer(request: web.Request) -> web.Response:
        status, body = answers[request.match_info["name"]]
        return web.Response(status=status, body=body)

    app.router.add_get("/{name}", answer)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


async def test_a_bundle_comes_as_it_is(host: TestServer) -> None:
    assert await fetch_bundle(str(host.make_url("/good"))) == b"{}"


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("pending", TransientError, "not in a signed head of the log yet"),
        ("unknown", UserError, "knows no such reply"),
        ("broken", TransientError, "can't be reached"),
        ("endless", UserError, "more than a proof bundle"),
    ],
)
async def test_what_is_no_bundle_is_said_in_a_sentence(
    host: TestServer, name: str, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        await fetch_bundle(str(host.make_url(f"/{name}")))
