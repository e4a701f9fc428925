"""What the commands for fans and for those who manage a server do."""

import asyncio
from contextlib import suppress
from typing import Any

import discord

from adapters.discord_chat import texts
from adapters.discord_chat.cards import Cards
from adapters.discord_chat.credit import wording
from adapters.discord_chat.credit.counter import Counter
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from adapters.discord_chat.privately import privately
from adapters.discord_chat.sheets import place_of
from adapters.discord_chat.talkativeness import Talkativeness
from bot.domain.errors import BotError, TransientError, UserError
from bot.ports.discord_state import DiscordState
from bot.ports.views import TwinCard

MAX_CHOICES = 25
SUGGEST_WITHIN_S = 2.0
SERVER, CHANNEL = "server", "channel"
Interaction = discord.Interaction[Any]


class Desk:
    """Serves commands other than talking."""

    def __init__(
        self,
        *,
        cards: Cards,
        state: DiscordState,
        talkativeness: Talkativeness,
        reads_messages: bool,
        counter: Counter | None = None,
    ) -> None:
        self._cards = cards
        self._state = state
        self._talkativeness = talkativeness
        self._reads_messages = reads_messages
        self._counter = counter

    async def suggest(self, typed: str) -> list[discord.app_commands.Choice[str]]:
        """Return the twins that fit what was typed."""
        wanted = typed.casefold()
        cards: list[TwinCard] = []
        with suppress(BotError, TimeoutError):  # suggestions may fail; the command says why
            async with asyncio.timeout(SUGGEST_WITHIN_S):
                cards = await self._cards.all()
        fitting = [
            card
            for card in cards
            if wanted in card.slug.casefold() or wanted in card.name.casefold()
        ]
        return [
            discord.app_commands.Choice(name=f"{card.name}, {card.role}"[:100], value=card.slug)
            for card in fitting[:MAX_CHOICES]
        ]

    async def browse(self, interaction: Interaction) -> None:
        """List the twins."""

        async def answer() -> str:
            return texts.browse(await self._cards.all())

        await privately(interaction, answer)

    async def twin_about(self, interaction: Interaction, twin: str) -> None:
        """Describe one twin."""

        async def answer() -> str:
            return texts.describe(await self._cards.card(twin))

        await privately(interaction, answer)

    async def here(self, interaction: Interaction) -> None:
        """Say who speaks in this place, and how often unasked."""

        async def answer() -> str:
            guild, chat = _place(interaction)
            card = await self._cards.card_for(guild, chat)
            speaker = f"Who mentions me here talks to {texts.describe(card)}"
            return f"{speaker}\n{await self._manner(guild, chat)}"

        await privately(interaction, answer)

    async def _manner(self, guild: str, chat: str) -> str:
        if not guild:
            return texts.DIRECT
        percent = await self._talkativeness.of(guild, chat)
        return texts.manner(percent, reads_messages=self._reads_messages)

    async def talkative(self, interaction: Interaction, percent: int) -> None:
        """Choose how often the twin of this channel speaks unasked."""

        async def answer() -> str:
            guild, chat = _place(interaction)
            if not guild:
                raise UserError(texts.DIRECT)
            _need_channel(interaction)
            await self._talkativeness.choose(guild, chat, percent)
            return await self._manner(guild, chat)

        await privately(interaction, answer)

    async def pick(self, interaction: Interaction, twin: str, where: str) -> None:
        """Let a twin speak in this channel or in the whole server."""

        async def answer() -> str:
            card = await self._cards.card(twin)
            guild, chat = _place(interaction)
            if not guild:
                await self._state.pick("", chat, card.slug)
                return f"You talk to {card.name} here now."
            if where == CHANNEL:
                _need_channel(interaction)
                await self._state.pick(guild, chat, card.slug)
                return f"{card.name} speaks in this channel now."
            if not interaction.permissions.manage_guild:
                raise UserError("That needs the permission Manage Server.")
            await self._state.pick(guild, "", card.slug)
            return await self._become(interaction.guild, card)

        await privately(interaction, answer)

    @staticmethod
    async def _become(guild: discord.Guild | None, card: TwinCard) -> str:
        """Take the twin's name and picture in a server, where that is allowed."""
        done = f"{card.name} speaks in this server now."
        if guild is None:
            return done
        try:
            with discord_errors():
                await guild.me.edit(nick=card.name[:32])
        except OutOfReachError:
            return f"{done} I may not change my name here: that needs Change Nickname."
        done = f"{done} I have taken that name here."
        if not card.avatar and guild.me.guild_avatar is None:
            return done
        try:
            with discord_errors():
                await guild.me.edit(avatar=card.avatar or None)
        except (OutOfReachError, TransientError):
            return f"{done} The picture could not be changed: pick again in some minutes."
        return done

    async def about(self, interaction: Interaction) -> None:
        """Say what this is."""

        async def answer() -> str:
            guild, chat = _place(interaction)
            manner = await self._manner(guild, chat)
            sells = self._counter is not None and await self._counter.sells()
            money = wording.ABOUT if sells else ""
            return texts.about(manner, reads_messages=self._reads_messages, money=money)

        await privately(interaction, answer)


def _need_channel(interaction: Interaction) -> None:
    allowed = interaction.permissions
    if not (allowed.manage_channels or allowed.manage_guild):
        raise UserError("That needs the permission Manage Channels.")


def _place(interaction: Interaction) -> tuple[str, str]:
    """Return (server, channel) of an interaction, the channel as it enters the slot."""
    guild = "" if interaction.guild_id is None else str(interaction.guild_id)
    if interaction.channel is None:
        raise UserError("I can't tell where we are.")
    return guild, place_of(interaction.channel)[0]
