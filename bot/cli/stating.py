"""`statement`: a creator's month out of a data folder, as CSV and in short."""

import asyncio
from collections import Counter
from datetime import date
from pathlib import Path

from bot.cli import printing
from bot.domain.errors import UserError
from bot.domain.manifest import Manifest, parse_manifest
from bot.domain.money import format_nano
from bot.domain.monthly import MonthlyStatement, encode_csv, statement_of, sum_up
from bot.domain.printable import printable
from bot.domain.statements import Outcome
from bot.wiring.stores import DATABASE, Stores, open_stores


async def write_statement(twin: str, month: date, file: Path | None, data: Path) -> int:
    """Print a month's sums and write its rows; return the exit code."""
    if not (data / DATABASE).exists():
        raise UserError(f"There is no service's data in {data}: name its folder with --data.")
    async with open_stores(data, read_only=True) as stores:
        manifest = await _find(stores, twin)
        records = await stores.fees.fees(manifest.twin)
    found = statement_of(
        records,
        twin=manifest.twin,
        name=manifest.name,
        token=manifest.price_token,
        month=month,
    )
    if file is not None:
        try:
            await asyncio.to_thread(file.write_bytes, encode_csv(found))
        except OSError as error:
            raise UserError(f"{file} can't be written ({error.strerror}).") from error
    _print(found, file)
    return 0


async def _find(stores: Stores, twin: str) -> Manifest:
    async with stores.replies.reading() as tx:
        for known in await tx.published_twins():
            stored = await tx.latest_manifest(known)
            if stored is None:
                continue
            manifest = parse_manifest(stored.body)
            if twin in {manifest.slug, known.hex()}:
                return manifest
    raise UserError(f"There is no twin {twin} in this data folder.")


def _print(found: MonthlyStatement, file: Path | None) -> None:
    sums = sum_up(found.rows)
    name = printable(found.name)
    earned = f"Earned {format_nano(sums.earned_nano)} {found.token}"
    lines = [
        f"{name}, {found.month:%Y-%m}: {sums.replies} replies delivered, {sums.refunds} refunded.",
        f"{earned}, of which {format_nano(sums.held_nano)} is held.",
    ]
    delivered = Counter(row.payer for row in found.rows if row.outcome is Outcome.DELIVERED)
    lines += [
        f"  {payer.word}: {format_nano(sums.by_payer[payer])} for {count}"
        for payer, count in sorted(delivered.items(), key=lambda one: one[0].value)
    ]
    if found.funding is not None:
        lines += ["Now, of all months:", *found.funding.words(printable(found.token))]
    if file is not None:
        lines.append(f"{len(found.rows)} rows are in {file}.")
    for line in lines:
        printing.out.print(line, markup=False)
