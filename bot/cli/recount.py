"""The command `recount`; `recounting` does the work."""

import asyncio
from pathlib import Path

import click


@click.command()
@click.argument("twin")
@click.option(
    "--from",
    "source",
    default="http://127.0.0.1:8800",
    metavar="URL|FOLDER",
    help="The service, or a folder that --keep has filled. Default: http://127.0.0.1:8800.",
)
@click.option("--rpc", metavar="URL", help="A node of your own choosing.")
@click.option("--contract", metavar="0x…", help="With --rpc: the settlement contract.")
@click.option("--epoch", type=click.IntRange(1, 10**9 - 1), help="Default: the newest final one.")
@click.option(
    "--last", type=click.IntRange(1, 400), default=31, help="Recount so many epochs. Default: 31."
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with what you recounted before; what is new is kept there too.",
)
@click.option("--key", metavar="VKEY", help="The log's key. Default: that of the proofs given.")
@click.option("--payout", metavar="0x…", help="Where you want to be paid.")
@click.option(
    "--proof", "proofs", multiple=True, metavar="LINK", help="A reply of yours, FILE#k=KEY. Repeat."
)
@click.option(
    "--leaves/--no-leaves",
    default=None,
    help="Read all leaves of the log. Default: if there are not many.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def recount(  # noqa: PLR0917 - click passes them by name
    twin: str,
    source: str,
    rpc: str | None,
    contract: str | None,
    epoch: int | None,
    last: int,
    keep: Path | None,
    key: str | None,
    payout: str | None,
    proofs: tuple[str, ...],
    leaves: bool | None,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> int:
    """Recount what TWIN was paid, from public data and a chain, and say whether it is right.

    TWIN is a live twin's name, or its id of 64 hexadecimal digits. Needs no secret and no trust in
    the service: sums, roots and hashes are made again here, and compared with the contract. Ask
    the twin some questions yourself from time to time, keep the proofs, and give them here: so you
    find out whether replies are left out. Use --keep: so you find out whether history is rewritten.

    \b
    twinproof recount mira --from https://twins.example.org --rpc https://rpc.example.org \\
        --contract 0x… --keep recounts --proof reply.json

    Exit codes: 0 proved; 1 refuted, with the step that is false; 2 the command is wrong; 3 not yet:
    no node was asked, or the epoch is not final, or something can't be reached now.
    """  # noqa: D301 - click reads the backspace as "keep these lines"
    from bot.cli import recounting

    options = recounting.Options(
        twin=twin,
        source=source,
        rpc=rpc,
        contract=contract,
        epoch=epoch,
        last=last,
        keep=keep,
        key=key,
        payout=payout,
        proofs=proofs,
        leaves=leaves,
        as_json=as_json,
    )
    return asyncio.run(recounting.recount_twin(options))
