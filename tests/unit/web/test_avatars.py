"""Pictures of twins: what is served, how long it is kept, and what is not a picture."""

from dataclasses import replace

import pytest

from tests.fakes.chat import NOVA
from tests.unit.web.conftest import Site

_PNG, _JPEG = b"\x89PNG\r\n\x1a\nrest", b"\xff\xd8\xffrest"


@pytest.mark.parametrize(("picture", "kind"), [(_PNG, "image/png"), (_JPEG, "image/jpeg")])
async def test_a_picture_is_served_and_kept_under_its_version(
    site: Site, picture: bytes, kind: str
) -> None:
    site.inbox.cards = [replace(NOVA, version=3, avatar=picture)]

    kept = {}
    for query in ("", "?v=3", "?v=2"):
        async with site.client.get(f"/twin/nova/avatar{query}") as response:
            assert await response.read() == picture
            assert response.headers["Content-Type"] == kind
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            kept[query] = response.headers["Cache-Control"]

    assert kept == {"": "no-cache", "?v=3": "public, max-age=86400", "?v=2": "no-cache"}


@pytest.mark.parametrize("picture", [b"", b"<svg onload='alert(1)'/>", b"GIF89a"])
async def test_what_is_no_picture_is_not_served(site: Site, picture: bytes) -> None:
    site.inbox.cards = [replace(NOVA, avatar=picture)]

    for slug in ("nova", "nobody"):
        async with site.client.get(f"/twin/{slug}/avatar?v=1") as response:
            assert response.status == 404
            assert response.headers["Cache-Control"] == "no-store"
            assert (await response.json())["error"]


async def test_the_chat_page_is_not_sent_pictures(site: Site) -> None:
    site.inbox.cards = [replace(NOVA, avatar=_PNG)]

    async with site.client.get("/api/twins") as response:
        twin = (await response.json())["twins"][0]

    assert twin["slug"] == "nova"
    assert "avatar" not in twin
