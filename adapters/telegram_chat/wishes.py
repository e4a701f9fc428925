"""What a fan can wish of a reply: that it stops, another one, that it never was, a complaint."""

from typing import Any

from telegram.ext import ExtBot

from adapters.telegram_chat import texts, wording
from adapters.telegram_chat.delivery import PLATFORM, Delivery, surface_of
from adapters.telegram_chat.events import Author, Pressed, Said, Spot
from adapters.telegram_chat.lanes import Lanes, withdrawn
from adapters.telegram_chat.offer import Notices
from adapters.telegram_chat.sending import Sender
from adapters.telegram_chat.talking import Talking
from bot.ports.chat import ChatInbox, IncomingMessage
from bot.ports.telegram_state import ChatPlace, SentPart, TelegramState


class Wishes:
    """Carries out wishes about replies for one bot; `_again` has the receipts being replaced."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        talking: Talking,
        delivery: Delivery,
        notices: Notices,
        inbox: ChatInbox,
        lanes: Lanes,
        state: TelegramState,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._talking = talking
        self._delivery = delivery
        self._notices = notices
        self._inbox = inbox
        self._lanes = lanes
        self._state = state
        self._again: set[str] = set()

    async def stop(self, said: Said) -> None:
        """Stop what is being written for the person who says so."""
        fan = str(said.spot.fan)
        for job in self._lanes.jobs(said.spot):
            message = job.message
            event = str(said.message_id)
            if await self._inbox.stop(message.surface, message.message_id, fan, event):
                return  # the reply itself says that it was stopped
        await self._say(said, texts.NOTHING_TO_STOP)

    async def press_stop(self, pressed: Pressed, message_id: str) -> None:
        """Stop the reply that the button stands for; a button that a crash left goes away."""
        spot = pressed.spot
        jobs = [job for job in self._lanes.jobs(spot) if job.message.message_id == message_id]
        if jobs:
            message = jobs[0].message
            stopped = await self._inbox.stop(
                message.surface, message_id, str(spot.fan), pressed.query_id
            )
            await self._acknowledge(pressed, texts.STOPPED if stopped else texts.NOTHING_TO_STOP)
            return
        others = self._lanes.is_written(spot.chat, message_id)
        await self._acknowledge(pressed, texts.NOT_YOUR_REPLY if others else texts.NOTHING_TO_STOP)
        if not others:
            await self._notices.delete(str(spot.chat), str(pressed.message_id))

    async def press_again(self, pressed: Pressed, receipt_id: str) -> None:
        """Write another reply in place of the one that the button stands under."""
        parts = await self._state.parts(str(self._bot.id), receipt_id)
        if not parts:
            await self._acknowledge(pressed, texts.REPLY_GONE)
            return
        part = parts[0]
        if part.fan != str(pressed.spot.fan):
            await self._acknowledge(pressed, texts.NOT_YOUR_REPLY)
            return
        spot = _spot_of(part, pressed.spot)
        busy = texts.ALREADY_AGAIN if receipt_id in self._again else ""
        if busy or self._lanes.is_full(spot):
            await self._acknowledge(pressed, busy or wording.TOO_FAST)
            return
        self._again.add(receipt_id)
        try:
            await self._acknowledge(pressed, None)
            await self._rewrite(part, spot, pressed.query_id)
        finally:
            self._again.discard(receipt_id)

    async def undo(self, said: Said) -> None:
        """Take back the last message of the person who says so, and its reply."""
        spot = said.spot
        surface = surface_of(self._bot.id, spot)
        jobs = self._lanes.jobs(spot)
        if jobs:
            number = jobs[-1].message.message_id
        else:
            last = await self._state.last_part(self._place(spot), str(spot.fan))
            if last is None:
                await self._say(said, texts.NOTHING_TO_UNDO)
                return
            number = last.answers
        gone = True
        with withdrawn(jobs[-1:]):
            receipts = await self._inbox.withdraw(surface, number)
        for receipt_id in receipts:
            gone = await self._delivery.take_away(receipt_id) and gone
        await self._say(said, texts.UNDONE if gone else f"{texts.UNDONE} {texts.UNDELETED}")

    async def report(self, said: Said) -> None:
        """Pass on a complaint about the reply that is answered to, or about the last one."""
        bot, spot = str(self._bot.id), said.spot
        if said.replied_id and said.replied_author is Author.US:
            part = await self._state.find_part(bot, str(spot.chat), str(said.replied_id))
        elif said.replied_id:
            part = None
        else:
            part = await self._state.last_part(self._place(spot), str(spot.fan))
        if part is None:
            await self._say(said, texts.REPORT_HOW)
            return
        reason = (said.text or "").strip()
        await self._inbox.report(part.receipt_id, PLATFORM, str(spot.fan), reason)
        await self._say(said, texts.REPORTED)

    async def _rewrite(self, part: SentPart, spot: Spot, event: str) -> None:
        cards = {card.slug: card.name for card in await self._inbox.twins()}
        message = IncomingMessage(
            twin=part.twin,
            surface=surface_of(self._bot.id, spot),
            fan=part.fan,
            message_id=part.answers,
            text="",  # the core knows it
        )
        await self._talking.again(
            spot,
            message,
            replaces=part.receipt_id,
            name=cards.get(part.twin, part.twin),
            event=event,
        )

    def _place(self, spot: Spot) -> ChatPlace:
        thread = "" if spot.thread is None else str(spot.thread)
        return ChatPlace(str(self._bot.id), str(spot.chat), thread)

    async def _acknowledge(self, pressed: Pressed, text: str | None) -> None:
        await self._sender.attempt(
            "answerCallbackQuery",
            lambda: self._bot.answer_callback_query(pressed.query_id, text=text),
        )

    async def _say(self, said: Said, text: str) -> None:
        reply_to = 0 if said.spot.is_private else said.message_id
        await self._sender.say(said.spot, text, reply_to=reply_to)


def _spot_of(part: SentPart, pressed: Spot) -> Spot:
    """Return where a reply stands; the platform names no thread for an old message."""
    thread = int(part.place.thread) if part.place.thread else None
    return Spot(pressed.chat, thread, pressed.is_private, pressed.fan)
