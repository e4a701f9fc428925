"""How many ledger transactions become durable in a second: the price of a reply held and captured.

`python -m bench.settlement_ledger [FOLDER]`; the disk under FOLDER is what is measured.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bench.measuring import Figure
from bot.domain.payment import Payer
from bot.ledger.credit import plan_purchase
from bot.ledger.fees import plan_capture, plan_hold, plan_mature
from bot.ports.stores import Store

TARGET = 1_000
WRITERS, REPLIES = 64, 16  # writers that wait for each other, and what each of them books
PRICE, CREATOR = 2_000_000, 1_700_000
PER_REPLY = 3  # transactions: hold, capture, mature
TWIN = bytes(range(32))


def measure(rounds: int = 5, folder: Path | None = None) -> list[Figure]:
    """Return transactions and postings a second, of writers that share commits and of one alone."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        shared, alone = asyncio.run(_measure(Path(place), rounds))
    note = f"median of {rounds} rounds; each transaction is durable before the next of its writer"
    return [
        Figure(
            f"ledger transactions, {WRITERS} writers that share commits",
            median(shared),
            "1/s",
            TARGET,
            most=False,
            note=note,
        ),
        Figure("the same, in postings", median(shared) * 2, "1/s", note="at least two each"),
        Figure("ledger transactions, one writer alone", median(alone), "1/s"),
    ]


async def _measure(folder: Path, rounds: int) -> tuple[list[float], list[float]]:
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(folder / "book.db", schema=schema)
    store = SqliteStore(database)
    shared, alone = [], []
    try:
        for number in range(rounds):
            shared.append(await _round(store, f"shared {number}", WRITERS))
            alone.append(await _round(store, f"alone {number}", 1))
    finally:
        await database.close()
    return shared, alone


async def _round(store: Store, name: str, writers: int) -> float:
    """Return how many transactions a second became durable."""
    begun = time.perf_counter()
    await asyncio.gather(*(_book(store, f"{name} {writer}") for writer in range(writers)))
    return writers * (1 + REPLIES * PER_REPLY) / (time.perf_counter() - begun)


async def _book(store: Store, name: str) -> None:
    """Book a purchase, and replies that are paid with it, each step durable before the next."""
    async with store.transaction() as tx:
        await tx.post(plan_purchase("telegram", name, name, REPLIES * PRICE, test=False))
    for number in range(REPLIES):
        intent = f"{name} {number}"
        for plan in (
            plan_hold(intent, PRICE, f"fan:{name}"),
            plan_capture(intent, TWIN, payer=Payer.PAID, price_nano=PRICE, creator_nano=CREATOR),
            plan_mature(intent, TWIN, CREATOR),
        ):
            async with store.transaction() as tx:
                if not await tx.post(plan):
                    raise SystemExit(f"{plan.key} was posted before")


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    for figure in measure(folder=chosen):
        print(figure.line())
