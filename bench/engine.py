"""The engine against llama-server and against llama-cpp-python's own way, and against its targets.

Both sides run the same libraries (portable build), the same GGUF and the same cache type, with one
thread unless a part is about threads; rounds are interleaved and medians told. CPU-seconds of the
process are the unit, because they hold on a machine that others use, too. A long run: parts can be
chosen by name. `--quick` measures the shipped model alone, in under a minute.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# libgomp reads it when it loads; the server's own environment says what its part of a bench says.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from bench import (  # noqa: E402
    engine_decode,
    engine_inside,
    engine_personas,
    engine_replay,
    engine_starter,
)
from bench.measuring import Figure  # noqa: E402

ROUNDS, QUICK_ROUNDS = 10, 1
Part = Callable[[int], Awaitable[list[Figure]]]
PARTS: dict[str, Part] = {
    "starter": engine_starter.starter,
    "steady": engine_decode.steady,
    "threads": engine_decode.threads,
    "chat": engine_decode.chat,
    "burst": engine_personas.burst,
    "warm": engine_personas.warm,
    "stall": engine_personas.stall,
    "cold": engine_inside.cold,
    "disk": engine_inside.disk,
    "python": engine_inside.python,
    "lag": engine_inside.lag,
    "replay": engine_replay.replay,
    "native": engine_decode.native,
}


def main() -> int:
    """Measure and print; return 1 if a target is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the shipped model, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of interleaved measurements")
    parser.add_argument("--only", default="", help=f"parts, with commas: {', '.join(PARTS)}")
    options = parser.parse_args()
    # Ended from outside, it still ends the servers that it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names = ["starter"] if options.quick else options.only.split(",") if options.only else [*PARTS]
    if unknown := set(names) - set(PARTS):
        parser.error(f"there is no part called {', '.join(sorted(unknown))}")
    figures = asyncio.run(measure(names, QUICK_ROUNDS if options.quick else options.rounds))
    if options.json:
        print(json.dumps({"figures": [one.as_json() for one in figures]}, indent=2))
    else:
        print("\n".join(one.line() for one in figures))
    return int(any(one.ok is False for one in figures))


async def measure(names: list[str], rounds: int) -> list[Figure]:
    """Return the figures of the named parts."""
    return [figure for name in names for figure in await PARTS[name](rounds)]


if __name__ == "__main__":
    sys.exit(main())
