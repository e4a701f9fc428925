"""From the SDK's events to the core's messages: who speaks to which twin, and where."""

import re
from contextlib import suppress
from typing import Any

import discord
import structlog

from adapters.discord_chat import texts
from adapters.discord_chat.answering import PLATFORM, Answering, sentence_of
from adapters.discord_chat.identity import Spot, can_keep_webhooks
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from adapters.discord_chat.sheets import Room
from bot.domain.errors import BotError, UnknownTwinError, UserError
from bot.ports.chat import ChatInbox, IncomingMessage, Surface, TwinCard
from bot.ports.discord_state import DiscordState

_ORDINARY = {discord.MessageType.default, discord.MessageType.reply}
_log = structlog.get_logger("discord")
Interaction = discord.Interaction[Any]


def place_of(room: Room | discord.abc.Snowflake) -> tuple[str, str]:
    """Return the (chat, thread) of a room, as they enter the slot."""
    if isinstance(room, discord.Thread):
        return str(room.parent_id), str(room.id)
    return str(room.id), ""


class Fans:
    """Answers those who speak to a twin, and nobody else.

    Attributes:
        names: display names by slug as last seen, for what can't wait for a store.
    """

    def __init__(
        self,
        *,
        client: discord.Client,
        inbox: ChatInbox,
        state: DiscordState,
        answering: Answering,
        account: int,
        reads_messages: bool,
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._state = state
        self._answering = answering
        self._account = account
        self._reads_messages = reads_messages
        self.names: dict[str, str] = {}

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message if it is meant for a twin; others are dropped unread."""
        if message.author.bot or message.webhook_id is not None or message.type not in _ORDINARY:
            return
        replied_to = await self._twin_replied_to(message)
        is_mention = any(user.id == self._account for user in message.mentions)
        if message.guild is not None and replied_to is None and not is_mention:
            return
        if not isinstance(message.channel, Room) or not self._answering.claim(str(message.id)):
            return
        spot = Spot(
            asked=str(message.id),
            fan=str(message.author.id),
            room=message.channel,
            guild=message.guild,
        )
        try:
            card = await self._card(message, replied_to)
            text = self._words(message, is_mention=is_mention)
        except BotError as error:
            await self._answering.decline(spot, sentence_of(error))
            return
        await self._answering.answer(self._incoming(card.slug, spot, text), spot, card.name)

    async def _twin_replied_to(self, message: discord.Message) -> str | None:
        reference = message.reference
        if reference is None or reference.message_id is None:
            return None
        if reference.type is not discord.MessageReferenceType.reply:
            return None
        post = await self._state.post(str(reference.message_id))
        return None if post is None else post.twin

    async def _card(self, message: discord.Message, replied_to: str | None) -> TwinCard:
        if replied_to is not None:
            return await self.card(replied_to)
        guild = "" if message.guild is None else str(message.guild.id)
        return await self.card_for(guild, place_of(message.channel)[0])

    def _words(self, message: discord.Message, *, is_mention: bool) -> str:
        """Return what was said to the twin, mentions as names."""
        hidden = message.guild is not None and not self._reads_messages and not is_mention
        if hidden and not message.content:
            raise UserError(texts.UNREADABLE)
        text = re.sub(rf"<@!?{self._account}>", "", message.content)
        for user in message.mentions:
            text = re.sub(rf"<@!?{user.id}>", f"@{user.display_name}", text)
        if not text.strip():
            raise UserError(texts.NO_WORDS)
        return text.strip()

    async def card(self, slug: str) -> TwinCard:
        """Return a live twin.

        Raises:
            UnknownTwinError: there is none of that name.
        """
        for card in await self.twins():
            if card.slug == slug:
                return card
        raise UnknownTwinError(f"There is no twin called {slug[:64]!r}. /twin browse lists them.")

    async def card_for(self, guild: str, chat: str) -> TwinCard:
        """Return the twin of a place: the channel's, the server's, or the only one.

        Raises:
            UserError: none was picked and there are several.
        """
        picked = await self._state.picked(guild, chat)
        if picked is None and guild:
            picked = await self._state.picked(guild, "")
        if picked is not None:
            return await self.card(picked)
        cards = await self.twins()
        if len(cards) == 1:
            return cards[0]
        raise UserError(texts.choose(cards))

    async def talk(self, interaction: Interaction, twin: str, text: str) -> None:
        """Answer /talk or a submitted window; acknowledges before anything can take long."""
        asked = str(interaction.id)
        guild = interaction.guild
        room: object = interaction.channel
        if guild is not None and interaction.channel_id is not None:
            # What the event brings of a channel lacks its permissions.
            room = guild.get_channel_or_thread(interaction.channel_id) or room
        if not self._answering.claim(asked):
            return
        is_outside = interaction.guild_id is not None and (
            guild is None or guild.get_member(self._account) is None
        )
        if not isinstance(room, Room) or is_outside:
            self._answering.release(asked)
            with suppress(BotError):
                await tell(interaction, texts.NOT_HERE)
            return
        # Decided from memory: nothing that could take long comes before the acknowledgement.
        is_itself = guild is not None and guild.me.display_name == self.names.get(twin)
        hooked = guild is not None and can_keep_webhooks(room, interaction.app_permissions)
        spot = Spot(
            asked=asked,
            fan=str(interaction.user.id),
            room=room,
            guild=guild,
            interaction=interaction,
            whispers=hooked and not is_itself,
            quote=text,
            linked=False,
        )
        try:
            with discord_errors():
                await interaction.response.defer(thinking=True, ephemeral=spot.whispers)
            card = await self.card(twin)
        except UserError as error:
            await self._answering.decline(spot, sentence_of(error))
            return
        except BotError as error:
            self._answering.release(asked)
            _log.warning("discord.not_deferred", asked=asked, error=type(error).__name__)
            return
        await self._answering.answer(self._incoming(twin, spot, text), spot, card.name)

    def _incoming(self, twin: str, spot: Spot, text: str) -> IncomingMessage:
        chat, thread = place_of(spot.room)
        return IncomingMessage(
            twin=twin,
            surface=Surface(PLATFORM, str(self._account), chat, thread),
            fan=spot.fan,
            message_id=spot.asked,
            text=text,
        )

    async def spot_of(self, message: IncomingMessage) -> Spot:
        """Return where a message from before the start stands.

        Raises:
            OutOfReachError: the channel is gone or closed to us.
            TransientError: that can't be found out now.
        """
        room_id = int(message.surface.thread or message.surface.chat)
        room = self._client.get_channel(room_id)
        with discord_errors():
            if room is None:
                room = await self._client.fetch_channel(room_id)
        if not isinstance(room, Room):
            raise OutOfReachError("this is no place for messages any more")
        guild = None if isinstance(room, discord.DMChannel) else room.guild
        is_message = True
        try:
            with discord_errors():
                await room.fetch_message(int(message.message_id))
        except OutOfReachError:  # deleted, hidden, or the question was a command
            is_message = False
        return Spot(
            asked=message.message_id, fan=message.fan, room=room, guild=guild, linked=is_message
        )

    async def keyed_link(self, receipt: str, fan: str, message: str) -> str | None:
        """Return the link with its key, for the fan who was answered by this message."""
        post = await self._state.post(message)
        if post is None or (post.fan, post.receipt) != (fan, receipt):
            return None
        surface = Surface(PLATFORM, str(self._account), post.chat, post.thread)
        for turn in reversed(await self._inbox.history(post.twin, surface, fan)):
            if f"/r/{receipt}#" in turn.link:
                return turn.link
        return None

    async def twins(self) -> list[TwinCard]:
        """Return the live twins, and remember their names."""
        cards = await self._inbox.twins()
        self.names = {card.slug: card.name for card in cards}
        return cards


async def tell(interaction: Interaction, content: str) -> None:
    """Answer an interaction for one person's eyes, whatever was said to it before."""
    with discord_errors():
        if interaction.response.is_done():
            await interaction.followup.send(content, ephemeral=True)
        else:
            await interaction.response.send_message(content, ephemeral=True)
