"""The local platform by itself, spoken to by a client that it was not written for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.acceptance.discord.server import Platform
from tests.acceptance.discord.specs import SpecBreach, check_event, check_request
from tests.acceptance.discord.world import TOKEN, Json

AUTH = {"Authorization": f"Bot {TOKEN}"}


@pytest.fixture
async def http(platform: Platform) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=AUTH) as session:
        yield session
    del platform


async def connect(
    platform: Platform, http: aiohttp.ClientSession, *, intents: int, token: str = TOKEN
) -> aiohttp.ClientWebSocketResponse:
    """Identify as a plain client would."""
    socket = await http.ws_connect(platform.gateway.url + "?v=10&encoding=json")
    assert (await socket.receive_json())["op"] == 10
    properties = {"os": "linux", "browser": "plain", "device": "plain"}
    data = {"token": token, "intents": intents, "properties": properties}
    await socket.send_json({"op": 2, "d": data})
    return socket


async def event(socket: aiohttp.ClientWebSocketResponse, name: str) -> Json:
    async with asyncio.timeout(5):
        while True:
            frame: dict[str, Any] = await socket.receive_json()
            if frame["t"] == name:
                return frame


async def test_plain_client_talks_and_is_heard(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    ana = platform.world.person("ana")
    room = platform.world.room(platform.world.guild(ana))
    socket = await connect(platform, http, intents=1 | 1 << 9)
    await event(socket, "GUILD_CREATE")

    await platform.people.say(ana, room, "not for the bot")
    heard = await event(socket, "MESSAGE_CREATE")
    url = f"{platform.api_base}/channels/{room.id}/messages"
    async with http.post(url, json={"content": "hello"}) as response:
        sent = await response.json()
        remaining = response.headers["X-RateLimit-Remaining"]
    await socket.close()

    assert heard["d"]["content"] == ""
    assert (sent["content"], remaining) == ("hello", "4")


async def test_session_resumes_with_what_was_missed(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    ana = platform.world.person("ana")
    direct = platform.world.direct(ana)
    first = await connect(platform, http, intents=1 << 12)
    ready = await event(first, "READY")
    await first.close()
    await platform.people.say(ana, direct, "missed")

    second = await http.ws_connect(platform.gateway.url + "?v=10&encoding=json")
    await second.receive_json()
    data = {"token": TOKEN, "session_id": ready["d"]["session_id"], "seq": ready["s"]}
    await second.send_json({"op": 6, "d": data})

    assert (await event(second, "MESSAGE_CREATE"))["d"]["content"] == "missed"
    await event(second, "RESUMED")
    await second.close()


@pytest.mark.parametrize(
    ("intents", "token", "code"), [(1, "wrong", 4004), (1 << 15, TOKEN, 4014), (2, TOKEN, 4014)]
)
async def test_wrong_token_and_refused_intents_close_the_connection(
    platform: Platform, http: aiohttp.ClientSession, intents: int, token: str, code: int
) -> None:
    platform.world.content_allowed = False
    socket = await connect(platform, http, intents=intents, token=token)

    await socket.receive()

    assert socket.close_code == code


async def test_sixth_message_in_five_seconds_is_refused(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    room = platform.world.room(platform.world.guild(platform.world.person("ana")))
    url = f"{platform.api_base}/channels/{room.id}/messages"

    for _ in range(5):
        await http.post(url, json={"content": "hello"})
    refused = await http.post(url, json={"content": "hello"})

    assert refused.status == 429
    assert refused.headers["Via"]
    assert (await refused.json())["retry_after"] > 0


async def test_late_and_second_acknowledgements_are_refused(
    platform: Platform, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = platform.world.person("ana")
    room = platform.world.room(platform.world.guild(ana))
    platform.world.commands = [
        {"name": "ping", "type": 1, "id": "1", "default_member_permissions": None}
    ]
    codes = []
    for deadline in (3.0, 0.0):
        monkeypatch.setattr("tests.acceptance.discord.hooks.DEADLINE_S", deadline)
        asked = await platform.people.command(ana, room, "ping")
        url = f"{platform.api_base}/interactions/{asked.id}/{asked.token}/callback"
        for _ in range(2):
            async with http.post(url, json={"type": 5}) as response:
                codes.append(
                    (response.status, (await response.json(content_type=None) or {}).get("code"))
                )

    assert codes == [(204, None), (400, 40060), (404, 10062), (404, 10062)]


async def test_enforced_nonce_gives_the_first_message_again(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    room = platform.world.room(platform.world.guild(platform.world.person("ana")))
    url = f"{platform.api_base}/channels/{room.id}/messages"
    body = {"content": "once", "nonce": "7", "enforce_nonce": True}

    ids = [(await (await http.post(url, json=body)).json())["id"] for _ in range(2)]

    assert ids[0] == ids[1]
    assert len(room.messages) == 1


def test_descriptions_refuse_what_they_do_not_know(platform: Platform) -> None:
    del platform
    path = "/channels/1/messages"
    check_request("POST", path, {"content": "hi", "allowed_mentions": {"parse": []}}, {})
    wrong_bodies: list[Json] = [
        {"content": "hi", "colour": 1},
        {"allowed_mentions": {"pings": []}},
    ]
    for body in wrong_bodies:
        with pytest.raises(SpecBreach):
            check_request("POST", path, body, {})
    for wrong in (("POST", "/channels/1/poems"), ("PUT", path)):
        with pytest.raises(SpecBreach):
            check_request(*wrong, {}, {})
    with pytest.raises(SpecBreach):
        check_event("MESSAGE_CREATE", {"id": 7})
