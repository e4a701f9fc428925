"""How near a claimed token came: what a shift of that size does to the draw."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.generation.margins import FARTHEST, judge
from bot.generation.sampling import Draw, Logits, SamplerPolicy, choose_tokens

SEED = bytes(range(32))
POLICIES = st.builds(
    SamplerPolicy,
    temperature=st.sampled_from([0.2, 0.8, 1.5]),
    top_k=st.integers(1, 12),
    top_p=st.sampled_from([0.3, 0.9, 1.0]),
    max_tokens=st.just(8),
    min_p=st.sampled_from([0.0, 0.05, 0.4]),
    presence_penalty=st.sampled_from([0.0, 0.5]),
    frequency_penalty=st.sampled_from([0.0, 0.25]),
)
ROWS = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=30)
HISTORIES = st.lists(st.integers(0, 1), max_size=4).map(tuple)


def _logits(*values: float) -> Logits:
    return np.array(values, np.float32)


def _draw(policy: SamplerPolicy, seed: bytes = SEED, history: tuple[int, ...] = ()) -> Draw:
    return Draw(policy, seed, len(history), history)


def _chosen(logits: Logits, draw: Draw) -> int:
    return choose_tokens(logits[None, :], [draw])[0]


@given(ROWS, POLICIES, HISTORIES, st.binary(min_size=32, max_size=32), st.integers(0, 29))
def test_drawn_token_is_the_samplers_and_it_alone_has_no_margin(
    row: list[float], policy: SamplerPolicy, history: tuple[int, ...], seed: bytes, claimed: int
) -> None:
    logits, draw = _logits(*row), _draw(policy, seed, history)
    claimed %= len(row)

    judged = judge(logits, draw, (claimed,))

    assert judged.token == _chosen(logits, draw)
    assert 0 <= judged.room <= FARTHEST
    if claimed == judged.token:
        assert judged.margin == 0
    else:
        assert judged.margin >= judged.room


@given(ROWS, POLICIES, st.binary(min_size=32, max_size=32), st.integers(0, 29))
def test_a_token_lifted_by_little_more_than_its_margin_over_all_wins_without_truncation(
    row: list[float], policy: SamplerPolicy, seed: bytes, claimed: int
) -> None:
    plain = SamplerPolicy(policy.temperature, 256, 1.0, 8)
    logits, draw = _logits(*row), _draw(plain, seed)
    claimed %= len(row)
    margin = judge(logits, draw, (claimed,)).margin
    assume(0.001 < margin < 50)

    above, below = logits.copy(), logits.copy()
    above[claimed] += np.float32(margin * 1.001 + 1e-4)
    below[claimed] += np.float32(margin * 0.999 - 1e-4)

    assert _chosen(above, draw) == claimed
    assert _chosen(below, draw) != claimed


@given(ROWS, POLICIES, st.binary(min_size=32, max_size=32), st.data())
def test_noise_of_some_size_leaves_margins_of_about_that_size(
    row: list[float], policy: SamplerPolicy, seed: bytes, data: st.DataObject
) -> None:
    """The claim is what a machine with noise in its logits drew: it is never far off."""
    size = 0.01
    noise = data.draw(st.lists(st.floats(-size, size), min_size=len(row), max_size=len(row)))
    logits, draw = _logits(*row), _draw(policy, seed)
    noisy = (logits + np.array(noise, np.float32)).astype(np.float32)

    margin = judge(logits, draw, (_chosen(noisy, draw),)).margin

    # Two logits move apart by twice the noise, and log odds by as much.
    assert margin <= 2 * size * 1.05 + 1e-4


def test_edge_of_the_nucleus_is_soft() -> None:
    # Probabilities 0.5, 0.4501, 0.0499: the third is out at 0.95, by a hair.
    logits = _logits(*(math.log(p) for p in (0.5, 0.4501, 0.0499)))
    policy = SamplerPolicy(1.0, 3, 0.95, 8)
    wide = SamplerPolicy(1.0, 3, 1.0, 8)
    seeds = (hashlib.sha256(b"%d" % n).digest() for n in range(400))
    drawn = next(seed for seed in seeds if _chosen(logits, _draw(wide, seed)) == 2)

    judged = judge(logits, _draw(policy, drawn), (2,))

    assert judged.token != 2
    assert 0 < judged.margin < 0.01


def test_margin_is_in_units_of_the_logits_at_any_temperature() -> None:
    logits = _logits(0, -1)
    margins = []
    for temperature in (0.001, 0.01):
        judged = judge(logits, _draw(SamplerPolicy(temperature, 2, 1.0, 8)), (1,))
        margins.append(judged.margin)

    assert margins == pytest.approx([1, 1], abs=0.1)  # noise is worth so little there


def test_token_beyond_top_k_has_the_distance_to_it() -> None:
    logits = _logits(5, 4, 3, 2, 1, 0)
    policy = SamplerPolicy(1.0, 2, 1.0, 8)

    far = judge(logits, _draw(policy), (5,))

    assert far.margin >= 4  # it would have to pass the second


def test_nearest_of_several_claimed_ones_counts() -> None:
    logits = _logits(3, 2, -5)
    draw = _draw(SamplerPolicy(1.0, 3, 1.0, 8))
    first, second, third = (judge(logits, draw, (token,)).margin for token in range(3))

    assert judge(logits, draw, (0, 1, 2)).margin == 0
    assert judge(logits, draw, (1, 2)).margin == min(second, third)
    assert judge(logits, draw, ()).margin == FARTHEST
    assert min(first, second, third) == 0


def test_impossible_tokens_are_as_far_off_as_can_be() -> None:
    judged = judge(_logits(0, -math.inf), _draw(SamplerPolicy(1.0, 2, 1.0, 8)), (1,))

    assert (judged.token, judged.margin) == (0, FARTHEST)


def test_only_token_has_all_room() -> None:
    assert judge(_logits(1), _draw(SamplerPolicy(1.0, 4, 0.9, 8)), (0,)).room == FARTHEST


def test_penalties_move_margins() -> None:
    logits = _logits(2, 1)
    policy = SamplerPolicy(0.001, 2, 1.0, 8, presence_penalty=0.5, frequency_penalty=0.25)

    assert judge(logits, _draw(policy), (1,)).margin == pytest.approx(1, abs=0.02)
    once = judge(logits, _draw(policy, history=(0,)), (1,))
    assert once.margin == pytest.approx(0.25, abs=0.02)
    assert judge(logits, _draw(policy, history=(0, 0)), (0,)).margin <= 0.02
