"""What the pages read: twins, history, earnings, bundles, the checkpoint."""

import hashlib
import re
from dataclasses import asdict

from aiohttp import web

from adapters.web.guard import Refusal
from adapters.web.talk import account_of, parse_id, parse_twin, web_surface
from bot.ports.chat import ChatInbox
from bot.ports.proofs import ProofSource
from bot.ports.views import EarningsLine, HistoryTurn

FAN_HEADER = "X-Twinproof-Fan"
_CARD = ("slug", "name", "role", "price", "creator")
_RECEIPT_ID = re.compile(r"[A-Za-z0-9_-]{22}")
# A bundle gains its outcome later and disappears by erasure, so every use is revalidated.
_REVALIDATE = {"Cache-Control": "no-cache"}


class ChatReads:
    """GET routes of the chat page."""

    def __init__(self, inbox: ChatInbox, note: str) -> None:
        self._inbox = inbox
        self._note = note

    async def twins(self, _request: web.Request) -> web.Response:
        """List the live twins, and what the service has to say about itself."""
        cards = await self._inbox.twins()
        twins = [{name: getattr(card, name) for name in _CARD} for card in cards]
        return web.json_response({"twins": twins, "note": self._note})

    async def history(self, request: web.Request) -> web.Response:
        """Give one browser its conversation with one twin; its fan id is the password."""
        twin = parse_twin(request.query.get("twin"))
        # In a header, because proxies log addresses; see `account_of` for what it is worth.
        account = account_of(parse_id(request.headers.get(FAN_HEADER), "fan id"))
        turns = await self._inbox.history(twin, web_surface(account), account)
        return web.json_response({"turns": [_turn(turn) for turn in turns]})

    async def earnings(self, _request: web.Request) -> web.Response:
        """Show book and chain side by side; public by design, like the chain."""
        lines = await self._inbox.earnings()
        return web.json_response({"lines": [_earnings(line) for line in lines]})


class ProofReads:
    """GET routes that anybody with a link may use."""

    def __init__(self, proofs: ProofSource) -> None:
        self._proofs = proofs

    async def bundle(self, request: web.Request) -> web.StreamResponse:
        """Serve the bundle of one receipt."""
        receipt_id = request.match_info["id"]
        found, pending = None, False
        if _RECEIPT_ID.fullmatch(receipt_id):
            found = await self._proofs.bundle(receipt_id)
            pending = found is None and await self._proofs.is_pending(receipt_id)
        if pending:
            return web.Response(status=202, headers=_REVALIDATE | {"Retry-After": "1"})
        if found is None:
            sentence = "No bundle: no such receipt, or erased."
            return Refusal(404, sentence).response()
        return tagged_response(request, found, content_type="application/json")

    async def checkpoint(self, _request: web.Request) -> web.Response:
        """Serve the newest checkpoint of the log."""
        text = await self._proofs.checkpoint()
        if text is None:
            return Refusal(404, "The log has no checkpoint yet.").response()
        return web.Response(text=text, headers=_REVALIDATE)


def tagged_response(
    request: web.Request,
    body: bytes,
    *,
    content_type: str,
    etag: str | None = None,
    charset: str | None = "utf-8",
) -> web.Response:
    """Serve bytes that a browser may keep but must ask about before each use."""
    etag = etag or f'"{hashlib.sha256(body).hexdigest()}"'
    headers = _REVALIDATE | {"ETag": etag}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=content_type, charset=charset, headers=headers)


def _turn(turn: HistoryTurn) -> dict[str, object]:
    return asdict(turn) | {"fee_nano": str(turn.fee_nano)}


def _earnings(line: EarningsLine) -> dict[str, object]:
    """Amounts leave as decimal strings: a page's numbers are exact up to 2^53 only."""
    amounts: dict[str, object] = {
        name: None if value is None else str(value)
        for name, value in asdict(line).items()
        if name.endswith("_nano")
    }
    return asdict(line) | amounts
