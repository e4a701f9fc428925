"""The creators' commands as Discord shows them; what they do stands in `studio`.

Everybody sees them: who may make twins, and whose twin it is, the core decides.
"""

from typing import Any

import discord
from discord import app_commands

from adapters.discord_chat.creators.forms import PARTS, TEXTS
from adapters.discord_chat.creators.studio import Studio
from bot.domain.persona import MAX_NAME, MAX_ROLE

MAX_TEXT_CHARACTERS = 2000
MAX_VERSION = 1_000_000
Interaction = discord.Interaction[Any]
_Version = app_commands.Range[int, 1, MAX_VERSION]
_TWIN = "Your twin's short name"


def creator_group(studio: Studio) -> app_commands.Group:
    """Return `/creator` with all its commands."""
    group = app_commands.Group(name="creator", description="Make and look after your own twins")
    _add_drafting(group, studio)
    _add_files(group, studio)
    _add_publishing(group, studio)
    _add_running(group, studio)
    return group


def _add_drafting(group: app_commands.Group, studio: Studio) -> None:
    @group.command(name="create", description="Reserve a short name and begin a draft")
    @app_commands.describe(
        twin="A short name for commands and addresses: a-z, 0-9, hyphens",
        name="The name that people see",
        role="Who the twin is, in one line",
    )
    async def create(
        interaction: Interaction,
        twin: app_commands.Range[str, 1, 64],
        name: app_commands.Range[str, 1, MAX_NAME],
        role: app_commands.Range[str, 1, MAX_ROLE],
    ) -> None:
        await studio.create(interaction, twin, name, role)

    @group.command(name="show", description="The draft, what is published, reports")
    @app_commands.describe(twin=_TWIN)
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def show(interaction: Interaction, twin: str) -> None:
        await studio.show(interaction, twin)

    @group.command(name="edit", description="Change the draft in a window")
    @app_commands.describe(twin=_TWIN, what="What you want to change")
    @app_commands.autocomplete(twin=studio.suggest_twins)
    @app_commands.choices(what=[app_commands.Choice(name=part, value=part) for part in PARTS])
    async def edit(interaction: Interaction, twin: str, what: str = TEXTS) -> None:
        await studio.edit(interaction, twin, what)

    @group.command(name="price", description="What a reply costs, once you publish it")
    @app_commands.describe(twin=_TWIN, amount="In the settlement token, for example 0.002")
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def price(
        interaction: Interaction, twin: str, amount: app_commands.Range[str, 1, 32]
    ) -> None:
        await studio.price(interaction, twin, amount)

    @group.command(name="test", description="Hear the draft: for you alone, free, no proof")
    @app_commands.describe(twin=_TWIN, text="What you say to it")
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def test(
        interaction: Interaction,
        twin: str,
        text: app_commands.Range[str, 1, MAX_TEXT_CHARACTERS],
    ) -> None:
        await studio.test(interaction, twin, text)


def _add_files(group: app_commands.Group, studio: Studio) -> None:
    @group.command(name="import", description="Fill the draft from a character card")
    @app_commands.describe(twin=_TWIN, card="A card: JSON up to 1 MiB, or PNG up to 8 MiB")
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def import_card(interaction: Interaction, twin: str, card: discord.Attachment) -> None:
        await studio.import_card(interaction, twin, card)

    @group.command(name="export", description="The draft as a character card")
    @app_commands.describe(twin=_TWIN)
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def export(interaction: Interaction, twin: str) -> None:
        await studio.export_card(interaction, twin)

    @group.command(name="avatar", description="Change the draft's picture, or take it away")
    @app_commands.describe(twin=_TWIN, picture="PNG or JPEG up to 256 KiB; none takes it away")
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def avatar(
        interaction: Interaction, twin: str, picture: discord.Attachment | None = None
    ) -> None:
        await studio.avatar(interaction, twin, picture)


def _add_publishing(group: app_commands.Group, studio: Studio) -> None:
    @group.command(name="publish", description="Sign the draft: then it answers fans")
    @app_commands.describe(twin=_TWIN)
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def publish(interaction: Interaction, twin: str) -> None:
        await studio.publish(interaction, twin)

    @group.command(name="rollback", description="Sign an earlier version again")
    @app_commands.describe(twin=_TWIN, version="Which one")
    @app_commands.autocomplete(twin=studio.suggest_twins)
    @app_commands.autocomplete(version=studio.suggest_versions)
    async def rollback(interaction: Interaction, twin: str, version: _Version) -> None:
        await studio.rollback(interaction, twin, version)

    @group.command(name="revoke", description="End a version, or the twin, for ever")
    @app_commands.describe(twin=_TWIN, version="Which one; none: the twin itself, for ever")
    @app_commands.autocomplete(twin=studio.suggest_twins)
    @app_commands.autocomplete(version=studio.suggest_versions)
    async def revoke(interaction: Interaction, twin: str, version: _Version | None = None) -> None:
        await studio.revoke(interaction, twin, version)


def _add_running(group: app_commands.Group, studio: Studio) -> None:
    @group.command(name="pause", description="Stop your twin now, running replies too")
    @app_commands.describe(twin=_TWIN)
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def pause(interaction: Interaction, twin: str) -> None:
        await studio.pause(interaction, twin)

    @group.command(name="resume", description="Let your twin answer again")
    @app_commands.describe(twin=_TWIN)
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def resume(interaction: Interaction, twin: str) -> None:
        await studio.resume(interaction, twin)

    @group.command(name="earnings", description="What your twin has earned")
    @app_commands.describe(twin=_TWIN)
    @app_commands.autocomplete(twin=studio.suggest_twins)
    async def earnings(interaction: Interaction, twin: str) -> None:
        await studio.earnings(interaction, twin)
