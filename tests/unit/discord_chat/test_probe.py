"""The look at Discord: facts, every kind of refusal, and never the token in an error."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from adapters.discord_chat import probe
from adapters.discord_chat.probe import fetch_discord_facts, fetch_discord_skus
from bot.domain.errors import BotError, ConfigurationError, TransientError
from bot.ports.checks import DiscordFacts, DiscordServer

TOKEN = "MTExMTExMTExMTExMTExMTEx.Local.test-token"  # noqa: S105 - of the local server
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _discord(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/v10/"
    finally:
        await runner.cleanup()


def _answering(*, flags: int = 0, servers: int = 0, pages: list[str] | None = None) -> Handler:
    guilds = [
        {"id": str(number), "name": f"S{number}", "permissions": "2048", "owner": False}
        for number in range(1, servers + 1)
    ]

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bot {TOKEN}"
        assert request.method == "GET"
        headers = {"Date": "Fri, 20 Nov 2026 11:59:30 GMT"}
        if request.path.endswith("/oauth2/applications/@me"):
            app = {"id": "42", "name": "Twins", "flags": flags}
            return web.json_response(app, headers=headers)
        assert request.path.endswith("/users/@me/guilds")
        after, limit = int(request.query.get("after", "0")), int(request.query["limit"])
        if pages is not None:
            pages.append(request.query.get("after", ""))
        page = [guild for guild in guilds if int(str(guild["id"])) > after][:limit]
        return web.json_response(page, headers=headers)

    return handle


async def _look(handler: Handler) -> DiscordFacts:
    async with _discord(handler) as base:
        return await fetch_discord_facts(TOKEN, api_base=base, now=lambda: NOW)


@pytest.mark.parametrize(
    ("flags", "reads", "limited"),
    [(0, False, True), (1 << 19, True, True), (1 << 18, True, False), (1 << 13, False, True)],
)
async def test_intent_is_read_from_the_applications_flags(
    flags: int,
    reads: bool,  # noqa: FBT001
    limited: bool,  # noqa: FBT001
) -> None:
    facts = await _look(_answering(flags=flags))

    assert (facts.reads_messages, facts.is_limited) == (reads, limited)


async def test_application_servers_and_clock_are_told() -> None:
    facts = await _look(_answering(servers=1))

    assert (facts.application, facts.application_id) == ("Twins", "42")
    assert facts.servers == (DiscordServer("1", "S1", 2048),)
    assert facts.skew_s == timedelta(seconds=30).total_seconds()


@pytest.mark.parametrize(("servers", "asked"), [(199, [""]), (450, ["", "200", "400"])])
async def test_servers_come_page_after_page(servers: int, asked: list[str]) -> None:
    pages: list[str] = []

    facts = await _look(_answering(servers=servers, pages=pages))

    assert len({server.id for server in facts.servers}) == servers
    assert pages == asked


@pytest.mark.parametrize(
    ("status", "body", "error", "part"),
    [
        (401, '{"message": "401: Unauthorized"}', ConfigurationError, "refuses the token"),
        (403, "{}", ConfigurationError, "refuses the token"),
        (429, '{"retry_after": 1}', TransientError, "status 429"),
        (503, "<html>", TransientError, "status 503"),
        (200, "<html>", TransientError, "can't be read"),
        (200, "[]", TransientError, "can't be read"),
        (200, '{"name": "x"}', TransientError, "can't be read"),
        (200, '{"name": "x", "id": "1", "flags": "?"}', TransientError, "can't be read"),
    ],
)
async def test_each_refusal_is_one_sentence_without_the_token(
    status: int, body: str, error: type[BotError], part: str
) -> None:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, content_type="application/json")

    with pytest.raises(error, match=part) as refused:
        await _look(handle)

    assert TOKEN not in repr(refused.value)


async def test_nobody_there_and_nobody_answering_are_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.2)

    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(TransientError, match="can't be reached"):
        await _look(hang)
    with pytest.raises(TransientError, match="can't be reached"):
        await fetch_discord_facts(TOKEN, api_base="http://127.0.0.1:1", now=lambda: NOW)


async def test_skus_are_known_by_number_and_type() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.path.endswith("/applications/42/skus")
        return web.json_response([{"id": "7", "type": 3}, {"id": "8", "type": 2}])

    async with _discord(handle) as base:
        assert await fetch_discord_skus(TOKEN, application_id="42", api_base=base) == {7: 3, 8: 2}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(401, [], ConfigurationError), (500, [], TransientError), (200, [{}], TransientError)],
)
async def test_skus_that_cannot_be_read_are_an_error(
    status: int, body: object, kind: type[BotError]
) -> None:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    async with _discord(handle) as base:
        with pytest.raises(kind):
            await fetch_discord_skus(TOKEN, application_id="42", api_base=base)
