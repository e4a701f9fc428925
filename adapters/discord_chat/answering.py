"""From a fan's message to a shown reply: streaming, the final text, the outcome.

A reply that is committed but not shown stays in the core's outbox; `recover` shows those, looking
first for what is there already.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from enum import Enum

import structlog

from adapters.discord_chat import texts
from adapters.discord_chat.draft import Draft
from adapters.discord_chat.identity import Identity, Spot
from adapters.discord_chat.layout import Frame
from adapters.discord_chat.mapping import InteractionOverError, OutOfReachError, WebhookGoneError
from adapters.discord_chat.readback import ReadBack
from adapters.discord_chat.sheets import Sheet
from bot.domain.errors import BotError, InvariantError, TransientError, UserError
from bot.ports.chat import ChatInbox, IncomingMessage, PendingReply, ReplyShown
from bot.ports.discord_state import DiscordState

EDIT_EVERY_S = 1.2
TYPING_EVERY_S = 8.0
REMEMBERED = 4096
PLATFORM = "discord"

_log = structlog.get_logger("discord")
OpenSpot = Callable[[IncomingMessage], Awaitable[Spot]]


class Outcome(Enum):
    """What became of showing a reply."""

    SHOWN = "shown"
    DELAYED = "delayed"
    OUT_OF_REACH = "out of reach"


class Growth:
    """The text so far, and the task that shows it; the reader never waits for the platform."""

    def __init__(self, draft: Draft, frame: Frame) -> None:
        self._draft = draft
        self._frame = frame
        self._text = ""
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()

    def add(self, piece: str) -> None:
        """Take a piece."""
        self._text += piece
        self._changed.set()

    def end(self) -> None:
        """Let `run` return; a request to the platform that it makes is made to its end."""
        self._ended.set()
        self._changed.set()

    async def run(self) -> None:
        """Show that somebody is writing, then the text, not more often than is allowed."""
        with suppress(BotError):  # the final text is shown, or not, by its own rules
            while not self._ended.is_set():
                self._changed.clear()
                if self._text.strip():
                    await self._draft.show(self._frame.growing(self._text))
                    await _wait(self._ended, EDIT_EVERY_S)
                    await self._changed.wait()
                else:
                    await self._draft.sheet.working()
                    await _wait(self._changed, TYPING_EVERY_S)


class Answering:
    """Answers messages; owns the set of those that are being answered.

    `_seen` holds the last ids, so that replayed events do nothing.

    Attributes:
        unfinished: whether a reply waits in the outbox for Discord to come back.
    """

    def __init__(
        self, *, inbox: ChatInbox, state: DiscordState, identity: Identity, account: int
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._identity = identity
        self._account = str(account)
        self._read_back = ReadBack(account=account, state=state, identity=identity)
        self._running: set[str] = set()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.unfinished = False

    def claim(self, asked: str) -> bool:
        """Take a message for answering; False if it was taken before, or nothing is taken now."""
        if self._is_closed or asked in self._seen:
            return False
        self._seen[asked] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._running.add(asked)
        self._idle.clear()
        return True

    def release(self, asked: str) -> None:
        """Say that a claimed message is done with."""
        self._running.discard(asked)
        if not self._running:
            self._idle.set()

    async def drain(self, *, within_s: float) -> None:
        """Take nothing more and wait until nothing is being answered, but not for ever."""
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    async def answer(self, message: IncomingMessage, spot: Spot, name: str) -> None:
        """Answer one claimed message and record what became of the reply."""
        try:
            if any(post.receipt for post in await self._state.posts_of(message.message_id)):
                return
            await self._answer(message, spot, name)
        except InteractionOverError:
            _log.warning("discord.too_late", asked=message.message_id)
        except BotError as error:
            await self.decline(spot, sentence_of(error))
        except Exception as error:  # noqa: BLE001  the boundary: one message's failure is its own
            _log.error("discord.failed", asked=message.message_id, error=type(error).__name__)
            self.unfinished = True
            await self.decline(spot, sentence_of(error))
        finally:
            self.release(message.message_id)

    async def decline(self, spot: Spot, sentence: str) -> None:
        """Tell the fan of a claimed message why nobody answers it."""
        try:
            sheet, _ = await self._identity.open(spot, "")
            await sheet.refuse(sentence)
        except BotError as error:
            _log.warning("discord.not_told", asked=spot.asked, error=type(error).__name__)
        finally:
            self.release(spot.asked)

    async def _answer(self, message: IncomingMessage, spot: Spot, name: str) -> None:
        sheet, frame = await self._identity.open(spot, name)
        draft = self._draft(sheet, message, frame)
        try:
            reply = await self._stream(message, draft, frame)
        except (UserError, TransientError) as error:
            if draft.count:
                withdrawn = [texts.WITHDRAWN] * (draft.count - 1)
                await draft.show([sentence_of(error), *withdrawn])
            else:
                await sheet.refuse(sentence_of(error))
            return
        if draft.doubtful:
            outcome = await self._finish(message, reply, spot)
        else:
            outcome = await self._show(message, reply, spot, draft, frame)
        with suppress(BotError):  # the Proof button gives the same
            if outcome is Outcome.SHOWN and not frame.private:
                await draft.sheet.whisper(f"Only you see this. Your proof: <{reply.link}>")
            elif outcome is Outcome.OUT_OF_REACH and spot.interaction is not None:
                await draft.sheet.refuse(texts.UNSHOWN)

    def _draft(self, sheet: Sheet, message: IncomingMessage, frame: Frame) -> Draft:
        return Draft(sheet=sheet, state=self._state, message=message, buttons=not frame.private)

    async def _stream(self, message: IncomingMessage, draft: Draft, frame: Frame) -> ReplyShown:
        growth = Growth(draft, frame)
        shower = asyncio.create_task(growth.run())
        events = self._inbox.answer(message)
        try:
            async for event in events:
                if isinstance(event, ReplyShown):
                    return event
                growth.add(event.text)
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
            growth.end()
            await shower
        raise TransientError("The reply did not end.")

    async def _show(
        self, message: IncomingMessage, reply: ReplyShown, spot: Spot, draft: Draft, frame: Frame
    ) -> Outcome:
        """Show the final text and tell the core what became of it."""
        try:
            try:
                await draft.show(frame.final(reply), reply.receipt_id)
            except WebhookGoneError:
                self._identity.forget_webhook(spot.room)
                sheet, frame = await self._identity.open(spot, frame.name)
                draft.sheet = sheet
                await self._draft(sheet, message, frame).show(frame.final(reply), reply.receipt_id)
        except (OutOfReachError, InvariantError) as error:
            kind = type(error).__name__
            _log.warning("discord.undelivered", receipt=reply.receipt_id, error=kind)
            await self._tell_core(self._inbox.undelivered, reply.receipt_id)
            return Outcome.OUT_OF_REACH
        except TransientError:
            _log.warning("discord.delayed", receipt=reply.receipt_id)
            self.unfinished = True
            return Outcome.DELAYED
        await self._tell_core(self._inbox.delivered, reply.receipt_id)
        _log.info("discord.delivered", receipt=reply.receipt_id, asked=message.message_id)
        return Outcome.SHOWN

    async def _tell_core(self, tell: Callable[[str], Awaitable[None]], receipt: str) -> None:
        try:
            await tell(receipt)
        except TransientError:
            self.unfinished = True

    async def recover(self, open_spot: OpenSpot) -> None:
        """Show every reply that the core has in its outbox for this account."""
        self.unfinished = False
        for pending in await self._inbox.pending(PLATFORM, self._account):
            asked = pending.message.message_id
            if asked in self._running:
                continue
            self._seen.pop(asked, None)
            if not self.claim(asked):
                continue
            try:
                await self._recover_one(pending, open_spot)
            except TransientError:
                self.unfinished = True
            except BotError as error:
                _log.error("discord.not_recovered", asked=asked, error=type(error).__name__)
            finally:
                self.release(asked)

    async def _recover_one(self, pending: PendingReply, open_spot: OpenSpot) -> None:
        try:
            spot = await open_spot(pending.message)
        except OutOfReachError:
            await self._tell_core(self._inbox.undelivered, pending.reply.receipt_id)
            return
        await self._finish(pending.message, pending.reply, spot)

    async def _finish(self, message: IncomingMessage, reply: ReplyShown, spot: Spot) -> Outcome:
        """Show a reply where its messages stand; only if there are none, anew."""
        found = await self._read_back.find(spot.room, message.message_id)
        sheet, frame = await self._identity.open(spot, reply.twin_name)
        if found and found[0][1] != sheet.sender:
            if found[0][1] == self._account:
                sheet = self._identity.own(spot)
            else:
                found = []  # written by a webhook that is gone: nobody can change it
        draft = Draft(
            sheet=sheet,
            state=self._state,
            message=message,
            buttons=not frame.private,
            known=[part for part, _ in found],
        )
        return await self._show(message, reply, spot, draft, frame)


def sentence_of(error: BaseException) -> str:
    """Return what a fan is told about an error."""
    match error:
        case UserError():
            return str(error)
        case TransientError():
            seconds = max(1, round(error.retry_after_s))
            return f"I can't answer right now. Please try again in {seconds} s."
        case _:
            return texts.BROKEN


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
