"""`monitor`: follow a log, and say what is wrong with it."""

import asyncio
import json
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from bot.cli import printing
from bot.domain.addresses import parse_typed_address
from bot.domain.errors import TransientError, UserError
from bot.domain.printable import printable
from bot.transparency.monitor import Monitor
from bot.transparency.report import MonitorReport
from bot.transparency.rules import NOTES
from bot.wiring.transparency import ChainPlace, open_monitor, parse_logs, parse_witnesses

FALSE, LATER = 1, 3
_KINDS = (
    *("replies", "outcomes", "voids", "manifests", "orders", "verdicts", "seals"),
    "unreadable leaves",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked on the command line."""

    key: str
    state: Path
    witnesses: tuple[str, ...] = ()
    quorum: int | None = None
    rpc: str | None = None
    contract: str | None = None
    once: bool = False
    every_s: float = 10
    as_json: bool = False


def _chain(rpc: str | None, contract: str | None) -> ChainPlace | None:
    if rpc is None and contract is None:
        return None
    if contract is None:
        raise UserError("--rpc needs --contract: which contract to ask for.")
    address = parse_typed_address(contract, "--contract")
    if rpc is None:
        raise UserError("--contract needs --rpc: which node to ask.")
    return ChainPlace(rpc, address)


async def monitor(url: str, options: Options) -> int:
    """Look at a log once, or until a signal; return the exit code."""
    (log,) = parse_logs([options.key])
    policy = parse_witnesses(options.witnesses, options.quorum)
    chain = _chain(options.rpc, options.contract)
    if not url.startswith(("http://", "https://")):
        raise UserError("The address of a log begins with http:// or https://.")
    async with open_monitor(
        url, log=log, state=options.state, policy=policy, chain=chain
    ) as opened:
        if options.once:
            report = await opened.look()
            return _show(report, options, first=True)
        return await _follow(opened, options)


async def _follow(opened: Monitor, options: Options) -> int:
    """Look again and again until a signal; the exit code is that of the last whole look."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    stop = asyncio.create_task(stopping.wait())
    first, code = True, LATER
    while not stop.done():
        looking = asyncio.create_task(opened.look())
        await asyncio.wait([looking, stop], return_when=asyncio.FIRST_COMPLETED)
        if not looking.done():
            # The memory is closed after this: the next run goes on from the last step it holds.
            looking.cancel()
            with suppress(asyncio.CancelledError, TransientError):
                await looking
            break
        try:
            report = looking.result()
        except TransientError as error:
            code = LATER
            printing.say(f"{error}")
        else:
            code = _show(report, options, first=first)
            first = False
        await asyncio.wait([stop], timeout=options.every_s)
    return code


def _show(report: MonitorReport, options: Options, *, first: bool) -> int:
    """Print a report; return its exit code."""
    _print(report, options, first=first)
    if not report.is_whole and (options.as_json or not first):
        printing.say(report.chain)
    if report.is_wrong:
        return FALSE
    return 0 if report.is_whole else LATER


def describe(report: MonitorReport) -> dict[str, object]:
    """Return a report as JSON values."""
    cosigned = report.cosigned
    return {
        "ok": report.is_well,
        "origin": report.origin,
        "size": report.size,
        "read": report.read,
        "counts": report.counts,
        "witnesses": {
            "needed": cosigned.needed,
            "cosigned": [{"name": c.witness.name, "time": c.time} for c in cosigned.cosignatures],
            "missing": list(cosigned.missing),
            "false": list(cosigned.false),
        },
        "chain": report.chain,
        "findings": [
            {
                "kind": one.kind,
                "fault": one.kind not in NOTES,
                "leaf": one.index,
                "sentence": one.sentence,
                "evidence": one.evidence,
            }
            for one in report.findings
        ],
    }


def _print(report: MonitorReport, options: Options, *, first: bool) -> None:
    if options.as_json:
        printing.print_result(json.dumps(describe(report)))
        return
    if first:
        _print_table(report)
    else:
        counted = f"{report.size} leaves, {len(report.fresh)} new findings"
        printing.out.print(f"{counted}; {_witnessed(report)}", markup=False)
    for one in report.findings if first else report.fresh:
        style, mark = ("yellow", "LOOK ") if one.kind in NOTES else ("red", "WRONG")
        printing.out.print(f"  {mark}  {printable(one.sentence)}", style=style, markup=False)
    for sentence in report.cosigned.false:
        printing.out.print(f"  WRONG  {printable(sentence)}", style="red", markup=False)
    if first:
        verdict = "all is well." if report.is_well else _verdict(report)
        printing.out.print(f"Log {printable(report.origin)}: {verdict}", markup=False)


def _print_table(report: MonitorReport) -> None:
    table = Table(show_header=False, box=None, padding=(0, 1))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    table.add_row(str(report.size), "leaves under the newest signed head")
    if report.read != report.size:
        table.add_row(str(report.read), "of them read")
    for kind in _KINDS:
        if kind in report.counts:
            table.add_row(str(report.counts[kind]), kind)
    table.add_row("", Text(printable(_witnessed(report))))
    if report.chain:
        table.add_row("", Text(printable(report.chain)))
    printing.print_table(table)


def _witnessed(report: MonitorReport) -> str:
    cosigned = report.cosigned
    if not cosigned.needed and not cosigned.cosignatures:
        return "no witness was named: others may be shown another log"
    missing = f"; missing: {', '.join(cosigned.missing)}" if cosigned.missing else ""
    number = len(cosigned.cosignatures)
    return f"{number} of the named witnesses have cosigned, {cosigned.needed} are needed{missing}"


def _verdict(report: MonitorReport) -> str:
    parts = []
    if report.faults:
        parts.append(f"{len(report.faults)} faults")
    if not report.cosigned.is_met:
        parts.append("too few witnesses")
    if report.cosigned.false:
        parts.append("a false cosignature")
    if not report.is_whole:
        parts.append("not compared with the chain")
    return f"{', '.join(parts)}."
