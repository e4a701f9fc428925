"""One run of the demo, a second one on the same folder, and one that goes on serving it."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bot.cli.commands import run
from tests.acceptance.program import (
    Finished,
    Program,
    copy_model,
    free_port,
    program,
    wait_until,
    write_config,
)

SAID = ("hi", "Where do you live?")
SAID_LATER = "What is your favourite food?"


@dataclass(frozen=True, slots=True)
class Demo:
    """One scripted run: its data folder as it was left, its port, what it printed."""

    folder: Path
    port: int
    finished: Finished

    @property
    def result(self) -> dict[str, Any]:
        """The JSON object on standard output."""
        loaded: dict[str, Any] = json.loads(self.finished.out)
        return loaded

    @property
    def links(self) -> list[str]:
        """The proof links of the replies."""
        return [reply["link"] for reply in self.result["replies"]]

    @property
    def copies(self) -> list[Path]:
        """The fan's own copies of the bundles, in this folder."""
        return [self.folder / "proofs" / Path(r["bundle"]).name for r in self.result["replies"]]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the starter model that stays as it is."""
    return copy_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def config(model: Path) -> Path:
    """A configuration that names that copy."""
    return write_config(model.parent, model)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program of the session's shared runs."""
    with program(tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.fixture
def twinproof(tmp_path: Path) -> Iterator[Program]:
    """The program in a folder of this test."""
    with program(tmp_path / "home") as made:
        yield made


@pytest.fixture(scope="session")
def first(shared: Program, config: Path) -> Demo:
    """The first run on a fresh folder: two messages to Mira. Its folder is a copy made after it."""
    live, port = shared.home / "live", free_port()
    words = [word for text in SAID for word in ("--say", text)]
    finished = shared.run(
        "demo", "--config", config, "--data", live, "--port", port, "--twin", "mira", *words,
        "--json",
    )  # fmt: skip
    kept = shared.home / "first"
    shutil.copytree(live, kept)
    return Demo(kept, port, finished)


@pytest.fixture(scope="session")
def second(shared: Program, config: Path, first: Demo) -> Demo:
    """The next run on the same folder: one more message to Mira."""
    live = first.folder.with_name("live")
    finished = shared.run(
        "demo", "--config", config, "--data", live, "--port", first.port, "--twin", "mira",
        "--say", SAID_LATER, "--json",
    )  # fmt: skip
    return Demo(live, first.port, finished)


@pytest.fixture(scope="session")
def serving(shared: Program, config: Path, first: Demo) -> Iterator[Demo]:
    """A demo that goes on running on a copy of the first run's folder, on a port of its own."""
    folder, port = shared.home / "served", free_port()
    shutil.copytree(first.folder, folder)
    process = shared.popen(
        "demo", "--config", config, "--data", folder, "--port", port, stdin=subprocess.PIPE
    )
    try:
        wait_until(lambda: _answers(port), "the chat page")
        yield Demo(folder, port, first.finished)
    finally:
        left = shared.finish(process, b"/quit\n")
    assert left.code == 0, left.err


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class CommandLine:
    """The command line's own door, in this process: for tables that would start it 50 times."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Finished:
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return Finished(code, out, err)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Run a command in this process."""
    return CommandLine(capsys)
