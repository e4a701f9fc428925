"""Compare the three verifiers over the whole corpus: `python -m tests.corpus`.

1,000 true bundles and 10,000 falsified ones by default, each with the step that must fail.
"""

import argparse
import sys
import time

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.corpus.cases import Expected, bad, good
from tests.corpus.mutations import MUTATIONS
from tests.corpus.verifiers import VERIFIERS, compare

BATCH = 250


def main() -> int:
    """Ask everybody everything; 1 if one verifier disagrees with one expectation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--good", type=int, default=1000, help="true bundles")
    parser.add_argument("--bad", type=int, default=10_000, help="falsified bundles")
    options = parser.parse_args()
    console = Console()
    cases = [*good(options.good), *bad(options.bad)]
    kinds = f"{len(MUTATIONS)} ways to falsify a bundle"
    table = Table("verifier", "cases", "as expected", "falsified and accepted", "s", title=kinds)
    differing = 0
    for verifier in VERIFIERS:
        if reason := verifier.missing():
            table.add_row(verifier.name, "-", reason, "-", "-")
            differing += 1
            continue
        started, same, accepted = time.monotonic(), 0, 0
        for batch in track(_batches(cases), verifier.name, console=Console(stderr=True)):
            verdict = compare(verifier, batch)
            same += verdict.cases - verdict.differing.total()
            accepted += verdict.accepted
            for difference in verdict.differing:
                console.print(f"{verifier.name}: {difference}")
        differing += len(cases) - same
        took = f"{time.monotonic() - started:.0f}"
        table.add_row(verifier.name, str(len(cases)), str(same), str(accepted), took)
    console.print(table)
    return 1 if differing else 0


def _batches(cases: list[Expected]) -> list[list[Expected]]:
    return [cases[at : at + BATCH] for at in range(0, len(cases), BATCH)]


if __name__ == "__main__":
    sys.exit(main())
