"""From the SDK's events to the core's messages: who speaks to which twin, and where."""

import re
from contextlib import suppress
from typing import Any

import discord
import structlog

from adapters.discord_chat import texts
from adapters.discord_chat.answering import PLATFORM, Answering
from adapters.discord_chat.cards import Cards
from adapters.discord_chat.claims import Claims
from adapters.discord_chat.identity import Spot, can_keep_webhooks
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from adapters.discord_chat.privately import sentence_of, tell
from adapters.discord_chat.sheets import Room, place_of
from adapters.discord_chat.talkativeness import Talkativeness
from bot.domain.errors import BotError, UserError
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.discord_state import DiscordState

_ORDINARY = {discord.MessageType.default, discord.MessageType.reply}
_log = structlog.get_logger("discord")
Interaction = discord.Interaction[Any]


class Fans:
    """Answers those who speak to a twin, and others as often as their place wants it.

    Attributes:
        talkativeness: how often that is.
    """

    def __init__(
        self,
        *,
        client: discord.Client,
        cards: Cards,
        claims: Claims,
        state: DiscordState,
        answering: Answering,
        talkativeness: Talkativeness,
        account: int,
        reads_messages: bool,
    ) -> None:
        self._client = client
        self._cards = cards
        self._claims = claims
        self._state = state
        self._answering = answering
        self.talkativeness = talkativeness
        self._account = account
        self._reads_messages = reads_messages

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message if it is meant for a twin, or its twin speaks up; drop others unread."""
        if message.author.bot or message.webhook_id is not None or message.type not in _ORDINARY:
            return
        room = message.channel
        if not isinstance(room, Room):
            return
        replied_to = await self._twin_replied_to(message)
        is_mention = any(user.id == self._account for user in message.mentions)
        unasked = message.guild is not None and replied_to is None and not is_mention
        if unasked and not await self._speaks_up(message):
            return
        asked = str(message.id)
        if not self._claims.claim(asked, self.surface(room)):
            return
        spot = Spot(
            asked=asked,
            fan=str(message.author.id),
            room=room,
            guild=message.guild,
            unasked=unasked,
        )
        try:
            twin = replied_to or await self._twin_of(message)
            name = await self._cards.name_of(twin)
            text = self._words(message, is_mention=is_mention)
        except BotError as error:
            await self._answering.decline(spot, sentence_of(error))
            return
        incoming = self._incoming(twin, spot, text, may_merge=True)
        await self._answering.answer(incoming, spot, self._cards.face(twin, name))

    async def _speaks_up(self, message: discord.Message) -> bool:
        """Say whether a twin answers what nobody asked it; words are needed for that."""
        if message.guild is None or not self._reads_messages or not message.content.strip():
            return False
        guild, chat = str(message.guild.id), place_of(message.channel)[0]
        return await self.talkativeness.speaks(guild, chat, str(message.id))

    async def _twin_replied_to(self, message: discord.Message) -> str | None:
        reference = message.reference
        if reference is None or reference.message_id is None:
            return None
        if reference.type is not discord.MessageReferenceType.reply:
            return None
        post = await self._state.post(str(reference.message_id))
        return None if post is None else post.twin

    async def _twin_of(self, message: discord.Message) -> str:
        guild = "" if message.guild is None else str(message.guild.id)
        return await self._cards.slug_for(guild, place_of(message.channel)[0])

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

    async def talk(self, interaction: Interaction, twin: str, text: str) -> None:
        """Answer /talk or a submitted window; acknowledges before anything can take long."""
        asked = str(interaction.id)
        guild = interaction.guild
        room = self.room_of(interaction)
        is_outside = interaction.guild_id is not None and (
            guild is None or guild.get_member(self._account) is None
        )
        if room is None or is_outside:
            with suppress(BotError):
                await tell(interaction, texts.NOT_HERE)
            return
        if not self._claims.claim(asked, self.surface(room)):
            return
        # Decided from memory: nothing that could take long comes before the acknowledgement.
        is_itself = guild is not None and guild.me.display_name == self._cards.names.get(twin)
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
            name = await self._cards.name_of(twin)
        except BotError as error:
            self._claims.release(asked)
            _log.warning("discord.not_deferred", asked=asked, error=type(error).__name__)
            return
        incoming = self._incoming(twin, spot, text, may_merge=False)
        await self._answering.answer(incoming, spot, self._cards.face(twin, name))

    @staticmethod
    def room_of(interaction: Interaction) -> Room | None:
        """Return where an interaction happens; what its event brings lacks our permissions."""
        room: object = interaction.channel
        if interaction.guild is not None and interaction.channel_id is not None:
            room = interaction.guild.get_channel_or_thread(interaction.channel_id) or room
        return room if isinstance(room, Room) else None

    def surface(self, room: Room) -> Surface:
        """Return a room as it enters the slot."""
        return Surface(PLATFORM, str(self._account), *place_of(room))

    def _incoming(self, twin: str, spot: Spot, text: str, *, may_merge: bool) -> IncomingMessage:
        return IncomingMessage(
            twin=twin,
            surface=self.surface(spot.room),
            fan=spot.fan,
            message_id=spot.asked,
            text=text,
            may_merge=may_merge,
            unasked=spot.unasked,
            server="" if spot.guild is None else str(spot.guild.id),
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
