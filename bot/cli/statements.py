"""What creators are told about their pay: the commands `statement` and `recount`."""

import asyncio
from pathlib import Path

import click

from bot.cli.recount import recount
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
    default=Path("data/demo"),
    help="Data folder. Default: data/demo.",
)
def statement(twin: str, month: str, file: Path | None, data: Path) -> int:
    """Say what TWIN earned in a month, and write every fee of it to a CSV file.

    TWIN is the twin's name or its id. Run it where the service's data folder is; the service may be
    running. A creator gets the same from the chat: the earnings there have a private link.
    """
    from bot.cli import stating

    return asyncio.run(stating.write_statement(twin, parse_month(month), file, data))


COMMANDS = (recount, statement)
