"""The demo in a real terminal, as a newcomer meets it, and on a pipe."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

from bot.cli.commands import run
from tests.acceptance.conftest import SAID, Demo
from tests.acceptance.program import (
    COMMAND,
    PATIENCE_S,
    SHARE,
    Program,
    fee_of,
    free_port,
    wait_until,
)

pytestmark = pytest.mark.slow

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
CTRL_C, CTRL_D = "\x03", "\x04"


class Person:
    """Sits at a terminal of 100 columns and reads what the program writes."""

    def __init__(self, child: Any) -> None:  # noqa: ANN401 - pexpect is untyped
        self._child = child
        self.read = ""

    def sees(self, *texts: str) -> str:
        """Wait for texts in order; return everything up to the last one."""
        start = len(self.read)
        for text in texts:
            self._child.expect_exact(text)
            self.read += ESCAPE.sub("", self._child.before + self._child.after)
        return self.read[start:]

    def types(self, line: str) -> None:
        """Wait for the prompt and type a line."""
        self.sees("you>")
        self._child.send(line + "\r")

    def presses(self, key: str) -> None:
        """Wait for the prompt and press a key."""
        self.sees("you>")
        self._child.send(key)

    def interrupts(self) -> None:
        """Press Ctrl-C, whatever the program is doing."""
        self._child.send(CTRL_C)

    def signals(self, number: signal.Signals) -> None:
        """Send the program a signal from outside."""
        self._child.kill(number)

    def leaves(self) -> int:
        """Wait for the end; return the exit code, or minus the signal."""
        self._child.expect(pexpect.EOF)
        self.read += ESCAPE.sub("", self._child.before)
        self._child.close()
        status = self._child.exitstatus
        return int(status) if status is not None else -int(self._child.signalstatus)


@contextmanager
def _terminal(twinproof: Program, *arguments: object) -> Iterator[Person]:
    """Open the demo in a terminal."""
    child = pexpect.spawn(
        str(COMMAND),
        ["demo", *map(str, arguments)],
        cwd=str(twinproof.home),
        env={**twinproof.environment(), "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(40, 100),
        timeout=PATIENCE_S,
    )
    try:
        yield Person(child)
    finally:
        child.close(force=True)


@pytest.fixture
def options(twinproof: Program, config: Path) -> tuple[object, ...]:
    """The options of a demo on this test's folder."""
    return ("--config", config, "--data", twinproof.home / "data", "--port", free_port())


@pytest.fixture
def returning(twinproof: Program, options: tuple[object, ...], first: Demo) -> tuple[object, ...]:
    """The same on a folder where somebody has talked before."""
    shutil.copytree(first.folder, twinproof.home / "data")
    return (*options, "--twin", "mira")


def _audit(twinproof: Program) -> int:
    return run(["audit", "--data", str(twinproof.home / "data")])


def test_a_newcomer_looks_around_and_comes_back(
    twinproof: Program, options: tuple[object, ...]
) -> None:
    with _terminal(twinproof, *options) as person:
        _look_around(person)
        assert person.leaves() == 0
    assert "Goodbye." in person.read
    assert "Traceback" not in person.read
    twinproof.wait_gone()
    assert _audit(twinproof) == 0

    with _terminal(twinproof, *options, "--twin", "theo") as person:
        earlier = person.sees("earlier, you: And you?", "earlier, Theo Keller [AI twin]: ")
        assert "earlier, you: hi" not in earlier
        person.types("/twin ayla")
        person.sees("earlier, you: hi", "earlier, Ayla Demir [AI twin]: ")
        person.presses(CTRL_D)
        assert person.leaves() == 0
    twinproof.wait_gone()


def _look_around(person: Person) -> None:
    start = person.sees("Twinproof is running", "http://127.0.0.1:", "You talk to Ayla Demir")
    assert "AI" in start
    person.types("hi")
    person.sees("Ayla Demir [AI twin]: ", f"fee {fee_of('ayla')} tUSD", "proof http://127.0.0.1:")
    person.types("/proof")
    proof = person.sees("Verified here: L0, L1-unwitnessed.", "twinproof replay 'http")
    assert "What this does not show:" in proof
    assert re.search(r"fee \S+ tUSD  proof http\S+/r/[\w-]{22}#k=[\w-]{43}\s", person.read)
    person.types("/twins")
    person.sees("ayla ", "mira ", "theo ")
    person.types("/twin theo")
    person.sees("You talk to Theo Keller")
    person.types("/twin nobody")
    person.sees("There is no twin 'nobody'. Try one of: ayla, mira, theo.")
    person.types("")
    person.types("   ")
    person.types("/nonsense")
    person.sees("There is no command /nonsense. /help lists them.")
    person.types("x" * 1001)
    person.sees("Please write at most 1000 characters; that were 1001.")
    person.types("And you?")
    person.sees("Theo Keller [AI twin]: ", f"fee {fee_of('theo')} tUSD")
    person.types("/earnings")
    earned = (fee_of("theo") * SHARE).normalize()
    person.sees("Theo Keller", f"earned by the book    {earned} tUSD")
    person.types("/help")
    person.sees("/earnings")
    person.types("/quit")


def test_ctrl_c_at_the_prompt_leaves(twinproof: Program, returning: tuple[object, ...]) -> None:
    with _terminal(twinproof, *returning) as person:
        person.presses(CTRL_C)

        assert person.leaves() == 0

    assert "Goodbye." in person.read
    assert "Traceback" not in person.read
    twinproof.wait_gone()


@pytest.mark.parametrize("stop", ["Ctrl-C", "SIGTERM"])
def test_a_stop_in_the_middle_of_a_reply_keeps_the_reply(
    twinproof: Program, returning: tuple[object, ...], stop: str
) -> None:
    before = len(SAID)
    with _terminal(twinproof, *returning) as person:
        person.types(SAID[1])
        wait_until(lambda: _count(twinproof, "intents") > before, "the reply to begin")
        if stop == "Ctrl-C":
            person.interrupts()
        else:
            person.signals(signal.SIGTERM)

        assert person.leaves() == 0

    assert "Traceback" not in person.read
    twinproof.wait_gone()
    assert _count(twinproof, "replies") == _count(twinproof, "intents") == before + 1
    assert _audit(twinproof) == 0


def _count(twinproof: Program, table: str) -> int:
    path = twinproof.home / "data" / "twinproof.db"
    book = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(book.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])  # noqa: S608
    finally:
        book.close()


def test_sigterm_at_the_prompt_stops_in_order(
    twinproof: Program, returning: tuple[object, ...]
) -> None:
    with _terminal(twinproof, *returning) as person:
        person.sees("you>")
        person.signals(signal.SIGTERM)

        assert person.leaves() == 0

    assert "Traceback" not in person.read
    twinproof.wait_gone()


def test_a_pipe_talks_as_a_person_does(twinproof: Program, options: tuple[object, ...]) -> None:
    finished = twinproof.run("demo", *options, stdin=b"hi\n\n/twin theo\n/nonsense\nHow are you?")

    assert finished.code == 0, finished.err
    assert finished.out.count("[AI twin]: ") == 2
    assert (
        len(re.findall(r"fee 0\.\d+ tUSD  proof http\S+/r/[\w-]{22}#k=[\w-]{43}\s", finished.out))
        == 2
    )
    assert "There is no command /nonsense" in finished.out
    assert "Goodbye." in finished.out
    assert "\x1b" not in finished.out + finished.err
    assert _audit(twinproof) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_pipe_that_stays_open_does_not_hold_a_stop_up(
    twinproof: Program, returning: tuple[object, ...], number: signal.Signals
) -> None:
    process = twinproof.popen("demo", *returning, stdin=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdin is not None
    assert process.stdout is not None
    output = _Reader(process.stdout.fileno())
    wait_until(lambda: "you> " in output.text(), "the prompt")

    process.send_signal(number)

    try:
        code = process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
    wait_until(lambda: "Stopping" in output.text(), "the last words")
    process.stdout.close()
    assert code == 0, output.read
    assert "Traceback" not in output.read


class _Reader:
    """Reads what a pipe holds, without waiting for more."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self.read = ""

    def text(self) -> str:
        """Return everything that was written so far."""
        try:
            while data := os.read(self._descriptor, 65536):
                self.read += data.decode()
        except BlockingIOError:
            pass
        return self.read
