"""The operator's commands before a service runs: set it up, and look at it."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from bot.config import load_settings
from bot.domain import errors

CONFIG = Path("config.toml")


@click.command()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=CONFIG,
    help="The file to write. Default: config.toml.",
)
@click.option("--data", metavar="FOLDER", help="Data folder.")
@click.option("--address", metavar="URL", help="Public address that proof links begin with.")
@click.option("--port", metavar="PORT", help="Port of the web pages.")
@click.option(
    "--discord-token-file",
    type=click.Path(path_type=Path),
    help="File with the Discord bot's token, of mode 600.",
)
@click.option(
    "--telegram-token-file",
    "telegram_token_files",
    multiple=True,
    metavar="FILE[=TWIN]",
    help="File with a Telegram bot's token, of mode 600; with the bot's only twin. Repeat.",
)
@click.option("--updates", metavar="polling|webhook", help="How Telegram's messages arrive.")
@click.option("--creators", metavar="WHO", help='nobody, everybody, or "discord:ID telegram:ID".')
@click.option("--model", metavar="FILE", help="GGUF file, or starter.")
@click.option("--yes", is_flag=True, help="Ask nothing: options and defaults are the answers.")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
def init(*, yes: bool, **given: Any) -> int:  # noqa: ANN401 - click passes them by name
    """Ask a few questions and write config.toml and the tokens' files.

    Each answer is checked at once; nothing is written before the last one. A token is never shown
    and never stands in config.toml.

    \b
    twinproof init
    twinproof init --yes --discord-token-file discord.token --address https://twins.example.org
    """  # noqa: D301
    from bot.cli import init as init_command

    if not yes and not sys.stdin.isatty():
        raise click.UsageError("init asks questions, and this is no terminal: add --yes")
    return init_command.init(init_command.Given(**given), interactive=not yes)


@click.command()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file. Default: config.toml, if there is one.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder. Default: that of config.toml.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
def doctor(config: Path | None, data: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """Look at everything that `serve` needs, and say what to do about what is missing.

    Configuration, data folder, keys, model, engine, platforms, clock, book and chain: one line
    each. Nothing is written and nothing is shown of a token. Exit code 1: there is a fault.
    """
    from bot.cli import doctor as doctor_command

    file = config or (CONFIG if CONFIG.exists() else None)
    try:
        settings = load_settings(file)
    except errors.ConfigurationError as error:
        return doctor_command.refused(error, as_json=as_json)
    if data is not None:
        service = settings.service.model_copy(update={"data_dir": data})
        settings = settings.model_copy(update={"service": service})
    return asyncio.run(doctor_command.doctor(settings, file, as_json=as_json))
