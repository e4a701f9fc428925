"""The store of saved states: the fake in memory, and files on disk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.llama.state_file import StateKey
from adapters.llama.states import DiskStates
from bot.ports.runner import StateStore
from tests.fakes.states import MemoryStates

KEY = StateKey(model="ab" * 32, build="cd" * 32)
ONE, OTHER = (5, 6, 7), (5, 6, 8)


@pytest.fixture(params=["memory", "disk"])
def states(request: pytest.FixtureRequest, tmp_path: Path) -> StateStore:
    if request.param == "memory":
        return MemoryStates()
    return DiskStates(tmp_path / "states", KEY, budget_bytes=10**6)


def test_prefix_is_found_by_its_very_tokens(states: StateStore) -> None:
    states.put_prefix(ONE, b"state of one")

    assert states.has_prefix(ONE)
    assert states.get_prefix(ONE) == b"state of one"
    for tokens in (OTHER, ONE[:2], (*ONE, 0)):
        assert not states.has_prefix(tokens)
        assert states.get_prefix(tokens) is None


def test_conversation_is_found_with_its_tokens(states: StateStore) -> None:
    states.put_conversation("a", ONE, b"first")
    states.put_conversation("b", OTHER, b"second")

    assert (states.tokens_of("a"), states.get_conversation("a")) == (ONE, b"first")
    assert (states.tokens_of("b"), states.get_conversation("b")) == (OTHER, b"second")


def test_later_state_of_a_conversation_stands_in_place_of_the_one_before(
    states: StateStore,
) -> None:
    states.put_conversation("a", ONE, b"first")
    states.put_conversation("a", (1, 2, 3, 4), b"longer")

    assert (states.tokens_of("a"), states.get_conversation("a")) == ((1, 2, 3, 4), b"longer")


def test_forgotten_conversation_is_gone_and_no_other(states: StateStore) -> None:
    states.put_conversation("a", ONE, b"first")
    states.put_conversation("ab", OTHER, b"second")
    states.put_prefix(ONE, b"prefix")

    states.forget("a")
    states.forget("a")
    states.forget("unknown")

    assert states.tokens_of("a") == ()
    assert states.get_conversation("ab") == b"second"
    assert states.get_prefix(ONE) == b"prefix"


def test_what_was_never_kept_has_no_tokens(states: StateStore) -> None:
    assert states.tokens_of("nobody") == ()


NAMES = st.sampled_from(["", "a", "../../a", "a/b", "é 🐙", "x" * 500, "a\x00b"]).filter(bool)
IDS = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=30).map(tuple)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("prefix"), IDS, st.binary(max_size=200)),
        st.tuples(st.just("talk"), NAMES, IDS, st.binary(max_size=200)),
        st.tuples(st.just("forget"), NAMES),
        st.tuples(st.just("reopen")),
    ),
    max_size=20,
)


def _apply(step: tuple[object, ...], store: StateStore) -> None:
    match step:
        case ("prefix", tuple(ids), bytes(state)):
            store.put_prefix(ids, state)
        case ("talk", str(name), tuple(ids), bytes(state)):
            store.put_conversation(name, ids, state)
        case ("forget", str(name)):
            store.forget(name)
        case _:
            raise AssertionError(step)


@given(steps=STEPS)
def test_disk_says_what_memory_says_also_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("states")
    memory = MemoryStates()
    disk = DiskStates(folder, KEY, budget_bytes=10**6)
    for step in steps:
        if step == ("reopen",):
            disk = DiskStates(folder, KEY, budget_bytes=10**6)
        else:
            _apply(step, memory)
            _apply(step, disk)
    for ids in memory.prefixes:
        assert disk.get_prefix(ids) == memory.get_prefix(ids)
    for name in {str(step[1]) for step in steps if step[0] in ("talk", "forget")}:
        assert disk.tokens_of(name) == memory.tokens_of(name)
        if memory.tokens_of(name):
            assert disk.get_conversation(name) == memory.get_conversation(name)
