"""Money against its targets: gas, the claim tree, the ledger; all on this machine alone.

`gas` runs the compiled contracts on the embedded chain with 1,000 creators; its figures don't
depend on the machine. `tree` plans an epoch of 10,000 creators beside an event loop. `ledger`
posts holds, captures and releases of fees, each durable before the next of its writer begins.
"""

import argparse
import json
import sys
from collections.abc import Callable

from bench import gas, settlement_ledger, settlement_tree
from bench.measuring import Figure, tell

QUICK_ROUNDS, ROUNDS = 3, 10
PARTS: dict[str, Callable[[int], list[Figure]]] = {
    "gas": lambda _rounds: gas.run(),
    "tree": settlement_tree.measure,
    "ledger": settlement_ledger.measure,
}


def main() -> int:
    """Measure and print; return 1 if a target is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", default="", help=f"parts, with commas: {', '.join(PARTS)}")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [*PARTS]
    if unknown := set(names) - set(PARTS):
        parser.error(f"there is no part called {', '.join(sorted(unknown))}")
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    figures = [tell(figure) for name in names for figure in PARTS[name](rounds)]
    if options.json:
        print(json.dumps({"figures": [one.as_json() for one in figures]}, indent=2))
    return int(any(one.ok is False for one in figures))


if __name__ == "__main__":
    sys.exit(main())
