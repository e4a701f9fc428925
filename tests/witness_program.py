"""A witness as a process of its own, as anybody runs it."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bot.wiring.witnesses import make_witness

ROOT = Path(__file__).parents[1]


def run_program(*arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def environment() -> dict[str, str]:
    """Return this environment without the service's settings."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TWINPROOF_")}


@dataclass(slots=True)
class WitnessProgram:
    """A witness in a folder; `url` and `process` are of its present life."""

    folder: Path
    vkey: str
    log: str
    process: subprocess.Popen[str] | None = None
    url: str = ""

    @classmethod
    def make(cls, folder: Path, name: str, log: str) -> "WitnessProgram":
        """Make a witness that is to watch one log; not from within a running loop."""
        key = asyncio.run(make_witness(folder, name))
        return cls(folder, key.encode(), log)

    def start(self, port: int = 0) -> None:
        """Start it and wait until it answers."""
        command = ("witness", "run", "--data", str(self.folder), "--log", self.log)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bot", *command, "--port", str(port)],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:")

    def kill(self) -> None:
        """End it without a warning; safe to repeat."""
        process, self.process = self.process, None
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=30)
