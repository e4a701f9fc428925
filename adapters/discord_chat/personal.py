"""What a person can do with what is stored about them: see, take along, delete."""

import json
from dataclasses import asdict
from typing import Any

import discord

from adapters.discord_chat import texts
from adapters.discord_chat.buttons import PlainButton
from adapters.discord_chat.credit.counter import Counter
from adapters.discord_chat.mapping import discord_errors
from adapters.discord_chat.privately import Said, privately
from bot.domain.errors import UserError
from bot.ports.chat import ChatInbox
from bot.ports.discord_state import DiscordState

PLATFORM = "discord"
FILE_NAME, NOTES_NAME = "twinproof-data.json", "twinproof-discord.json"
FORGET_LABEL = "Delete for good"
_CUSTOM_ID = "tp:forget"
Interaction = discord.Interaction[Any]


class Personal:
    """Serves /privacy."""

    def __init__(
        self, *, inbox: ChatInbox, state: DiscordState, counter: Counter | None = None
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._counter = counter

    async def show(self, interaction: Interaction) -> None:
        """Say what is stored."""

        async def answer() -> str:
            return texts.PRIVACY if self._counter is None else texts.PRIVACY_WITH_MONEY

        await privately(interaction, answer)

    async def export(self, interaction: Interaction) -> None:
        """Give a person all that is stored about them, as a file."""

        async def answer() -> Said:
            fan = str(interaction.user.id)
            data = await self._inbox.export(PLATFORM, fan)
            posts = [asdict(post) for post in await self._state.posts_for(fan)]
            notes = json.dumps({"messages_that_answer_you": posts}, indent=1).encode()
            if len(data) + len(notes) > interaction.filesize_limit:
                raise UserError(texts.TOO_MUCH)
            return Said(texts.EXPORTED, ((FILE_NAME, data), (NOTES_NAME, notes)))

        await privately(interaction, answer)

    async def forget(self, interaction: Interaction) -> None:
        """Ask whether it is really meant."""

        async def answer() -> Said:
            lost = "" if self._counter is None else await self._counter.forgetting(interaction)
            return Said(f"{texts.FORGET}\n{lost}".strip(), view=forget_view())

        await privately(interaction, answer)

    async def confirmed(self, interaction: Interaction) -> None:
        """Delete; the question whether to do so loses its button."""

        async def answer() -> str:
            fan = str(interaction.user.id)
            replies = await self._inbox.forget(PLATFORM, fan)
            notes = await self._state.forget_fan(fan)
            with discord_errors():
                await interaction.edit_original_response(view=None)
            return texts.FORGOTTEN.format(replies=replies, notes=notes)

        await privately(interaction, answer, visible=False)


class ForgetButton(PlainButton, template=_CUSTOM_ID):
    """Confirms that a person wants to be forgotten; only that person sees it."""

    label, name, style = FORGET_LABEL, _CUSTOM_ID, discord.ButtonStyle.danger

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        personal: Personal = interaction.client.personal
        await personal.confirmed(interaction)


def forget_view() -> discord.ui.View:
    """Return the button that confirms."""
    return discord.ui.View(timeout=None).add_item(ForgetButton())
