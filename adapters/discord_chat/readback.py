"""Looks in a channel for what was already shown, before anything is shown once more."""

from collections.abc import Sequence

import discord

from adapters.discord_chat.buttons import answered_by
from adapters.discord_chat.identity import Identity
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from adapters.discord_chat.sheets import Room
from bot.ports.discord_state import DiscordState

LOOK_AT_MESSAGES = 50
Found = list[tuple[str, str]]


class ReadBack:
    """Finds the messages that answer one message: in our memory, then in the channel itself."""

    def __init__(self, *, account: int, state: DiscordState, identity: Identity) -> None:
        self._account = account
        self._state = state
        self._identity = identity

    async def known(self, asked: str) -> Found:
        """Return (message, sender) of the parts that we remember, in order."""
        newest: dict[int, tuple[str, str]] = {}
        for post in await self._state.posts_of(asked):
            newest[post.part] = (post.message, post.sender)
        return [newest[part] for part in sorted(newest)]

    async def find(self, room: Room, asked: str, parts: Sequence[str]) -> Found:
        """Return (message, sender) of the parts that are there, in order.

        What we don't remember is recognised by its buttons, its reference, or its very words.

        Args:
            room: where they would stand.
            asked: what they answer.
            parts: the texts of the finished reply.

        Raises:
            TransientError: the channel could not be read.
        """
        found = await self.known(asked)
        if len(found) >= len(parts):
            return found
        wanted = {content.strip() for content in parts[len(found) :]}
        try:
            with discord_errors():
                after = discord.Object(int(asked))
                async for message in room.history(
                    limit=LOOK_AT_MESSAGES, after=after, oldest_first=True
                ):
                    if await self._answers(room, message, asked, wanted):
                        sender = message.webhook_id or self._account
                        if message.author.id == self._account:
                            sender = self._account
                        found.append((str(message.id), str(sender)))
        except OutOfReachError:
            return found
        return found

    async def _answers(
        self, room: Room, message: discord.Message, asked: str, wanted: set[str]
    ) -> bool:
        if message.flags.loading or await self._state.post(str(message.id)) is not None:
            return False
        if message.author.id == self._account:
            return answered_by(message) == asked
        if message.webhook_id is None or not await self._state.is_webhook(str(message.webhook_id)):
            return False
        webhook = await self._identity.webhook(room)
        if webhook is None or webhook.id != message.webhook_id:
            return False
        # Without the content intent the list shows no buttons; the webhook itself shows them.
        thread = discord.Object(room.id) if isinstance(room, discord.Thread) else None
        whole = await webhook.fetch_message(message.id, thread=thread or discord.utils.MISSING)
        return answered_by(whole) == asked or whole.content.strip() in wanted
