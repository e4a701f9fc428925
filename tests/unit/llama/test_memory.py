"""Memory: what may be taken, and how sequences are fitted into it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.llama.memory import (
    AUTOMATIC_CACHE_BYTES,
    CACHE_SHARE,
    MAX_SEQUENCES,
    Sizes,
    Wishes,
    available_bytes,
    choose_sizes,
)

GIB = 2**30
HALF = 24 * 2 * 2 * 64 * 34 // 32  # one token of the 0.4B shape


def _root(folder: Path, groups: str, files: dict[str, str], free_kib: int = 8_000_000) -> Path:
    files = files | {
        "proc/meminfo": f"MemTotal: 9999999 kB\nMemAvailable:  {free_kib} kB\n",
        "proc/self/cgroup": groups,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_machine_without_limits_gives_what_it_has(tmp_path: Path) -> None:
    root = _root(tmp_path, "0::/\n", {"sys/fs/cgroup/memory.max": "max\n"})

    assert available_bytes(root) == 8_000_000 * 1024


@pytest.mark.parametrize(
    ("groups", "files", "left"),
    [
        (
            "0::/a/b\n",
            {"sys/fs/cgroup/a/b/memory.max": "900", "sys/fs/cgroup/a/b/memory.current": "300"},
            600,
        ),
        (
            "0::/a/b\n",
            {"sys/fs/cgroup/a/memory.max": "900", "sys/fs/cgroup/a/memory.current": "1000"},
            0,
        ),
        (
            "5:cpu,memory:/pod\n0::/\n",
            {
                "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "5000",
                "sys/fs/cgroup/memory/pod/memory.usage_in_bytes": "1000",
            },
            4000,
        ),
        ("0::/\n", {"sys/fs/cgroup/memory.max": "700", "sys/fs/cgroup/memory.current": "100"}, 600),
    ],
    ids=["group", "group above", "version 1", "container"],
)
def test_limit_of_a_group_counts(
    tmp_path: Path, groups: str, files: dict[str, str], left: int
) -> None:
    assert available_bytes(_root(tmp_path, groups, files)) == left


@pytest.mark.parametrize(
    ("groups", "files"),
    [
        (
            "0::/pod\n",
            {
                "sys/fs/cgroup/pod/memory.max": "8000",
                "sys/fs/cgroup/pod/memory.current": "7000",
                "sys/fs/cgroup/pod/memory.stat": (
                    "anon 1000\nfile 6000\nshmem 500\ninactive_file 5000\nactive_file 500\n"
                ),
            },
        ),
        (
            "5:memory:/pod\n",
            {
                "sys/fs/cgroup/memory/pod/memory.limit_in_bytes": "8000",
                "sys/fs/cgroup/memory/pod/memory.usage_in_bytes": "7000",
                "sys/fs/cgroup/memory/pod/memory.stat": (
                    "cache 900\ninactive_file 7\nactive_file 7\n"
                    "total_inactive_file 5000\ntotal_active_file 500\n"
                ),
            },
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_pages_of_files_give_way_and_do_not_count_against_the_limit(
    tmp_path: Path, groups: str, files: dict[str, str]
) -> None:
    assert available_bytes(_root(tmp_path, groups, files)) == 8000 - 1500


@pytest.mark.parametrize(
    ("stat", "left"), [("inactive_file 999999\n", 8000), ("gibberish\n", 1000), ("", 1000)]
)
def test_statistics_that_make_no_sense_never_give_more_than_the_limit(
    tmp_path: Path, stat: str, left: int
) -> None:
    group = "sys/fs/cgroup/memory"
    files = {f"{group}.max": "8000", f"{group}.current": "7000", f"{group}.stat": stat}

    assert available_bytes(_root(tmp_path, "0::/\n", files)) == left


def test_system_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None


def test_this_machine_says_something() -> None:
    found = available_bytes()

    assert found is None or found > 0


def _sizes(wishes: Wishes, room: int | None, *, cell: int = HALF, threads: int = 1) -> Sizes | None:
    return choose_sizes(wishes, trained=32_768, cell_bytes=cell, room_bytes=room, threads=threads)


def test_small_machine_runs_eight_and_large_one_more() -> None:
    small, large = _sizes(Wishes(), 16 * GIB), _sizes(Wishes(), 256 * GIB, threads=16)

    assert small is not None
    assert large is not None
    assert small.parallel == 8
    assert large.parallel == 32
    assert small.cells == large.cells == 4096


def test_what_nobody_asked_for_gives_way_first() -> None:
    roomy, tight = _sizes(Wishes(), 16 * GIB), _sizes(Wishes(), GIB)

    assert roomy is not None
    assert tight is not None
    assert (tight.parallel, tight.cells) == (roomy.parallel, roomy.cells)
    assert tight.resting < roomy.resting


def test_cache_is_not_made_larger_than_of_use_unless_it_is_asked_for() -> None:
    automatic = _sizes(Wishes(), 256 * GIB)
    asked = _sizes(Wishes(parallel=100), 256 * GIB)

    assert automatic is not None
    assert asked is not None
    assert automatic.sequences * automatic.cells * HALF <= AUTOMATIC_CACHE_BYTES
    assert asked.parallel == 100


def test_no_room_is_none() -> None:
    assert _sizes(Wishes(), 10 * 2**20) is None
    assert _sizes(Wishes(parallel=64, context=4096), GIB) is None


@given(
    wishes=st.builds(Wishes, st.integers(0, 200), st.sampled_from([0, 300, 1000, 4096, 16_000])),
    room=st.none() | st.integers(0, 64 * GIB),
    cell=st.integers(34, 500_000),
    trained=st.integers(64, 131_072),
    threads=st.integers(1, 128),
)
def test_sequences_always_fit_and_wishes_are_kept(
    wishes: Wishes, room: int | None, cell: int, trained: int, threads: int
) -> None:
    sizes = choose_sizes(wishes, trained=trained, cell_bytes=cell, room_bytes=room, threads=threads)

    if sizes is None:
        assert room is not None
        return
    assert 4 <= sizes.sequences <= MAX_SEQUENCES
    assert min(sizes.parallel, sizes.resting, sizes.prefixes) >= 1
    if room is not None:
        assert sizes.sequences * sizes.cells * cell <= room * CACHE_SHARE
    if wishes.parallel:
        assert sizes.parallel == wishes.parallel
    assert sizes.cells <= trained
    if wishes.context:
        assert sizes.cells == min(trained, wishes.context)
