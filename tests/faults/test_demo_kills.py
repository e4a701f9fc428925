"""The real program, killed without warning at every kind of moment, and started again.

One folder lives through a chain of kills, as an operator's would: after each, the stand-alone audit
looks at what was left before anybody mends it; the next start mends it and is killed in its turn.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from bot.cli.commands import run
from tests.acceptance.program import (
    SHARE,
    Finished,
    Program,
    copy_model,
    fee_of,
    free_port,
    program,
    wait_until,
    write_config,
)

pytestmark = pytest.mark.slow

EARNED = fee_of("mira") * SHARE
TRIES = 3
SAID = ("hi", "Where do you live?")
RANDOM_KILLS = 3
Rows = list[tuple[object, ...]]
Moment = Callable[["Folder"], bool]


@dataclass(slots=True)
class Folder:
    """A data folder that a demo is killed on, looked into from outside."""

    twinproof: Program
    config: Path
    data: Path
    port: int = field(default_factory=free_port)

    def start(self, *texts: str) -> subprocess.Popen[bytes]:
        """Start a scripted demo on it."""
        words = [word for text in texts for word in ("--say", text)]
        return self.twinproof.popen(
            "demo", "--config", self.config, "--data", self.data, "--port", self.port,
            "--twin", "mira", *words, "--json",
        )  # fmt: skip

    def finish(self, *texts: str) -> Finished:
        """Run a scripted demo on it to its end."""
        return self.twinproof.finish(self.start(*texts))

    def audit(self) -> int:
        """Run the command `audit` here and return its exit code; a process takes 2 s longer."""
        return run(["audit", "--data", str(self.data), "--json"])

    def rows(self, query: str, name: str = "twinproof.db") -> Rows:
        """Return what the book, or the chain, holds; nothing while there is none."""
        try:
            book = sqlite3.connect(f"file:{self.data / name}?mode=ro", uri=True)
        except sqlite3.Error:
            return []
        try:
            return list(book.execute(query))
        except sqlite3.Error:
            return []
        finally:
            book.close()

    def receipts(self) -> Rows:
        """Return the receipts, oldest first."""
        return self.rows("SELECT receipt_hash, seq, envelope, text FROM replies ORDER BY log_index")

    def heads(self) -> Rows:
        """Return the signed heads."""
        return self.rows("SELECT size, root, note FROM checkpoints ORDER BY size")

    def keys(self) -> dict[str, bytes]:
        """Return the key files."""
        folder = self.data / "keys"
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.key")}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return write_config(folder, copy_model(folder))


@pytest.fixture
def folder(tmp_path: Path, config: Path) -> Iterator[Folder]:
    with program(tmp_path / "home") as made:
        yield Folder(made, config, made.home / "data")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, config: Path) -> Path:
    """A folder that one run has used; tests work on copies."""
    with program(tmp_path_factory.mktemp("begun")) as made:
        folder = Folder(made, config, made.home / "data")
        started = time.monotonic()
        assert folder.finish(SAID[0]).code == 0
        (folder.data / "seconds").write_text(str(time.monotonic() - started))
        return folder.data


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the whole process group; the engine is in a session of its own and must follow."""
    os.killpg(process.pid, signal.SIGKILL)


def _kill_service(process: subprocess.Popen[bytes]) -> None:
    """Kill the service process alone."""
    os.kill(process.pid, signal.SIGKILL)


def _kill_when(
    folder: Folder,
    moment: Moment,
    kill: Callable[[subprocess.Popen[bytes]], None] = _kill_group,
    texts: tuple[str, ...] = SAID,
) -> bool:
    """Run a demo until a moment, then kill; return whether it was still running."""
    process = folder.start(*texts)
    wait_until(lambda: process.poll() is not None or moment(folder), "the moment to kill")
    alive = process.poll() is None
    with suppress(ProcessLookupError):
        kill(process)
    process.communicate()
    folder.twinproof.wait_gone()
    return alive


def _more(query: str) -> Callable[[Folder], Moment]:
    """Return what makes a moment: the query returns rows that it does not return now."""

    def prepare(folder: Folder) -> Moment:
        before = set(folder.rows(query))
        return lambda folder: not before.issuperset(folder.rows(query))

    return prepare


def _after(seconds: float) -> Callable[[Folder], Moment]:
    def prepare(_folder: Folder) -> Moment:
        end = time.monotonic() + seconds
        return lambda _folder: time.monotonic() >= end

    return prepare


def _epoch_beyond(states: str) -> Callable[[Folder], Moment]:
    return _more(f"SELECT number FROM epochs WHERE state NOT IN ({states})")  # noqa: S608


MOMENTS: dict[str, Callable[[Folder], Moment]] = {
    "the intent is written": _more("SELECT key FROM intents WHERE state = 'open'"),
    "the receipt has no outcome": _more("SELECT receipt_hash FROM replies WHERE outcome IS NULL"),
    "the epoch is planned": _epoch_beyond("''"),
    "the epoch is signed": _epoch_beyond("'planned'"),
    "the epoch is sent": _epoch_beyond("'planned', 'signed'"),
    "the claim is signed": _more("SELECT hash FROM chain_attempts WHERE purpose = 'claim'"),
}


@pytest.fixture
def used(folder: Folder, begun: Path) -> Folder:
    """A folder of this test's own in which one reply was made and settled."""
    shutil.copytree(begun, folder.data)
    return folder


@dataclass(slots=True)
class Survivor:
    """What must outlive every kill, collected after each."""

    folder: Folder
    receipts: Rows = field(default_factory=list)
    heads: Rows = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)

    def look(self) -> None:
        """Check that nothing seen before has gone or changed, and remember what is there now."""
        receipts, heads, keys = self.folder.receipts(), self.folder.heads(), self.folder.keys()
        assert receipts[: len(self.receipts)] == self.receipts
        assert heads[: len(self.heads)] == self.heads
        assert self.keys.items() <= keys.items()
        self.receipts, self.heads, self.keys = receipts, heads, keys


def _assert_whole(folder: Folder, finished: Finished) -> None:
    """The last run ended well: all of the book is delivered, and paid on the chain once."""
    assert finished.code == 0, finished.err
    assert folder.rows("SELECT * FROM intents WHERE state = 'open'") == []
    assert folder.rows("SELECT * FROM replies WHERE outcome IS NOT 'delivered'") == []
    delivered = len(folder.receipts())
    lines = json.loads(finished.out)["settlement"]["creators"]
    amounts = {Decimal(line[k]) for line in lines for k in ("earned", "committed", "balance")}
    assert amounts == {Decimal(0), EARNED * delivered}
    captures = folder.rows("SELECT key FROM ledger_transactions WHERE kind = 'capture'")
    assert len(captures) == delivered == len(folder.rows("SELECT key FROM intents"))
    # A process of its own, as somebody else would look.
    audited = folder.twinproof.run("audit", "--data", folder.data, "--json")
    assert (audited.code, json.loads(audited.out)["wrong"]) == (0, [])


def test_a_chain_of_kills_loses_nothing_and_pays_nothing_twice(used: Folder) -> None:
    survivor = Survivor(used)
    survivor.look()
    hit = []
    for number, (name, prepare) in enumerate(random.sample(list(MOMENTS.items()), len(MOMENTS))):
        kill = _kill_service if number % 2 else _kill_group

        for _ in range(TRIES):  # a step may be over before it is seen, on a busy machine
            alive = _kill_when(used, prepare(used), kill, (SAID[number % 2],))
            assert used.audit() == 0
            survivor.look()
            if alive:
                hit.append(name)
                break

    finished = used.finish(SAID[0])

    survivor.look()
    assert len(hit) >= len(MOMENTS) - 1, hit
    assert len(survivor.receipts) >= len(MOMENTS) // 2
    _assert_whole(used, finished)


def test_kills_at_random_moments_lose_nothing_and_pay_nothing_twice(used: Folder) -> None:
    survivor = Survivor(used)
    survivor.look()
    length = float((used.data / "seconds").read_text())
    # pytest-randomly prints and sets the seed
    for hundredth in random.sample(range(30, 110), RANDOM_KILLS):
        _kill_when(used, _after(length * hundredth / 100)(used))
        assert used.audit() == 0, hundredth
        survivor.look()

    finished = used.finish(SAID[0])

    survivor.look()
    _assert_whole(used, finished)


def _exists(name: str) -> Callable[[Folder], Moment]:
    return lambda _folder: lambda folder: (folder.data / name).exists()


def _blocks(number: int) -> Callable[[Folder], Moment]:
    """Return the moment when the chain has so many blocks above its first; creation is three."""
    query = "SELECT key FROM chain_state WHERE substr(key, 1, 12) = CAST('block-number' AS BLOB)"
    return lambda _folder: lambda folder: len(folder.rows(query, "chain.db")) > number


FIRST_START: dict[str, Callable[[Folder], Moment]] = {
    "the first key is there": _exists("keys/receipts.key"),
    "the book is a file": _exists("twinproof.db"),
    "a manifest is signed": _more("SELECT hash FROM manifests"),
    "the chain is a file": _exists("chain.db"),
    "the token is deployed": _blocks(1),
    "the policy is written": _exists("trust.json"),
}


def test_kills_during_the_very_first_start_leave_a_folder_that_starts(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fresh folder, killed at each of its first files, going on with what the last kill left."""
    survivor = Survivor(folder)
    for name, prepare in FIRST_START.items():
        assert _kill_when(folder, prepare(folder)), name

        # 0: all that is there agrees; 2: nothing is there yet. 1 would be a fault.
        assert folder.audit() in {0, 2}, capsys.readouterr()
        survivor.look()

    finished = folder.finish(SAID[0])

    survivor.look()
    assert survivor.receipts
    _assert_whole(folder, finished)


def test_a_dead_engine_is_replaced_or_the_reply_refused(used: Folder) -> None:
    """Kill the engine alone while the service talks: a reply is made, or it is not charged."""
    before = len(used.receipts())
    process = used.start(*SAID)
    wait_until(lambda: len(used.receipts()) > before or process.poll() is not None, "a reply")
    for pid in used.twinproof.engines():
        os.kill(pid, signal.SIGKILL)

    hurt = used.twinproof.finish(process)
    made = len(used.receipts())
    audited = used.audit()
    healed = used.finish(SAID[0])

    assert hurt.code == 0 or (hurt.code == 3 and "nothing was charged" in hurt.complaint)
    assert audited == 0
    assert made == before + (2 if hurt.code == 0 else 1)
    assert len(used.receipts()) == made + 1
    assert healed.code == 0
    assert used.audit() == 0
