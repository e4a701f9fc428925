"""The HTTP client of all bots against servers that fail, each in its own way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from telegram import InputFile
from telegram.error import InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut
from telegram.ext import ExtBot

from adapters.telegram_chat import shared
from adapters.telegram_chat.mapping import (
    BrokenOffError,
    FailureKind,
    NotSentError,
    classify,
    seconds_of,
)
from adapters.telegram_chat.shared import SharedRequest

TOKEN = "7001:SECRET-of-a-bot"  # noqa: S105 - of no bot
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/bot"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def calling(
    answer: Answer, *, connections: int = 4, answer_s: float = 2.0
) -> AsyncIterator[ExtBot[None]]:
    client = SharedRequest(connections=connections, answer_s=answer_s)
    await client.open()
    try:
        async with serving(answer) as base:
            files = base.replace("/bot", "/file/bot")
            yield ExtBot(TOKEN, base_url=base, base_file_url=files, request=client)
    finally:
        await client.close()


async def failure_of(call: Awaitable[object]) -> TelegramError:
    with pytest.raises(TelegramError) as caught:
        await call
    error = caught.value
    assert "SECRET" not in repr(error)
    assert not isinstance(error.__cause__, aiohttp.ClientError | OSError)
    return error


def done(result: object = 1) -> web.Response:
    return web.json_response({"ok": True, "result": result})


async def test_a_refused_connection_says_that_nothing_was_sent() -> None:
    client = SharedRequest(connections=1, answer_s=2.0)
    await client.open()
    bot = ExtBot(TOKEN, base_url="http://127.0.0.1:1/bot", request=client)

    error = await failure_of(bot.send_message(1, "Hello"))

    await client.close()
    assert isinstance(error, NotSentError)
    assert classify(error).kind is FailureKind.NOT_DONE


async def test_a_client_that_is_closed_sends_nothing_and_can_be_opened_again() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return done()

    client = SharedRequest(connections=1, answer_s=2.0)
    async with serving(answer) as base:
        bot = ExtBot(TOKEN, base_url=base, request=client)
        assert isinstance(await failure_of(bot.delete_webhook()), NotSentError)
        await client.open()
        assert await bot.delete_webhook()
        await client.close()
        await client.close()
        await client.open()
        assert await bot.delete_webhook()
        await client.close()


async def test_a_connection_that_breaks_has_an_unknown_outcome() -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with calling(answer) as bot:
        error = await failure_of(bot.send_message(1, "Hello"))

    assert isinstance(error, BrokenOffError)
    assert classify(error).kind is FailureKind.UNKNOWN


async def test_an_answer_that_breaks_off_has_an_unknown_outcome() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"ok": true, "res')
        assert request.transport is not None
        request.transport.abort()
        return response

    async with calling(answer) as bot:
        error = await failure_of(bot.send_message(1, "Hello"))

    assert classify(error).kind is FailureKind.UNKNOWN


async def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return done()

    async with calling(answer, answer_s=0.2) as bot:
        began = asyncio.get_running_loop().time()
        error = await failure_of(bot.send_message(1, "Hello"))
        took = asyncio.get_running_loop().time() - began

    assert isinstance(error, TimedOut)
    assert classify(error).kind is FailureKind.UNKNOWN
    assert took < 5


async def test_a_long_poll_may_take_longer_than_other_calls() -> None:
    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.6)
        return done([])

    async with calling(answer, answer_s=0.3) as bot:
        polls = ExtBot(
            TOKEN, base_url=bot.base_url.removesuffix(TOKEN), get_updates_request=bot.request
        )
        assert await polls.get_updates(timeout=2) == ()


async def test_who_gets_no_connection_in_time_has_sent_nothing() -> None:
    release = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        await release.wait()
        return done()

    async with calling(answer, connections=1) as bot:
        first = asyncio.create_task(bot.delete_webhook())
        await asyncio.sleep(0.1)
        error = await failure_of(bot.delete_webhook(connect_timeout=0.1, pool_timeout=0.1))
        release.set()
        assert await first

    assert isinstance(error, NotSentError)


async def test_connections_are_limited_and_used_again() -> None:
    peers = set()
    now = 0
    most = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal now, most
        peers.add(request.transport and request.transport.get_extra_info("peername"))
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return done()

    async with calling(answer, connections=3) as bot:
        await asyncio.gather(*(bot.delete_webhook() for _ in range(30)))

    assert most == 3
    assert len(peers) == 3


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_error_that_is_a_page_is_an_answer(status: int) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>Bad Gateway</html>")

    async with calling(answer) as bot:
        error = await failure_of(bot.send_message(1, "Hello"))

    assert type(error) is NetworkError
    assert classify(error).kind is FailureKind.NOT_DONE


async def test_a_gateway_that_gave_up_waiting_has_an_unknown_outcome() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=504, text="<html>Gateway Timeout</html>")

    async with calling(answer) as bot:
        error = await failure_of(bot.send_message(1, "Hello"))

    assert classify(error).kind is FailureKind.UNKNOWN


async def test_a_page_where_json_should_be_is_unknown() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="<html>Welcome to the hotel</html>", content_type="text/html")

    async with calling(answer) as bot:
        error = await failure_of(bot.send_message(1, "Hello"))

    assert classify(error).kind is FailureKind.UNKNOWN


async def test_a_redirect_is_not_followed() -> None:
    paths = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with calling(answer) as bot:
        await failure_of(bot.send_message(1, "Hello"))

    assert paths == [f"/bot{TOKEN}/sendMessage"]


async def test_a_flood_answer_says_how_long_to_wait() -> None:
    async def answer(_request: web.Request) -> web.Response:
        body = {"ok": False, "error_code": 429, "parameters": {"retry_after": 7}}
        return web.json_response(body, status=429)

    async with calling(answer) as bot:
        error = await failure_of(bot.send_message(1, "Hello"))

    assert isinstance(error, RetryAfter)
    assert timedelta(seconds=seconds_of(error)) == timedelta(seconds=7)


async def test_a_revoked_token_is_told_from_other_failures() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"ok": False, "description": "Unauthorized"}, status=401)

    async with calling(answer) as bot:
        assert isinstance(await failure_of(bot.send_message(1, "Hello")), InvalidToken)


async def test_words_and_files_arrive_as_they_were_sent() -> None:
    got: dict[str, object] = {}
    text = "a=b&c +%€ \N{GRINNING FACE}\nsecond line"

    async def answer(request: web.Request) -> web.Response:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                got[name] = (value.filename, value.content_type, value.file.read())
            else:
                got[name] = value
        chat = {"id": 1, "type": "private"}
        return done({"message_id": 5, "date": 1, "chat": chat})

    data = bytes(range(256)) * 4096
    async with calling(answer) as bot:
        await bot.send_message(1, text)
        assert got == {"chat_id": "1", "text": text}
        got.clear()
        sent = await bot.send_document(1, InputFile(data, filename="your data.json"), caption=text)

    assert sent.message_id == 5
    assert got["caption"] == text
    assert got["document"] == ("your data.json", "application/json", data)


async def test_a_file_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "ANSWER_BYTES", 100_000)
    size = 100_000

    async def answer(request: web.Request) -> web.StreamResponse:
        if "getFile" in request.path:
            return done({"file_id": "f", "file_unique_id": "u", "file_path": "documents/card"})
        response = web.StreamResponse()  # says no length
        await response.prepare(request)
        for at in range(0, size, 10_000):
            await response.write(b"x" * min(10_000, size - at))
        return response

    async with calling(answer) as bot:
        file = await bot.get_file("f")
        assert await file.download_as_bytearray() == b"x" * size
        size += 1
        error = await failure_of(file.download_as_bytearray())

    assert isinstance(error, BrokenOffError)
