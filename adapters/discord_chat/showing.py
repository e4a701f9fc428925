"""The end of a reply: its final text where it stands, and what became of it told to the core."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum

import structlog

from adapters.discord_chat.cards import Face
from adapters.discord_chat.claims import Claims
from adapters.discord_chat.draft import Draft
from adapters.discord_chat.identity import Identity, Spot
from adapters.discord_chat.layout import Frame
from adapters.discord_chat.mapping import OutOfReachError, WebhookGoneError
from adapters.discord_chat.readback import ReadBack
from adapters.discord_chat.sheets import Sheet
from bot.domain.errors import InvariantError, TransientError
from bot.ports.chat import ChatInbox, IncomingMessage, ReplyShown
from bot.ports.discord_state import DiscordState

RETRY_AFTER_S = (1.0, 3.0)
_log = structlog.get_logger("discord")


class Outcome(Enum):
    """What became of showing a reply."""

    SHOWN = "shown"
    DELAYED = "delayed"
    OUT_OF_REACH = "out of reach"
    WITHDRAWN = "withdrawn"


class Showing:
    """Shows finished replies.

    Attributes:
        unfinished: whether a reply waits in the outbox for Discord to come back.
    """

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        state: DiscordState,
        identity: Identity,
        claims: Claims,
        account: int,
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._identity = identity
        self._claims = claims
        self._account = str(account)
        self._read_back = ReadBack(account=account, state=state, identity=identity)
        self.unfinished = False

    def draft(
        self, sheet: Sheet, message: IncomingMessage, frame: Frame, known: Sequence[str] = ()
    ) -> Draft:
        """Return a draft of the answer to a message."""
        return Draft(
            sheet=sheet, state=self._state, message=message, private=frame.private, known=known
        )

    async def conclude(
        self,
        message: IncomingMessage,
        reply: ReplyShown,
        spot: Spot,
        face: Face,
        grown: tuple[Draft, Frame],
    ) -> Outcome:
        """Show the final text; what may have been sent already is looked for before it is sent."""
        draft, frame = grown
        if draft.doubtful:
            outcome = await self.finish(message, reply, spot, face)
        else:
            outcome = await self.show(message, reply, spot, draft, frame)
        for pause in RETRY_AFTER_S:
            if outcome is not Outcome.DELAYED or not draft.doubtful:
                break
            await asyncio.sleep(pause)
            outcome = await self.finish(message, reply, spot, face)
        return outcome

    async def show(
        self,
        message: IncomingMessage,
        reply: ReplyShown,
        spot: Spot,
        draft: Draft,
        frame: Frame,
    ) -> Outcome:
        """Show the final text and tell the core what became of it."""
        if self._claims.is_withdrawn(message.message_id):
            return Outcome.WITHDRAWN
        try:
            try:
                await draft.show(frame.final(reply), reply.receipt_id)
            except WebhookGoneError:
                self._identity.forget_webhook(spot.room)
                sheet, frame = await self._identity.open(spot, Face(frame.name))
                draft.sheet = sheet
                await self.draft(sheet, message, frame).show(frame.final(reply), reply.receipt_id)
        except (OutOfReachError, InvariantError) as error:
            kind = type(error).__name__
            _log.warning("discord.undelivered", receipt=reply.receipt_id, error=kind)
            await self.tell_core(self._inbox.undelivered, reply.receipt_id)
            return Outcome.OUT_OF_REACH
        except TransientError:
            _log.warning("discord.delayed", receipt=reply.receipt_id)
            self.unfinished = True
            return Outcome.DELAYED
        if self._claims.is_withdrawn(message.message_id):
            return Outcome.WITHDRAWN
        await self.tell_core(self._inbox.delivered, reply.receipt_id)
        _log.info("discord.delivered", receipt=reply.receipt_id, asked=message.message_id)
        return Outcome.SHOWN

    async def tell_core(self, tell: Callable[[str], Awaitable[None]], receipt: str) -> None:
        """Record an outcome, or remember that there is one to be recorded."""
        try:
            await tell(receipt)
        except TransientError:
            self.unfinished = True

    async def finish(
        self, message: IncomingMessage, reply: ReplyShown, spot: Spot, face: Face
    ) -> Outcome:
        """Show a reply where its messages stand; only if there are none, anew."""
        asked = message.message_id
        try:
            sheet, frame = await self._identity.open(spot, face)
            found = await self._read_back.find(spot.room, asked, frame.final(reply))
        except TransientError:
            self.unfinished = True
            return Outcome.DELAYED
        sheet, known = self._sheet_of(found, sheet, spot)
        return await self.show(
            message, reply, spot, self.draft(sheet, message, frame, known), frame
        )

    async def standing(self, spot: Spot, face: Face) -> tuple[Sheet, Frame, list[str]]:
        """Return how an answer that stands there can be changed, and its messages.

        Raises:
            OutOfReachError: nobody can change it any more.
        """
        sheet, frame = await self._identity.open(spot, face)
        sheet, known = self._sheet_of(await self._read_back.known(spot.asked), sheet, spot)
        if not known:
            raise OutOfReachError("the webhook that has written this is gone")
        return sheet, frame, known

    def _sheet_of(
        self, found: list[tuple[str, str]], sheet: Sheet, spot: Spot
    ) -> tuple[Sheet, list[str]]:
        if found and found[0][1] != sheet.sender:
            if found[0][1] != self._account:
                return sheet, []  # written by a webhook that is gone: nobody can change it
            sheet = self._identity.own(spot)
        return sheet, [message for message, sender in found if sender == sheet.sender]
