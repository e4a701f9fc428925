"""`model card`: what the model of this tree is, with the hash of its file checked."""

import asyncio
from pathlib import Path

import click

from bot.cli import printing
from bot.config import ModelSettings
from bot.domain.errors import ConfigurationError
from bot.wiring.engine import STARTER, check_model, no_progress

CARD = STARTER.with_name("MODEL_CARD.md")


@click.group()
def model() -> None:
    """Tell what the starter model is."""


@model.command()
def card() -> int:
    """Print the model card, after checking that it is about the file that is here."""
    return asyncio.run(print_card())


async def print_card(page: Path = CARD) -> int:
    """Print the card and return the exit code.

    Args:
        page: the card, in Markdown.

    Raises:
        ConfigurationError: a file is missing or damaged, or the card is about another file.
    """
    text = await asyncio.to_thread(_read, page)
    checked = await check_model(ModelSettings(), no_progress)
    digest = checked.terms.gguf.hex()
    if digest not in text:
        raise ConfigurationError(
            f"The card {page} is about another file than {checked.path.name}, whose SHA-256 is "
            f"{digest}: restore both from the same version."
        )
    if printing.out.is_terminal:
        from rich.markdown import Markdown

        printing.out.print(Markdown(text), soft_wrap=False)
    else:
        printing.print_result(text.rstrip("\n"))
    printing.say(f"Checked: {checked.path.name} here has the SHA-256 {digest}, as this card says.")
    return 0


def _read(page: Path) -> str:
    try:
        return page.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The model card {page} can't be read ({error.strerror}): restore the file."
        ) from error
