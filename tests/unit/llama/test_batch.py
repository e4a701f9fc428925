"""Filling the library's batch: no portion has too many rows, and nothing is lost or reordered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.llama.batch import portions
from adapters.llama.tuning import count_alone
from bot.ports.runner import Feed


@st.composite
def _feeds(draw: st.DrawFn) -> list[Feed]:
    feeds = []
    for sequence in range(draw(st.integers(1, 5))):
        tokens = tuple(draw(st.lists(st.integers(0, 9), min_size=1, max_size=12)))
        rows = draw(st.integers(0, len(tokens)))
        feeds.append(Feed(sequence, draw(st.integers(0, 7)), tokens, rows))
    return feeds


@given(feeds=_feeds(), limit=st.integers(1, 20), alone=st.integers(0, 4))
def test_portions_join_to_the_feeds_within_the_limit(
    feeds: list[Feed], limit: int, alone: int
) -> None:
    parts = list(portions(feeds, rows=limit, alone=alone))

    for part in parts:
        assert part
        assert sum(feed.rows for feed in part) <= limit
        assert len({feed.sequence for feed in part}) == len(part)
    for feed in feeds:
        pieces = [piece for part in parts for piece in part if piece.sequence == feed.sequence]
        assert tuple(token for piece in pieces for token in piece.tokens) == feed.tokens
        wanted = [
            piece.start + len(piece.tokens) - back
            for piece in pieces
            for back in range(piece.rows, 0, -1)
        ]
        end = feed.start + len(feed.tokens)
        assert wanted == list(range(end - feed.rows, end))
    order = [piece.sequence for part in parts for piece in part]
    assert order == sorted(order)


@given(feeds=_feeds())
def test_few_rows_are_one_portion(feeds: list[Feed]) -> None:
    assert list(portions(feeds, rows=60, alone=0)) == [feeds]


@given(feeds=_feeds(), alone=st.integers(1, 4))
def test_few_single_tokens_are_apart_and_many_together(feeds: list[Feed], alone: int) -> None:
    parts = list(portions(feeds, rows=60, alone=alone))

    singles = [feed for feed in feeds if len(feed.tokens) == 1]
    if len(singles) > alone:
        assert parts == [feeds]
    else:
        assert all([single] in parts for single in singles)
        assert all(len(part) == 1 or part[0] not in singles for part in parts)


@pytest.mark.parametrize(
    ("costs", "alone"),
    [
        ((1, 4, 5, 5), 4),
        ((1, 3, 3, 3), 2),
        ((1, 1.5, 9, 9), 1),
        ((1, 2, 9, 9), 1),
        ((0.6, 9, 9, 9), 1),
        ((0.01, 0.3, 0.3, 0.3), 2),
    ],
    ids=["all", "two", "none", "equal", "no time", "time runs out"],
)
def test_single_tokens_are_decoded_alone_as_long_as_that_is_cheaper(
    costs: tuple[float, ...], alone: int
) -> None:
    now = 0.0
    scale = 1e-3 if costs[0] == 1 else 1.0

    def decode(count: int) -> None:
        nonlocal now
        now += costs[count - 1] * scale

    assert count_alone(decode, lambda: now) == alone
