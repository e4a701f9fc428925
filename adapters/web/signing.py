"""The signing page's routes: look at a request, prepare it for an address, take the signature.

The token in the address is a secret that lets its holder see a draft, so it is never logged
(`adapters.web.guard`) and no answer is kept by anybody.
"""

import asyncio
import re
from dataclasses import asdict
from typing import Final

from aiohttp import web

from adapters.web.assets import load_page
from adapters.web.guard import Refusal, RefusedRequestError
from adapters.web.wrong_tries import TRIES, WrongTries
from bot.domain.errors import LinkExpiredError, UserError
from bot.domain.times import encode_time
from bot.ports.signing import SigningDesk, SigningRequest

MAX_ADDRESS: Final = 100
MAX_SIGNATURE: Final = 1000
MAX_STATEMENT: Final = 48 * 1024
GUESSES: Final = TRIES
READ_WITHIN_S: Final = 10.0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_BROKEN_LINK = "This link is not whole: open it again from the message that you got."


class SigningRoutes:
    """The page and its three questions, over one desk."""

    def __init__(self, desk: SigningDesk) -> None:
        self._desk = desk
        self._page = load_page("sign.html")
        self._guesses = WrongTries("Too many links that do not work: wait a minute.")

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to mount."""
        path = "/sign/{token:[^/]{1,200}}"
        return [
            web.get(path, self.page),
            web.get(f"{path}/request.json", self.look),
            web.post(f"{path}/prepare", self.prepare),
            web.post(f"{path}/submit", self.submit),
        ]

    async def page(self, _request: web.Request) -> web.Response:
        """Serve the page; it is the same for every token and knows none."""
        headers = {
            "Content-Security-Policy": self._page.policy,
            "X-Frame-Options": self._page.framing,
        }
        return web.Response(
            body=self._page.body, content_type="text/html", charset="utf-8", headers=headers
        )

    async def look(self, request: web.Request) -> web.Response:
        """Say what is to be signed."""
        return web.json_response(_shown(await self._find(request)))

    async def prepare(self, request: web.Request) -> web.Response:
        """Say what one address would sign."""
        asked = await _read(request, {"signer": MAX_ADDRESS, "payout": MAX_ADDRESS})
        await self._find_open(request)
        prepared = await self._desk.prepare(
            _token(request), signer=asked["signer"], payout=asked["payout"]
        )
        return web.json_response(asdict(prepared))

    async def submit(self, request: web.Request) -> web.Response:
        """Take a signature and say what is in force now."""
        asked = await _read(request, {"body": MAX_STATEMENT, "signature": MAX_SIGNATURE})
        await self._find(request)
        try:
            sentence = await self._desk.submit(
                _token(request), body=asked["body"], signature=asked["signature"]
            )
        except UserError:
            # Another signature may have ended the request, perhaps just now: that says more.
            await self._find_open(request)
            raise
        return web.json_response({"done": sentence})

    async def _find_open(self, request: web.Request) -> None:
        found = await self._find(request)
        if found.done:
            raise RefusedRequestError(Refusal(409, found.done))

    async def _find(self, request: web.Request) -> SigningRequest:
        """Look a request up; who asks for too many that do not exist is told to wait.

        A link that works is never refused: behind a proxy everybody has the guesser's address.
        """
        try:
            return await self._desk.look(_token(request))
        except RefusedRequestError:
            raise
        except UserError as error:
            self._guesses.check(request.remote)
            self._guesses.count(request.remote)
            status = 410 if isinstance(error, LinkExpiredError) else 404
            raise RefusedRequestError(Refusal(status, str(error))) from error


async def _read(request: web.Request, sizes: dict[str, int]) -> dict[str, str]:
    """Read an object of exactly these strings, each of at most so many characters."""
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            body = await request.json()
    except TimeoutError:
        raise RefusedRequestError(Refusal(408, "The request came too slowly.")) from None
    except (ValueError, LookupError, RecursionError, ConnectionError):
        # Not JSON, of an unknown character set, deeper than any parser goes, or broken off.
        raise RefusedRequestError(Refusal(400, "Send JSON.")) from None
    if not isinstance(body, dict) or set(body) != set(sizes):
        raise RefusedRequestError(Refusal(400, f"Send {' and '.join(sizes)}."))
    texts: dict[str, str] = {}
    for name, size in sizes.items():
        value = body[name]
        if not isinstance(value, str) or len(value) > size:
            raise RefusedRequestError(Refusal(400, f"The {name} is not what this page sends."))
        texts[name] = value
    return texts


def _token(request: web.Request) -> str:
    token = request.match_info["token"]
    if not _TOKEN.fullmatch(token):
        raise RefusedRequestError(Refusal(404, _BROKEN_LINK))
    return token


def _shown(found: SigningRequest) -> dict[str, object]:
    return asdict(found) | {"expires_at": encode_time(found.expires_at)}
