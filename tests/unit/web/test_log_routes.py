"""The log over HTTP: what may be kept and for how long, and what hostile addresses get."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.log_rig import LogRig, log_rig

FOR_EVER = "public, max-age=31536000, immutable"
LEAVES = [b"leaf %d" % number for number in range(300)]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[LogRig, aiohttp.ClientSession]]:
    async with log_rig(tmp_path / "log") as rig, aiohttp.ClientSession() as client:
        await rig.append(LEAVES)
        await rig.sign()
        yield rig, client


Served = tuple[LogRig, aiohttp.ClientSession]


@pytest.mark.parametrize(
    ("path", "kind", "caching"),
    [
        ("checkpoint", "text/plain; charset=utf-8", "no-cache"),
        ("tile/0/000", "application/octet-stream", FOR_EVER),
        ("tile/0/001.p/44", "application/octet-stream", "public, max-age=3600"),
        ("tile/1/000.p/1", "application/octet-stream", "public, max-age=3600"),
        ("tile/entries/000", "application/octet-stream", FOR_EVER),
        ("tile/entries/001.p/44", "application/octet-stream", "public, max-age=3600"),
        ("bodies/000", "application/octet-stream", FOR_EVER),
    ],
)
async def test_each_resource_says_how_long_it_may_be_kept(
    served: Served, path: str, kind: str, caching: str
) -> None:
    rig, client = served
    async with client.get(f"{rig.url}/{path}") as first:
        body, headers = await first.read(), first.headers
    async with client.get(f"{rig.url}/{path}", headers={"If-None-Match": headers["ETag"]}) as known:
        assert (known.status, await known.read()) == (304, b"")
        assert known.headers["Cache-Control"] == caching
    async with client.head(f"{rig.url}/{path}") as head:
        assert (head.status, await head.read()) == (200, b"")
        assert head.headers["Content-Length"] == str(len(body))
        assert head.headers["ETag"] == headers["ETag"]

    assert headers["Content-Type"] == kind
    assert headers["Cache-Control"] == caching
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_a_list_of_tags_is_understood_and_a_foreign_tag_is_not(served: Served) -> None:
    rig, client = served
    async with client.get(f"{rig.url}/tile/0/000") as response:
        tag = response.headers["ETag"]
    for given, status in ((f'"x", W/{tag}', 304), ("*", 304), ('"x"', 200), ("", 200)):
        headers = {"If-None-Match": given}
        async with client.get(f"{rig.url}/tile/0/000", headers=headers) as response:
            assert response.status == status


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/002", "tile/0/001", "tile/0/001.p/45", "tile/2/000.p/1", "tile/63/000"),
        *("tile/64/000", "tile/00/000", "tile/0/0", "tile/0/x000/001", "tile/0/000.p/0"),
        *("tile/0/000.p/256", "tile/0/001.p/044", "tile/entries/002", "tile/entries/x", "tile/0/"),
        *("tile/0/" + "x999/" * 12 + "999", "tile/0/" + "9" * 5000, "bodies/009", "tile/-1/000"),
        *("tile/0/..%2f..%2fetc", "tile/0/%00", "tile/0/000%0a", "body/00", "body/" + "0" * 64),
        *("tile/0/000/", "checkpoint/", "tile/%30/000.p/%F0%9F%98%80", "tile/0/000.p/1.p/1"),
    ],
)
async def test_hostile_and_absent_addresses_are_one_sentence_that_nobody_keeps(
    served: Served, path: str
) -> None:
    rig, client = served
    from yarl import URL  # noqa: PLC0415 - the address as it is, not as a client would mend it

    async with client.get(URL(f"{rig.url}/{path}", encoded=True)) as response:
        assert response.status == 404
        assert (await response.json())["error"]
        assert response.headers["Cache-Control"] == "no-store"


async def test_an_escaped_spelling_is_the_same_tile(served: Served) -> None:
    rig, client = served
    from yarl import URL  # noqa: PLC0415

    async with client.get(URL(f"{rig.url}/tile/%30/000", encoded=True)) as response:
        assert (response.status, len(await response.read())) == (200, 8192)


async def test_the_log_can_only_be_read(served: Served) -> None:
    rig, client = served
    async with client.post(f"{rig.url}/checkpoint", json={}) as response:
        assert response.status == 405


async def test_an_empty_log_has_nothing_yet(tmp_path: Path) -> None:
    async with log_rig(tmp_path / "log") as rig, aiohttp.ClientSession() as client:
        for path in ("checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1"):
            async with client.get(f"{rig.url}/{path}") as response:
                assert response.status == 404
