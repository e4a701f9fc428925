"""The commands as Discord shows them; what they do stands with those who serve them."""

from dataclasses import dataclass
from typing import Any

import discord
from discord import app_commands

from adapters.discord_chat.creators.commands import creator_group
from adapters.discord_chat.creators.studio import Studio
from adapters.discord_chat.credit.commands import money_commands
from adapters.discord_chat.credit.counter import Counter
from adapters.discord_chat.desk import CHANNEL, SERVER, Desk
from adapters.discord_chat.fans import Fans
from adapters.discord_chat.personal import Personal
from adapters.discord_chat.replies import Replies

MAX_TEXT_CHARACTERS = 2000
VERIFY, REPORT = "Verify this reply", "Report reply"
Interaction = discord.Interaction[Any]
_Command = app_commands.Command[Any, Any, Any] | app_commands.ContextMenu | app_commands.Group
Choices = list[app_commands.Choice[str]]


@dataclass(frozen=True, slots=True)
class Servants:
    """Who serves the commands; no studio, no counter: none for creators, none about money."""

    fans: Fans
    desk: Desk
    replies: Replies
    personal: Personal
    studio: Studio | None
    counter: Counter | None = None


def add_commands(tree: app_commands.CommandTree[Any], servants: Servants) -> None:
    """Put the commands into a tree, for servers and direct messages."""
    commands: list[_Command] = [
        *_talking(servants),
        *_menus(servants.replies),
        _twin_group(servants.desk),
        _privacy_group(servants.personal),
    ]
    if servants.studio is not None:
        commands.append(creator_group(servants.studio))
    if servants.counter is not None:
        commands += money_commands(servants.counter)
    for command in commands:
        anywhere = app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
        installed = app_commands.allowed_installs(guilds=True, users=False)
        tree.add_command(installed(anywhere(command)))


def _talking(servants: Servants) -> list[_Command]:
    async def suggest(_interaction: Interaction, typed: str) -> Choices:
        return await servants.desk.suggest(typed)

    @app_commands.command(name="talk", description="Say something to an AI twin")
    @app_commands.describe(twin="Whom you talk to", text="What you say")
    @app_commands.autocomplete(twin=suggest)
    async def talk(
        interaction: Interaction,
        twin: str,
        text: app_commands.Range[str, 1, MAX_TEXT_CHARACTERS],
    ) -> None:
        await servants.fans.talk(interaction, twin, text)

    @app_commands.command(name="about", description="What this is, and what is proved")
    async def about(interaction: Interaction) -> None:
        await servants.desk.about(interaction)

    return [talk, about]


def _menus(replies: Replies) -> list[_Command]:
    @app_commands.context_menu(name=VERIFY)
    async def verify(interaction: Interaction, message: discord.Message) -> None:
        await replies.verify(interaction, message)

    @app_commands.context_menu(name=REPORT)
    async def report(interaction: Interaction, message: discord.Message) -> None:
        await replies.report(interaction, message)

    return [verify, report]


def _privacy_group(personal: Personal) -> app_commands.Group:
    group = app_commands.Group(name="privacy", description="What is stored about you")

    @group.command(name="show", description="What is stored, and who sees it")
    async def show(interaction: Interaction) -> None:
        await personal.show(interaction)

    @group.command(name="export", description="Everything that is stored about you, as a file")
    async def export(interaction: Interaction) -> None:
        await personal.export(interaction)

    @group.command(name="forget", description="Delete everything that is stored about you")
    async def forget(interaction: Interaction) -> None:
        await personal.forget(interaction)

    return group


def _twin_group(desk: Desk) -> app_commands.Group:
    group = app_commands.Group(name="twin", description="Find twins and pick who speaks here")

    async def suggest(_interaction: Interaction, typed: str) -> Choices:
        return await desk.suggest(typed)

    @group.command(name="browse", description="Who is here")
    async def browse(interaction: Interaction) -> None:
        await desk.browse(interaction)

    @group.command(name="here", description="Who answers here, and when")
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

    @group.command(name="talkative", description="How often the twin speaks here unasked")
    @app_commands.describe(percent="Of 100 messages that are not meant for it; 0: never")
    async def talkative(interaction: Interaction, percent: app_commands.Range[int, 0, 100]) -> None:
        await desk.talkative(interaction, percent)

    return group
