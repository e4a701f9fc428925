"""The last step of a reply: its messages, its buttons, and what the core is told became of it."""

from typing import Any
from urllib.parse import urlsplit

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import ExtBot
from telegram.helpers import create_deep_linked_url

from adapters.telegram_chat import texts
from adapters.telegram_chat.events import Spot
from adapters.telegram_chat.layout import compose_reply
from adapters.telegram_chat.mapping import Failure, FailureKind
from adapters.telegram_chat.offer import Notices
from adapters.telegram_chat.sending import Outgoing, Sender
from bot.domain.errors import TransientError, UserError
from bot.domain.money import format_nano
from bot.ports.chat import ChatInbox, IncomingMessage, ReplyShown, Surface
from bot.ports.telegram_state import ChatPlace, SentPart, TelegramState

PLATFORM = "telegram"
PROOF_PREFIX = "proof_"
AGAIN_PREFIX = "again:"
_log = structlog.get_logger("telegram")


def surface_of(bot_id: int, spot: Spot) -> Surface:
    """Return a conversation's place in Telegram's own numbers."""
    thread = "" if spot.thread is None else str(spot.thread)
    return Surface(platform=PLATFORM, bot=str(bot_id), chat=str(spot.chat), thread=thread)


def server_of(spot: Spot) -> str:
    """Return the community that a chat is: a group with all its topics; none in private."""
    return "" if spot.is_private else str(spot.chat)


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
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        notices: Notices,
        inbox: ChatInbox,
        state: TelegramState,
        base_url: str,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._notices = notices
        self._inbox = inbox
        self._state = state
        self._base_url = base_url

    async def deliver(self, message: IncomingMessage, shown: ReplyShown) -> None:
        """Send what of a reply is not sent yet, and tell the core; safe to repeat.

        A reply whose outcome stays unknown is left in the core's outbox: the next start sends it.
        """
        spot = spot_of(message)
        keyed = shown.link if spot.is_private else shown.public_link
        is_linked = is_button_address(keyed)
        note = "" if is_linked else f"Proof: {keyed}"
        small = texts.small_print(shown.finish, shown.attempt)
        pieces = compose_reply(shown.twin_name, shown.text, small=small, note=note)
        sent = await self._state.parts(message.surface.bot, shown.receipt_id)
        recorded = True
        for number, piece in list(enumerate(pieces))[len(sent) :]:
            is_last = number == len(pieces) - 1
            outgoing = Outgoing(
                spot,
                piece,
                self._buttons(shown, keyed, spot) if is_last else None,
                plain=f"{piece.text}\n\n{keyed}" if is_last and is_linked else piece.text,
                reply_to=0 if spot.is_private else int(message.message_id),
            )
            result = await self._sender.send(outgoing)
            if isinstance(result, Failure):
                await self._give_up(shown.receipt_id, result)
                return
            recorded = recorded and await self._remember(message, shown.receipt_id, number, result)
        await self._settle(shown.receipt_id, reached=True)
        if shown.attempt:
            await self._mark_replaced(message, shown.receipt_id)

    async def take_away(self, receipt_id: str) -> bool:
        """Delete a reply from the chat, where Telegram allows it; return whether it is gone."""
        bot = str(self._bot.id)
        gone = True
        for part in await self._state.parts(bot, receipt_id):
            gone = await self._notices.delete(part.place.chat, part.message_id) and gone
        if gone:
            await self._state.drop_parts(bot, receipt_id)
        return gone

    async def _mark_replaced(self, message: IncomingMessage, receipt_id: str) -> None:
        """Say below the reply that was replaced that it was; its words and its proof stay."""
        surface = message.surface
        parts = await self._state.parts_of_answer(surface.bot, surface.chat, message.message_id)
        new = [int(part.message_id) for part in parts if part.receipt_id == receipt_id]
        old = [part for part in parts if new and int(part.message_id) < new[0]]
        if not old:
            return
        last = old[-1]
        spot = spot_of(message)
        link = f"{self._base_url}/r/{last.receipt_id}"
        if spot.is_private:
            try:
                link = await self._inbox.link_of(
                    last.receipt_id, message.surface.platform, message.fan
                )
            except (UserError, TransientError) as error:
                _log.warning("telegram.link_unknown", kind=type(error).__name__)
        buttons = self._proof_buttons("Replaced · its proof", last.receipt_id, link, spot)
        await self._sender.attempt(
            "editMessageReplyMarkup",
            lambda: self._bot.edit_message_reply_markup(
                int(surface.chat),
                int(last.message_id),
                reply_markup=InlineKeyboardMarkup([buttons]) if buttons else None,
            ),
        )

    def _buttons(self, shown: ReplyShown, link: str, spot: Spot) -> InlineKeyboardMarkup | None:
        label = f"Proof · fee {format_nano(shown.fee_nano)} {shown.token}"
        rows = [self._proof_buttons(label, shown.receipt_id, link, spot)]
        if shown.finish != "cut":
            data = AGAIN_PREFIX + shown.receipt_id
            rows.append([InlineKeyboardButton(texts.ANOTHER, callback_data=data)])
        rows = [row for row in rows if row]
        return InlineKeyboardMarkup(rows) if rows else None

    def _proof_buttons(
        self, label: str, receipt_id: str, link: str, spot: Spot
    ) -> list[InlineKeyboardButton]:
        row = [InlineKeyboardButton(label, url=link)] if is_button_address(link) else []
        if not spot.is_private:
            own = create_deep_linked_url(self._bot.username, f"{PROOF_PREFIX}{receipt_id}")
            row.append(InlineKeyboardButton("My own link", url=own))
        return row

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
            answers=message.message_id,
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
