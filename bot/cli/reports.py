"""`reports`: what people have complained about."""

from collections.abc import Sequence

from bot.cli import printing
from bot.config import Settings
from bot.domain.errors import ConfigurationError
from bot.domain.printable import indented, printable
from bot.domain.times import encode_time
from bot.ports.fans import Report
from bot.receipts.link import format_link


async def reports(settings: Settings, *, as_json: bool) -> int:
    """Print every complaint of a data folder, newest first; return the exit code."""
    from bot.wiring.stores import DATABASE, open_stores
    from bot.wiring.web import base_url_of

    folder = settings.service.data_dir
    if not (folder / DATABASE).exists():
        raise ConfigurationError(
            f"There is no service's data in {folder}: name its folder with --data."
        )
    async with open_stores(folder, read_only=True) as stores:
        found = await stores.fans.reports()
    base_url = base_url_of(settings)
    if as_json:
        printing.print_json([_as_json(report, base_url) for report in found])
    else:
        _print_all(found, base_url)
    return 0


def _as_json(report: Report, base_url: str) -> dict[str, str]:
    return {
        "time": encode_time(report.at),
        "twin": report.slug,
        "receipt": report.receipt_id,
        "link": format_link(base_url, report.receipt_id),
        "platform": report.person.platform,
        "reason": report.reason,
    }


def _print_all(found: Sequence[Report], base_url: str) -> None:
    """Print a report in three lines: a row of all of it would be wider than a terminal."""
    if not found:
        printing.out.print("Nobody has reported a reply.")
        return
    width = max(len(printable(report.slug)) for report in found)
    printing.out.print(f"{'time':20}  {'twin':{width}}  receipt", style="bold")
    for report in found:
        slug = printable(report.slug)
        reason = indented(report.reason, "  | ") or "(no reason given)"
        for line in (
            f"{encode_time(report.at)}  {slug:{width}}  {report.receipt_id}",
            f"  {format_link(base_url, report.receipt_id)}",
            f"  | {reason}",
        ):
            printing.out.print(line, markup=False)
    printing.out.print(f"\nReports: {len(found)}.")
