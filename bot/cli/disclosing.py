"""`disclose`: gives others chosen fields of a reply, without the key that opens all of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from bot.cli import printing
from bot.cli.proofs import load_policy
from bot.cli.shown import MEANINGS
from bot.cli.writing import write_files
from bot.domain.errors import UserError
from bot.domain.printable import printable
from bot.receipts.bundle import parse_bundle
from bot.receipts.disclosure import disclose, encode_disclosure
from bot.receipts.link import parse_link
from bot.receipts.verify import verify_bundle
from bot.wiring.offline import load_bundle


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given beside the link.

    Attributes:
        names: of fields; `persona` may be among them.
        out: the file to write; None for one that is named after the receipt.
        trust: the file of a trust policy.
        data: the folder where copies of bundles may lie.
    """

    names: Sequence[str]
    out: Path | None
    trust: Path | None
    data: Path


async def disclose_fields(link: str, options: Options) -> int:
    """Verify a link with its key, show what will be opened, write it; return the exit code."""
    names = _check_names(options.names)
    parsed = parse_link(link)
    if parsed.key is None:
        raise UserError(
            "Only who has the key can disclose: use the whole link, which ends in #k=…. It stays "
            "with you."
        )
    policy = None if options.trust is None else await asyncio.to_thread(load_policy, options.trust)
    data, _ = await load_bundle(parsed, data_dir=options.data)
    verified = verify_bundle(data, key=parsed.key, policy=policy, receipt_id=parsed.receipt_id)
    out = options.out or Path(f"{verified.receipt_id}.disclosure.json")
    if out.exists():
        raise UserError(f"{out} is there already: name another file with -o.")
    disclosure = disclose(parse_bundle(data), verified, parsed.key, names)
    _show(verified.receipt_id, names)
    write_files({out: encode_disclosure(disclosure).decode()})
    printing.say("Anybody can check it:")
    printing.print_result(f"twinproof verify {printable(str(out))}")
    return 0


def _check_names(names: Sequence[str]) -> frozenset[str]:
    unknown = [name for name in names if name not in MEANINGS]
    if unknown or not names:
        wrong = f"There is no field {printable(unknown[0])}." if unknown else "Nothing was chosen."
        raise UserError(f"{wrong} Name one or more with --field: {', '.join(MEANINGS)}.")
    return frozenset(names)


def _show(receipt_id: str, names: frozenset[str]) -> None:
    """Print each field with what becomes of it, for the person alone: not to standard output."""
    table = Table(box=None, padding=(0, 1), title=f"Reply {receipt_id}", title_justify="left")
    for heading in ("", "field", "what it holds"):
        table.add_column(heading, overflow="fold")
    for name, meaning in MEANINGS.items():
        mark = Text("OPENED", "yellow") if name in names else Text("closed", "green")
        table.add_row(mark, name, meaning)
    printing.print_table(table, printing.err)
    printing.say(
        "Also public, as in every proof: the twin, its creator, the model, price and time."
    )
