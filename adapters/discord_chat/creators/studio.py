"""What the creators' commands do: the core decides, this answers for one person's eyes."""

import asyncio
from contextlib import suppress
from typing import Any

import discord

from adapters.discord_chat.creators import wording
from adapters.discord_chat.creators.files import fetch_card, fetch_picture
from adapters.discord_chat.creators.forms import edit_of, form_of
from adapters.discord_chat.mapping import discord_errors
from adapters.discord_chat.privately import Said, privately, tell_failure
from adapters.discord_chat.windows import Window
from bot.domain.errors import BotError, TransientError, UserError
from bot.ports.creators import Actor, CreatorDesk

PLATFORM = "discord"
ANSWER_WITHIN_S = 2.0
MAX_CHOICES = 25
Interaction = discord.Interaction[Any]
Choice = discord.app_commands.Choice


def actor_of(interaction: Interaction) -> Actor:
    """Return who configures."""
    return Actor(PLATFORM, str(interaction.user.id), interaction.user.display_name)


class Studio:
    """Serves /creator."""

    def __init__(self, desk: CreatorDesk) -> None:
        self._desk = desk

    async def suggest_twins(self, interaction: Interaction, typed: str) -> list[Choice[str]]:
        """Return the person's own twins that fit what was typed."""
        slugs: list[str] = []
        with suppress(BotError, TimeoutError):  # suggestions may fail; the command says why
            async with asyncio.timeout(ANSWER_WITHIN_S):
                slugs = await self._desk.twins_of(actor_of(interaction))
        fitting = [slug for slug in slugs if typed.casefold() in slug.casefold()]
        return [Choice(name=slug, value=slug) for slug in fitting[:MAX_CHOICES]]

    async def suggest_versions(self, interaction: Interaction, typed: str) -> list[Choice[int]]:
        """Return the versions of the twin that the command names so far."""
        choices: list[Choice[int]] = []
        slug = str(getattr(interaction.namespace, "twin", "") or "")
        with suppress(BotError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                view = await self._desk.show(actor_of(interaction), slug)
            choices = [
                Choice(name=f"version {one.version}: {one.state}", value=one.version)
                for one in view.versions
                if str(one.version).startswith(typed.strip())
            ]
        return choices[:MAX_CHOICES]

    async def create(self, interaction: Interaction, slug: str, name: str, role: str) -> None:
        """Reserve a name and begin a draft."""

        def refused(sentence: str) -> Said:
            return wording.given_back(sentence, "twin", {"twin": slug, "name": name, "role": role})

        async def answer() -> str:
            view = await self._desk.create(actor_of(interaction), slug, name=name, role=role)
            return (
                f"{wording.saved(view)}\nNext: /creator edit for facts, off limits and examples, "
                "/creator test to hear it, /creator publish to sign it."
            )

        await privately(interaction, answer, refused=refused)

    async def show(self, interaction: Interaction, slug: str) -> None:
        """Show a twin."""

        async def answer() -> Said:
            return wording.show(await self._desk.show(actor_of(interaction), slug))

        await privately(interaction, answer)

    async def edit(self, interaction: Interaction, slug: str, part: str) -> None:
        """Open a window with a part of the draft; it must be the first answer, so it is quick."""
        try:
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    view = await self._desk.show(actor_of(interaction), slug)
            except TimeoutError as error:
                raise TransientError("the draft is not at hand", retry_after_s=5) from error
            form = form_of(part, view.draft)
            labels = ", ".join(form.left_out)
            if not form.fields:
                raise UserError(wording.TOO_LONG.format(labels=labels, slug=slug))
            window = Window("edit", f"{part}:{slug}", f"{view.draft.name}: {part}", form.fields)
            if labels:
                note = wording.LEFT_OUT.format(labels=labels)
                window.add_item(discord.ui.TextDisplay(note))
            with discord_errors():
                await interaction.response.send_modal(window)
        except BotError as error:
            await tell_failure(interaction, error)

    async def edited(self, interaction: Interaction, about: str, values: dict[str, str]) -> None:
        """Keep what a window has sent; what is refused is given back."""
        slug = about.partition(":")[2]

        def refused(sentence: str) -> Said:
            return wording.given_back(sentence, slug, values)

        async def answer() -> str:
            change = edit_of(values)
            return wording.saved(await self._desk.edit(actor_of(interaction), slug, change))

        await privately(interaction, answer, refused=refused)

    async def price(self, interaction: Interaction, slug: str, amount: str) -> None:
        """Change the draft's price."""

        async def answer() -> str:
            view = await self._desk.set_price(actor_of(interaction), slug, amount.strip())
            return f"{wording.saved(view)} Price: {view.price}."

        await privately(interaction, answer)

    async def avatar(
        self, interaction: Interaction, slug: str, file: discord.Attachment | None
    ) -> None:
        """Change the draft's picture, or take it away."""

        async def answer() -> str:
            picture = b"" if file is None else await fetch_picture(file)
            view = await self._desk.set_avatar(actor_of(interaction), slug, picture)
            state = "It has a picture now." if view.has_avatar else "It has no picture now."
            return f"{wording.saved(view)} {state}"

        await privately(interaction, answer)

    async def import_card(
        self, interaction: Interaction, slug: str, file: discord.Attachment
    ) -> None:
        """Fill the draft from a character card."""

        async def answer() -> Said:
            card = await fetch_card(file)
            return wording.imported(await self._desk.import_card(actor_of(interaction), slug, card))

        await privately(interaction, answer)

    async def export_card(self, interaction: Interaction, slug: str) -> None:
        """Give the draft as a character card."""

        async def answer() -> Said:
            card = await self._desk.export_card(actor_of(interaction), slug)
            return Said(f"The draft of `{slug}` as a character card.", ((card.name, card.data),))

        await privately(interaction, answer)

    async def test(self, interaction: Interaction, slug: str, text: str) -> None:
        """Answer from the draft."""

        async def answer() -> Said:
            return wording.tested(slug, await self._desk.test(actor_of(interaction), slug, text))

        await privately(interaction, answer)

    async def publish(self, interaction: Interaction, slug: str) -> None:
        """Give the page where the draft is signed."""

        async def answer() -> Said:
            link = await self._desk.publish(actor_of(interaction), slug)
            return wording.signing(f"**Publish `{slug}`.** You sign:", link)

        await privately(interaction, answer)

    async def rollback(self, interaction: Interaction, slug: str, version: int) -> None:
        """Give the page where an earlier version is signed again."""

        async def answer() -> Said:
            link = await self._desk.rollback(actor_of(interaction), slug, version)
            title = f"**Back to version {version} of `{slug}`.** Your draft says the same now."
            return wording.signing(f"{title} You sign:", link)

        await privately(interaction, answer)

    async def revoke(self, interaction: Interaction, slug: str, version: int | None) -> None:
        """Give the page where a revocation is signed."""
        what = f"`{slug}` for ever.**"
        if version is not None:
            what = f"version {version} of `{slug}`.** This can't be undone."

        async def answer() -> Said:
            link = await self._desk.revoke(actor_of(interaction), slug, version)
            return wording.signing(f"**Revoke {what} You sign:", link)

        await privately(interaction, answer)

    async def pause(self, interaction: Interaction, slug: str) -> None:
        """Stop a twin, running replies too."""

        async def answer() -> Said:
            return wording.paused(await self._desk.pause(actor_of(interaction), slug))

        await privately(interaction, answer)

    async def resume(self, interaction: Interaction, slug: str) -> None:
        """End a pause."""

        async def answer() -> Said:
            return wording.resumed(await self._desk.resume(actor_of(interaction), slug))

        await privately(interaction, answer)

    async def earnings(self, interaction: Interaction, slug: str) -> None:
        """Say what a twin has earned."""

        async def answer() -> str:
            return wording.earnings(await self._desk.earnings(actor_of(interaction), slug))

        await privately(interaction, answer)
