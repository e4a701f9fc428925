"""Saved states on disk: what is damaged, another's or half written is never believed."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.llama.state_file import PARTIAL, StateKey
from adapters.llama.states import DiskStates, NoStates
from bot.ports.runner import StateStore

KEY = StateKey(model="ab" * 32, build="cd" * 32)
TOKENS = tuple(range(40))
STATE = bytes(range(256)) * 2
TALK = "discord 9 mira ana"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "states"


def _open(folder: Path, *, key: StateKey = KEY, budget: int = 10**6) -> DiskStates:
    return DiskStates(folder, key, budget_bytes=budget)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _only(folder: Path) -> Path:
    (path,) = _files(folder)
    return path


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_flipped_byte_anywhere_is_refused_and_the_file_removed(
    tmp_path_factory: pytest.TempPathFactory, place: float, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("states")
    states = _open(folder)
    states.put_prefix(TOKENS, STATE)
    path = _only(folder)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= flip
    path.write_bytes(data)

    assert states.get_prefix(TOKENS) is None
    assert not states.has_prefix(TOKENS)
    assert _files(folder) == []


@pytest.mark.parametrize("kept", [0, 1, 15, 19, 20, 21, 60, 200, 400, -33, -32, -1])
def test_cut_file_is_refused(folder: Path, kept: int) -> None:
    states = _open(folder)
    states.put_conversation(TALK, TOKENS, STATE)
    path = _only(folder)
    path.write_bytes(path.read_bytes()[:kept])
    again = _open(folder)

    assert again.tokens_of(TALK) in ((), TOKENS)
    assert again.get_conversation(TALK) is None
    assert again.tokens_of(TALK) == ()
    assert _files(folder) == []


def test_longer_file_is_refused(folder: Path) -> None:
    states = _open(folder)
    states.put_prefix(TOKENS, STATE)
    with _only(folder).open("ab") as file:
        file.write(b"\0")

    assert states.get_prefix(TOKENS) is None


@pytest.mark.parametrize(
    "other",
    [
        StateKey(model="ab" * 31 + "00", build=KEY.build),
        StateKey(model="00" * 32, build=KEY.build),
        StateKey(model=KEY.model, build="00" * 32),
        StateKey(model=KEY.model, build=KEY.build, cache="f16"),
    ],
    ids=["model of the same folder", "model", "build", "cache"],
)
def test_state_of_another_model_build_or_cache_is_not_taken(folder: Path, other: StateKey) -> None:
    _open(folder, key=other).put_prefix(TOKENS, STATE)
    theirs = _only(folder)

    mine = _open(folder)
    mine.put_prefix(TOKENS[:3], b"small")
    own = next(path for path in _files(folder) if path != theirs).parent
    if theirs.exists():
        (own / theirs.name).write_bytes(theirs.read_bytes())

    assert _open(folder).get_prefix(TOKENS) is None


def test_state_under_another_name_is_not_taken(folder: Path) -> None:
    states = _open(folder)
    states.put_conversation("a", TOKENS, STATE)
    first = _only(folder)
    states.put_conversation("b", (1, 2), b"other")
    second = next(path for path in _files(folder) if path != first)
    second.write_bytes(first.read_bytes())

    assert states.tokens_of("b") == ()


def test_states_of_an_older_build_go_and_of_another_model_stay(folder: Path) -> None:
    older = StateKey(model=KEY.model, build="00" * 32)
    another = StateKey(model="77" * 32, build=KEY.build)
    for key in (older, another):
        _open(folder, key=key).put_prefix(TOKENS, STATE)

    _open(folder)

    assert len(_files(folder)) == 1
    assert _open(folder, key=another).get_prefix(TOKENS) == STATE


def test_forgetting_reaches_states_under_other_models(folder: Path) -> None:
    another = _open(folder, key=StateKey(model="77" * 32, build=KEY.build))
    another.put_conversation(TALK, TOKENS, STATE)
    states = _open(folder)
    states.put_conversation(TALK, TOKENS, STATE)

    states.forget(TALK)

    assert _files(folder) == []


def test_files_and_folders_are_the_owners_alone_and_named_after_nobody(folder: Path) -> None:
    states = _open(folder)
    states.put_conversation(TALK, TOKENS, STATE)
    states.put_prefix(TOKENS, STATE)

    for path in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600)
        assert "ana" not in path.name
    assert all(b"ana" not in path.read_bytes() for path in _files(folder))


def test_budget_takes_the_coldest_conversations_first_then_prefixes(folder: Path) -> None:
    size = 10_000
    states = _open(folder, budget=5 * (size + 600))
    states.put_prefix((1,), bytes(size))
    states.put_prefix((2,), bytes(size))
    for name in ("a", "b", "c"):
        states.put_conversation(name, (3,), bytes(size))
    states.get_conversation("a")

    states.put_conversation("d", (4,), bytes(size))
    assert [bool(states.tokens_of(name)) for name in "abcd"] == [True, False, True, True]

    for token in (3, 4, 5):
        states.put_prefix((token,), bytes(size))
    assert not any(states.tokens_of(name) for name in "abcd")
    assert all(states.has_prefix((token,)) for token in (1, 2, 3, 4, 5))
    states.put_prefix((6,), bytes(size))
    assert [states.has_prefix((token,)) for token in range(1, 7)] == [False] + [True] * 5


def test_order_of_use_outlives_the_process(folder: Path) -> None:
    states = _open(folder)
    for token in (1, 2, 3):
        states.put_prefix((token,), bytes(1000))
    for age, path in enumerate(_files(folder)):
        os.utime(path, ns=(age, age))
    coldest_last = [token for token in (1, 2, 3) if states.get_prefix((token,)) and token == 1]
    assert coldest_last == [1]
    states.get_prefix((2,))

    again = _open(folder, budget=3200)

    assert sum(again.has_prefix((token,)) for token in (1, 2, 3)) == 2
    assert again.has_prefix((2,))


def test_state_larger_than_the_budget_is_not_kept_and_drives_nothing_out_of_order(
    folder: Path,
) -> None:
    states = _open(folder, budget=2000)
    states.put_conversation("a", (1,), bytes(3000))

    assert states.tokens_of("a") == ()
    assert _files(folder) == []


def test_disk_that_takes_nothing_costs_the_state_and_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = _open(folder)
    states.put_prefix(TOKENS, STATE)

    def full(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    states.put_prefix((1, 2), STATE)

    assert not states.has_prefix((1, 2))
    assert states.get_prefix(TOKENS) == STATE
    assert len(_files(folder)) == 1


def test_partial_file_of_a_crash_is_removed_and_never_read(folder: Path) -> None:
    states = _open(folder)
    states.put_prefix(TOKENS, STATE)
    path = _only(folder)
    partial = path.with_name(path.name + PARTIAL)
    partial.write_bytes(path.read_bytes()[:100])
    path.unlink()

    again = _open(folder)

    assert not again.has_prefix(TOKENS)
    assert _files(folder) == []


WRITER = """
import sys
from pathlib import Path
from adapters.llama.state_file import StateKey
from adapters.llama.states import DiskStates
states = DiskStates(Path(sys.argv[1]), StateKey("ab" * 32, "cd" * 32), budget_bytes=10**9)
number = 0
while True:
    number += 1
    states.put_conversation("a", (number, 1), bytes([number % 256]) * 2_000_000)
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("delay_ms", [1, 3, 7, 12, 20])
def test_killed_writer_leaves_a_whole_state_or_none(folder: Path, delay_ms: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay_ms / 1000)
        writer.send_signal(signal.SIGKILL)

    states = _open(folder, budget=10**9)
    tokens = states.tokens_of("a")

    assert [path for path in _files(folder) if path.name.endswith(PARTIAL)] == []
    if tokens:
        assert states.get_conversation("a") == bytes([tokens[0] % 256]) * 2_000_000


def test_store_of_a_replay_keeps_nothing() -> None:
    states: StateStore = NoStates()
    states.put_prefix(TOKENS, STATE)
    states.put_conversation("a", TOKENS, STATE)
    states.forget("a")

    assert not states.has_prefix(TOKENS)
    assert states.get_prefix(TOKENS) is None
    assert states.tokens_of("a") == ()
    assert states.get_conversation("a") is None
