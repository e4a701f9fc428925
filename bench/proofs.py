"""What proofs detect, how much they weigh, and what they cost.

`attacks` makes replies as a cheating operator would and counts which of them exact replay detects;
`tolerant` weighs the same replies as if bits might differ; `cost` measures receipts, bundles,
verification and the log, `page` the proof page in a real browser. The full run makes 0.4B replies
for an hour or more on a busy machine: with `--kept FOLDER` it goes on where it was ended. `--quick`
makes a few replies with the shipped model and measures costs, in about a minute.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# libgomp reads it when it loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from bench.measuring import Figure  # noqa: E402
from bench.proofs_attacks import attacks  # noqa: E402
from bench.proofs_cost import cost  # noqa: E402
from bench.proofs_page import page  # noqa: E402
from bench.proofs_subjects import Extent  # noqa: E402
from bench.proofs_tolerant import tolerant  # noqa: E402

HALF_REPLIES, STARTER_REPLIES = 16, 64
QUICK_REPLIES, QUICK_LENGTH = 8, 64
PARTS: dict[str, Callable[[Extent], list[Figure]]] = {
    "attacks": attacks,
    "tolerant": tolerant,
    "cost": cost,
    "page": page,
}


def main() -> int:
    """Measure and print; return 1 if a target is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the shipped model, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", default="", help=f"parts, with commas: {', '.join(PARTS)}")
    parser.add_argument("--half", type=int, default=HALF_REPLIES, help="0.4B replies an operator")
    parser.add_argument("--starter", type=int, default=STARTER_REPLIES, help="starter replies")
    parser.add_argument("--kept", type=Path, help="where to keep replies, to go on later")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [*PARTS]
    if unknown := set(names) - set(PARTS):
        parser.error(f"there is no part called {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as working:
        kept = options.kept or Path(working)
        extent = Extent(options.half, options.starter, kept)
        if options.quick:
            extent = Extent(0, QUICK_REPLIES, kept, QUICK_LENGTH, quick=True)
        figures = [figure for name in names for figure in PARTS[name](extent)]
    if options.json:
        print(json.dumps({"figures": [one.as_json() for one in figures]}, indent=2))
    else:
        print("\n".join(one.line() for one in figures))
    return int(any(one.ok is False for one in figures))


if __name__ == "__main__":
    sys.exit(main())
