"""What commands, buttons and menus do; each answers for one person's eyes and defers first."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import discord
import structlog

from adapters.discord_chat import texts
from adapters.discord_chat.answering import sentence_of
from adapters.discord_chat.buttons import TalkModal
from adapters.discord_chat.fans import Fans, place_of, tell
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from adapters.discord_chat.verify import Verifier
from bot.domain.errors import BotError, UserError
from bot.ports.chat import TwinCard
from bot.ports.discord_state import DiscordState

MAX_CHOICES = 25
SUGGEST_WITHIN_S = 2.0
SERVER, CHANNEL = "server", "channel"
Interaction = discord.Interaction[Any]
_log = structlog.get_logger("discord")


class Desk:
    """Serves interactions other than talking."""

    def __init__(
        self,
        *,
        fans: Fans,
        state: DiscordState,
        verifier: Verifier,
        public_base_url: str,
        reads_messages: bool,
    ) -> None:
        self.fans = fans
        self._state = state
        self._verifier = verifier
        self._base = public_base_url.rstrip("/")
        self._reads_messages = reads_messages

    async def _privately(
        self, interaction: Interaction, answer: Callable[[], Awaitable[str]]
    ) -> None:
        """Defer, work, tell: the boundary around every private answer."""
        name = str(interaction.id)
        try:
            with discord_errors():
                await interaction.response.defer(thinking=True, ephemeral=True)
            await tell(interaction, await answer())
        except BotError as error:
            await self._tell_failure(interaction, error)
        except Exception as error:  # noqa: BLE001  the boundary: one interaction's failure is its own
            _log.error("discord.failed", asked=name, error=type(error).__name__)
            await self._tell_failure(interaction, error)

    @staticmethod
    async def _tell_failure(interaction: Interaction, error: BaseException) -> None:
        try:
            await tell(interaction, sentence_of(error))
        except BotError as second:
            name = str(interaction.id)
            _log.warning("discord.not_told", asked=name, error=type(second).__name__)

    async def suggest(self, typed: str) -> list[discord.app_commands.Choice[str]]:
        """Return the twins that fit what was typed."""
        wanted = typed.casefold()
        cards: list[TwinCard] = []
        with suppress(BotError, TimeoutError):  # suggestions may fail; the command says why
            async with asyncio.timeout(SUGGEST_WITHIN_S):
                cards = await self.fans.twins()
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
            return texts.browse(await self.fans.twins())

        await self._privately(interaction, answer)

    async def twin_about(self, interaction: Interaction, twin: str) -> None:
        """Describe one twin."""

        async def answer() -> str:
            return texts.describe(await self.fans.card(twin))

        await self._privately(interaction, answer)

    async def here(self, interaction: Interaction) -> None:
        """Say who speaks in this place."""

        async def answer() -> str:
            card = await self.fans.card_for(*_place(interaction))
            return f"Who mentions me here talks to {texts.describe(card)}"

        await self._privately(interaction, answer)

    async def pick(self, interaction: Interaction, twin: str, where: str) -> None:
        """Let a twin speak in this channel or in the whole server."""

        async def answer() -> str:
            card = await self.fans.card(twin)
            guild, chat = _place(interaction)
            if not guild:
                await self._state.pick("", chat, card.slug)
                return f"You talk to {card.name} here now."
            allowed = interaction.permissions
            if where == CHANNEL:
                if not (allowed.manage_channels or allowed.manage_guild):
                    raise UserError("That needs the permission Manage Channels.")
                await self._state.pick(guild, chat, card.slug)
                return f"{card.name} speaks in this channel now."
            if not allowed.manage_guild:
                raise UserError("That needs the permission Manage Server.")
            await self._state.pick(guild, "", card.slug)
            return await self._become(interaction.guild, card)

        await self._privately(interaction, answer)

    @staticmethod
    async def _become(guild: discord.Guild | None, card: TwinCard) -> str:
        """Take the twin's name in a server, where that is allowed."""
        done = f"{card.name} speaks in this server now."
        if guild is None:
            return done
        try:
            with discord_errors():
                await guild.me.edit(nick=card.name[:32])
        except OutOfReachError:
            return f"{done} I may not change my name here: that needs Change Nickname."
        return f"{done} I have taken that name here."

    async def about(self, interaction: Interaction) -> None:
        """Say what this is."""

        async def answer() -> str:
            return texts.about(reads_messages=self._reads_messages)

        await self._privately(interaction, answer)

    async def privacy(self, interaction: Interaction) -> None:
        """Say what is stored."""

        async def answer() -> str:
            return texts.PRIVACY

        await self._privately(interaction, answer)

    async def verify(self, interaction: Interaction, message: discord.Message) -> None:
        """Judge a message."""

        async def answer() -> str:
            return await self._verifier.judge(message)

        await self._privately(interaction, answer)

    async def on_proof(self, interaction: Interaction, receipt: str) -> None:
        """Give the fan who was answered the link with its key, others the one without."""

        async def answer() -> str:
            message = "" if interaction.message is None else str(interaction.message.id)
            link = await self.fans.keyed_link(receipt, str(interaction.user.id), message)
            if link is not None:
                return f"Only you see this. Your proof, with the key that opens it: <{link}>"
            return (
                f"The public proof of this reply: <{self._base}/r/{receipt}>\n"
                "-# It shows no words: only the fan who was answered gets the key."
            )

        await self._privately(interaction, answer)

    async def on_reply(self, interaction: Interaction, twin: str) -> None:
        """Open the window for another message; it must be the first answer, so nothing waits."""
        name = self.fans.names.get(twin, twin)
        try:
            with discord_errors():
                await interaction.response.send_modal(TalkModal(twin, name))
        except BotError as error:
            await self._tell_failure(interaction, error)


def _place(interaction: Interaction) -> tuple[str, str]:
    """Return (server, channel) of an interaction, the channel as it enters the slot."""
    guild = "" if interaction.guild_id is None else str(interaction.guild_id)
    if interaction.channel is None:
        raise UserError("I can't tell where we are.")
    return guild, place_of(interaction.channel)[0]
