"""Sampling against the specification, computed here a second time (formats.md sections 4 and 5)."""

import hashlib
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.generation.sampling import (
    Draw,
    Logits,
    SamplerPolicy,
    candidates,
    choose_tokens,
    gumbel_of,
    noise_of,
)
from tests.unit.generation.literal_sampling import literal_choice, literal_kept, literal_noise

SEED = bytes(range(32))
FLAT = SamplerPolicy(temperature=1.0, top_k=256, top_p=1.0, max_tokens=8)
VALUES = st.one_of(
    st.integers(-40, 40).map(lambda n: n / 4), st.floats(-30, 30, width=32), st.just(-math.inf)
)
POLICIES = st.builds(
    SamplerPolicy,
    temperature=st.sampled_from([0.2, 0.7, 1.0, 2.0]),
    top_k=st.integers(1, 50),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 0.95, 1.0]),
    max_tokens=st.just(8),
    min_p=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    presence_penalty=st.sampled_from([0.0, 0.1, 0.5, 2.0]),
    frequency_penalty=st.sampled_from([0.0, 0.1, 0.25, 2.0]),
)


def _policy(temperature: float = 1.0, top_k: int = 256, top_p: float = 1.0) -> SamplerPolicy:
    return SamplerPolicy(temperature=temperature, top_k=top_k, top_p=top_p, max_tokens=8)


def _logits(*values: float) -> Logits:
    return np.array(values, np.float32)


def _kept(logits: Logits, policy: SamplerPolicy) -> list[int]:
    return [token for token, _ in candidates(logits, policy)]


def _chosen(logits: Logits, policy: SamplerPolicy, seed: bytes = SEED, position: int = 0) -> int:
    (token,) = choose_tokens(logits[None, :], [Draw(policy, seed, position)])
    return token


def gumbel_noise(seed: bytes, position: int, token: int) -> float:
    return noise_of(seed, position)(token)


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
    expected = literal_noise(seed, position, token)

    assert gumbel_noise(seed, position, token) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("draw", "low", "high"), [(0, -4, -3), (2**52, 0.3, 0.4)])
def test_noise_of_a_draw_is_finite(draw: int, low: float, high: float) -> None:
    assert low < gumbel_of(draw) < high


def test_largest_draw_is_infinite_and_no_error() -> None:
    assert gumbel_of(2**53 - 1) == math.inf
    assert gumbel_of(2**53 - 2) < 40


@st.composite
def _rows(draw: st.DrawFn) -> list[tuple[list[float], SamplerPolicy, list[int]]]:
    """Draw a few rows of one vocabulary, with some of its tokens as output so far."""
    size = draw(st.one_of(st.integers(1, 40), st.just(40 * 33 + 5)))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        values = draw(st.lists(VALUES, min_size=min(size, 40), max_size=min(size, 40)))
        values[draw(st.integers(0, len(values) - 1))] = draw(st.integers(-4, 4))
        spread = draw(st.integers(1, size))
        row = [values[n * spread % size % len(values)] for n in range(size - 1)] + [values[-1]]
        row[draw(st.integers(0, size - 1))] = 1.0
        history = draw(st.lists(st.integers(0, min(size, 60) - 1), max_size=12))
        rows.append((row, draw(POLICIES), history))
    return rows


@given(_rows())
def test_choice_is_that_of_the_specification_alone_and_in_any_batch(
    rows: list[tuple[list[float], SamplerPolicy, list[int]]],
) -> None:
    logits = np.array([row for row, _, _ in rows], np.float32)
    draws = [Draw(policy, SEED, len(history), history) for _, policy, history in rows]

    together = choose_tokens(logits, draws)

    alone = [choose_tokens(row[None, :], [one])[0] for row, one in zip(logits, draws, strict=True)]
    assert together == alone
    assert choose_tokens(logits[::-1], draws[::-1]) == together[::-1]
    for row, (_, policy, history), token in zip(logits, rows, together, strict=True):
        assert token == literal_choice(row.tolist(), policy, SEED, history)


@given(_rows())
def test_kept_tokens_are_those_of_the_specification(
    rows: list[tuple[list[float], SamplerPolicy, list[int]]],
) -> None:
    for values, policy, history in rows:
        row = np.array(values, np.float32)

        assert candidates(row, policy, history) == literal_kept(row.tolist(), policy, history)


@pytest.mark.parametrize("vocabulary", [4096, 32_000, 151_936])
def test_large_vocabularies_are_drawn_from_as_the_specification_says(vocabulary: int) -> None:
    rng = np.random.default_rng(vocabulary)
    logits = (rng.standard_normal((3, vocabulary)) * 4).astype(np.float32)
    logits[1] = np.round(logits[1])  # ties everywhere
    history = tuple(int(one) for one in np.argsort(-logits[0])[:9]) * 2
    policies = (
        SamplerPolicy(0.8, 40, 0.95, 8),
        SamplerPolicy(1.0, 256, 1.0, 8),
        SamplerPolicy(0.8, 40, 0.95, 8, 0.05, 0.5, 0.5),
    )
    for policy in policies:
        draws = [Draw(policy, SEED, len(history), history)] * 3

        chosen = choose_tokens(logits, draws)

        expected = [literal_choice(row.tolist(), policy, SEED, history) for row in logits]
        assert chosen == expected


def test_the_callers_logits_are_left_as_they_are() -> None:
    logits = _logits(1, 2, 3, 4)
    before = logits.tobytes()

    choose_tokens(logits[None, :], [Draw(SamplerPolicy(1, 4, 1, 8, 0, 2, 2), SEED, 3, (3, 3, 1))])

    assert logits.tobytes() == before


def test_presence_counts_once_and_frequency_every_time() -> None:
    logits = _logits(*[1.0] * 4)
    presence = SamplerPolicy(1.0, 4, 1.0, 8, presence_penalty=0.5)
    frequency = SamplerPolicy(1.0, 4, 1.0, 8, frequency_penalty=0.5)

    once = candidates(logits, presence, (1, 1, 1, 2))
    every = candidates(logits, frequency, (1, 1, 1, 2))

    assert once == [(0, 0.0), (3, 0.0), (1, -0.5), (2, -0.5)]
    assert every == [(0, 0.0), (3, 0.0), (2, -0.5), (1, -1.5)]


def test_penalties_come_before_top_k() -> None:
    policy = SamplerPolicy(1.0, 2, 1.0, 8, presence_penalty=2.0)

    assert candidates(_logits(3, 2, 1.5, 0), policy, (0,)) == [(1, 0.0), (2, -0.5)]


def test_penalties_are_not_read_where_there_are_none() -> None:
    assert candidates(_logits(1, 2), FLAT, (1, 1)) == candidates(_logits(1, 2), FLAT)


@pytest.mark.parametrize(("min_p", "kept"), [(0.0, 3), (0.1, 3), (0.2, 2), (0.5, 2), (0.6, 1)])
def test_min_p_is_a_share_of_the_best(min_p: float, kept: int) -> None:
    logits = _logits(*(math.log(p) for p in (0.6, 0.31, 0.09)))
    policy = SamplerPolicy(1.0, 3, 1.0, 8, min_p=min_p)

    assert len(_kept(logits, policy)) == kept


@pytest.mark.parametrize(
    "wrong",
    [
        (0, math.nan),
        (math.inf, 0),
        (-math.inf, -math.inf),
        (math.nan,) * 3,
        (0,) * 2000 + (math.nan,),
    ],
)
@pytest.mark.parametrize("history", [(), (0,), (1,), (0, 1)])
def test_logits_that_are_not_numbers_are_refused(
    wrong: tuple[float, ...], history: tuple[int, ...]
) -> None:
    policy = SamplerPolicy(1.0, 4, 1.0, 8, presence_penalty=1.0)

    with pytest.raises(ValueError, match="not numbers"):
        choose_tokens(_logits(*wrong)[None, :], [Draw(policy, SEED, len(history), history)])


def test_every_row_has_its_draw() -> None:
    with pytest.raises(ValueError, match="argument"):
        choose_tokens(np.zeros((2, 3), np.float32), [Draw(FLAT, SEED, 0)])


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

    chosen = {_chosen(logits, _policy(0.01), position=n) for n in range(200)}

    assert chosen == {1}


def test_minus_infinity_is_never_drawn() -> None:
    logits = _logits(0, -math.inf, 0)

    chosen = {_chosen(logits, FLAT, position=n) for n in range(200)}

    assert chosen == {0, 2}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_draws_are_distributed_as_the_softmax(temperature: float) -> None:
    # Pearson's chi-square with 4 degrees of freedom exceeds 40 with probability 4.3e-8; the seeds
    # are fixed, so the outcome is the same in every run.
    logits, runs = [2.0, 1.0, 0.0, -0.5, 1.5], 12_000
    weights = [math.exp(value / temperature) for value in logits]
    policy = _policy(temperature)

    drawn = Counter(
        _chosen(_logits(*logits), policy, hashlib.sha256(b"%d" % n).digest(), n % 7)
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
            _chosen(logits, FLAT, seed, 0),
            _chosen(logits, FLAT, seed, 1),
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
        {"min_p": -0.1},
        {"min_p": 1.1},
        {"min_p": math.nan},
        {"presence_penalty": -0.1},
        {"presence_penalty": 2.1},
        {"frequency_penalty": math.inf},
        {"frequency_penalty": -1},
        {"max_tokens": 0},
    ],
)
def test_policy_refuses_values_outside_its_ranges(wrong: dict[str, float]) -> None:
    values = {"temperature": 1.0, "top_k": 4, "top_p": 1.0, "max_tokens": 1} | wrong

    with pytest.raises(ValueError, match="must be"):
        SamplerPolicy(**values)  # type: ignore[arg-type]  # wrong on purpose
