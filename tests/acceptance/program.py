"""`twinproof` as a person runs it: a process with a folder of its own, and nothing left behind."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.prefix) / "bin" / "twinproof"
STARTER = ROOT / "personas" / "starter" / "starter-q8_0.gguf"
PATIENCE_S = 120.0
"""For one step of one process, on two cores that others use as well."""
SHARE = Decimal("0.85")
"""What a creator gets of a fee under the default configuration."""
_MARK = "TWINTEST_MARK"


@dataclass(frozen=True, slots=True)
class Finished:
    """What a process left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last line on standard error, where every refusal stands."""
        return self.err.rstrip().rpartition("\n")[2]


@dataclass(slots=True)
class Program:
    """Starts the program with one working folder and knows every process that came of it."""

    home: Path
    mark: str = field(default_factory=lambda: os.urandom(8).hex())

    def popen(
        self,
        *arguments: object,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.PIPE,
        environment: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start it in a session, and so a process group, of its own."""
        return subprocess.Popen(
            [str(COMMAND), *map(str, arguments)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=self.home,
            env={**self.environment(), **(environment or {})},
            start_new_session=True,
        )

    def run(self, *arguments: object, stdin: bytes = b"", **environment: str) -> Finished:
        """Run it to its end."""
        process = self.popen(*arguments, stdin=subprocess.PIPE, environment=environment)
        return self.finish(process, stdin)

    def finish(self, process: subprocess.Popen[bytes], stdin: bytes | None = None) -> Finished:
        """Wait for the end of a process; too long is the end as well, and a failure."""
        try:
            out, err = process.communicate(stdin, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            _, err = process.communicate()
            raise AssertionError(f"still running: {err.decode()[-2000:]}") from None
        return Finished(process.returncode, out.decode(), err.decode())

    def environment(self) -> dict[str, str]:
        """Return the environment: this one, without our settings, with the mark."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TWINPROOF_")}
        return {**kept, _MARK: self.mark}

    def processes(self) -> dict[int, str]:
        """Return the living processes that came of this program: number to command line."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and self._is_ours(folder):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = command
        return found

    def engines(self) -> list[int]:
        """Return the engine processes."""
        return [pid for pid, command in self.processes().items() if "engine_process" in command]

    def wait_gone(self) -> None:
        """Wait until no process of ours is left; they must go by themselves."""
        wait_until(lambda: not self.processes(), f"processes of {self.home} to go", 30)

    def kill_all(self) -> None:
        """End what is left, at the end of a test."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    def _is_ours(self, folder: Path) -> bool:
        try:
            return f"{_MARK}={self.mark}".encode() in (folder / "environ").read_bytes()
        except OSError:  # gone, or another user's
            return False


@contextmanager
def program(home: Path) -> Iterator[Program]:
    """Give a program whose processes must all be gone when the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    made = Program(home)
    try:
        yield made
        made.wait_gone()
    finally:
        made.kill_all()


def wait_until(fact: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Look until a fact holds."""
    end = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def fee_of(slug: str) -> Decimal:
    """Return what a reply of a sample twin costs."""
    persona = tomllib.loads((ROOT / "personas" / f"{slug}.toml").read_text(encoding="utf-8"))
    return Decimal(persona["price"]["per_reply"])


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def copy_model(to: Path) -> Path:
    """Copy the starter model whole, as its digest says: it may be being replaced."""
    digest = STARTER.with_name("starter.sha256")
    path = to / "starter.gguf"

    def copied() -> bool:
        shutil.copy(STARTER, path)
        wanted = digest.read_text().split()[0]
        return hashlib.sha256(path.read_bytes()).hexdigest() == wanted

    wait_until(copied, "a starter model that has its digest", 60)
    return path


def write_config(folder: Path, model: Path, more: str = "") -> Path:
    """Write a configuration that names a model."""
    path = folder / "config.toml"
    path.write_text(f'[model]\npath = "{model}"\n{more}', encoding="utf-8")
    return path
