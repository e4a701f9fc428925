"""POST /api/talk: streaming, idempotency, delivery, errors."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from adapters.web.talk import account_of
from bot.domain.errors import AdmissionError, EngineOverloadedError, StoreBusyError
from tests.unit.web.conftest import FAN, Site


async def _events(response: aiohttp.ClientResponse) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await response.text()).splitlines()]


def _open(site: Site) -> None:
    """Let the inbox finish its reply."""
    if site.inbox.gate:
        for _ in range(10):
            site.inbox.gate.release()


async def _answered(site: Site) -> list[dict[str, Any]]:
    """Send the message again until it is no longer being answered."""
    for _ in range(1000):
        async with site.post() as response:
            if response.status != 409:
                return await _events(response)
    pytest.fail("the message is still being answered")


async def test_a_reply_streams_piece_by_piece_and_then_is_delivered(site: Site) -> None:
    async with site.post() as response:
        events = await _events(response)

    assert response.status == 200
    assert [event["type"] for event in events] == ["text", "text", "text", "shown"]
    assert "".join(event["text"] for event in events[:3]) == events[3]["text"]
    assert events[3]["fee_nano"] == "2000000"
    await site.server.stop()
    assert site.inbox.confirmed == [events[3]["receipt_id"]]


async def test_the_first_piece_arrives_before_the_last_is_made(site: Site) -> None:
    site.inbox.gate = asyncio.Semaphore(1)

    async with site.post() as response:
        first = await response.content.readline()
        running = bool(site.inbox.running)
        _open(site)

    assert json.loads(first) == {"type": "text", "text": "Ships "}
    assert running


async def test_the_surface_is_the_local_web_and_the_server_numbers_messages(site: Site) -> None:
    async with site.post() as response:
        await response.read()

    message = site.inbox.asked[0]
    assert (message.surface.platform, message.surface.bot, message.surface.thread) == (
        "web",
        "local",
        "",
    )
    assert message.surface.chat == message.fan == account_of(FAN)
    assert message.message_id != "id-0123456789abcdef"


async def test_a_proof_link_does_not_give_the_fan_id_away(site: Site) -> None:
    async with site.post("Hello") as response:
        await response.read()

    told = site.inbox.asked[0]

    # The slot is opened by every link: what stands in it must not open the history.
    assert FAN not in repr(told)
    async with site.history("nova", told.surface.chat) as response:
        assert (await response.json())["turns"] == []


async def test_a_retry_gets_the_same_reply_and_is_not_asked_twice(site: Site) -> None:
    async with site.post() as response:
        first = (await _events(response))[-1]
    second = (await _answered(site))[-1]

    assert first == second
    assert len(site.inbox.asked) == 1
    await site.server.stop()
    assert site.inbox.confirmed == [first["receipt_id"]] * 2


async def test_the_same_message_at_the_same_time_waits(site: Site) -> None:
    site.inbox.gate = asyncio.Semaphore(1)

    async with site.post() as first:
        await first.content.readline()
        async with site.post() as second:
            refusal = await second.json()
        _open(site)
        await first.read()

    assert second.status == 409
    assert refusal["retry"] is True
    assert second.headers["Retry-After"] == "1"


async def test_a_browser_that_leaves_gets_the_reply_on_its_retry(site: Site) -> None:
    site.inbox.gate = asyncio.Semaphore(1)

    async with site.post() as response:
        await response.content.readline()
        response.close()
    async with site.post() as response:
        assert response.status == 409
    _open(site)
    events = await _answered(site)

    assert events[-1]["type"] == "shown"
    assert len(site.inbox.asked) == 1
    await site.server.stop()
    assert site.inbox.confirmed == [events[-1]["receipt_id"]]


async def test_a_refused_message_is_told_in_its_own_sentence(site: Site) -> None:
    site.inbox.fail = AdmissionError("You have used today's free replies.")

    async with site.post() as response:
        body = await response.json()

    assert response.status == 422
    assert body == {"error": "You have used today's free replies.", "retry": False}
    assert site.inbox.confirmed == []


async def test_an_overloaded_engine_asks_for_patience(site: Site) -> None:
    site.inbox.fail = EngineOverloadedError("Many fans are writing now.", retry_after_s=3)

    async with site.post() as response:
        body = await response.json()

    assert (response.status, response.headers["Retry-After"]) == (503, "3")
    assert body["retry"] is True


async def test_an_error_in_the_middle_ends_the_stream_with_its_sentence(site: Site) -> None:
    site.inbox.fail, site.inbox.fail_after = EngineOverloadedError("The engine stopped."), 2

    async with site.post() as response:
        events = await _events(response)

    assert response.status == 200
    assert events[-1] == {"type": "error", "error": "The engine stopped.", "retry": True}
    assert site.inbox.confirmed == []


async def test_a_delivery_that_cannot_be_recorded_does_not_break_the_reply(site: Site) -> None:
    site.inbox.fail_delivery = StoreBusyError("The database is locked.")

    async with site.post() as response:
        events = await _events(response)

    assert events[-1]["type"] == "shown"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"twin": "No Twin"}, 400),
        ({"twin": "unknown"}, 404),
        ({"fan": "short"}, 400),
        ({"fan": "x" * 65}, 400),
        ({"message": "also-short"}, 400),
        ({"text": "  \n"}, 400),
        ({"text": 7}, 400),
        ({"text": "x" * 8001}, 413),
        ({"text": "x" * 70_000}, 413),
        ({"extra": 1}, 400),
    ],
)
async def test_what_is_not_a_message_is_refused(
    site: Site, changes: dict[str, Any], status: int
) -> None:
    async with site.post(**changes) as response:
        body = await response.json()

    assert response.status == status
    assert body["error"]
    assert site.inbox.asked == []


async def test_what_is_not_json_is_refused(site: Site) -> None:
    headers = {"Content-Type": "application/json"}
    for data in (b"{", b"\xff", b"[]", b"null"):
        async with site.client.post("/api/talk", data=data, headers=headers) as response:
            assert response.status == 400
