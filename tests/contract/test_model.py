"""The model runner's contract, over the fake and over llama.cpp with the shipped starter model."""

from collections.abc import Iterator

import numpy as np
import pytest

from adapters.llama.library import inspect_build, prepare_environment
from bot.ports.inference import Logits, ModelRunner
from bot.wiring.engine import STARTER
from tests.fakes.model import FakeModel

prepare_environment()  # before the library loads


@pytest.fixture(scope="module", params=["fake", pytest.param("llama", marks=pytest.mark.slow)])
def model(request: pytest.FixtureRequest) -> Iterator[ModelRunner]:
    if request.param == "fake":
        yield FakeModel()
        return
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    yield LlamaModel(STARTER, threads=1, name="starter", portable=inspect_build().portable)


@pytest.fixture
def fan(model: ModelRunner) -> tuple[int, ...]:
    """A context of more than one batch of the library."""
    return model.tokenize("Hello there, how are you? " * 60, special=False)[:300]


def _rows(model: ModelRunner, tokens: tuple[int, ...], rows: int, prefix: int = 0) -> Logits:
    return model.evaluate(tokens, prefix_tokens=prefix, rows=rows)


def test_self_check_finds_the_exact_profile(model: ModelRunner) -> None:
    assert model.info().profile_exact


def test_pieces_of_a_text_join_to_it(model: ModelRunner) -> None:
    text = "Hello there é 🐙\n  done"

    tokens = model.tokenize(text, special=False)

    assert b"".join(map(model.piece, tokens)) == text.encode()


def test_control_tokens_have_no_piece(model: ModelRunner) -> None:
    for token in model.info().end_tokens:
        assert model.piece(token) == b""


def test_logits_have_one_row_a_position_and_are_the_callers_own(
    model: ModelRunner, fan: tuple[int, ...]
) -> None:
    rows = _rows(model, fan, 3)
    before = rows.tobytes()

    _rows(model, fan[:40], 2)

    assert rows.shape == (3, model.info().vocabulary)
    assert rows.dtype == np.float32
    assert rows.tobytes() == before


def test_one_prefill_equals_one_token_at_a_time_bit_for_bit(
    model: ModelRunner, fan: tuple[int, ...]
) -> None:
    start = len(fan) - 20
    _rows(model, fan[:3], 1)
    steps = [_rows(model, fan[:end], 1) for end in range(start, len(fan) + 1)]
    _rows(model, fan[:3], 1)

    whole = _rows(model, fan, 21)

    assert whole.tobytes() == np.concatenate(steps).tobytes()


def test_conversations_in_between_change_nothing(model: ModelRunner, fan: tuple[int, ...]) -> None:
    first = _rows(model, fan, 4)
    for size in (5, 260, 31):
        _rows(model, fan[::-1][:size], 2)

    assert _rows(model, fan, 4).tobytes() == first.tobytes()


def test_turns_of_one_conversation_equal_a_fresh_prefill(
    model: ModelRunner, fan: tuple[int, ...]
) -> None:
    _rows(model, fan[:200], 1)
    for end in range(200, 210):  # a reply, of which the last tokens are then cut off
        _rows(model, fan[:end], 1)
    turned = _rows(model, fan[:204] + fan[:50], 1)
    _rows(model, fan[:2], 1)

    assert _rows(model, fan[:204] + fan[:50], 1).tobytes() == turned.tobytes()


@pytest.mark.parametrize("prefix", [1, 17, 255, 256, 257, 299])
def test_hot_persona_prefix_equals_a_cold_one(
    model: ModelRunner, fan: tuple[int, ...], prefix: int
) -> None:
    _rows(model, fan[:1], 1)
    cold = _rows(model, fan, 1)
    model.prepare_prefix(fan[:prefix])
    _rows(model, fan[5:], 1)

    assert _rows(model, fan, 1, prefix).tobytes() == cold.tobytes()


def test_evicted_prefixes_are_computed_again(model: ModelRunner, fan: tuple[int, ...]) -> None:
    _rows(model, fan[:1], 1)
    cold = [_rows(model, fan[n : n + 60], 1).tobytes() for n in range(12)]
    for n in range(12):
        model.prepare_prefix(fan[n : n + 50])

    hot = [_rows(model, fan[n : n + 60], 1, 50).tobytes() for n in range(12)]

    assert hot == cold


def test_longest_context_is_evaluated(model: ModelRunner, fan: tuple[int, ...]) -> None:
    room = min(model.info().context_tokens, 1100)
    tokens = (fan * 4)[:room]

    assert _rows(model, tokens, 1).shape[0] == 1
