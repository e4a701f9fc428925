"""`log`: what an operator does about the service's own transparency log."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli import printing
from bot.config import load_settings
from bot.domain.printable import printable

if TYPE_CHECKING:
    from bot.wiring.continuing import Continuation


@click.group(name="log")
def log() -> None:
    """Look after the service's own log.

    \b
    twinproof log continue --dry-run     after a lost database: what would be sealed
    twinproof log continue               seal the log, and go on in a new one
    """  # noqa: D301 - click reads the backspace as "keep these lines"


@log.command(name="continue")
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
@click.option("--origin", metavar="NAME", help="Name of the new log. Default: asked for.")
@click.option(
    "--head",
    "heads",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a signed head of the log, if no witness tells one. Repeat.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def continue_(  # noqa: PLR0917 - click passes them by name
    config: Path | None,
    data: Path | None,
    origin: str | None,
    heads: tuple[Path, ...],
    dry_run: bool,  # noqa: FBT001 - click passes flags by name
    yes: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> int:
    """Seal a log whose database was put back from an old copy, and let a new one go on.

    Everybody who has seen the newest head of the log would otherwise see it contradict itself. The
    seal says how far the log went and which of its leaves the new one keeps; it is signed with the
    old log's key, which signs nothing after it. Proofs that people hold stay good. Replies that
    were made after the copy are in their proofs alone: the new log does not have them.

    The service must not run. There is no way back.
    """
    file = config or (Path("config.toml") if Path("config.toml").exists() else None)
    settings = load_settings(file)
    if data is not None:
        service = settings.service.model_copy(update={"data_dir": data})
        settings = settings.model_copy(update={"service": service})
    notes = [path.read_text(encoding="utf-8", errors="replace") for path in heads]
    from bot.wiring.continuing import continue_log

    plan = asyncio.run(continue_log(settings, origin=origin or "", notes=notes, dry_run=True))
    if not as_json:
        printing.say(f"Log         {printable(plan.log.name)}")
        printing.say(f"Known       {plan.known.head.size} leaves ({printable(plan.known.source)})")
        printing.say(f"Here        {plan.here} leaves: these are kept, {plan.lost} are lost")
        for reason in plan.silent:
            printing.say(f"Not asked   {printable(reason)}")
    if dry_run:
        if as_json:
            printing.print_json(_describe(plan))
        else:
            printing.say("Nothing was changed. Without --dry-run the log is sealed and continued.")
        return 0
    if not yes:
        if origin is None:
            question = "Name of the new log (like example.org/log-2; empty: one is made)"
            origin = click.prompt(question, default="", show_default=False, err=True)
        click.confirm("Seal this log for ever, and continue it in a new one?", abort=True, err=True)
    done = asyncio.run(continue_log(settings, origin=origin or "", notes=notes, dry_run=False))
    successor = "" if done.successor is None else done.successor.encode()
    if as_json:
        printing.print_json(_describe(done))
        return 0
    printing.say(f"Sealed. Leaf {done.index} of the new log is the seal. Its key:")
    printing.print_result(successor)
    printing.say(
        "Give this key to your witnesses and to whoever checks your proofs; creators' twins stay "
        "as they are. Then start the service again."
    )
    return 0


def _describe(plan: "Continuation") -> dict[str, object]:
    return {
        "log": plan.log.encode(),
        "size": plan.known.head.size,
        "root": plan.known.head.root.hex(),
        "source": plan.known.source,
        "kept": plan.here,
        "lost": plan.lost,
        "silent": list(plan.silent),
        "successor": None if plan.successor is None else plan.successor.encode(),
        "leaf": plan.index,
    }
