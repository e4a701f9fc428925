"""Calls to the platform that must come to an end: retries, outcomes, and what they mean."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from telegram import (
    InlineKeyboardMarkup,
    InputFile,
    LinkPreviewOptions,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    ReplyParameters,
)
from telegram.error import TelegramError
from telegram.ext import ExtBot

from adapters.telegram_chat.events import Spot
from adapters.telegram_chat.layout import MAX_UNITS, Piece, split_text
from adapters.telegram_chat.mapping import Failure, FailureKind, classify
from adapters.telegram_chat.pace import Pace

SAY_TRIES = 5
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_jitter = random.Random()  # noqa: S311 - spreads retries, decides nothing
_log = structlog.get_logger("telegram")
T = TypeVar("T")
Buttons = InlineKeyboardMarkup | ReplyKeyboardMarkup | ReplyKeyboardRemove


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to send.

    Attributes:
        plain: text for a platform that refuses the entities or the buttons.
        reply_to: number of the message that it answers; 0 if none.
    """

    spot: Spot
    piece: Piece
    buttons: Buttons | None = None
    plain: str = ""
    reply_to: int = 0


class Backoff:
    """Waits that double, with jitter, so that bots that failed together don't return together."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._failures = 0

    def reset(self) -> None:
        """Begin anew after a success."""
        self._failures = 0

    async def wait(self, failure: Failure | None = None) -> None:
        """Wait before the next try, at least as long as the platform demands."""
        grown = self._pace.backoff_s * 2.0 ** min(self._failures, 16)
        self._failures += 1
        wait = min(grown, self._pace.backoff_max_s) * _jitter.uniform(0.5, 1.0)
        await asyncio.sleep(max(wait, failure.retry_after_s if failure else 0.0))


class Sender:
    """Sends the messages of one bot."""

    def __init__(self, *, bot: ExtBot[Any], pace: Pace) -> None:
        self._bot = bot
        self._pace = pace

    async def send(self, outgoing: Outgoing, *, tries: int | None = None) -> int | Failure:
        """Send a message; come back when it is accepted or when nothing more can be done.

        What is surely not done is tried again, for as long as it takes where `tries` is None. An
        unknown outcome is sent once more, so it is there twice at worst.

        Returns:
            The message's number, or why there is none: unreachable, refused, unknown, token, and
            with `tries` whatever came last.
        """
        backoff, unknowns, plain = Backoff(self._pace), 0, False
        chat = outgoing.spot.chat
        while True:
            try:
                return await self._call(outgoing, chat, plain=plain)
            except TelegramError as error:
                failure = classify(error)
            _log.warning("telegram.send_failed", bot=self._bot.id, kind=failure.kind)
            unknowns += failure.kind is FailureKind.UNKNOWN
            match failure.kind:
                case FailureKind.UNREACHABLE | FailureKind.TOKEN:
                    return failure
                case FailureKind.UNKNOWN if unknowns > 1:
                    return failure
                case FailureKind.REFUSED if plain or not outgoing.plain:
                    return failure
                case FailureKind.REFUSED:
                    plain = True
                    continue
                case FailureKind.MIGRATED:
                    chat = failure.new_chat
                    continue
                case _:
                    tries = None if tries is None else tries - 1
            if tries is not None and tries <= 0:
                return failure
            await backoff.wait(failure)

    async def say(
        self,
        spot: Spot,
        text: str,
        *,
        buttons: Buttons | None = None,
        reply_to: int = 0,
    ) -> None:
        """Say something that is no reply of a twin; if it can't be said, so be it."""
        pieces = split_text(Piece(text), max_units=MAX_UNITS, max_marks=0)
        for number, piece in enumerate(pieces, start=1):
            under = buttons if number == len(pieces) else None
            await self.send(Outgoing(spot, piece, under, reply_to=reply_to), tries=SAY_TRIES)

    async def send_file(self, spot: Spot, name: str, data: bytes, caption: str) -> int | Failure:
        """Send a file, once."""
        sent = await self.attempt(
            "sendDocument",
            lambda: self._bot.send_document(
                spot.chat,
                InputFile(data, filename=name),
                caption=caption or None,
                message_thread_id=spot.thread,
            ),
        )
        return sent if isinstance(sent, Failure) else sent.message_id

    async def attempt(self, name: str, call: Callable[[], Awaitable[T]]) -> T | Failure:
        """Make a call whose failure changes nothing for the fan, once."""
        try:
            return await call()
        except TelegramError as error:
            failure = classify(error)
        if failure.kind is not FailureKind.UNCHANGED:
            _log.warning("telegram.call_failed", bot=self._bot.id, call=name, kind=failure.kind)
        return failure

    async def _call(self, outgoing: Outgoing, chat: int, *, plain: bool) -> int:
        reply = (
            ReplyParameters(outgoing.reply_to, allow_sending_without_reply=True)
            if outgoing.reply_to
            else None
        )
        entities: Sequence[Any] = () if plain else outgoing.piece.entities
        message = await self._bot.send_message(
            chat,
            outgoing.plain if plain else outgoing.piece.text,
            entities=entities or None,
            message_thread_id=outgoing.spot.thread,
            link_preview_options=_NO_PREVIEW,
            reply_parameters=reply,
            reply_markup=None if plain else outgoing.buttons,
        )
        return message.message_id
