"""The command `settle`: look ahead, settle now, look back, and adopt what a chain has."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli import printing
from bot.config import Settings, load_settings
from bot.domain.errors import ChainUnavailableError, InvariantError

if TYPE_CHECKING:
    from bot.settlement.publish import EpochPublisher

_CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file. Default: config.toml, if there is one.",
)
_DATA = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data folder. Default: that of config.toml.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
_POLL_S = 2.0
_STUCK_S = 30.0
"""A shortage that is still the same after it is not waited out: somebody has to fill it."""


@click.group(invoke_without_command=True)
@click.option("--dry-run", is_flag=True, help="Say what the next epoch would do; spend nothing.")
@_CONFIG
@_DATA
@_JSON
@click.pass_context
def settle(
    context: click.Context,
    dry_run: bool,  # noqa: FBT001 - click passes flags by name
    config: Path | None,
    data: Path | None,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Pay creators: commit what they have earned to the chain, and follow it until it is final.

    A running service does all of this by itself, every [money] epoch_seconds. These commands are
    for looking, for settling while no service runs, and for going on after a backup was restored.

    \b
    twinproof settle --dry-run   what the next epoch would commit, cost, and wait for
    twinproof settle status      the newest epochs, their transactions, and what they wait for
    twinproof settle now         settle a whole epoch, and wait until it is final and paid
    twinproof settle adopt       after a restored backup: take over what the chain has committed

    --dry-run and status only read: a service may be running. now and adopt need the data folder to
    themselves. docs/settlement.md says what happens in every kind of trouble.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    if context.invoked_subcommand is not None:
        return 0
    if not dry_run:
        click.echo(context.get_help())
        return 0
    from bot.cli import settle_words
    from bot.wiring.settle_preview import preview

    found = asyncio.run(preview(settings_of(config, data)))
    if as_json:
        printing.print_json(settle_words.describe_preview(found))
    else:
        settle_words.print_preview(found)
    return 1 if found.obstacles else 0


@settle.command()
@_CONFIG
@_DATA
@_JSON
def status(config: Path | None, data: Path | None, as_json: bool) -> int:  # noqa: FBT001
    """Show the newest epochs with their transactions, attempts and depth, and what is waited for.

    Reads only; the service may be running.
    """
    from bot.cli import settle_words
    from bot.wiring.settling import look_back

    found = asyncio.run(look_back(settings_of(config, data)))
    if as_json:
        printing.print_json(settle_words.describe_standing(found))
    else:
        settle_words.print_standing(found)
    return 0


@settle.command()
@_CONFIG
@_DATA
@click.option(
    "--timeout",
    type=click.IntRange(1, 86_400),
    default=3_600,
    metavar="SECONDS",
    help="How long to wait until everything is final. Default: 3600.",
)
def now(config: Path | None, data: Path | None, timeout: int) -> int:
    """Settle what is new, and wait until it is final and its claims are relayed.

    No service may run on the data folder. It may be ended at any time with Ctrl-C: the next start,
    of the service or of this command, goes on where it was.
    """
    return asyncio.run(_settle_now(settings_of(config, data), timeout))


@settle.command()
@_CONFIG
@_DATA
@click.option("--yes", is_flag=True, help="Ask nothing.")
@_JSON
def adopt(config: Path | None, data: Path | None, yes: bool, as_json: bool) -> int:  # noqa: FBT001
    """Take over the chain's newest epoch into a book that was put back from a backup.

    For a copy that has every leaf of the log and yet not the newest epoch, which halts settlement:
    "the contract is at epoch N, ahead of the book". First it shows what the book would take over;
    only what the chain itself says, nobody is paid by it. Where leaves of the log are lost,
    `twinproof log continue` comes first, and the service adopts the epoch by itself.

    Make sure that no other process settles with this key: what it commits meanwhile would have to
    be adopted as well.
    """
    from bot.cli import settle_words
    from bot.wiring import adopting

    settings = settings_of(config, data)
    found = asyncio.run(adopting.review(settings))
    if as_json:
        printing.print_json(settle_words.describe_adoption(found))
    else:
        settle_words.print_adoption(found)
    if not yes:
        click.confirm("Take this over into the book?", abort=True, err=True)
    asyncio.run(adopting.adopt(settings, found))
    printing.say(f"Epoch {found.commitment.epoch} is adopted. Start the service again.")
    return 0


async def _settle_now(settings: Settings, timeout_s: int) -> int:
    from bot.wiring.settle_preview import find_shortage
    from bot.wiring.settling import open_publisher

    async def find_cause() -> str:
        epoch = await stores.epochs.open_epoch()
        return "" if epoch is None else await find_shortage(settings, epoch)

    async with open_publisher(settings) as (publisher, stores):
        before = await stores.epochs.last_final()
        with printing.step_bar() as bar:
            reason = await _follow(publisher, bar, timeout_s, find_cause)
        final = await stores.epochs.last_final()
    is_new = final is not None and (before is None or final.number != before.number)
    if final is None or not is_new or final.state == "vetoed":
        printing.print_result(reason or "Nothing is new since the last epoch.")
        return 0
    printing.print_result(
        f"Epoch {final.number} is final: {final.commitment.fee_total / 10**6:.6f} committed for "
        f"{len(final.earnings)} twins in all, {final.commitment.log_size} leaves of the log."
    )
    return 0


async def _follow(
    publisher: "EpochPublisher",
    bar: printing.StepBar,
    timeout_s: int,
    find_cause: Callable[[], Awaitable[str]],
) -> str:
    """Tick until nothing is left to do; return why nothing could be done, if that is so.

    Raises:
        InvariantError: settlement halted.
        ChainUnavailableError: it still waits when the time is over, or for a cause that stays and
            that somebody has to mend.
    """
    bar("Settling", None)
    last = await publisher.tick()
    cause, asked_at = "", float("-inf")
    try:
        async with asyncio.timeout(timeout_s):
            while last.state == "waiting":
                if time.monotonic() - asked_at >= _STUCK_S:
                    before, cause = cause, await find_cause()
                    asked_at = time.monotonic()
                    if cause and cause == before:
                        raise ChainUnavailableError(f"{cause} Then run this command again.")
                bar(cause or last.reason, None)
                await asyncio.sleep(_POLL_S)
                # What is new by now is for the next epoch.
                last = await publisher.tick(begin=False)
    except TimeoutError as error:
        raise ChainUnavailableError(f"still waiting: {cause or last.reason}") from error
    if last.state == "halted":
        raise InvariantError(last.reason)
    return last.reason


def settings_of(config: Path | None, data: Path | None) -> Settings:
    """Return the configuration, with the data folder that was named."""
    file = config or (Path("config.toml") if Path("config.toml").exists() else None)
    settings = load_settings(file)
    if data is None:
        return settings
    service = settings.service.model_copy(update={"data_dir": data})
    return settings.model_copy(update={"service": service})
