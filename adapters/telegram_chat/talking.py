"""Replies on their way: preview while one grows, then its messages, one reply after the other."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from telegram.ext import ExtBot

from adapters.telegram_chat import wording
from adapters.telegram_chat.credit.hints import MoneyHints
from adapters.telegram_chat.delivery import Delivery, server_of, surface_of
from adapters.telegram_chat.events import Said, Spot
from adapters.telegram_chat.lanes import Job, Lanes
from adapters.telegram_chat.offer import Notices, StopOffer
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.preview import Preview
from adapters.telegram_chat.sending import Sender
from adapters.telegram_chat.signs import Signs
from bot.domain.errors import CreditError, InvariantError, TransientError, UserError
from bot.ports.chat import (
    ChatInbox,
    IncomingMessage,
    MergedInto,
    ReplyEvent,
    ReplyShown,
    TextPiece,
)
from bot.ports.views import TwinCard

TRIES = 3
LONGEST_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Errand:
    """A reply to be got.

    Attributes:
        events: asks the core; again after a failure that may pass.
        draft_id: number of the preview.
        is_late: taken by an earlier run: its reply may be there already, so no preview is shown.
        is_quiet: nobody asked for it, so nobody hears of its failure either.
    """

    spot: Spot
    job: Job
    name: str
    events: Callable[[], AsyncIterator[ReplyEvent]]
    draft_id: int
    is_late: bool
    is_quiet: bool = False


class Talking:
    """Carries messages, and wishes for another reply, to the core and its replies to the chat."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        delivery: Delivery,
        notices: Notices,
        inbox: ChatInbox,
        lanes: Lanes,
        pace: Pace,
        signs: Signs,
        hints: MoneyHints | None,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._delivery = delivery
        self._notices = notices
        self._inbox = inbox
        self._lanes = lanes
        self._pace = pace
        self._signs = signs
        self._hints = hints

    async def talk(self, said: Said, twin: TwinCard, *, is_late: bool) -> None:
        """Answer a message, or say in one sentence why not.

        Args:
            said: the message.
            twin: to whom.
            is_late: whether it was taken by an earlier run.
        """
        refusal = self._refusal(said)
        if refusal:
            if not said.unasked:
                reply_to = 0 if said.spot.is_private else said.message_id
                await self._sender.say(said.spot, refusal, reply_to=reply_to)
            return
        message = IncomingMessage(
            twin=twin.slug,
            surface=surface_of(self._bot.id, said.spot),
            fan=str(said.spot.fan),
            message_id=str(said.message_id),
            text=said.text or "",
            may_merge=not said.command,
            unasked=said.unasked,
            server=server_of(said.spot),
        )
        errand = _Errand(
            spot=said.spot,
            job=Job(message),
            name=twin.name,
            events=lambda: self._inbox.answer(message),
            draft_id=said.message_id,
            is_late=is_late,
            is_quiet=said.unasked,
        )
        await self._carry(errand)

    async def again(
        self, spot: Spot, message: IncomingMessage, *, replaces: str, name: str, event: str
    ) -> None:
        """Write another reply to a message, in place of one that was shown.

        Args:
            spot: where the first one stands, and who was answered.
            message: what it answers.
            replaces: its receipt.
            name: the twin's display name.
            event: the platform's number of the wish.
        """
        errand = _Errand(
            spot=spot,
            job=Job(message, replaces=replaces),
            name=name,
            events=lambda: self._inbox.regenerate(
                replaces, message.surface.platform, message.fan, event
            ),
            draft_id=int(message.message_id),
            is_late=False,
        )
        await self._carry(errand)

    def _refusal(self, said: Said) -> str:
        if said.text is None:
            return wording.READS_WORDS_ONLY
        if not said.text.strip():
            return wording.NOTHING_SAID
        return wording.TOO_FAST if self._lanes.is_full(said.spot) else ""

    async def _carry(self, errand: _Errand) -> None:
        job, spot = errand.job, errand.spot
        async with self._lanes.lane(spot, job):
            try:
                shown = await self._ask(errand)
            except (UserError, TransientError) as error:
                await job.begun.wait()
                if not (errand.is_quiet or job.is_withdrawn):
                    reply_to = 0 if spot.is_private else int(job.message.message_id)
                    buttons = await self._hints.button_for(spot, error) if self._hints else None
                    text = str(error)
                    if isinstance(error, CreditError) and not spot.is_private:
                        text = error.public or wording.MONEY_SAYS_NO
                    await self._sender.say(spot, text, buttons=buttons, reply_to=reply_to)
                return
            if shown is None:
                return
            await job.begun.wait()
            if not job.is_withdrawn:
                await self._delivery.deliver(job.message, shown)
                if self._hints is not None:
                    await self._hints.tell(spot)
            if job.is_withdrawn:  # perhaps meanwhile
                await self._delivery.take_away(shown.receipt_id)

    async def _ask(self, errand: _Errand) -> ReplyShown | None:
        """Get the reply; a failure that may pass is tried again with the same numbers."""
        for remaining in reversed(range(TRIES)):
            try:
                return await self._watch(errand)
            except TransientError as error:
                if remaining == 0 or errand.job.is_withdrawn:
                    raise
                await asyncio.sleep(min(error.retry_after_s, LONGEST_WAIT_S))
        raise InvariantError("a loop that returns or raises has ended")

    async def _watch(self, errand: _Errand) -> ReplyShown | None:
        """Get the reply while its preview is shown."""
        message = errand.job.message
        preview = Preview(
            bot=self._bot,
            spot=errand.spot,
            draft_id=errand.draft_id,
            name=errand.name,
            pace=self._pace,
            begun=errand.job.begun,
            signs=self._signs,
            key=(message.surface.bot, message.surface.chat, message.message_id),
        )
        offer = StopOffer(
            notices=self._notices,
            spot=errand.spot,
            message_id=message.message_id,
            pace=self._pace,
            begun=errand.job.begun,
            shown=preview.renew,
        )
        async with AsyncExitStack() as stack:
            if not errand.is_late:
                await stack.enter_async_context(offer)
                await stack.enter_async_context(preview)
                await self._signs.wait_for_calm()
            return await self._listen(errand.events(), preview)

    async def _listen(
        self, events: AsyncIterator[ReplyEvent], preview: Preview
    ) -> ReplyShown | None:
        try:
            async for event in events:
                match event:
                    case TextPiece():
                        preview.feed(event.text)
                    case ReplyShown():
                        return event
                    case MergedInto():
                        return None
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        raise InvariantError("the core ended an answer without a reply")
