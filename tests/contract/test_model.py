"""The model runner's contract, over the fake and over llama.cpp with the shipped starter model."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.llama.library import inspect_build, prepare_environment
from bot.domain.errors import EngineCrashedError, InvariantError
from bot.inference.selfcheck import check_profile
from bot.ports.runner import Feed, Logits, ModelRunner
from bot.wiring.engine import STARTER
from tests.fakes.model import FakeModel

prepare_environment()  # before the library loads

CHURNED = (0, 1, 2, 3)


def _llama() -> ModelRunner:
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    return LlamaModel(STARTER, threads=1, name="starter", portable=inspect_build().portable)


@pytest.fixture(scope="module", params=["fake", pytest.param("llama", marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest) -> ModelRunner:
    return FakeModel() if request.param == "fake" else _llama()


@pytest.fixture
def model(opened: ModelRunner) -> Iterator[ModelRunner]:
    """The model with all sequences empty and no copy under way."""
    yield opened
    last = opened.capacity.sequences - 1
    for sequence in range(last + 1):
        opened.trim(sequence, 0)
    opened.decode([Feed(last, 0, (1,), 0)])
    opened.trim(last, 0)


@pytest.fixture
def text(model: ModelRunner) -> tuple[int, ...]:
    return model.tokenize("Hello there, how are you? " * 60, special=False)[:300]


def _fresh(model: ModelRunner, tokens: tuple[int, ...], rows: int) -> Logits:
    """Evaluate a whole list in the last sequence."""
    last = model.capacity.sequences - 1
    model.trim(last, 0)
    logits = model.decode([Feed(last, 0, tokens, rows)]).copy()
    model.trim(last, 0)
    return logits


def test_self_check_finds_the_exact_profile_and_leaves_nothing(model: ModelRunner) -> None:
    assert check_profile(model).failed == ()
    if isinstance(model, FakeModel):
        assert not any(model.held.values())


def test_capacity_is_what_the_engine_needs_at_least(model: ModelRunner) -> None:
    room = model.capacity

    assert 4 <= room.sequences <= 256
    assert room.cells == model.info().context_tokens
    assert room.batch >= 96


def test_pieces_of_a_text_join_to_it(model: ModelRunner) -> None:
    text = "Hello there é 🐙\n  done"

    tokens = model.tokenize(text, special=False)

    assert b"".join(map(model.piece, tokens)) == text.encode()


def test_control_tokens_have_no_piece(model: ModelRunner) -> None:
    for token in model.info().end_tokens:
        assert model.piece(token) == b""


@pytest.mark.parametrize("token", [-1, 2**31 - 1])
def test_token_that_there_is_not_has_no_piece(model: ModelRunner, token: int) -> None:
    with pytest.raises((EngineCrashedError, InvariantError)):
        model.piece(token)


@pytest.mark.parametrize("rows", [0, 1, 3, 300])
def test_logits_have_one_row_a_wanted_position(
    model: ModelRunner, text: tuple[int, ...], rows: int
) -> None:
    logits = model.decode([Feed(0, 0, text, rows)])

    assert logits.shape == (rows, model.info().vocabulary)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 5, 3)])
def test_rows_come_in_the_order_of_the_feeds_however_long_they_are(
    model: ModelRunner, text: tuple[int, ...], order: tuple[int, int, int]
) -> None:
    lists = [text[:1], text[3:90], text[50:57]]
    wanted = [1, 5, 7]
    feeds = [
        Feed(sequence, 0, tokens, rows)
        for sequence, tokens, rows in zip(order, lists, wanted, strict=True)
    ]

    together = model.decode(feeds).tobytes()

    alone = [_fresh(model, tokens, rows) for tokens, rows in zip(lists, wanted, strict=True)]
    assert together == b"".join(rows.tobytes() for rows in alone)


def test_one_prefill_equals_one_token_at_a_time_bit_for_bit(
    model: ModelRunner, text: tuple[int, ...]
) -> None:
    start = len(text) - 20
    model.decode([Feed(0, 0, text[:start], 0)])

    steps = [model.decode([Feed(0, n, text[n : n + 1], 1)]).copy() for n in range(start, len(text))]

    assert _fresh(model, text, 20).tobytes() == np.concatenate(steps).tobytes()


@pytest.mark.parametrize("prefix", [1, 17, 255, 256, 257, 299])
def test_copied_persona_equals_a_fresh_one(
    model: ModelRunner, text: tuple[int, ...], prefix: int
) -> None:
    persona = model.capacity.sequences - 2
    model.decode([Feed(persona, 0, text[:prefix], 0)])
    model.copy(persona, 0)
    model.copy(persona, 1)
    model.trim(persona, 0)  # what is copied is copied, before it is carried out too

    rest = text[prefix:]
    both = model.decode([Feed(0, prefix, rest, 1), Feed(1, prefix, rest[:1], 1)]).copy()

    assert both[0].tobytes() == _fresh(model, text, 1).tobytes()
    assert both[1].tobytes() == _fresh(model, text[: prefix + 1], 1).tobytes()


def test_sequence_that_grows_in_the_step_of_its_copy_gives_the_copy_nothing(
    model: ModelRunner, text: tuple[int, ...]
) -> None:
    model.decode([Feed(0, 0, text[:40], 0)])
    model.copy(0, 1)
    model.decode([Feed(0, 40, text[40:60], 0)])

    rows = model.decode([Feed(1, 40, text[100:110], 1)])

    assert rows.tobytes() == _fresh(model, text[:40] + text[100:110], 1).tobytes()


def test_cut_and_filled_again_equals_a_fresh_one(model: ModelRunner, text: tuple[int, ...]) -> None:
    model.decode([Feed(0, 0, text[:200], 0)])
    model.trim(0, 120)
    model.decode([Feed(0, 120, text[:30], 0)])
    model.trim(0, 101)

    rows = model.decode([Feed(0, 101, text[101:], 2)])

    assert rows.tobytes() == _fresh(model, text, 2).tobytes()


@pytest.mark.parametrize("size", [1, 33, 256, 290])
def test_restored_state_equals_a_fresh_one_in_any_sequence(
    model: ModelRunner, text: tuple[int, ...], size: int
) -> None:
    model.decode([Feed(3, 0, text[:size], 0)])
    state = model.save(3)
    model.trim(3, 0)
    model.decode([Feed(3, 0, text[5:50], 0)])

    for sequence in (0, 5, 3):
        assert model.restore(sequence, size, state)
        rows = model.decode([Feed(sequence, size, text[size : size + 10], 1)]).copy()
        assert rows.tobytes() == _fresh(model, text[: size + 10], 1).tobytes()


def test_state_of_another_length_is_refused_and_leaves_an_empty_sequence(
    model: ModelRunner, text: tuple[int, ...]
) -> None:
    model.decode([Feed(0, 0, text[:50], 0)])
    state = model.save(0)

    for tokens in (49, 51, 0):
        assert not model.restore(1, tokens, state)
    rows = model.decode([Feed(1, 0, text[:9], 1)]).copy()

    assert rows.tobytes() == _fresh(model, text[:9], 1).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 3, 12, 13, 16, 20, 100, -1, -4, -1000])
def test_damaged_state_is_refused_by_the_library(cut: int) -> None:
    model = _llama()
    tokens = tuple(range(5, 60))
    model.decode([Feed(0, 0, tokens, 0)])
    state = model.save(0)

    assert not model.restore(1, len(tokens), state[:cut])
    assert not model.restore(1, len(tokens), state + bytes(4))
    assert model.decode([Feed(1, 0, tokens, 1)]).shape[0] == 1


@pytest.mark.slow
def test_state_is_good_for_an_engine_with_more_sequences_and_longer_ones() -> None:
    from adapters.llama.memory import Wishes  # noqa: PLC0415
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    def opened(parallel: int, context: int) -> LlamaModel:
        wishes = Wishes(parallel=parallel, context=context)
        return LlamaModel(STARTER, threads=1, name="s", portable=True, wishes=wishes)

    tokens = tuple(range(5, 200))
    small, large = opened(1, 300), opened(9, 700)
    small.decode([Feed(2, 0, tokens, 0)])
    state = small.save(2)

    assert small.capacity.sequences < large.capacity.sequences
    assert small.capacity.cells == 300
    assert large.restore(11, len(tokens), state)
    rows = large.decode([Feed(11, len(tokens), (7, 8, 9), 1)]).copy()
    assert rows.tobytes() == _fresh(large, (*tokens, 7, 8, 9), 1).tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 3, 7])
def test_more_rows_than_the_library_gives_at_once_are_gathered(limit: int) -> None:
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    model = LlamaModel(STARTER, threads=1, name="starter", portable=True)
    feeds = [Feed(0, 0, tuple(range(9)), 5), Feed(1, 0, (4,), 1), Feed(2, 0, (5, 6, 7), 3)]
    whole = model.decode(feeds).tobytes()
    for sequence in range(3):
        model.trim(sequence, 0)
    model._rows_limit = limit

    assert model.decode(feeds).tobytes() == whole


@pytest.mark.slow
def test_tokens_decoded_apart_are_the_same_bits_as_together() -> None:
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    model = LlamaModel(STARTER, threads=1, name="starter", portable=True)
    model.tune()
    assert 1 <= model._alone <= 4
    feeds = [
        Feed(0, 0, (4,), 1),
        Feed(1, 0, (5, 6, 7), 2),
        Feed(2, 0, (8,), 0),
        Feed(3, 0, (9,), 1),
    ]
    found = []
    for alone in (0, 3, 4):
        model._alone = alone
        found.append(model.decode(feeds).tobytes())
        for sequence in range(4):
            model.trim(sequence, 0)

    assert found[0] == found[1] == found[2]


def test_longest_list_is_evaluated(model: ModelRunner, text: tuple[int, ...]) -> None:
    room = model.capacity
    tokens = (text * (room.cells // len(text) + 1))[: room.cells]
    for start in range(0, room.cells, room.batch):
        assert len(model.decode([Feed(0, start, tokens[start : start + room.batch], 1)])) == 1


def test_batch_that_is_too_large_or_empty_is_a_mistake_and_no_abort(
    model: ModelRunner, text: tuple[int, ...]
) -> None:
    long = (text * 4)[: model.capacity.batch + 1]

    for feeds in ([], [Feed(0, 0, long, 1)]):
        with pytest.raises(InvariantError):
            model.decode(feeds)
    for number in (-1, model.capacity.sequences):
        with pytest.raises(InvariantError):
            model.trim(number, 0)


def test_token_outside_the_vocabulary_is_refused(model: ModelRunner) -> None:
    with pytest.raises(EngineCrashedError):
        model.decode([Feed(0, 0, (1, model.info().vocabulary), 1)])


# Random programs: what any sequence holds is what a fresh prefill of its tokens would hold.

TOKENS = st.lists(st.integers(1, 250), min_size=1, max_size=24).map(tuple)
PLACES = st.sampled_from(CHURNED)
PROGRAMS = st.lists(
    st.one_of(
        st.tuples(st.just("decode"), st.dictionaries(PLACES, TOKENS, min_size=1)),
        st.tuples(st.just("copy"), PLACES, PLACES),
        st.tuples(st.just("trim"), PLACES, st.floats(0, 1)),
        st.tuples(st.just("save"), PLACES),
        st.tuples(st.just("restore"), PLACES),
    ),
    max_size=30,
)


@dataclass
class _Pair:
    """The fake, which knows what every sequence holds and what is forbidden, and the library."""

    real: ModelRunner
    fake: FakeModel = field(default_factory=FakeModel)
    kept: tuple[int, bytes, bytes] | None = None

    def held(self, sequence: int) -> tuple[int, ...]:
        return self.fake.held.get(sequence, ())

    def decode(self, fed: dict[int, tuple[int, ...]]) -> None:
        feeds = [Feed(n, len(self.held(n)), fed[n], len(fed[n])) for n in sorted(fed)]
        self.fake.decode(feeds)
        rows = self.real.decode(feeds).copy()
        first = 0
        for feed in feeds:
            fresh = _fresh(self.real, self.held(feed.sequence), feed.rows)
            assert rows[first : first + feed.rows].tobytes() == fresh.tobytes()
            first += feed.rows

    def copy(self, source: int, target: int) -> None:
        if source != target:
            for model in (self.fake, self.real):
                model.copy(source, target)

    def trim(self, sequence: int, share: float) -> None:
        length = int(share * len(self.held(sequence)))
        for model in (self.fake, self.real):
            model.trim(sequence, length)

    def save(self, sequence: int) -> None:
        if self.held(sequence) and sequence not in self.fake._targets:
            states = self.fake.save(sequence), self.real.save(sequence)
            self.kept = (len(self.held(sequence)), *states)

    def restore(self, sequence: int) -> None:
        if self.kept and sequence not in self.fake._targets | self.fake._sources:
            size, fake, real = self.kept
            assert self.fake.restore(sequence, size, fake)
            assert self.real.restore(sequence, size, real)


@pytest.fixture(scope="module")
def library() -> ModelRunner:
    return _llama()


@pytest.mark.slow
@settings(max_examples=40)
@given(program=PROGRAMS)
def test_any_program_gives_the_logits_of_a_fresh_prefill(
    library: ModelRunner, program: list[tuple[object, ...]]
) -> None:
    pair = _Pair(library)
    for sequence in CHURNED:
        library.trim(sequence, 0)
    for step in program:
        match step:
            case ("decode", dict(fed)):
                pair.decode(fed)
            case ("copy", int(source), int(target)):
                pair.copy(source, target)
            case ("trim", int(sequence), float(share)):
                pair.trim(sequence, share)
            case ("save", int(sequence)):
                pair.save(sequence)
            case ("restore", int(sequence)):
                pair.restore(sequence)
            case _:
                raise AssertionError(step)
    pair.decode(dict.fromkeys(CHURNED, (11, 12)))
