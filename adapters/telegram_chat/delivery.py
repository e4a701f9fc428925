"""The last step of a reply: its messages, its buttons, and what the core is told became of it."""

from typing import Any
from urllib.parse import urlsplit

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import ExtBot
from telegram.helpers import create_deep_linked_url

from adapters.telegram_chat.events import Spot
from adapters.telegram_chat.layout import compose_reply
from adapters.telegram_chat.mapping import Failure, FailureKind
from adapters.telegram_chat.sending import Outgoing, Sender
from bot.domain.errors import TransientError
from bot.domain.money import format_nano
from bot.ports.chat import ChatInbox, IncomingMessage, ReplyShown, Surface
from bot.ports.telegram_state import ChatPlace, SentPart, TelegramState

PLATFORM = "telegram"
PROOF_PREFIX = "proof_"
_log = structlog.get_logger("telegram")


def surface_of(bot_id: int, spot: Spot) -> Surface:
    """Return a conversation's place in Telegram's own numbers."""
    thread = "" if spot.thread is None else str(spot.thread)
    return Surface(platform=PLATFORM, bot=str(bot_id), chat=str(spot.chat), thread=thread)


def spot_of(message: IncomingMessage) -> Spot:
    """Return where a stored message was written; in a private chat the chat is the fan."""
    surface = message.surface
    thread = int(surface.thread) if surface.thread else None
    return Spot(int(surface.chat), thread, surface.chat == message.fan, int(message.fan))


def is_button_address(link: str) -> bool:
    """Return whether Telegram takes a link on a button: its host is a public name or a number."""
    try:
        host = urlsplit(link).hostname or ""
    except ValueError:
        return False
    return "." in host or ":" in host


class Delivery:
    """Shows replies of one bot and settles their outcome."""

    def __init__(
        self, *, bot: ExtBot[Any], sender: Sender, inbox: ChatInbox, state: TelegramState
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._inbox = inbox
        self._state = state

    async def deliver(self, message: IncomingMessage, shown: ReplyShown) -> None:
        """Send what of a reply is not sent yet, and tell the core; safe to repeat.

        A reply whose outcome stays unknown is left in the core's outbox: the next start sends it.
        """
        spot = spot_of(message)
        keyed = shown.link if spot.is_private else shown.public_link
        is_linked = is_button_address(keyed)
        note = "" if is_linked else f"Proof: {keyed}"
        pieces = compose_reply(shown.twin_name, shown.text, note=note)
        sent = await self._state.parts(message.surface.bot, shown.receipt_id)
        recorded = True
        for number, piece in list(enumerate(pieces))[len(sent) :]:
            is_last = number == len(pieces) - 1
            outgoing = Outgoing(
                spot,
                piece,
                self._buttons(shown, keyed, spot, is_linked=is_linked) if is_last else None,
                plain=f"{piece.text}\n\n{keyed}" if is_last and is_linked else piece.text,
                reply_to=0 if spot.is_private else int(message.message_id),
            )
            result = await self._sender.send(outgoing)
            if isinstance(result, Failure):
                await self._give_up(shown.receipt_id, result)
                return
            recorded = recorded and await self._remember(message, shown.receipt_id, number, result)
        await self._settle(shown.receipt_id, reached=True)

    def _buttons(
        self, shown: ReplyShown, link: str, spot: Spot, *, is_linked: bool
    ) -> InlineKeyboardMarkup | None:
        label = f"Proof · fee {format_nano(shown.fee_nano)} {shown.token}"
        row = [InlineKeyboardButton(label, url=link)] if is_linked else []
        if not spot.is_private:
            payload = f"{PROOF_PREFIX}{shown.receipt_id}"
            own = create_deep_linked_url(self._bot.username, payload)
            row.append(InlineKeyboardButton("My own link", url=own))
        return InlineKeyboardMarkup([row]) if row else None

    async def _remember(
        self, message: IncomingMessage, receipt_id: str, number: int, sent_id: int
    ) -> bool:
        """Note a part; return whether it is noted, without which the next ones can't be."""
        surface = message.surface
        part = SentPart(
            place=ChatPlace(surface.bot, surface.chat, surface.thread),
            message_id=str(sent_id),
            receipt_id=receipt_id,
            number=number,
            twin=message.twin,
            fan=message.fan,
        )
        try:
            await self._state.add_part(part)
        except TransientError:
            # It is sent all the same; after a crash before `delivered` it may come once more.
            _log.warning("telegram.part_unrecorded", receipt=receipt_id, number=number)
            return False
        return True

    async def _give_up(self, receipt_id: str, failure: Failure) -> None:
        if failure.kind in {FailureKind.UNREACHABLE, FailureKind.REFUSED}:
            await self._settle(receipt_id, reached=False)
            return
        _log.warning("telegram.delivery_unknown", receipt=receipt_id, kind=failure.kind)

    async def _settle(self, receipt_id: str, *, reached: bool) -> None:
        """Tell the core; it resolves the outcome by itself if that can't be recorded now."""
        try:
            if reached:
                await self._inbox.delivered(receipt_id)
            else:
                await self._inbox.undelivered(receipt_id)
        except TransientError as error:
            name = type(error).__name__
            _log.warning("telegram.outcome_unrecorded", receipt=receipt_id, error=name)
            return
        _log.info("telegram.settled", receipt=receipt_id, reached=reached)
