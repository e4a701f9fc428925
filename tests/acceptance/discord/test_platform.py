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
    assert platform.complaints() == ["2 acknowledged too late"]
    platform.hooks.late = 0  # on purpose here; every other test ends with none


async def test_enforced_nonce_gives_the_first_message_again(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    room = platform.world.room(platform.world.guild(platform.world.person("ana")))
    url = f"{platform.api_base}/channels/{room.id}/messages"
    body = {"content": "once", "nonce": "7", "enforce_nonce": True}

    ids = [(await (await http.post(url, json=body)).json())["id"] for _ in range(2)]

    assert ids[0] == ids[1]
    assert len(room.messages) == 1


async def test_files_are_fetched_by_whoever_has_their_address(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    ana = platform.world.person("ana")
    room = platform.world.room(platform.world.guild(ana))
    kept = await platform.people.attach(room, "card.json", b"{}")

    async with aiohttp.ClientSession() as stranger, stranger.get(kept["url"]) as response:
        assert await response.read() == b"{}"
    async with http.get(kept["url"].replace(kept["id"], "1")) as response:
        assert response.status == 404
    assert platform.files.fetched == [kept["id"]]


async def test_deletions_are_told_one_by_one_or_in_bulk(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    ana = platform.world.person("ana")
    room = platform.world.room(platform.world.guild(ana))
    thread = platform.world.room(next(iter(platform.world.guilds.values())), parent=room)
    socket = await connect(platform, http, intents=1 | 1 << 9)
    await event(socket, "GUILD_CREATE")
    ids = [await platform.people.say(ana, room, f"number {n}") for n in range(3)]

    await platform.people.delete(room, ids[0])
    await platform.people.delete(room, *ids[1:], bulk=True)
    await platform.people.delete_room(thread)
    await platform.people.delete_room(room)
    told = [
        (await event(socket, name))["d"]
        for name in ("MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "THREAD_DELETE", "CHANNEL_DELETE")
    ]
    await socket.close()

    assert told[0]["id"] == ids[0]
    assert told[1]["ids"] == ids[1:]
    assert [one["id"] for one in told[2:]] == [thread.id, room.id]


async def test_windows_that_hold_too_much_and_foreign_link_schemes_are_refused(
    platform: Platform, http: aiohttp.ClientSession
) -> None:
    ana = platform.world.person("ana")
    room = platform.world.room(platform.world.guild(ana))
    platform.world.commands = [
        {"name": "ping", "type": 1, "id": "1", "default_member_permissions": None}
    ]
    asked = await platform.people.command(ana, room, "ping")
    field = {"type": 4, "custom_id": "f", "style": 1, "value": "x" * 11, "max_length": 10}
    label = {"type": 18, "label": "F", "component": field}
    modal = {"type": 9, "data": {"custom_id": "m", "title": "M", "components": [label]}}
    button = {"type": 2, "style": 5, "label": "go", "url": "ftp://twins.example"}
    message = {"content": "hi", "components": [{"type": 1, "components": [button]}]}
    callback = f"{platform.api_base}/interactions/{asked.id}/{asked.token}/callback"

    refused = await http.post(callback, json=modal)
    unlinked = await http.post(f"{platform.api_base}/channels/{room.id}/messages", json=message)

    assert (refused.status, unlinked.status) == (400, 400)
    assert asked.answer is None


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
    for name, data in (
        ("MESSAGE_CREATE", {"id": 7}),
        ("MESSAGE_DELETE_BULK", {"ids": ["1"], "channel_id": "2"}),
        ("THREAD_DELETE", {"id": "1", "guild_id": "2", "parent_id": "3", "type": 0}),
        ("CHANNEL_DELETE", {"name": "room"}),
        ("MESSAGE_UNDELETE", {}),
    ):
        with pytest.raises(SpecBreach):
            check_event(name, data)
