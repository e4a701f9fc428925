"""One fan's message to a twin: preview while it grows, the reply as messages, one at a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from telegram.ext import ExtBot

from adapters.telegram_chat import wording
from adapters.telegram_chat.delivery import Delivery, surface_of
from adapters.telegram_chat.events import Said, Spot
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.preview import Preview
from adapters.telegram_chat.sending import Sender
from bot.domain.errors import InvariantError, TransientError, UserError
from bot.ports.chat import ChatInbox, IncomingMessage, ReplyShown, TextPiece, TwinCard

TRIES = 3
LONGEST_WAIT_S = 10.0
MAX_WAITING = 5  # messages of one fan in one place, the one being answered included


class Talking:
    """Carries messages to the core; a fan's messages in one place are answered in their order.

    `_lanes` holds one lock for each fan who is being answered, with the number of their messages.
    """

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        delivery: Delivery,
        inbox: ChatInbox,
        pace: Pace,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._delivery = delivery
        self._inbox = inbox
        self._pace = pace
        self._lanes: dict[Spot, tuple[asyncio.Lock, int]] = {}

    async def talk(self, said: Said, twin: TwinCard, *, is_late: bool) -> None:
        """Answer a message, or say in one sentence why not.

        Args:
            said: the message.
            twin: to whom.
            is_late: whether it was taken by an earlier run; then its reply may be there already
                and no preview is shown.
        """
        reply_to = 0 if said.spot.is_private else said.message_id
        if not (said.text or "").strip():
            sentence = wording.READS_WORDS_ONLY if said.text is None else wording.NOTHING_SAID
            await self._sender.say(said.spot, sentence, reply_to=reply_to)
            return
        if self._lanes.get(said.spot, (None, 0))[1] >= MAX_WAITING:
            await self._sender.say(said.spot, wording.TOO_FAST, reply_to=reply_to)
            return
        message = IncomingMessage(
            twin=twin.slug,
            surface=surface_of(self._bot.id, said.spot),
            fan=str(said.spot.fan),
            message_id=str(said.message_id),
            text=said.text or "",
        )
        async with self._lane(said.spot):
            try:
                shown = await self._ask(message, said, twin.name, is_late=is_late)
            except (UserError, TransientError) as error:
                await self._sender.say(said.spot, str(error), reply_to=reply_to)
                return
            await self._delivery.deliver(message, shown)

    async def _ask(
        self, message: IncomingMessage, said: Said, name: str, *, is_late: bool
    ) -> ReplyShown:
        """Get the reply; a failure that may pass is tried again with the same message number."""
        for remaining in reversed(range(TRIES)):
            preview = Preview(
                bot=self._bot,
                spot=said.spot,
                draft_id=said.message_id,
                name=name,
                pace=self._pace,
            )
            try:
                if is_late:
                    return await self._listen(message, preview)
                async with preview:
                    return await self._listen(message, preview)
            except TransientError as error:
                if remaining == 0:
                    raise
                await asyncio.sleep(min(error.retry_after_s, LONGEST_WAIT_S))
        raise InvariantError("a loop that returns or raises has ended")

    async def _listen(self, message: IncomingMessage, preview: Preview) -> ReplyShown:
        events = self._inbox.answer(message)
        try:
            async for event in events:
                if isinstance(event, TextPiece):
                    preview.feed(event.text)
                else:
                    return event
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        raise InvariantError("the core ended an answer without a reply")

    @asynccontextmanager
    async def _lane(self, spot: Spot) -> AsyncIterator[None]:
        lock, waiting = self._lanes.get(spot, (asyncio.Lock(), 0))
        self._lanes[spot] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            _, waiting = self._lanes[spot]
            if waiting > 1:
                self._lanes[spot] = (lock, waiting - 1)
            else:
                del self._lanes[spot]
