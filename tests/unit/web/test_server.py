"""Routes, headers, origins, the port, and what is written to the log."""

import re
import socket
import struct
from importlib import resources

import aiohttp
import pytest
import structlog

from adapters.web.server import WebServer
from bot.domain.errors import ConfigurationError
from bot.ports.views import EarningsLine
from tests.fakes.chat import MemoryInbox, MemoryProofs
from tests.unit.web.conftest import FAN, Site

RECEIPT = "abcdefghijklmnopqrstuv"


async def test_twins_are_listed(site: Site) -> None:
    async with site.client.get("/api/twins") as response:
        body = await response.json()

    assert body["twins"][0] == {
        "slug": "nova",
        "name": "Nova",
        "role": "a singer from the harbour",
        "price": "0.002 TPT per reply",
        "creator": "",
    }
    assert body["note"] == ""


async def test_the_note_goes_to_the_chat_page() -> None:
    server = WebServer(
        inbox=MemoryInbox(), proofs=MemoryProofs(), host="127.0.0.1", port=0, note="Small model."
    )
    await server.start()
    try:
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client,
            client.get("/api/twins") as response,
        ):
            assert (await response.json())["note"] == "Small model."
    finally:
        await server.stop()


async def test_history_is_what_this_fan_said(site: Site) -> None:
    async with site.post("Hello") as response:
        await response.read()
    async with site.history("nova", FAN) as response:
        mine = await response.json()
    async with site.history("nova", "somebody-else-0000") as response:
        theirs = await response.json()

    assert [turn["fan_text"] for turn in mine["turns"]] == ["Hello"]
    assert mine["turns"][0]["fee_nano"] == "2000000"
    assert theirs["turns"] == []


async def test_history_of_an_unknown_twin_is_one_sentence(site: Site) -> None:
    async with site.history("who", FAN) as response:
        assert (response.status, await response.json()) == (
            404,
            {"error": "There is no twin called who.", "retry": False},
        )


async def test_earnings_keep_every_digit(site: Site) -> None:
    site.inbox.lines = [
        EarningsLine(
            twin_name="Nova",
            token="TPT",  # noqa: S106  a symbol
            accrued_nano=2**60 + 1,
            committed_nano=5,
            claimed_nano=0,
            payout="0x" + "1" * 40,
            chain_balance_nano=None,
            last_tx=None,
        )
    ]

    async with site.client.get("/api/earnings") as response:
        line = (await response.json())["lines"][0]

    assert line["accrued_nano"] == "1152921504606846977"
    assert line["chain_balance_nano"] is None


async def test_a_bundle_is_served_as_it_is_and_revalidated(site: Site) -> None:
    site.proofs.bundles[RECEIPT] = b'{"v":"bundle"}'

    async with site.client.get(f"/r/{RECEIPT}.json") as response:
        body, headers = await response.read(), response.headers
    again = {"If-None-Match": headers["ETag"]}
    async with site.client.get(f"/r/{RECEIPT}.json", headers=again) as response:
        second = response.status

    assert body == b'{"v":"bundle"}'
    assert headers["Content-Type"].startswith("application/json")
    assert headers["Cache-Control"] == "no-cache"
    assert second == 304


@pytest.mark.parametrize("name", [RECEIPT, "short", "x" * 64, "..%2f..%2fetc"])
async def test_an_absent_bundle_is_one_sentence(site: Site, name: str) -> None:
    async with site.client.get(f"/r/{name}.json") as response:
        assert response.status == 404
        assert (await response.json())["error"]


async def test_the_checkpoint_is_plain_text(site: Site) -> None:
    async with site.client.get("/log/checkpoint") as response:
        before = response.status
    site.proofs.note = "demo\n1\nroot\n\n— demo signature\n"

    async with site.client.get("/log/checkpoint") as response:
        assert await response.text() == site.proofs.note
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache"
    assert before == 404


@pytest.mark.parametrize("path", ["/", f"/r/{RECEIPT}"])
async def test_pages_run_only_their_own_script(site: Site, path: str) -> None:
    async with site.client.get(path) as response:
        policy = response.headers["Content-Security-Policy"]

    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_the_proof_page_may_do_the_same_from_here_as_from_disk(site: Site) -> None:
    async with site.client.get(f"/r/{RECEIPT}") as response:
        policy = response.headers["Content-Security-Policy"]
        body = await response.read()

    own = re.search(rb'http-equiv="Content-Security-Policy" content="([^"]+)"', body)
    assert own
    assert policy == f"{own[1].decode()}; frame-ancestors 'self'"
    assert body == resources.files("adapters.web").joinpath("pages/proof.html").read_bytes()


async def test_a_proof_that_is_not_in_the_log_yet_is_pending(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_pending(_proofs: MemoryProofs, receipt_id: str) -> bool:
        return receipt_id == RECEIPT

    monkeypatch.setattr(MemoryProofs, "is_pending", is_pending)
    async with site.client.get(f"/r/{RECEIPT}.json") as response:
        assert response.status == 202
        assert await response.read() == b""
        assert response.headers["Cache-Control"] == "no-cache"
    async with site.client.get(f"/r/{'B' * 22}.json") as response:
        assert response.status == 404


async def test_previews_show_one_picture_that_says_nothing_of_the_proof(site: Site) -> None:
    async with site.client.get(f"/r/{RECEIPT}") as response:
        html = await response.text()
    card = dict(re.findall(r'<meta property="og:([^"]+)" content="([^"]*)">', html))
    assert card["title"] == "Proof of one reply by an AI twin"
    assert RECEIPT not in html

    async with site.client.get(card["image"]) as response:
        picture = await response.read()
        assert response.headers["Content-Type"] == "image/png"
        assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        etag = response.headers["ETag"]
    async with site.client.get(card["image"], headers={"If-None-Match": etag}) as response:
        assert response.status == 304
    width, height = struct.unpack(">II", picture[16:24])
    assert (str(width), str(height)) == (card["image:width"], card["image:height"])
    assert len(picture) < 100_000


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Content-Type": "text/plain"},
    ],
)
async def test_other_sites_cannot_write(site: Site, headers: dict[str, str]) -> None:
    body = f'{{"twin":"nova","fan":"{FAN}","id":"id-0123456789abcdef","text":"Hi"}}'
    sent = {"Content-Type": "application/json"} | headers
    async with site.client.post("/api/talk", data=body, headers=sent) as response:
        assert response.status in {403, 415, 421}

    assert site.inbox.asked == []


async def test_its_own_page_can_write(site: Site) -> None:
    own = {"Origin": f"http://127.0.0.1:{site.server.port}", "Sec-Fetch-Site": "same-origin"}
    site.client.headers.update(own)

    async with site.post() as response:
        assert response.status == 200


async def test_a_foreign_name_cannot_read_chats_but_proofs_are_public(site: Site) -> None:
    foreign = {"Host": "rebound.example"}
    async with site.client.get("/api/twins", headers=foreign) as response:
        chat = response.status
    async with site.client.get(f"/r/{RECEIPT}", headers=foreign) as response:
        proof = response.status

    assert (chat, proof) == (421, 200)


async def test_unknown_addresses_and_methods_are_one_sentence(site: Site) -> None:
    async with site.client.get("/nothing") as response:
        assert (response.status, bool((await response.json())["error"])) == (404, True)
    async with site.client.get("/api/talk") as response:
        assert (response.status, bool((await response.json())["error"])) == (405, True)


async def test_health(site: Site) -> None:
    async with site.client.get("/healthz") as response:
        assert await response.json() == {"status": "ok"}


async def test_the_log_holds_neither_words_nor_queries(site: Site) -> None:
    with structlog.testing.capture_logs() as logs:
        async with site.post("MARKER-TEXT") as response:
            await response.read()
        query = {"twin": "nova", "k": "MARKER-QUERY"}
        headers = {"X-Twinproof-Fan": FAN}
        async with site.client.get("/api/history", params=query, headers=headers) as response:
            await response.read()

    assert {"web.request"} == {line["event"] for line in logs}
    assert [line["path"] for line in logs] == ["/api/talk", "/api/history"]
    for secret in ("MARKER", FAN, "#k="):
        assert secret not in str(logs)


async def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = WebServer(inbox=MemoryInbox(), proofs=MemoryProofs(), host="127.0.0.1", port=port)
        with pytest.raises(ConfigurationError) as caught:
            await server.start()

    assert str(caught.value) == (
        f"Port {port} on 127.0.0.1 is in use: "
        "stop the other program or choose another port with --port."
    )


async def test_an_address_of_another_machine_is_named() -> None:
    server = WebServer(inbox=MemoryInbox(), proofs=MemoryProofs(), host="192.0.2.1", port=8800)

    with pytest.raises(ConfigurationError, match=r"^Port 8800 on 192\.0\.2\.1 cannot be opened: "):
        await server.start()


async def test_stop_may_be_called_twice(site: Site) -> None:
    await site.server.stop()
    await site.server.stop()
