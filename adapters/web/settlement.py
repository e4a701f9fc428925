"""What a service publishes for recounts: epochs and twins' logs (formats.md section 14).

Final epochs alone: what is served once never changes.
"""

from aiohttp import web

from adapters.web.guard import Refusal
from adapters.web.public_data import BYTES, FOR_EVER, JSON, REVALIDATE, answer
from bot.crypto.encoding import parse_hex
from bot.ports.recount import PublishedSettlement

_TWIN_BYTES = 32
_MAX_DIGITS = 9
_NO_EPOCH = Refusal(404, "There is no final epoch of this number.")
_NO_LOG = Refusal(404, "No final epoch covers so many entries of this twin's log.")
_BAD_NUMBER = Refusal(400, "entries is a whole number.")


class SettlementRoutes:
    """GET and HEAD routes of publications and twins' logs."""

    def __init__(self, published: PublishedSettlement) -> None:
        self._published = published

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/settlement/epochs/latest", self.latest),
            web.get("/settlement/epochs/{number:[1-9][0-9]{0,8}}", self.epoch),
            web.get("/settlement/twins/{twin:[0-9a-f]{64}}/log", self.twin_log),
        ]

    async def latest(self, request: web.Request) -> web.Response:
        """Serve the newest final epoch's publication."""
        data = await self._published.publication(None)
        return _NO_EPOCH.response() if data is None else answer(request, data, JSON, REVALIDATE)

    async def epoch(self, request: web.Request) -> web.Response:
        """Serve a final epoch's publication."""
        data = await self._published.publication(int(request.match_info["number"]))
        return _NO_EPOCH.response() if data is None else answer(request, data, JSON, FOR_EVER)

    async def twin_log(self, request: web.Request) -> web.Response:
        """Serve a twin log's first entries, or all that the newest final epoch covers."""
        twin = parse_hex(request.match_info["twin"], _TWIN_BYTES)
        wanted = request.query.get("entries")
        if wanted is None:
            data = await self._published.twin_log(twin, None)
            return _NO_LOG.response() if data is None else answer(request, data, BYTES, REVALIDATE)
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) <= _MAX_DIGITS):
            return _BAD_NUMBER.response()
        data = await self._published.twin_log(twin, int(wanted))
        return _NO_LOG.response() if data is None else answer(request, data, BYTES, FOR_EVER)
