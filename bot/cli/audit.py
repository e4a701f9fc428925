"""`audit`: check a data folder as a whole."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bot.audit.findings import Findings
from bot.cli import printing
from bot.config import SettlementSettings
from bot.wiring.offline import open_audit

SETTLE_S = 1.5


async def audit(
    data: Path, *, bundles: Sequence[Path], settlement: SettlementSettings, as_json: bool
) -> int:
    """Audit a data folder and print the findings; return the exit code."""
    findings = await _run(data, bundles, settlement)
    if findings.wrong:
        # A running service moves between our look at the book and at the chain: look again.
        await asyncio.sleep(SETTLE_S)
        findings = await _run(data, bundles, settlement)
    if as_json:
        printing.print_json(
            {"checked": findings.checked, "wrong": findings.wrong, "notes": findings.notes}
        )
    else:
        print_findings(findings)
    return 1 if findings.wrong else 0


def print_findings(findings: Findings) -> None:
    """Print what was checked and what is wrong."""
    for kind, number in findings.checked.items():
        printing.out.print(f"  {number:>6} {kind}")
    for sentence in findings.wrong:
        printing.out.print(f"  WRONG  {sentence}", style="red", markup=False)
    for sentence in findings.notes:
        printing.out.print(f"  {sentence}", markup=False)
    verdict = f"{len(findings.wrong)} faults" if findings.wrong else "everything agrees"
    printing.out.print(f"Audit: {verdict}.")


async def _run(data: Path, bundles: Sequence[Path], settlement: SettlementSettings) -> Findings:
    async with open_audit(data, bundles=bundles, settlement=settlement) as opened:
        return await opened.run()
