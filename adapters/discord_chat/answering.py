"""From a fan's message to a shown reply, and what a crash left open.

A reply that is committed but not shown stays in the core's outbox; `recover` shows those, looking
first for what is there already.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from adapters.discord_chat import texts
from adapters.discord_chat.cards import Cards, Face
from adapters.discord_chat.claims import Claims
from adapters.discord_chat.credit.counter import Counter
from adapters.discord_chat.growth import grow
from adapters.discord_chat.identity import Identity, Spot
from adapters.discord_chat.mapping import InteractionOverError, OutOfReachError
from adapters.discord_chat.privately import Said, sentence_of
from adapters.discord_chat.sheets import Sheet
from adapters.discord_chat.showing import Outcome, Showing
from adapters.discord_chat.withdrawing import Withdrawing
from bot.domain.errors import BotError, TransientError, UserError
from bot.ports.chat import ChatInbox, IncomingMessage, MergedInto, PendingReply
from bot.ports.discord_state import DiscordState

PLATFORM = "discord"
PROOF = "Only you see this. Your proof: <{link}>"
_log = structlog.get_logger("discord")
OpenSpot = Callable[[IncomingMessage], Awaitable[Spot]]


class Answering:
    """Answers messages that were claimed, and releases them."""

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        state: DiscordState,
        identity: Identity,
        claims: Claims,
        cards: Cards,
        showing: Showing,
        withdrawing: Withdrawing,
        account: int,
        counter: Counter | None = None,
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._identity = identity
        self._claims = claims
        self._cards = cards
        self._showing = showing
        self._counter = counter
        self._withdrawing = withdrawing
        self._account = str(account)

    async def answer(self, message: IncomingMessage, spot: Spot, face: Face) -> None:
        """Answer one claimed message and record what became of the reply."""
        asked = message.message_id
        try:
            if any(post.receipt for post in await self._state.posts_of(asked)):
                return
            await self._answer(message, spot, face)
        except InteractionOverError:
            _log.warning("discord.too_late", asked=asked)
        except BotError as error:
            await self._tell(spot, sentence_of(error))
        except Exception as error:  # noqa: BLE001  the boundary: one message's failure is its own
            _log.error("discord.failed", asked=asked, error=type(error).__name__)
            self._showing.unfinished = True
            await self._tell(spot, sentence_of(error))
        finally:
            self._claims.release(asked)
        if self._claims.is_withdrawn(asked):
            await self._withdrawing.clear(asked)

    async def decline(self, spot: Spot, sentence: str) -> None:
        """Tell the fan of a claimed message why nobody answers it, and release it."""
        try:
            await self._tell(spot, sentence)
        finally:
            self._claims.release(spot.asked)

    async def _tell(self, spot: Spot, sentence: str) -> None:
        if spot.unasked or self._claims.is_withdrawn(spot.asked):
            return
        try:
            sheet, _ = await self._identity.open(spot, Face(""))
            await sheet.refuse(sentence)
        except BotError as error:
            _log.warning("discord.not_told", asked=spot.asked, error=type(error).__name__)

    async def _answer(self, message: IncomingMessage, spot: Spot, face: Face) -> None:
        sheet, frame = await self._identity.open(spot, face)
        draft = self._showing.draft(sheet, message, frame)
        try:
            reply = await grow(self._inbox.answer(message), draft, frame)
        except (UserError, TransientError) as error:
            if self._claims.is_withdrawn(message.message_id):
                return
            said = await self._refusal(error, spot, sheet)
            if draft.count:
                await draft.close(said.content)
            elif not spot.unasked:
                await sheet.refuse(said.content, said.view)
            return
        if isinstance(reply, MergedInto):
            self._claims.merge(message.message_id, reply.message_id)
            return
        outcome = await self._showing.conclude(message, reply, spot, face, (draft, frame))
        with suppress(BotError):  # the Proof button gives the same
            if outcome is Outcome.SHOWN:
                proof = "" if frame.private else PROOF.format(link=reply.link)
                await self._whisper(spot, draft.sheet, proof)
            elif outcome is Outcome.OUT_OF_REACH and spot.interaction is not None:
                await draft.sheet.refuse(texts.UNSHOWN)

    async def _refusal(self, error: BotError, spot: Spot, sheet: Sheet) -> Said:
        if self._counter is None:
            return Said(sentence_of(error))
        return await self._counter.refusal(error, spot.fan, is_private=sheet.confides)

    async def _whisper(self, spot: Spot, sheet: Sheet, proof: str) -> None:
        """Tell the fan alone what stands under no reply: the proof's key, what is due."""
        if self._counter is not None:
            alone = sheet.whisper if proof and spot.interaction is not None else None
            await self._counter.after_reply(spot.fan, alone, proof)
        elif proof:
            await sheet.whisper(proof)

    @property
    def unfinished(self) -> bool:
        """Whether a reply waits in the outbox for Discord to come back."""
        return self._showing.unfinished

    async def recover(self, open_spot: OpenSpot) -> None:
        """Show every reply that the core has in its outbox for this account.

        Raises:
            TransientError: the outbox could not be read; it is left marked as unfinished.
        """
        self._showing.unfinished = False
        try:
            pending_replies = await self._inbox.pending(PLATFORM, self._account)
        except BotError:
            self._showing.unfinished = True
            raise
        for pending in pending_replies:
            asked = pending.message.message_id
            if not self._claims.hold(asked, pending.message.surface):
                continue
            try:
                await self._recover_one(pending, open_spot)
            except TransientError:
                self._showing.unfinished = True
            except BotError as error:
                _log.error("discord.not_recovered", asked=asked, error=type(error).__name__)
            finally:
                self._claims.release(asked)
            if self._claims.is_withdrawn(asked):
                await self._withdrawing.clear(asked)

    async def _recover_one(self, pending: PendingReply, open_spot: OpenSpot) -> None:
        message, reply = pending.message, pending.reply
        try:
            spot = await open_spot(message)
        except OutOfReachError:
            await self._showing.tell_core(self._inbox.undelivered, reply.receipt_id)
            return
        face = self._cards.face(message.twin, reply.twin_name)
        await self._showing.finish(message, reply, spot, face)
