"""The log over HTTP: checkpoint, tiles, leaves, bodies (c2sp.org/tlog-tiles, docs/spec/log.md).

What a full tile holds never changes, so anybody between here and a reader may keep it for ever.
"""

from aiohttp import web

from adapters.web.guard import Refusal
from adapters.web.public_data import BYTES, FOR_EVER, JSON, REVALIDATE, TEXT, answer
from bot.crypto.encoding import parse_hex
from bot.crypto.errors import FormatError
from bot.crypto.tiles import Tile, parse_tile
from bot.ports.transparency import PublicLog

AN_HOUR = "public, max-age=3600"  # a partial tile never changes either, and is of no use for long
_POSITION = "{position:[x0-9/.p]{1,64}}"
_HASH_BYTES = 32
_NOTHING = Refusal(404, "The log has nothing at this address, or no signed head covers it yet.")


class LogRoutes:
    """GET and HEAD routes of the log."""

    def __init__(self, log: PublicLog) -> None:
        self._log = log

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/log/checkpoint", self.checkpoint),
            web.get(f"/log/tile/entries/{_POSITION}", self.entries),
            web.get(f"/log/tile/{{level:[0-9]{{1,2}}}}/{_POSITION}", self.tile),
            web.get(f"/log/bodies/{_POSITION}", self.bodies),
            web.get("/log/seals", self.seals),
            web.get("/log/body/{hash:[0-9a-f]{64}}", self.body),
        ]

    async def checkpoint(self, request: web.Request) -> web.Response:
        """Serve the newest checkpoint, with its cosignatures."""
        text = await self._log.checkpoint()
        if text is None:
            return Refusal(404, "The log has no checkpoint yet.").response()
        return answer(request, text.encode(), TEXT, REVALIDATE)

    async def tile(self, request: web.Request) -> web.Response:
        """Serve a tile of hashes."""
        tile = _tile(request, request.match_info["level"])
        data = None if tile is None else await self._log.tile(tile)
        return _of_tile(request, tile, data)

    async def entries(self, request: web.Request) -> web.Response:
        """Serve a bundle of leaves."""
        tile = _tile(request)
        data = None if tile is None else await self._log.entries(tile)
        return _of_tile(request, tile, data)

    async def bodies(self, request: web.Request) -> web.Response:
        """Serve a bundle of what leaves cite."""
        tile = _tile(request)
        data = None if tile is None else await self._log.bodies(tile)
        return _of_tile(request, tile, data)

    async def body(self, request: web.Request) -> web.Response:
        """Serve a manifest or an order by its hash."""
        body = await self._log.body(parse_hex(request.match_info["hash"], _HASH_BYTES))
        if body is None:
            return Refusal(404, "The log cites no manifest and no order of this hash.").response()
        return answer(request, body, JSON, FOR_EVER)

    async def seals(self, request: web.Request) -> web.Response:
        """Serve the seals of the logs that this one continues."""
        return answer(request, await self._log.seals(), JSON, REVALIDATE)


def _tile(request: web.Request, level: str = "0") -> Tile | None:
    try:
        return parse_tile(level, request.match_info["position"])
    except FormatError:
        return None


def _of_tile(request: web.Request, tile: Tile | None, data: bytes | None) -> web.Response:
    if tile is None or data is None:
        return _NOTHING.response()
    return answer(request, data, BYTES, FOR_EVER if tile.is_full else AN_HOUR)
