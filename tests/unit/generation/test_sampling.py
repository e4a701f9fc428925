"""Sampling against the specification, computed here a second time (formats.md sections 4 and 5)."""

import hashlib
import hmac
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.generation.sampling import (
    SamplerPolicy,
    candidates,
    choose_token,
    gumbel_noise,
    gumbel_of,
)
from bot.ports.inference import Logits

SEED = bytes(range(32))
FLAT = SamplerPolicy(temperature=1.0, top_k=256, top_p=1.0, max_tokens=8)


def _policy(temperature: float = 1.0, top_k: int = 256, top_p: float = 1.0) -> SamplerPolicy:
    return SamplerPolicy(temperature=temperature, top_k=top_k, top_p=top_p, max_tokens=8)


def _logits(*values: float) -> Logits:
    return np.array(values, np.float32)


def _kept(logits: Logits, policy: SamplerPolicy) -> list[int]:
    return [token for token, _ in candidates(logits, policy)]


def _noise_of_the_text(seed: bytes, position: int, token: int) -> float:
    """Section 4 word by word, with exact fractions up to the logarithm."""
    message = bytes.fromhex(f"{position:08x}{token:08x}")
    head = int.from_bytes(hmac.new(seed, message, hashlib.sha256).digest()[:8])
    return -math.log(-math.log((Fraction(head >> 11) + Fraction(1, 2)) / 2**53))


def _choice_of_the_text(logits: list[float], policy: SamplerPolicy, position: int) -> int:
    """Section 5 word by word, without numpy."""
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))[: policy.top_k]
    scaled = [(logits[i] - logits[order[0]]) / policy.temperature for i in order]
    total = math.fsum(map(math.exp, scaled))
    size = 1
    while size < len(order) and (
        math.fsum(math.exp(z) / total for z in scaled[:size]) < policy.top_p
    ):
        size += 1
    scores = {
        token: z + _noise_of_the_text(SEED, position, token)
        for token, z in zip(order[:size], scaled, strict=False)
    }
    return min(scores, key=lambda token: (-scores[token], token))


# The HMACs behind these were checked with `openssl dgst -sha256 -mac HMAC`.
@pytest.mark.parametrize(
    ("position", "token", "expected"),
    [
        (0, 0, 0.742426532861485),
        (0, 1, 1.3240734960600609),
        (1, 0, -0.40797424213505956),
        (63, 4095, 1.5825364618930589),
        (65535, 2**31 - 1, 3.3835479002997064),
    ],
)
def test_noise_has_the_golden_values(position: int, token: int, expected: float) -> None:
    assert gumbel_noise(SEED, position, token) == pytest.approx(expected, rel=1e-15)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 65535), st.integers(0, 2**31 - 1))
def test_noise_is_that_of_the_specification(seed: bytes, position: int, token: int) -> None:
    expected = _noise_of_the_text(seed, position, token)

    assert gumbel_noise(seed, position, token) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("draw", "low", "high"), [(0, -4, -3), (2**52, 0.3, 0.4)])
def test_noise_of_a_draw_is_finite(draw: int, low: float, high: float) -> None:
    assert low < gumbel_of(draw) < high


def test_largest_draw_is_infinite_and_no_error() -> None:
    assert gumbel_of(2**53 - 1) == math.inf
    assert gumbel_of(2**53 - 2) < 40


@given(
    st.lists(st.integers(-40, 40).map(lambda n: n / 4), min_size=1, max_size=40),
    st.sampled_from([0.2, 0.7, 1.0, 2.0]),
    st.integers(1, 50),
    st.sampled_from([0.05, 0.5, 0.9, 0.95, 1.0]),
    st.integers(0, 300),
)
def test_choice_is_that_of_the_specification(
    logits: list[float], temperature: float, top_k: int, top_p: float, position: int
) -> None:
    policy = _policy(temperature, top_k, top_p)

    chosen = choose_token(_logits(*logits), policy, seed=SEED, position=position)

    assert chosen == _choice_of_the_text(logits, policy, position)


def test_ties_at_the_edge_of_top_k_go_to_the_smaller_ids() -> None:
    logits = _logits(1, 5, 5, 7, 5, 5)

    assert _kept(logits, _policy(top_k=3)) == [3, 1, 2]
    assert _kept(logits, _policy(top_k=1)) == [3]


def test_equal_logits_are_ordered_by_id() -> None:
    assert _kept(_logits(*[0] * 300), FLAT) == list(range(256))


def test_top_k_beyond_the_vocabulary_keeps_everything() -> None:
    assert _kept(_logits(0, 1), _policy(top_k=256)) == [1, 0]


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.01, 1), (0.25, 1), (0.2501, 2), (0.5, 2), (0.75, 3), (0.7501, 4), (1.0, 4)],
)
def test_top_p_keeps_the_shortest_prefix_that_reaches_it(top_p: float, kept: int) -> None:
    assert len(_kept(_logits(0, 0, 0, 0), _policy(top_p=top_p))) == kept


def test_top_p_counts_probabilities_and_not_candidates() -> None:
    logits = _logits(*(math.log(p) for p in (0.6, 0.3, 0.1)))

    assert [len(_kept(logits, _policy(top_p=p))) for p in (0.59, 0.61, 0.89, 0.91)] == [1, 2, 2, 3]


def test_top_p_works_on_what_top_k_kept() -> None:
    logits = _logits(*[0] * 100)

    assert len(_kept(logits, _policy(top_k=10, top_p=0.45))) == 5


def test_low_temperature_takes_the_best() -> None:
    logits = _logits(1, 3, 2)

    chosen = {choose_token(logits, _policy(0.01), seed=SEED, position=n) for n in range(200)}

    assert chosen == {1}


def test_minus_infinity_is_never_drawn() -> None:
    logits = _logits(0, -math.inf, 0)

    chosen = {choose_token(logits, FLAT, seed=SEED, position=n) for n in range(200)}

    assert chosen == {0, 2}


def test_logits_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not numbers"):
        candidates(_logits(0, math.nan), FLAT)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_draws_are_distributed_as_the_softmax(temperature: float) -> None:
    # Pearson's chi-square with 4 degrees of freedom exceeds 40 with probability 4.3e-8; the seeds
    # are fixed, so the outcome is the same in every run.
    logits, runs = [2.0, 1.0, 0.0, -0.5, 1.5], 12_000
    weights = [math.exp(value / temperature) for value in logits]
    policy = _policy(temperature)

    drawn = Counter(
        choose_token(
            _logits(*logits), policy, seed=hashlib.sha256(b"%d" % n).digest(), position=n % 7
        )
        for n in range(runs)
    )

    expected = [runs * weight / math.fsum(weights) for weight in weights]
    chi_square = sum((drawn[i] - e) ** 2 / e for i, e in enumerate(expected))
    assert chi_square < 40


def test_positions_and_seeds_draw_independently() -> None:
    # 500 pairs of fair coins: four cells of 125; chi-square with 3 degrees over 35 has p = 1.2e-7.
    logits = _logits(0, 0)
    seeds = [hashlib.sha256(b"%d" % n).digest() for n in range(500)]

    pairs = Counter(
        (
            choose_token(logits, FLAT, seed=seed, position=0),
            choose_token(logits, FLAT, seed=seed, position=1),
        )
        for seed in seeds
    )

    assert sum((count - 125) ** 2 / 125 for count in pairs.values()) < 35
    assert len(pairs) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": 0},
        {"top_k": 257},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_tokens": 0},
    ],
)
def test_policy_refuses_values_outside_its_ranges(wrong: dict[str, float]) -> None:
    values = {"temperature": 1.0, "top_k": 4, "top_p": 1.0, "max_tokens": 1} | wrong

    with pytest.raises(ValueError, match="must be"):
        SamplerPolicy(**values)  # type: ignore[arg-type]  # wrong on purpose
