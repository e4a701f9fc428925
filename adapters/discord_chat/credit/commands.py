"""The commands about money as Discord shows them; what they do stands in `counter`."""

from typing import Any

import discord
from discord import app_commands

from adapters.discord_chat.credit.counter import Counter

DISPUTE = "Something wrong with this reply?"
Interaction = discord.Interaction[Any]


def money_commands(
    counter: Counter,
) -> list[app_commands.Command[Any, Any, Any] | app_commands.ContextMenu]:
    """Return /credit and the menu entry for disputes."""

    @app_commands.command(name="credit", description="What is free, what you have, and buying more")
    async def credit(interaction: Interaction) -> None:
        await counter.show(interaction)

    @app_commands.context_menu(name=DISPUTE)
    async def dispute(interaction: Interaction, message: discord.Message) -> None:
        await counter.dispute(interaction, message)

    return [credit, dispute]
