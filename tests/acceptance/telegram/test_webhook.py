"""Webhook mode: the platform calls our own web server."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession, web

from adapters.telegram_chat.chat import TelegramBotSettings, TelegramChat
from bot.domain.errors import ConfigurationError, StoreBusyError
from tests.acceptance.telegram.conftest import ADA, Stage, settle, until

URL, SECRET = "https://twins.example.org", "s" * 32


@dataclass(slots=True)
class Hook:
    """A surface in webhook mode and the web server that carries its route."""

    stage: Stage
    surface: TelegramChat
    base: str

    async def push(self, secret: str | None = SECRET) -> list[int]:
        """Let the platform deliver what it has; return the statuses."""
        bot = self.stage.lobby
        statuses = []
        for update in list(bot.updates):
            status = await self.stage.server.push(bot, update, base=self.base, secret=secret)
            statuses.append(status)
            if status == 200:
                bot.updates.remove(update)
        return statuses


@pytest.fixture
async def hook(stage: Stage) -> AsyncIterator[Hook]:
    surface = stage.build(webhook=(URL, SECRET))
    app = web.Application(client_max_size=1024)  # smaller than the chat pages' server has it
    app.add_routes(surface.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await surface.start()
    await until(lambda: stage.lobby.webhook)
    yield Hook(stage, surface, f"http://127.0.0.1:{runner.addresses[0][1]}")
    await runner.cleanup()


async def test_the_webhook_is_set_with_its_secret_and_the_update_kinds(hook: Hook) -> None:
    values = hook.stage.lobby.webhook

    assert values["url"] == f"{URL}/telegram/7001"
    assert values["secret_token"] == SECRET
    kinds = ("message", "callback_query", "managed_bot", "pre_checkout_query")
    assert hook.stage.lobby.allowed == kinds
    assert hook.stage.server.count("getUpdates") == 0


async def test_a_fan_is_answered_through_the_webhook(hook: Hook) -> None:
    stage = hook.stage
    stage.server.world.say(stage.lobby, ADA, "/twin nova")
    assert await hook.push() == [200]
    await stage.answer()
    stage.server.world.say(stage.lobby, ADA, "Hello")

    assert await hook.push() == [200]
    reply = await stage.answer(after=1)

    assert reply["text"].endswith("Ships come home.")
    await until(lambda: stage.inbox.confirmed)


@pytest.mark.parametrize("secret", [None, "", "wrong" * 8, "s" * 31, "ß" * 32])
async def test_a_wrong_secret_is_refused(hook: Hook, secret: str | None) -> None:
    hook.stage.server.world.say(hook.stage.lobby, ADA, "/help")

    assert await hook.push(secret) == [403]
    await settle()

    assert hook.stage.heard() == []


async def test_a_repeated_delivery_gets_no_second_answer(hook: Hook) -> None:
    stage = hook.stage
    stage.server.world.say(stage.lobby, ADA, "/help")
    update = stage.lobby.updates[0]

    assert await hook.push() == [200]
    await stage.answer()
    stage.lobby.updates.append(update)
    assert await hook.push() == [200]
    await settle()

    assert len(stage.heard()) == 1


async def test_a_busy_store_makes_the_platform_come_again(hook: Hook) -> None:
    stage = hook.stage
    stage.server.world.say(stage.lobby, ADA, "/help")
    stage.state.fail_take = StoreBusyError("busy")

    assert await hook.push() == [503]
    assert await hook.push() == [200]

    assert (await stage.answer())["text"]


@pytest.mark.parametrize("body", ["", "[]", "null", "{}", '{"message": 1}'])
async def test_what_is_no_update_is_refused(hook: Hook, body: str) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
    async with ClientSession() as client:
        address = f"{hook.base}/telegram/7001"
        async with client.post(address, data=body, headers=headers) as response:
            assert response.status == 400


async def test_a_full_message_that_replies_to_a_full_one_is_taken(hook: Hook) -> None:
    stage = hook.stage
    stage.server.world.say(stage.lobby, ADA, "/twin nova")
    chat = stage.server.world.private(stage.lobby, ADA)
    first = stage.server.world.say(stage.lobby, ADA, "😀" * 2048)
    stage.server.world.post(chat, ADA, "😀" * 2048, reply_to=first["message_id"])

    assert await hook.push() == [200, 200, 200]

    await until(lambda: len(stage.inbox.confirmed) == 2)


async def test_a_body_without_end_is_refused(hook: Hook) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    async with ClientSession() as client:
        address = f"{hook.base}/telegram/7001"
        body = io.BytesIO(b"x" * (1024 * 1024 + 1))
        async with client.post(address, data=body, headers=headers) as response:
            assert response.status == 413


async def test_stars_are_paid_and_given_back_through_the_webhook(hook: Hook) -> None:
    stage = hook.stage
    till = stage.server.till
    stage.server.world.say(stage.lobby, ADA, "/buy")
    assert await hook.push() == [200]
    offers = await stage.answer()
    stage.server.world.press(stage.lobby, ADA, offers, "50 Stars")
    assert await hook.push() == [200]
    invoice = await stage.answer(after=1)
    paid = till.pay(stage.lobby, ADA, invoice)
    assert await hook.push() == [200]
    await until(lambda: paid.charge)
    payment = stage.lobby.updates[0]

    stage.state.fail_take = StoreBusyError("busy")  # not durable, so the platform comes again
    assert await hook.push() == [503]
    assert await hook.push() == [200]
    stage.lobby.updates.append(payment)
    assert await hook.push() == [200]
    await stage.answer(after=2)
    till.refund(paid)
    assert await hook.push() == [200]
    await until(lambda: "Telegram has" in stage.heard()[-1])
    await settle()

    assert [text.split(".")[0] for text in stage.heard()[2:]] == [
        "Thank you",
        "",  # the platform's own words
        "Telegram has given 50 Stars back to you, so 0",
    ]
    assert stage.credit.calls.count(("credit", paid.charge)) == 1
    assert paid.took_s < 1


async def test_full_works_leave_the_webhook_open_for_the_last_question(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.telegram_chat.works.MAX_OPEN", 2)
    stage = hook.stage
    stage.server.world.say(stage.lobby, ADA, "/twin nova")
    await hook.push()
    await stage.answer()
    stage.server.world.say(stage.lobby, ADA, "/buy")
    await hook.push()
    stage.server.world.press(stage.lobby, ADA, await stage.answer(after=1), "50 Stars")
    await hook.push()
    invoice = await stage.answer(after=2)
    stage.inbox.gate = asyncio.Semaphore(0)
    for _ in range(4):
        stage.server.world.say(stage.lobby, ADA, "Hello")
    assert await hook.push() == [200] * 4

    paid = stage.server.till.pay(stage.lobby, ADA, invoice)
    assert await hook.push() == [200]
    await until(lambda: paid.charge)

    assert paid.took_s < 1
    assert len(stage.inbox.asked) == 2
    for _ in range(64):
        stage.inbox.gate.release()
    await until(lambda: len(stage.inbox.asked) == 4)


async def test_an_unknown_bot_is_not_found_and_a_stopped_one_not_ready(hook: Hook) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    async with ClientSession() as client:
        async with client.post(f"{hook.base}/telegram/1", json={}, headers=headers) as response:
            assert response.status == 404
        await hook.surface.stop()
        address = f"{hook.base}/telegram/7001"
        async with client.post(address, json={}, headers=headers) as response:
            assert response.status == 503


@pytest.mark.parametrize(
    ("token", "webhook"),
    [
        ("no-token-at-all", None),
        ("7001:SECRET", ("http://twins.example.org", SECRET)),
        ("7001:SECRET", (URL, "short")),
        ("7001:SECRET", (URL, "spaces are not allowed here")),
    ],
)
async def test_settings_that_cannot_work_are_refused_without_showing_them(
    stage: Stage, token: str, webhook: tuple[str, str] | None
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        stage.build(TelegramBotSettings(token), webhook=webhook)

    assert token not in str(refusal.value)
    assert token not in repr(TelegramBotSettings(token))
    assert stage.surfaces == []


async def test_a_bot_that_stands_there_twice_is_refused(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="7001 is configured twice"):
        stage.build(TelegramBotSettings("7001:A"), TelegramBotSettings("7001:B"))


async def test_when_polling_there_are_no_routes(stage: Stage) -> None:
    assert stage.build().routes() == []
