"""How long a claim tree of 10,000 leaves takes, and how long the event loop stands still for it.

python -m bench.settlement_tree [rounds]
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from statistics import median

from bench.measuring import Figure
from bot.crypto.hashing import sha256
from bot.domain.payment import Payer
from bot.domain.settlement import Earnings, EarningsSnapshot
from bot.domain.statements import Outcome
from bot.domain.twin_log import TwinEntry, TwinLog
from bot.settlement.epoch import plan_epoch

LEAVES, ENTRIES, TWINS, EACH = 10_000, 10_000, 1_000, 100
TARGET_S, LOG_TARGET_S, STALL_TARGET_S = 1.0, 0.2, 0.1
_TICK_S = 0.005


def _snapshot() -> EarningsSnapshot:
    earnings = []
    for number in range(LEAVES):
        twin = sha256(b"twin %d" % number)
        earnings.append(Earnings(twin, twin[:20], 1_700_000 * (number + 1), 100, sha256(twin)))
    return EarningsSnapshot(tuple(earnings), 1_000_000, bytes(32), 1)


def _entries(count: int) -> list[TwinEntry]:
    return [
        TwinEntry(n + 1, 1_700_000, Payer.PAID, Outcome.DELIVERED, sha256(b"%d" % n))
        for n in range(count)
    ]


async def _longest_stall(work: "asyncio.Future[object]") -> float:
    """Return the longest time in which the event loop did nothing else, while work runs."""
    longest, last = 0.0, time.perf_counter()
    while not work.done():
        await asyncio.sleep(_TICK_S)
        now = time.perf_counter()
        longest, last = max(longest, now - last - _TICK_S), now
    return longest


async def _plan(snapshot: EarningsSnapshot) -> tuple[float, float]:
    """Plan an epoch in a thread as the publisher does; return seconds, and the longest stall."""
    started = time.perf_counter()
    work = asyncio.ensure_future(asyncio.to_thread(plan_epoch, snapshot, None))
    stall = await _longest_stall(work)  # type: ignore[arg-type]
    await work
    return time.perf_counter() - started, stall


def _log_seconds(entries: Sequence[TwinEntry]) -> float:
    started = time.perf_counter()
    log = TwinLog(entries)
    log.root()
    log.tally()
    return time.perf_counter() - started


def _many_seconds() -> float:
    entries = _entries(EACH)
    started = time.perf_counter()
    for _ in range(TWINS):
        log = TwinLog(entries)
        log.root()
        log.tally()
    return time.perf_counter() - started


def measure(rounds: int) -> list[Figure]:
    """Measure so many rounds; medians."""
    snapshot, entries = _snapshot(), _entries(ENTRIES)
    plans = [asyncio.run(_plan(snapshot)) for _ in range(rounds)]
    logs = [_log_seconds(entries) for _ in range(rounds)]
    many = [_many_seconds() for _ in range(rounds)]
    note = f"median of {rounds}, in a thread beside the event loop"
    return [
        Figure(
            f"an epoch of {LEAVES} leaves, planned: tree, publication, data hash",
            median(seconds for seconds, _ in plans),
            "s",
            TARGET_S,
            note=note,
        ),
        Figure(
            "the event loop's longest stall meanwhile",
            median(stall for _, stall in plans),
            "s",
            STALL_TARGET_S,
            note=note,
        ),
        Figure(f"a twin log of {ENTRIES} entries: root and sums", median(logs), "s", LOG_TARGET_S),
        Figure(f"{TWINS} twin logs of {EACH} entries: roots and sums", median(many), "s"),
    ]


def main() -> int:
    """Print what was measured; fail where a target is missed."""
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    for one in figures:
        print(f"{one.value:8.3f} {one.unit}  {one.name}")
    return 0 if all(one.ok is not False for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
