"""POST /api/talk: one message in, the reply out as newline-delimited JSON, word by word."""

import hashlib
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from typing import Any, cast

import structlog
from aiohttp import web

from adapters.web.guard import Refusal, RefusedRequestError, describe_error
from bot.domain.errors import BotError, InvariantError
from bot.ports.chat import (
    ChatInbox,
    IncomingMessage,
    MergedInto,
    ReplyEvent,
    ReplyShown,
    Surface,
)
from bot.ports.credit import FanCredit
from bot.ports.people import Person

MAX_TEXT_CHARACTERS = 8000
MAX_BODY_BYTES = 64 * 1024
_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_log = structlog.get_logger("web")


def account_of(fan: str) -> str:
    """Return the public name of a browser's account.

    The fan id is the account's password and never leaves this adapter: a proof link opens the
    slot, and whoever is shown one reply must not be able to read the others.
    """
    return hashlib.sha256(f"web-account\0{fan}".encode()).hexdigest()[:32]


def web_surface(account: str) -> Surface:
    """Return the conversation of one browser: its account is the chat."""
    return Surface(platform="web", bot="local", chat=account, thread="")


def parse_twin(value: object) -> str:
    """Return a slug, or refuse."""
    if isinstance(value, str) and _SLUG.fullmatch(value):
        return value
    raise RefusedRequestError(Refusal(400, "Name a twin."))


def parse_id(value: object, meaning: str) -> str:
    """Return a random id that the page made, or refuse."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    sentence = f"The {meaning} must be 16 to 64 letters, digits, - or _."
    raise RefusedRequestError(Refusal(400, sentence))


def parse_message(body: object) -> IncomingMessage:
    """Read `{"twin","fan","id","text"}`; nothing more and nothing less.

    The message's number is derived here from the page's idempotency id, so that a retry is the
    same message even after a restart of the server.
    """
    if not isinstance(body, dict) or set(body) != {"twin", "fan", "id", "text"}:
        raise RefusedRequestError(Refusal(400, "Send twin, fan, id and text."))
    fields = cast("dict[str, Any]", body)
    twin, account = parse_twin(fields["twin"]), account_of(parse_id(fields["fan"], "fan id"))
    attempt = parse_id(fields["id"], "message id")
    text = fields["text"]
    if not isinstance(text, str) or not text.strip():
        raise RefusedRequestError(Refusal(400, "Write something first."))
    if len(text) > MAX_TEXT_CHARACTERS:
        sentence = f"A message has at most {MAX_TEXT_CHARACTERS} characters."
        raise RefusedRequestError(Refusal(413, sentence))
    return IncomingMessage(
        twin=twin,
        surface=web_surface(account),
        fan=account,
        message_id=_message_id(twin, account, attempt),
        text=text,
    )


def _message_id(twin: str, account: str, attempt: str) -> str:
    return hashlib.sha256(f"web-message\0{twin}\0{account}\0{attempt}".encode()).hexdigest()[:32]


def _encode_event(event: ReplyEvent) -> bytes:
    if isinstance(event, ReplyShown):
        shown = asdict(event) | {"type": "shown", "fee_nano": str(event.fee_nano)}
        return _line(shown)
    if isinstance(event, MergedInto):
        raise InvariantError("the web has not let this message be merged")
    return _line({"type": "text", "text": event.text})


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@dataclass(slots=True)
class _Stream:
    """The way back to one browser; it may break while the reply still grows."""

    request: web.Request
    response: web.StreamResponse
    broken: bool = False

    async def send(self, line: bytes) -> None:
        """Write one line; a browser that has gone is remembered, not an error."""
        try:
            if not self.response.prepared:
                await self.response.prepare(self.request)
            if not self.broken:
                await self.response.write(line)
        except ConnectionError:
            self.broken = True

    async def finish(self) -> None:
        """Write the end of the stream."""
        try:
            if not self.broken:
                await self.response.write_eof()
        except ConnectionError:
            self.broken = True
        self.broken = self.broken or self.request.transport is None


class Talk:
    """Answers messages; owns the set of messages that are being answered now."""

    def __init__(self, inbox: ChatInbox, credit: FanCredit | None = None) -> None:
        self._inbox = inbox
        self._credit = credit
        self._running: set[str] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one POST."""
        try:
            body = await request.json()
        except ValueError:  # not JSON, or not UTF-8
            raise RefusedRequestError(Refusal(400, "Send JSON.")) from None
        message = parse_message(body)
        if message.message_id in self._running:
            refusal = Refusal(409, "This message is being answered already.", retry_after_s=1)
            raise RefusedRequestError(refusal)
        self._running.add(message.message_id)
        try:
            return await self._answer(request, message)
        finally:
            self._running.discard(message.message_id)

    async def _answer(self, request: web.Request, message: IncomingMessage) -> web.StreamResponse:
        """Stream the reply; a browser that leaves does not stop it, so a retry finds it whole."""
        headers = {"Content-Type": "application/x-ndjson; charset=utf-8"}
        stream = _Stream(request, web.StreamResponse(headers=headers))
        shown: ReplyShown | None = None
        events = self._inbox.answer(message)
        try:
            async for event in events:
                if isinstance(event, ReplyShown):
                    shown = event
                    for notice in await self._notices(message.fan):
                        await stream.send(_line({"type": "notice", "text": notice}))
                await stream.send(_encode_event(event))
        except Exception as error:
            if not stream.response.prepared:
                raise
            if not isinstance(error, BotError):
                _log.exception("web.reply_failed", message=message.message_id)
            await stream.send(_line({"type": "error"} | describe_error(error).as_json()))
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        await stream.finish()
        if shown is not None and not stream.broken:
            await self._confirm(shown.receipt_id)
        return stream.response

    async def _notices(self, account: str) -> tuple[str, ...]:
        """Return what the fan should be told of their money; nothing where that can't be known."""
        if self._credit is None:
            return ()
        try:
            return await self._credit.take_notices(Person("web", account))
        except BotError:
            return ()

    async def _confirm(self, receipt_id: str) -> None:
        """Tell the core that the last byte went out; it settles the rest itself if that fails."""
        try:
            await self._inbox.delivered(receipt_id)
        except BotError as error:
            _log.warning("web.delivery_unrecorded", receipt=receipt_id, error=type(error).__name__)
