"""A process that settles and is killed with SIGKILL at random moments."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("vetoes", "longest_s"), [(0.0, 0.8), (0.5, 2.5)], ids=["no vetoes", "vetoes"]
)
def test_kill_minus_nine_at_random_moments_loses_and_repeats_nothing(
    tmp_path: Path, vetoes: float, longest_s: float
) -> None:
    command = [sys.executable, "-m", "tests.faults.settle_forever", str(tmp_path), "--seed", "7"]
    command += ["--kills", str(KILLS), "--vetoes", str(vetoes), "--longest", str(longest_s)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)

    last = [line for line in done.stdout.splitlines() if "faults" in line]
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(last) == 1
    kills, epochs, vetoed, faults = (int(part.split()[0]) for part in last[0].split(", "))
    assert (kills, faults) == (KILLS, 0)
    assert epochs >= 3, "too few epochs were begun for the kills to mean anything"
    assert (vetoed > 0) is (vetoes > 0)
