"""A deleted question takes its answer with it: out of the twin's memory and out of the channel."""

import asyncio
from collections import deque
from collections.abc import Sequence

import discord
import structlog

from adapters.discord_chat.claims import Claims
from adapters.discord_chat.identity import Identity
from adapters.discord_chat.mapping import discord_errors
from adapters.discord_chat.sheets import Room, place_of
from bot.domain.errors import BotError, TransientError
from bot.ports.chat import ChatInbox, Surface
from bot.ports.discord_state import DiscordState, Post

PLATFORM = "discord"
TRIES = 5
REMEMBERED = 512
_log = structlog.get_logger("discord")


class Withdrawing:
    """Acts on deletions; the deletion of our own message withdraws nothing.

    `_deleted` holds the last messages that were taken away here: Discord tells of these, too.
    """

    def __init__(
        self,
        *,
        client: discord.Client,
        inbox: ChatInbox,
        state: DiscordState,
        identity: Identity,
        claims: Claims,
        account: int,
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._state = state
        self._identity = identity
        self._claims = claims
        self._account = str(account)
        self._deleted: deque[str] = deque(maxlen=REMEMBERED)

    async def message_gone(self, message: str, room_id: int) -> None:
        """Take back a message that was deleted, whether or not it was answered, or seen."""
        if message in self._deleted or await self._state.post(message) is not None:
            return
        turn = self._claims.withdraw(message)
        surface = await self._surface(message, room_id)
        receipts = await self._tell_core(surface, message)
        if any(self._claims.is_running(asked) for asked in turn):
            return  # whoever answers takes away what is shown, at the end
        for asked in turn:
            await self.clear(asked)
        for receipt in receipts:
            await self._take_away(await self._state.posts_showing(receipt))

    async def room_gone(self, chat: str, thread: str | None) -> None:
        """Take back everything that was said in a channel or thread that was deleted."""
        bot = self._account
        turns = dict(self._claims.running_in(chat, thread))
        for post in await self._state.posts_in(chat, thread):
            turns.setdefault(post.asked, Surface(PLATFORM, bot, post.chat, post.thread))
        for asked, surface in turns.items():
            self._claims.withdraw(asked)
            await self._tell_core(surface, asked)
            for post in await self._state.posts_of(asked):
                await self._state.drop_post(post.message)

    async def clear(self, asked: str) -> None:
        """Take away what answers a message."""
        await self._take_away(await self._state.posts_of(asked))

    async def _surface(self, message: str, room_id: int) -> Surface:
        for post in await self._state.posts_of(message):
            return Surface(PLATFORM, self._account, post.chat, post.thread)
        chat, thread = str(room_id), ""
        room = self._client.get_channel(room_id)
        if isinstance(room, Room):
            chat, thread = place_of(room)
        return Surface(PLATFORM, self._account, chat, thread)

    async def _tell_core(self, surface: Surface, message: str) -> list[str]:
        """Withdraw, and try again while that may help: Discord tells of a deletion only once."""
        for _ in range(TRIES):
            try:
                return await self._inbox.withdraw(surface, message)
            except TransientError as error:
                await asyncio.sleep(error.retry_after_s)
            except BotError as error:
                _log.error("discord.not_withdrawn", asked=message, error=type(error).__name__)
                return []
        _log.error("discord.not_withdrawn", asked=message, error="TransientError")
        return []

    async def _take_away(self, posts: Sequence[Post]) -> None:
        for post in posts:
            self._deleted.append(post.message)
            for _ in range(TRIES):
                try:
                    await self._delete(post)
                except TransientError as error:
                    await asyncio.sleep(error.retry_after_s)
                    continue
                except BotError as error:
                    kind = type(error).__name__
                    _log.warning("discord.not_deleted", post=post.message, error=kind)
                await self._state.drop_post(post.message)
                break

    async def _delete(self, post: Post) -> None:
        room_id = int(post.thread or post.chat)
        with discord_errors():
            room = self._client.get_channel(room_id) or await self._client.fetch_channel(room_id)
            if not isinstance(room, Room):
                return
            if post.sender == self._account:
                await room.get_partial_message(int(post.message)).delete()
                return
            webhook = await self._identity.webhook(room)
            if webhook is not None and str(webhook.id) == post.sender:
                in_thread = isinstance(room, discord.Thread)
                thread = discord.Object(room.id) if in_thread else discord.utils.MISSING
                await webhook.delete_message(int(post.message), thread=thread)
