"""What creators are told about their pay: the commands `statement` and `recount`."""

import asyncio
from pathlib import Path

import click

from bot.cli.recount import recount
from bot.config import load_settings
from bot.domain.monthly import parse_month


@click.command()
@click.argument("twin")
@click.option("--month", required=True, metavar="YYYY-MM", help="Such as 2026-11, UTC.")
@click.option(
    "--csv",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write one row for each entry of the twin log.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder. Default: that of the configuration; data/demo without one.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Configuration file. Default: config.toml, if it is there.",
)
def statement(
    twin: str, month: str, file: Path | None, data: Path | None, config: Path | None
) -> int:
    """Say what TWIN earned in a month, and write every fee of it to a CSV file.

    TWIN is the twin's name or its id. Run it where the service's data folder is; the service may be
    running. A creator gets the same from the chat: the earnings there have a private link.
    """
    from bot.cli import stating

    default = Path("config.toml")
    config = config or (default if default.exists() else None)
    if data is None:
        data = Path("data/demo") if config is None else load_settings(config).service.data_dir
    return asyncio.run(stating.write_statement(twin, parse_month(month), file, data))


COMMANDS = (recount, statement)
