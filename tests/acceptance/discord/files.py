"""Files on the local platform: uploaded with a request or by a person, fetched by their address."""

import json
from typing import Any, cast

from aiohttp import web
from aiohttp.web_request import FileField

from tests.acceptance.discord.world import Channel, Json, World

TYPES = {"json": "application/json", "png": "image/png", "txt": "text/plain"}


async def body_of(request: web.Request) -> Json:
    """Return a request's JSON object: its body, or the part of a form that holds it."""
    if request.content_type == "multipart/form-data":
        form = await request.post()
        return cast("Json", json.loads(cast("str", form["payload_json"])))
    raw = await request.read()
    return cast("Json", json.loads(raw)) if raw else {}


async def uploads_of(request: web.Request) -> list[tuple[str, bytes]]:
    """Return the files of a form, by the numbers that its JSON gives them."""
    if request.content_type != "multipart/form-data":
        return []
    form = await request.post()
    found = []
    for entry in (await body_of(request)).get("attachments", []):
        part = form[f"files[{entry['id']}]"]
        assert isinstance(part, FileField)
        part.file.seek(0)
        found.append((entry.get("filename") or part.filename, part.file.read()))
    return found


class Files:
    """Keeps files and serves them, as the platform's own file host does: to whoever has the link.

    Attributes:
        base: where they are fetched.
        fetched: ids of the files that were fetched, in order.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[str, tuple[str, bytes]] = {}
        self.base = ""
        self.fetched: list[str] = []

    def routes(self) -> list[web.RouteDef]:
        """Return the one route."""
        return [web.get("/attachments/{channel}/{id}/{name}", self.fetch)]

    def keep(self, channel: Channel, name: str, data: bytes, *, claimed: int | None = None) -> Json:
        """Keep a file; return its attachment object, which may claim another size."""
        number = self._world.snowflake()
        self._kept[number] = (name, data)
        url = f"{self.base}/attachments/{channel.id}/{number}/{name}"
        made: Json = {"id": number, "filename": name, "url": url, "proxy_url": url}
        made |= {"size": len(data) if claimed is None else claimed, "flags": 0}
        kind = TYPES.get(name.rpartition(".")[2])
        return made | ({"content_type": kind} if kind else {})

    def data(self, attachment: Json) -> bytes:
        """Return what was kept under an attachment object."""
        return self._kept[attachment["id"]][1]

    async def fetch(self, request: web.Request) -> web.Response:
        """GET a file."""
        number = request.match_info["id"]
        if number not in self._kept:
            return web.Response(status=404)
        self.fetched.append(number)
        return web.Response(body=self._kept[number][1])


def parts_of(value: Any) -> list[Json]:  # noqa: ANN401  any JSON
    """Return the fields of a modal: its labels' components; words alone have none."""
    return [label["component"] for label in value["components"] if label["type"] == 18]
