"""The boundary around every answer for one person's eyes: defer, work, tell; errors told too."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import discord
import structlog

from adapters.discord_chat import texts
from adapters.discord_chat.mapping import discord_errors
from bot.domain.errors import BotError, TransientError, UnknownTwinError, UserError

Interaction = discord.Interaction[Any]
_log = structlog.get_logger("discord")


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: words, perhaps with files and buttons."""

    content: str
    files: tuple[tuple[str, bytes], ...] = ()
    view: discord.ui.View | None = None


Work = Callable[[], Awaitable[str | Said]]


def sentence_of(error: BaseException) -> str:
    """Return what a person is told about an error."""
    match error:
        case UnknownTwinError():
            return texts.NO_SUCH_TWIN
        case UserError():
            return str(error)
        case TransientError():
            seconds = max(1, round(error.retry_after_s))
            return f"I can't answer right now. Please try again in {seconds} s."
        case _:
            return texts.BROKEN


async def tell(interaction: Interaction, answer: str | Said) -> None:
    """Answer an interaction for one person's eyes, whatever was said to it before."""
    said = answer if isinstance(answer, Said) else Said(answer)
    more: dict[str, Any] = {}
    if said.files:
        more["files"] = [discord.File(io.BytesIO(data), name) for name, data in said.files]
    if said.view is not None:
        more["view"] = said.view
    with discord_errors():
        if interaction.response.is_done():
            await interaction.followup.send(said.content, ephemeral=True, **more)
        else:
            await interaction.response.send_message(said.content, ephemeral=True, **more)


async def privately(
    interaction: Interaction,
    work: Work,
    *,
    visible: bool = True,
    refused: Callable[[str], str | Said] = str,
) -> None:
    """Acknowledge, work, tell.

    Args:
        interaction: what is answered.
        work: returns the answer; empty for none.
        visible: whether the person sees meanwhile that the bot is thinking.
        refused: makes the answer of an error's sentence: gives back what the person has typed.
    """
    name = str(interaction.id)
    try:
        with discord_errors():
            if visible:
                await interaction.response.defer(thinking=True, ephemeral=True)
            else:
                await interaction.response.defer()
        answer = await work()
        if answer:
            await tell(interaction, answer)
    except BotError as error:
        await tell_failure(interaction, error, refused)
    except Exception as error:  # noqa: BLE001  the boundary: one interaction's failure is its own
        _log.error("discord.failed", asked=name, error=type(error).__name__)
        await tell_failure(interaction, error, refused)


async def tell_failure(
    interaction: Interaction,
    error: BaseException,
    refused: Callable[[str], str | Said] = str,
) -> None:
    """Say what went wrong, if that can still be said."""
    try:
        await tell(interaction, refused(sentence_of(error)))
    except BotError as second:
        name = str(interaction.id)
        _log.warning("discord.not_told", asked=name, error=type(second).__name__)
