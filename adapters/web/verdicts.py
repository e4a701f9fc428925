"""Auditors' verdicts over HTTP: taken in at the log, given out beside the bundle of a reply."""

import asyncio
import hashlib
import re
from typing import Final

from aiohttp import web

from adapters.web.guard import Refusal, RefusedRequestError
from adapters.web.wrong_tries import WrongTries
from bot.domain.errors import UserError
from bot.ports.verdicts import VerdictDesk

MAX_BYTES: Final = 4096
READ_WITHIN_S: Final = 10.0
_RECEIPT_ID = re.compile(r"[A-Za-z0-9_-]{22}")
# Public data: pages of other sites, and the proof page opened from a disk, may read it too.
_OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-cache",
}


class VerdictRoutes:
    """One address to send a verdict to, and one a reply."""

    def __init__(self, desk: VerdictDesk) -> None:
        self._desk = desk
        self._wrong = WrongTries("Too many verdicts that are not taken: wait a minute.")

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to mount."""
        return [
            web.post("/log/verdicts", self.submit),
            web.get("/r/{id:[^/]{1,64}}.verdicts", self.verdicts),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        """Take one statement in; who sends too many that are wrong is told to wait.

        One that is right is never refused: behind a proxy everybody has the same address.
        """
        body = await _read(request)
        try:
            taken = await self._desk.submit(body)
        except UserError:
            self._wrong.check(request.remote)
            self._wrong.count(request.remote)
            raise
        answer = {"leaf": taken.log_index, "new": taken.is_new}
        return web.json_response(answer, status=201 if taken.is_new else 200)

    async def verdicts(self, request: web.Request) -> web.Response:
        """Serve a reply's verdicts with their proofs."""
        receipt_id, found = request.match_info["id"], None
        if _RECEIPT_ID.fullmatch(receipt_id):
            found = await self._desk.verdicts(receipt_id)
        if found is None:
            return Refusal(404, "No verdicts: no such receipt.").response()
        headers = _OPEN | {"ETag": f'"{hashlib.sha256(found).hexdigest()}"'}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=found, content_type="application/json", charset="utf-8", headers=headers
        )


async def _read(request: web.Request) -> bytes:
    """Read a body of limited size in limited time."""
    if request.content_length is not None and request.content_length > MAX_BYTES:
        raise RefusedRequestError(_too_long())
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            body = await request.read()
    except TimeoutError:
        raise RefusedRequestError(Refusal(408, "The request came too slowly.")) from None
    except ConnectionError:
        raise RefusedRequestError(Refusal(400, "The request broke off.")) from None
    if len(body) > MAX_BYTES:
        raise RefusedRequestError(_too_long())
    return body


def _too_long() -> Refusal:
    return Refusal(413, f"A verdict statement has at most {MAX_BYTES} bytes.")
