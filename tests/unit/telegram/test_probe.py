"""The look at Telegram: facts, every kind of refusal, and never the token in an error."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from adapters.telegram_chat import probe
from adapters.telegram_chat.probe import address_of, fetch_telegram_facts
from bot.domain.errors import BotError, ConfigurationError, TransientError
from bot.ports.checks import TelegramFacts

TOKEN = "7001:SECRET-lobbybot"  # noqa: S105 - of the local server
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
ME = {"id": 7001, "is_bot": True, "first_name": "Lobby", "username": "lobbybot"}
HOOK = {"url": "", "has_custom_certificate": False, "pending_update_count": 3}
CONFLICT = {"ok": False, "error_code": 409, "description": "Conflict: terminated by other"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _telegram(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/bot"
    finally:
        await runner.cleanup()


def _answering(calls: list[str], **results: object) -> Handler:
    """Answer each method with its result; a tuple is a status and a body."""
    table = {"getMe": ME, "getWebhookInfo": HOOK, "getUpdates": []} | results

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.match_info["token"] == TOKEN
        method = request.match_info["method"]
        calls.append(method)
        found = table[method]
        status, body = found if isinstance(found, tuple) else (200, {"ok": True, "result": found})
        headers = {"Date": "Fri, 20 Nov 2026 12:00:10 GMT"}
        return web.json_response(body, status=status, headers=headers)

    return handle


async def _look(handler: Handler, *, contest: bool = False, token: str = TOKEN) -> TelegramFacts:
    async with _telegram(handler) as base:
        return await fetch_telegram_facts(token, api_base=base, now=lambda: NOW, contest=contest)


async def test_facts_are_those_that_telegram_tells() -> None:
    me = ME | {
        "can_read_all_group_messages": True,
        "can_manage_bots": True,
        "can_join_groups": True,
    }
    hook = HOOK | {"url": "https://a.example/telegram/7001", "last_error_message": "refused"}
    calls: list[str] = []

    facts = await _look(_answering(calls, getMe=me, getWebhookInfo=hook))

    assert facts == TelegramFacts(
        number="7001",
        username="lobbybot",
        reads_all=True,
        makes_bots=True,
        joins_groups=True,
        webhook="https://a.example/telegram/7001",
        pending=3,
        last_error="refused",
        is_contested=None,
        skew_s=-10.0,
    )
    assert calls == ["getMe", "getWebhookInfo"]


async def test_absent_fields_mean_no() -> None:
    facts = await _look(_answering([]))

    assert (facts.reads_all, facts.makes_bots, facts.joins_groups) == (False, False, False)
    assert facts.last_error == ""


@pytest.mark.parametrize(
    ("updates", "contested"),
    [([], False), ([{"update_id": 1}], False), ((409, CONFLICT), True)],
)
async def test_a_second_poller_shows_as_a_conflict(
    updates: object,
    contested: bool,  # noqa: FBT001
) -> None:
    facts = await _look(_answering([], getUpdates=updates), contest=True)

    assert facts.is_contested is contested


async def test_who_has_a_webhook_is_not_polled() -> None:
    calls: list[str] = []
    hook = HOOK | {"url": "https://a.example/telegram/7001"}

    facts = await _look(_answering(calls, getWebhookInfo=hook), contest=True)

    assert facts.is_contested is None
    assert "getUpdates" not in calls


@pytest.mark.parametrize(
    ("found", "error", "part"),
    [
        ((401, {"ok": False}), ConfigurationError, "refuses the token"),
        ((404, {"ok": False}), ConfigurationError, "refuses the token"),
        ((429, {"ok": False}), TransientError, "status 429"),
        ((502, "<html>"), TransientError, "status 502"),
        ((200, {"ok": False}), TransientError, "status 200"),
        ((200, []), TransientError, "can't be read"),
        ((200, {"ok": True, "result": {}}), TransientError, "can't be read"),
        ((200, {"ok": True, "result": None}), TransientError, "can't be read"),
    ],
)
async def test_each_refusal_is_one_sentence_without_the_token(
    found: object, error: type[BotError], part: str
) -> None:
    with pytest.raises(error, match=part) as refused:
        await _look(_answering([], getMe=found))

    shown = "".join(traceback.format_exception(refused.value))
    assert TOKEN not in shown + json.dumps(str(refused.value))


@pytest.mark.parametrize("token", ["nonsense", "7001", "7001:a/../../b", "7001:abcdefgh?x"])
async def test_what_is_no_token_is_not_sent_anywhere(token: str) -> None:
    calls: list[str] = []

    with pytest.raises(ConfigurationError, match="no Telegram token"):
        await _look(_answering(calls), token=token)

    assert calls == []


async def test_nobody_there_and_nobody_answering_are_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.2)

    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    for looking in (
        _look(hang),
        fetch_telegram_facts(
            TOKEN, api_base="http://127.0.0.1:1/bot", now=lambda: NOW, contest=False
        ),
    ):
        with pytest.raises(TransientError, match="can't be reached") as refused:
            await looking
        assert TOKEN not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("base", "address"),
    [
        (None, "https://api.telegram.org/bot7:A"),
        ("http://127.0.0.1:8081/bot", "http://127.0.0.1:8081/bot7:A"),
        ("https://api.telegram.org/bot{token}/test", "https://api.telegram.org/bot7:A/test"),
    ],
)
def test_a_token_stands_where_the_address_wants_it(base: str | None, address: str) -> None:
    assert address_of(base, "7:A") == address
