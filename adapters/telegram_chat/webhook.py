"""The route that Telegram calls in webhook mode: the secret first, then durable, then 200."""

import hmac
import json
from collections.abc import Mapping

import structlog
from aiohttp import web
from telegram import Update

from adapters.telegram_chat.account import BotAccount
from bot.domain.errors import TransientError

PATH = "/telegram/{bot:[0-9]{1,20}}"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
MAX_BODY_BYTES = 1024 * 1024  # a full message that replies to a full one has about 80 KiB
_log = structlog.get_logger("telegram")


class WebhookIntake:
    """Takes updates for every bot of this process; the path names the bot.

    `accounts` is the surface's own: bots come and go in it.
    """

    def __init__(self, *, secret: str, accounts: Mapping[str, BotAccount]) -> None:
        self._secret = secret.encode()
        self._accounts = accounts

    def routes(self) -> list[web.RouteDef]:
        """Return what the web server has to mount."""
        return [web.post(PATH, self.handle)]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one POST of Telegram's; anything but 200 makes it send the update again."""
        given = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._secret):
            return _refuse(403, "Wrong secret.")
        account = self._accounts.get(request.match_info["bot"])
        if account is None:
            return _refuse(404, "There is no such bot.")
        if not account.is_ready:
            return _refuse(503, "Not ready.")
        body = await _read_body(request)
        return _refuse(413, "Too long.") if body is None else await self._take(account, body)

    async def _take(self, account: BotAccount, body: bytes) -> web.Response:
        try:
            update = Update.de_json(json.loads(body), account.bot)
        except (ValueError, TypeError, KeyError, AttributeError):
            return _refuse(400, "This is not an update.")
        try:
            await account.take([update])
        except TransientError:
            _log.warning("telegram.webhook_busy", bot=account.name)
            return _refuse(503, "Busy.")
        return web.json_response({})


def _refuse(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)


async def _read_body(request: web.Request) -> bytes | None:
    """Return the body; None if it is too long. The server's own limit is made for chat pages."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
