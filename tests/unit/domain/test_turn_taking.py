"""How often a twin answers unasked: a decision of the message alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.turn_taking import speaks_unasked

IDS = [str(1_400_000_000_000_000_000 + n * 4_194_304) for n in range(5000)]


@given(st.text(max_size=40))
def test_silence_and_always_are_certain(message_id: str) -> None:
    assert not speaks_unasked(message_id, 0)
    assert speaks_unasked(message_id, 100)


@given(st.text(max_size=40), st.integers(0, 99))
def test_whoever_is_answered_is_answered_at_every_higher_percentage(
    message_id: str, percent: int
) -> None:
    if speaks_unasked(message_id, percent):
        assert speaks_unasked(message_id, percent + 1)


@pytest.mark.parametrize("percent", [1, 10, 50, 90])
def test_the_share_of_answered_messages_is_the_percentage(percent: int) -> None:
    answered = sum(speaks_unasked(one, percent) for one in IDS)

    assert abs(answered / len(IDS) * 100 - percent) < 2.5


def test_decisions_are_fixed_for_ever() -> None:
    """Another function would decide otherwise on messages that come again after an update."""
    answered = [n for n in range(40) if speaks_unasked(str(n), 20)]

    assert answered == [0, 7, 9, 13, 16, 17, 20, 23, 24, 26, 30, 33, 37, 39]
