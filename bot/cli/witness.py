"""`witness`: cosign the heads of other people's logs."""

import asyncio
import signal
from pathlib import Path

import click

from bot.cli import printing
from bot.domain.printable import printable

FOLDER = Path("witness")
_folder = click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    help="The witness's folder: its key and what it has signed. Default: witness.",
)


@click.group()
def witness() -> None:
    """Be a witness: keep other people's logs from showing two histories.

    A witness signs the newest head of a log, but only if that head contains the one that it signed
    before. A reader who wants to see some witnesses' signatures on a head can therefore be sure
    that nobody was shown another history. It learns nothing about replies: it sees sizes and
    hashes alone.

    \b
    twinproof witness init --name example.org/w1       once; prints the key that you publish
    twinproof witness run --log 'ORIGIN+HASH+KEY'      for each log that you watch
    twinproof witness status                           what it has signed, and any evidence

    Its folder must not be lost and never be put back from a backup: a witness that has forgotten
    what it signed could sign a second history. Make a new one instead. Speaks the tlog-witness
    protocol of c2sp.org, so it works for any log that signs checkpoints without extension lines.
    """  # noqa: D301 - click reads the backspace as "keep these lines"


@witness.command()
@_folder
@click.option(
    "--name",
    required=True,
    metavar="NAME",
    help="Who you are, for good: an address of yours without https://, like example.org/w1.",
)
def init(folder: Path, name: str) -> int:
    """Make a witness: its key, and the empty record of what it has signed."""
    from bot.wiring.witnesses import make_witness

    key = asyncio.run(make_witness(folder, name))
    printing.say(f"The witness is in {folder}. Publish its key; logs ask you by it:")
    printing.print_result(key.encode())
    return 0


@witness.command()
@_folder
@click.option(
    "--log",
    "logs",
    multiple=True,
    required=True,
    metavar="VKEY",
    help="Key of a log that you watch, from its operator. Repeat.",
)
@click.option("--host", default="127.0.0.1", help="Address to listen on. Default: 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), default=8810, help="Default: 8810.")
def run(folder: Path, logs: tuple[str, ...], host: str, port: int) -> int:
    """Answer the logs until Ctrl-C.

    Put a reverse proxy with TLS in front of it, and give the logs its https address. Nobody needs
    a password: whatever is not signed by a log that you watch is refused.
    """
    return asyncio.run(_run(folder, logs, host, port))


@witness.command()
@_folder
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, with the evidence.")
def status(folder: Path, as_json: bool) -> int:  # noqa: FBT001 - click passes flags by name
    """Show the newest head of each log, and logs that have shown two histories.

    Exit code 1 if there is evidence against a log; --json prints both of its signed heads.
    """
    return asyncio.run(_status(folder, as_json=as_json))


async def _run(folder: Path, logs: tuple[str, ...], host: str, port: int) -> int:
    from bot.logs import configure_logs
    from bot.wiring.transparency import parse_logs
    from bot.wiring.witnesses import open_witness

    configure_logs("info", None)
    watched = parse_logs(logs)
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with open_witness(folder, watched, host=host, port=port) as opened:
        printing.print_result(f"http://{host}:{opened.port}/")
        printing.say(f"Witness {opened.key.encode()} watches {len(watched)} logs. Ctrl-C stops it.")
        await stopping.wait()
    return 0


async def _status(folder: Path, *, as_json: bool) -> int:
    from bot.wiring.witnesses import look_at_witness

    key, heads, conflicts = await look_at_witness(folder)
    if as_json:
        found = [
            {"origin": one.origin, "size": one.size, "heads": [one.kept, one.offered]}
            for one in conflicts
        ]
        seen = {origin: {"size": h.size, "root": h.root.hex()} for origin, h in heads.items()}
        printing.print_json({"key": key.encode(), "heads": seen, "conflicts": found})
    else:
        printing.out.print(f"Witness {key.encode()}", markup=False)
        for origin, head in heads.items():
            line = f"  {printable(origin)}: {head.size} leaves, root {head.root.hex()[:16]}…"
            printing.out.print(line, markup=False)
        for one in conflicts:
            line = (
                f"  TWO HISTORIES  {printable(one.origin)} has signed two heads of {one.size} "
                "leaves; --json prints both"
            )
            printing.out.print(line, style="red", markup=False)
    return 1 if conflicts else 0
