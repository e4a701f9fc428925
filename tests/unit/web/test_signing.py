"""The signing routes: what they ask of the desk, and what nobody else may learn or do."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import structlog

from adapters.web.server import WebServer
from adapters.web.signing import GUESSES, MAX_STATEMENT
from bot.crypto import eip712
from bot.domain.errors import StoreBusyError
from bot.domain.manifest import parse_manifest, signing_data
from scripts.vector_log import fixed_key
from tests.fakes.chat import MemoryInbox, MemoryProofs
from tests.fakes.signing import VALID, MemorySigningDesk

_KEY = fixed_key("wallet")
_ADDRESS = eip712.address_of(_KEY)
_UNKNOWN = "A" * 43
Answer = tuple[int, dict[str, Any]]


@dataclass(slots=True)
class Site:
    """A server with a signing desk, and a client that asks as the page does."""

    desk: MemorySigningDesk
    client: aiohttp.ClientSession
    port: int

    async def look(self, token: str) -> Answer:
        """Ask what is to be signed."""
        async with self.client.get(f"/sign/{token}/request.json") as response:
            return response.status, await response.json()

    async def post(self, token: str, name: str, body: object, **headers: str) -> Answer:
        """Prepare or submit."""
        path = f"/sign/{token}/{name}"
        async with self.client.post(path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def sign(
        self, token: str, *, chain_id: int | None = None, payout: str = ""
    ) -> dict[str, str]:
        """Prepare, and sign as a wallet does; return what is to be submitted."""
        wish = {"signer": _ADDRESS.lower(), "payout": payout}
        status, prepared = await self.post(token, "prepare", wish)
        assert status == 200
        data = signing_data(parse_manifest(prepared["body"].encode()))
        assert prepared["digest"] == "0x" + data.digest().hex()
        assert prepared["typed_data"] == data.typed_data()
        signature = eip712.sign_digest(_KEY, data.digest(chain_id=chain_id))
        return {"body": prepared["body"], "signature": "0x" + signature.hex()}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    desk = MemorySigningDesk()
    server = WebServer(
        inbox=MemoryInbox(), proofs=MemoryProofs(), signing=desk, host="127.0.0.1", port=0
    )
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        yield Site(desk, client, server.port)
    await server.stop()


async def test_a_request_is_shown_whole(site: Site) -> None:
    site.desk.changes, site.desk.warnings = ("+ I sing.",), ("Look.",)

    status, shown = await site.look(site.desk.invite())

    assert status == 200
    assert shown["summary"][2] == ["Price", "0.002 TPT per reply, 100 a day free"]
    assert shown["expires_at"] == "2026-11-20T11:00:00Z"
    del shown["summary"], shown["expires_at"]
    assert shown == {
        "kind": "publish",
        "twin_name": "Mira Solano",
        "slug": "mira",
        "version": 1,
        "persona_text": site.desk.persona.text(),
        "changes": ["+ I sing."],
        "warnings": ["Look."],
        "signer": "",
        "done": "",
    }


async def test_a_signature_is_taken_once(site: Site) -> None:
    token = site.desk.invite()
    signed = await site.sign(token)
    other = await site.sign(token, payout=_ADDRESS)

    first = await site.post(token, "submit", signed)
    live = site.desk.live
    again = await site.post(token, "submit", signed)
    second = await site.post(token, "submit", other)
    asked = await site.post(token, "prepare", {"signer": _ADDRESS, "payout": ""})

    sentence = "Version 1 of Mira Solano answers fans now."
    assert first == again == (200, {"done": sentence})
    assert site.desk.live is live
    assert second == asked == (409, {"error": sentence, "retry": False})
    assert (await site.look(token))[1]["done"] == sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"signature": "0x12"}, "A signature is 0x and 130 hexadecimal digits."),
        ({"signature": "0x" + "11" * 65}, "That signature belongs to no key."),
        ({"body": "{}"}, "That is not what this link asked to be signed."),
    ],
)
async def test_a_refused_signature_leaves_the_link_open(
    site: Site, change: dict[str, str], sentence: str
) -> None:
    token = site.desk.invite()
    signed = await site.sign(token)

    refused = await site.post(token, "submit", signed | change)

    assert refused == (422, {"error": sentence, "retry": False})
    assert (await site.post(token, "submit", signed))[0] == 200


async def test_a_signature_of_another_chain_is_the_services_sentence(site: Site) -> None:
    token = site.desk.invite()

    status, answer = await site.post(token, "submit", await site.sign(token, chain_id=1))

    assert (status, "for chain 1;" in answer["error"]) == (422, True)


async def test_unknown_broken_and_expired_links_are_told_apart(site: Site) -> None:
    token = site.desk.invite()
    signed = await site.sign(token)
    site.desk.clock.advance(VALID + timedelta(seconds=1))

    assert await site.look(_UNKNOWN) == (
        404,
        {"error": "There is no such signing link.", "retry": False},
    )
    assert (await site.look(token[:-1]))[0] == 404
    expired = (410, {"error": "This signing link has expired.", "retry": False})
    assert await site.look(token) == await site.post(token, "submit", signed) == expired
    assert site.desk.live is None


async def test_a_busy_service_says_that_it_may_be_asked_again(site: Site) -> None:
    token = site.desk.invite()
    signed = await site.sign(token)
    site.desk.fail = StoreBusyError("Busy.")

    assert await site.post(token, "submit", signed) == (503, {"error": "Busy.", "retry": True})
    site.desk.fail = None
    assert (await site.post(token, "submit", signed))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        {},
        {"signer": _ADDRESS},
        {"signer": _ADDRESS, "payout": None},
        {"signer": 5, "payout": ""},
        {"signer": "0x" + "1" * 200, "payout": ""},
        {"signer": _ADDRESS, "payout": "", "more": ""},
    ],
)
async def test_other_questions_never_reach_the_desk(site: Site, body: object) -> None:
    status, answer = await site.post(site.desk.invite(), "prepare", body)

    assert status == 400
    assert answer["error"]
    assert site.desk.calls == []


async def test_a_statement_has_a_limit(site: Site) -> None:
    large = {"body": "x" * (MAX_STATEMENT + 1), "signature": ""}
    larger = {"body": "x" * 70_000, "signature": ""}

    assert (await site.post(site.desk.invite(), "submit", large))[0] == 400
    assert (await site.post(site.desk.invite(), "submit", larger))[0] == 413
    assert site.desk.calls == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
    ],
)
async def test_other_sites_cannot_ask(site: Site, headers: dict[str, str]) -> None:
    wish = {"signer": _ADDRESS, "payout": ""}

    status, _ = await site.post(site.desk.invite(), "prepare", wish, **headers)

    assert status in {403, 415}
    assert site.desk.calls == []


@pytest.mark.parametrize("token", [_UNKNOWN, "half-of-a-link"])
async def test_the_page_is_strict_and_is_kept_by_nobody(site: Site, token: str) -> None:
    async with site.client.get(f"/sign/{token}") as response:
        headers, html = response.headers, await response.text()
    async with site.client.get(f"/sign/{site.desk.invite()}/request.json") as response:
        data = response.headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    for given in (headers, data):
        assert given["X-Frame-Options"] == "DENY"
        assert given["Referrer-Policy"] == "no-referrer"
        assert given["Cache-Control"] == "no-store"
    assert token not in html
    assert site.desk.calls[1:] == []


async def test_the_token_is_never_logged(site: Site) -> None:
    token = site.desk.invite()
    with structlog.testing.capture_logs() as logs:
        await site.post(token, "submit", await site.sign(token))
        site.desk.fail = ValueError("a bug")
        assert (await site.look(token))[0] == 500
        for path in (f"/sign/{token}", f"/x//sign/{token}", f"/%73ign/{token}.", f"/x/{token}/y"):
            async with site.client.get(path):
                pass
        async with site.client.get(f"/sign/{token[:20]}/request.json"):
            pass

    assert len([line for line in logs if line["event"] == "web.request"]) == 8
    assert logs[0]["path"] == "/sign/…/prepare"
    assert token[:20] not in str(logs)


@pytest.mark.parametrize(
    "request_head",
    [
        "GET /sign/{token} HTTP/9.9x",
        "GET / HTTP/1.1\r\nBad\x01: {token}",
        "GE\x00T /sign/{token} HTTP/1.1",
    ],
)
async def test_a_malformed_request_leaves_nothing_of_itself_in_the_log(
    site: Site, request_head: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = site.desk.invite()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"{request_head.format(token=token)}\r\n\r\n".encode())

    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.0 400 ")
    assert token not in caplog.text


async def test_who_guesses_is_told_to_wait(site: Site) -> None:
    statuses = [(await site.look(_UNKNOWN))[0] for _ in range(GUESSES)]

    async with site.client.get(f"/sign/{_UNKNOWN}/request.json") as response:
        refused, wait = response.status, int(response.headers["Retry-After"])

    assert statuses == [404] * GUESSES
    assert refused == 429
    assert 0 < wait <= 60


async def test_a_guesser_locks_nobody_out_who_comes_through_the_same_proxy(site: Site) -> None:
    token = site.desk.invite()
    for _ in range(GUESSES + 1):
        await site.look(_UNKNOWN)

    assert (await site.look(token))[0] == 200
    assert (await site.post(token, "submit", await site.sign(token)))[0] == 200


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"[" * 60_000, "application/json"),
        (b'{"signer":' * 6_000, "application/json"),
        (b"{}", "application/json; charset=nothing"),
        (b"\xff\xfe", "application/json"),
    ],
)
async def test_what_no_parser_reads_is_refused_without_a_trace(
    site: Site, data: bytes, kind: str
) -> None:
    path = f"/sign/{site.desk.invite()}/prepare"
    with structlog.testing.capture_logs() as logs:
        async with site.client.post(path, data=data, headers={"Content-Type": kind}) as response:
            assert response.status == 400

    assert [line["event"] for line in logs] == ["web.request"]


async def test_a_body_that_does_not_come_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.web.signing.READ_WITHIN_S", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(2)

    path, headers = f"/sign/{site.desk.invite()}/submit", {"Content-Type": "application/json"}
    async with asyncio.timeout(1), site.client.post(path, data=slow(), headers=headers) as response:
        assert response.status == 408


async def test_without_a_desk_there_is_no_page() -> None:
    server = WebServer(inbox=MemoryInbox(), proofs=MemoryProofs(), host="127.0.0.1", port=0)
    await server.start()
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client,
        client.get(f"/sign/{_UNKNOWN}") as response,
    ):
        assert response.status == 404
    await server.stop()
