"""The commands as Discord shows them; what they do stands in `desk` and `fans`."""

from typing import Any

import discord
from discord import app_commands

from adapters.discord_chat.desk import CHANNEL, SERVER, Desk

MAX_TEXT_CHARACTERS = 2000
VERIFY = "Verify this reply"
Interaction = discord.Interaction[Any]
_Command = app_commands.Command[Any, Any, Any] | app_commands.ContextMenu | app_commands.Group
Choices = list[app_commands.Choice[str]]


def add_commands(tree: app_commands.CommandTree[Any], desk: Desk) -> None:
    """Put the commands into a tree, for servers and direct messages."""

    async def suggest(_interaction: Interaction, typed: str) -> Choices:
        return await desk.suggest(typed)

    @app_commands.command(name="talk", description="Say something to an AI twin")
    @app_commands.describe(twin="Whom you talk to", text="What you say")
    @app_commands.autocomplete(twin=suggest)
    async def talk(
        interaction: Interaction,
        twin: str,
        text: app_commands.Range[str, 1, MAX_TEXT_CHARACTERS],
    ) -> None:
        await desk.fans.talk(interaction, twin, text)

    @app_commands.command(name="about", description="What this is, and what is proved")
    async def about(interaction: Interaction) -> None:
        await desk.about(interaction)

    @app_commands.command(name="privacy", description="What is stored, and who sees it")
    async def privacy(interaction: Interaction) -> None:
        await desk.privacy(interaction)

    @app_commands.context_menu(name=VERIFY)
    async def verify(interaction: Interaction, message: discord.Message) -> None:
        await desk.verify(interaction, message)

    commands: list[_Command] = [talk, about, privacy, verify, _twin_group(desk)]
    for command in commands:
        anywhere = app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
        installed = app_commands.allowed_installs(guilds=True, users=False)
        tree.add_command(installed(anywhere(command)))


def _twin_group(desk: Desk) -> app_commands.Group:
    group = app_commands.Group(name="twin", description="Find twins and pick who speaks here")

    async def suggest(_interaction: Interaction, typed: str) -> Choices:
        return await desk.suggest(typed)

    @group.command(name="browse", description="Who is here")
    async def browse(interaction: Interaction) -> None:
        await desk.browse(interaction)

    @group.command(name="here", description="Who answers when the bot is mentioned here")
    async def here(interaction: Interaction) -> None:
        await desk.here(interaction)

    @group.command(name="about", description="Who a twin is and what a reply costs")
    @app_commands.describe(twin="The twin")
    @app_commands.autocomplete(twin=suggest)
    async def about(interaction: Interaction, twin: str) -> None:
        await desk.twin_about(interaction, twin)

    @group.command(name="pick", description="Pick who answers when the bot is mentioned here")
    @app_commands.describe(twin="The twin", where="This channel only, or the whole server")
    @app_commands.autocomplete(twin=suggest)
    @app_commands.choices(
        where=[
            app_commands.Choice(name="this channel", value=CHANNEL),
            app_commands.Choice(name="the whole server", value=SERVER),
        ]
    )
    async def pick(interaction: Interaction, twin: str, where: str = CHANNEL) -> None:
        await desk.pick(interaction, twin, where)

    return group
