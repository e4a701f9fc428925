"""How long somebody waits for the proof page's verdict, in a real browser."""

import asyncio
from statistics import median

import structlog

from bench.measuring import Figure, tell
from bench.proofs_bundle import KEY, make_bundle
from bench.proofs_subjects import Extent
from bot.receipts.bundle import encode_bundle
from tests.acceptance.browsing import verdict, visiting
from tests.fakes.chat import MemoryProofs

VISITS, QUICK_VISITS = 11, 3
TARGET_S = 1.0


def page(extent: Extent) -> list[Figure]:
    """Return the time from the start of a navigation to the verdict, each in a fresh profile."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    times = asyncio.run(_visits(QUICK_VISITS if extent.quick else VISITS))
    spread = f"{min(times):.2g} to {max(times):.2g} s in {len(times)} visits"
    name = "page, from opening a link to the verdict, by the clock"
    return [tell(Figure(name, median(times), "s", TARGET_S, note=spread))]


async def _visits(count: int) -> list[float]:
    vector = {"bundle": encode_bundle(make_bundle().bundle).decode(), "key": KEY[3:]}
    times = []
    async with visiting(proofs=MemoryProofs()) as visit:
        path = visit.publish(vector)
        for _ in range(count + 1):
            opened = await visit.open(path)
            found = await verdict(opened)
            times.append(await opened.evaluate("performance.now()") / 1000)
            if found != "verified":
                raise RuntimeError(f"the page says {found}")
            await opened.close()
    return times[1:]  # the first one waits for the browser
