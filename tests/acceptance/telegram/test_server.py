"""The local server favours no library: a foreign client finds the platform's rules here."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.acceptance.telegram.conftest import ADA, BEN
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.world import BotSide, Json


class Foreign:
    """A client made of JSON, query strings and nothing else."""

    def __init__(self, server: BotApiServer, bot: BotSide, http: aiohttp.ClientSession) -> None:
        self.server = server
        self._base = f"{server.api_base}{bot.token}"
        self._http = http

    async def post(self, method: str, **values: object) -> Json:
        """Call with a JSON body."""
        async with self._http.post(f"{self._base}/{method}", json=values) as response:
            answer: Json = await response.json()
            assert response.status == (200 if answer["ok"] else answer["error_code"])
            return answer

    async def get(self, method: str, **values: str) -> Json:
        """Call with a query string."""
        async with self._http.get(f"{self._base}/{method}", params=values) as response:
            answer: Json = await response.json()
            return answer


@pytest.fixture
async def bot(server: BotApiServer) -> BotSide:
    server.world.add_fan(ADA, "Ada")
    server.world.add_fan(BEN, "Ben")
    return server.world.add_bot(7001, "lobbybot")


@pytest.fixture
async def foreign(server: BotApiServer, bot: BotSide) -> AsyncIterator[Foreign]:
    async with aiohttp.ClientSession() as http:
        yield Foreign(server, bot, http)


async def test_it_talks_json_query_strings_and_forms(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    server.world.say(bot, ADA, "Hello")

    updates = await foreign.get("getUpdates", timeout="1", allowed_updates='["message"]')
    sent = await foreign.post("sendMessage", chat_id=ADA, text="Hi")
    listed = await foreign.get("sendMessage", chat_id=str(ADA), text="Hi again")

    assert updates["result"][0]["message"]["text"] == "Hello"
    assert sent["result"]["message_id"] == 2
    assert listed["result"]["chat"]["type"] == "private"


@pytest.mark.parametrize(
    ("method", "values", "description"),
    [
        ("sendMessage", {"chat_id": ADA, "text": "😀" * 2049}, "message is too long"),
        ("sendMessage", {"chat_id": ADA, "text": "  "}, "message text is empty"),
        ("sendMessage", {"chat_id": BEN, "text": "Hi"}, "can't initiate conversation"),
        ("sendMessage", {"chat_id": 5, "text": "Hi"}, "chat not found"),
        ("sendMessage", {"chat_id": -1001, "text": "Hi", "message_thread_id": 9}, "thread not"),
        ("sendMessageDraft", {"chat_id": -1001, "draft_id": 1, "text": "Hi"}, "private chat"),
        ("sendMessageDraft", {"chat_id": ADA, "draft_id": 0, "text": "Hi"}, "non-zero"),
        ("answerCallbackQuery", {"callback_query_id": "1"}, "query is too old"),
        ("editMessageText", {"chat_id": ADA, "message_id": 1, "text": "x"}, "can't be edited"),
        ("setWebhook", {"url": "http://plain.example.org"}, "HTTPS URL must be provided"),
    ],
)
async def test_what_the_platform_refuses(
    bot: BotSide, foreign: Foreign, *, method: str, values: Json, description: str
) -> None:
    server = foreign.server
    server.world.say(bot, ADA, "Hello")
    server.world.add_group(-1001, ADA, bot.id)

    answer = await foreign.post(method, **values)

    assert not answer["ok"]
    assert description in answer["description"]


@pytest.mark.parametrize(
    "button",
    [
        {"text": "x", "callback_data": "é" * 33},
        {"text": "x", "callback_data": ""},
        {"text": "x", "url": "http://localhost:8800/r/1"},
        {"text": "x", "url": "ftp://example.org"},
        {"text": "x"},
    ],
)
async def test_which_buttons_the_platform_refuses(
    server: BotApiServer, bot: BotSide, foreign: Foreign, button: Json
) -> None:
    server.world.say(bot, ADA, "Hello")
    markup = {"inline_keyboard": [[button]]}

    answer = await foreign.post("sendMessage", chat_id=ADA, text="Hi", reply_markup=markup)

    assert answer["error_code"] == 400


async def test_an_edit_must_change_something(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    server.world.say(bot, ADA, "Hello")
    await foreign.post("sendMessage", chat_id=ADA, text="Hi")

    same = await foreign.post("editMessageText", chat_id=ADA, message_id=2, text="Hi")
    other = await foreign.post("editMessageText", chat_id=ADA, message_id=2, text="Ho")

    assert "message is not modified" in same["description"]
    assert other["ok"]


async def test_blocked_kicked_unknown(server: BotApiServer, bot: BotSide, foreign: Foreign) -> None:
    server.world.block(bot, ADA)
    group = server.world.add_group(-1001, ADA)

    blocked = await foreign.post("sendMessage", chat_id=ADA, text="Hi")
    outside = await foreign.post("sendMessage", chat_id=group.id, text="Hi")
    nothing = await foreign.post("noSuchMethod")

    assert blocked["description"] == "Forbidden: bot was blocked by the user"
    assert outside["error_code"] == 403
    assert nothing["error_code"] == 404


async def test_updates_come_again_until_they_are_confirmed(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    server.world.say(bot, ADA, "Hello")
    first = await foreign.post("getUpdates")
    again = await foreign.post("getUpdates")
    number = first["result"][0]["update_id"]

    after = await foreign.post("getUpdates", offset=number + 1)

    assert first == again
    assert after["result"] == []


async def test_a_webhook_excludes_polling(foreign: Foreign) -> None:
    await foreign.post("setWebhook", url="https://bot.example.org/hook", secret_token="abc")  # noqa: S106

    conflict = await foreign.post("getUpdates")
    await foreign.post("deleteWebhook")

    assert conflict["error_code"] == 409
    assert (await foreign.post("getUpdates"))["ok"]


async def test_privacy_mode_hides_what_is_not_meant_for_the_bot(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    group = server.world.add_group(-1001, ADA, bot.id)
    for text in ("just us", "hey @lobbybot", "/help", "/help@otherbot", "/help@lobbybot"):
        server.world.post(group, ADA, text)

    updates = (await foreign.post("getUpdates"))["result"]

    assert [update["message"]["text"] for update in updates] == ["/help@lobbybot"]


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("sendMessage", {"chat_id": ADA}),
        ("sendMessage", {"chat_id": ADA, "text": 5}),
        ("sendMessage", {"chat_id": ADA, "text": "x", "shout": True}),
        ("getUpdates", {"allowed_updates": "message"}),
    ],
)
async def test_what_is_not_in_the_description_is_a_violation(
    server: BotApiServer, foreign: Foreign, method: str, values: Json
) -> None:
    answer = await foreign.post(method, **values)

    assert answer["error_code"] == 400
    assert len(server.violations) == 1
    server.violations.clear()


def test_a_start_parameter_is_short_and_plain(server: BotApiServer, bot: BotSide) -> None:
    for payload in ("x" * 65, "with space", "ü"):
        with pytest.raises(ValueError, match="start parameter"):
            server.world.start(bot, ADA, payload)
