"""The three verifiers as programs: JSON lines in, JSON lines out. They share no code."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.corpus.cases import Expected

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 1800.0


@dataclass(frozen=True, slots=True)
class Verifier:
    """A program and what to call it."""

    name: str
    command: tuple[str, ...]

    def missing(self) -> str | None:
        """Return why it can't run here, or None."""
        return None if shutil.which(self.command[0]) else f"{self.command[0]} is not installed"

    def answers(self, cases: Sequence[Expected]) -> list[dict[str, Any]]:
        """Return one answer for each case, without the words for people.

        Raises:
            RuntimeError: the program failed, or did not answer every case.
        """
        lines = b"".join(case.line() for case in cases)
        done = subprocess.run(
            self.command,
            input=lines,
            capture_output=True,
            cwd=ROOT,
            timeout=PATIENCE_S,
            check=False,
        )
        rows = [json.loads(row) for row in done.stdout.splitlines()]
        if done.returncode or len(rows) != len(cases):
            said = done.stderr.decode(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} answered {len(rows)} of {len(cases)} cases: {said}")
        return [{name: row[name] for name in row if name != "reason"} for row in rows]


VERIFIERS = (
    Verifier("core", (sys.executable, "-m", "tests.corpus.core")),
    Verifier("page", ("node", "adapters/web/proof_page/verify_cli.mjs", "--lines")),
    Verifier("standalone", (sys.executable, "docs/verify_receipt.py", "--cases")),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a verifier did.

    Attributes:
        accepted: falsified cases that it took for true.
        differing: cases with another answer than expected, by their name, with both answers.
    """

    cases: int
    accepted: int
    differing: Counter[str]


def compare(verifier: Verifier, cases: Sequence[Expected]) -> Verdict:
    """Ask a verifier about all cases."""
    answers = verifier.answers(cases)
    pairs = list(zip(cases, answers, strict=True))
    accepted = sum(case.step is not None and "step" not in answer for case, answer in pairs)
    differing = Counter(
        f"{case.name}: {case.answer()} expected, {answer} answered"
        for case, answer in pairs
        if answer != case.answer()
    )
    return Verdict(len(cases), accepted, differing)
