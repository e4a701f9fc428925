"""`audit-send`: brings signed verdicts to a log."""

from pathlib import Path

from bot.cli import printing
from bot.domain.errors import UserError
from bot.domain.ids import receipt_id_of
from bot.domain.printable import printable
from bot.wiring.auditing import send_all


async def send(verdicts: Path, prefix: str) -> int:
    """Send every statement of a file and say what became of each; return the exit code."""
    found = await send_all(verdicts, prefix)
    for one in found:
        line = f"  {receipt_id_of(one.receipt)}  {printable(one.sentence)}"
        printing.out.print(line, style=None if one.is_taken else "red", markup=False)
    refused = [one for one in found if not one.is_taken]
    if refused:
        raise UserError(
            f"The log does not take {len(refused)} of {len(found)} verdicts: "
            f"{printable(refused[0].sentence)}"
        )
    printing.out.print(f"Verdicts in the log: {len(found)}.")
    return 0
