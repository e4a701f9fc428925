"""GET /twin/{slug}/avatar: the picture of a live twin, for platforms that fetch it by address."""

from aiohttp import web

from adapters.web.guard import Refusal
from adapters.web.reads import tagged_response
from bot.ports.chat import ChatInbox

_MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
# Whoever shows pictures asks with the version; a picture that is a day old does no harm.
_KEPT = "public, max-age=86400"


class Avatars:
    """Serves the pictures that the roster holds."""

    def __init__(self, inbox: ChatInbox) -> None:
        self._inbox = inbox

    def routes(self) -> list[web.RouteDef]:
        """Return the route to mount."""
        return [web.get("/twin/{slug:[a-z0-9][a-z0-9_-]{0,63}}/avatar", self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one GET; what is neither PNG nor JPEG is not served at all."""
        slug = request.match_info["slug"]
        cards = [card for card in await self._inbox.twins() if card.slug == slug]
        picture = cards[0].avatar if cards else b""
        kinds = [kind for magic, kind in _MAGIC.items() if picture.startswith(magic)]
        if not kinds:
            return Refusal(404, "There is no picture of that twin.").response()
        response = tagged_response(request, picture, content_type=kinds[0], charset=None)
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if request.query.get("v") == str(cards[0].version):
            response.headers["Cache-Control"] = _KEPT
        return response
