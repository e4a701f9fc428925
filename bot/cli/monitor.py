"""The command `monitor`; `monitoring` does the work."""

import asyncio
from pathlib import Path

import click


@click.command()
@click.argument("url")
@click.option(
    "--key",
    required=True,
    metavar="VKEY",
    help="The log's key, ORIGIN+HASH+KEY, from anywhere but the log itself.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("monitor.db"),
    help="File with what was seen so far; one for each log. Default: monitor.db.",
)
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY", help="A witness. Repeat.")
@click.option(
    "--quorum", type=click.IntRange(0, 100), help="How many must have cosigned. Default: all."
)
@click.option("--rpc", metavar="URL", help="A node of your own choosing: compare with the chain.")
@click.option("--contract", metavar="0x…", help="With --rpc: the operator's settlement contract.")
@click.option("--once", is_flag=True, help="Look once and leave.")
@click.option("--every", "every_s", type=click.FloatRange(1, 86400), default=10, help="Seconds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each look, on a line.")
def monitor(  # noqa: PLR0917 - click passes them by name
    url: str,
    key: str,
    state: Path,
    witnesses: tuple[str, ...],
    quorum: int | None,
    rpc: str | None,
    contract: str | None,
    once: bool,  # noqa: FBT001
    every_s: float,
    as_json: bool,  # noqa: FBT001
) -> int:
    """Follow the log at URL and say in plain words what is wrong with it.

    Checks that every new head is signed, contains the head before, and is made of the leaves that
    the log shows; that no message got two replies, no attempt is missing, no outcome contradicts
    another; that creators' orders are theirs and are kept. It reads no conversation: the log
    holds none. What was seen is kept in the state file, so that a log which later shows another
    history is found out: keep the file.

    \b
    twinproof monitor https://twins.example.org/log --key 'ORIGIN+HASH+KEY' --once

    Exit codes: 0 all is well; 1 something is wrong with the log; 2 the command is wrong; 3 the log,
    or the chain, can't be reached now.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    from bot.cli import monitoring

    options = monitoring.Options(
        key=key,
        state=state,
        witnesses=witnesses,
        quorum=quorum,
        rpc=rpc,
        contract=contract,
        once=once,
        every_s=every_s,
        as_json=as_json,
    )
    return asyncio.run(monitoring.monitor(url, options))
