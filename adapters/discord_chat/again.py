"""Another reply in place of one that stands: the same messages change, the proof is a new one."""

import discord
import structlog

from adapters.discord_chat import texts
from adapters.discord_chat.cards import Cards
from adapters.discord_chat.claims import Claims
from adapters.discord_chat.credit.counter import Counter
from adapters.discord_chat.draft import Draft
from adapters.discord_chat.growth import grow
from adapters.discord_chat.identity import Spot, header_of
from adapters.discord_chat.mapping import OutOfReachError
from adapters.discord_chat.privately import Said, sentence_of
from adapters.discord_chat.sheets import Room
from adapters.discord_chat.showing import Outcome, Showing
from adapters.discord_chat.withdrawing import PLATFORM, Withdrawing
from bot.domain.errors import BotError, TransientError, UserError
from bot.ports.chat import ChatInbox, IncomingMessage, MergedInto, Surface
from bot.ports.discord_state import DiscordState, Post

_log = structlog.get_logger("discord")


class Again:
    """Makes replies again, for the people who were answered."""

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        state: DiscordState,
        cards: Cards,
        claims: Claims,
        showing: Showing,
        withdrawing: Withdrawing,
        account: int,
        counter: Counter | None = None,
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._cards = cards
        self._claims = claims
        self._showing = showing
        self._withdrawing = withdrawing
        self._account = str(account)
        self._counter = counter

    async def make(
        self, *, event: str, receipt: str, fan: str, room: Room, guild: discord.Guild | None
    ) -> str | Said:
        """Have another reply made and shown; return what the fan is told beside it, or nothing.

        Args:
            event: id of the interaction; the same one makes no second reply.
            receipt: the reply to be replaced.
            fan: who asks.
            room: where it stands.
            guild: its server; None in direct messages.

        Raises:
            UserError: not this fan's, not the latest one, or nothing that can be changed.
            TransientError: nothing was charged.
        """
        posts = await self._state.posts_showing(receipt)
        if not posts:
            raise UserError(texts.REPLACED)
        first = posts[0]
        if first.fan != fan:
            raise UserError(texts.NOT_YOURS)
        message = self._message(first)
        if not self._claims.claim(event, message.surface):
            return ""
        held = self._claims.hold(first.asked, message.surface)
        try:
            if not held:
                raise UserError(texts.BEING_WRITTEN)
            spot = Spot(asked=first.asked, fan=fan, room=room, guild=guild, linked=False)
            return await self._replace(message, spot, receipt, event)
        finally:
            self._claims.release(event)
            if held:
                self._claims.release(first.asked)
                if self._claims.is_withdrawn(first.asked):
                    await self._withdrawing.clear(first.asked)

    def _message(self, post: Post) -> IncomingMessage:
        """Return what a post answers; its words are the core's matter."""
        surface = Surface(PLATFORM, self._account, post.chat, post.thread)
        return IncomingMessage(post.twin, surface, post.fan, post.asked, "")

    async def _replace(
        self, message: IncomingMessage, spot: Spot, receipt: str, event: str
    ) -> str | Said:
        face = self._cards.face(message.twin, await self._cards.name_of(message.twin))
        try:
            sheet, _, known = await self._showing.standing(spot, face)
            before = [await sheet.read(part) for part in known]
        except OutOfReachError as error:
            raise UserError(texts.UNCHANGEABLE) from error
        header = header_of(before[0], spot.fan)
        spot = Spot(spot.asked, spot.fan, spot.room, spot.guild, linked=False, header=header)
        sheet, frame, known = await self._showing.standing(spot, face)
        draft = self._showing.draft(sheet, message, frame, known)
        try:
            wish = self._inbox.regenerate(receipt, message.surface.platform, spot.fan, event)
            reply = await grow(wish, draft, frame)
        except (UserError, TransientError) as error:
            if not self._claims.is_withdrawn(message.message_id):
                await self._restore(draft, before, receipt)
            if self._counter is None:
                return sentence_of(error)
            return await self._counter.refusal(error, spot.fan, is_private=True)
        if isinstance(reply, MergedInto):
            raise UserError(texts.BROKEN)
        outcome = await self._showing.conclude(message, reply, spot, face, (draft, frame))
        if outcome is Outcome.OUT_OF_REACH:
            return texts.UNSHOWN
        return "" if self._counter is None else await self._counter.due(spot.fan)

    @staticmethod
    async def _restore(draft: Draft, before: list[str], receipt: str) -> None:
        """Show the earlier reply again, as it was."""
        if not draft.changed:
            return
        try:
            await draft.show(before, receipt)
        except BotError as error:
            _log.warning("discord.not_restored", receipt=receipt, error=type(error).__name__)
