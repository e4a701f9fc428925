"""A process that settles and is killed with SIGKILL at random moments."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 20


@pytest.mark.slow
def test_kill_minus_nine_at_random_moments_loses_and_repeats_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.settle_forever", str(tmp_path), "--seed", "7"]

    done = subprocess.run(
        [*command, "--kills", str(KILLS)], capture_output=True, text=True, check=False, timeout=200
    )

    last = [line for line in done.stdout.splitlines() if "faults" in line]
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(last) == 1
    kills, epochs, faults = (int(part.split()[0]) for part in last[0].split(", "))
    assert (kills, faults) == (KILLS, 0)
    assert epochs >= 3, "too few epochs were begun for the kills to mean anything"
