"""A process that keeps dying is left alone for ever longer, and forgiven when a start lasts."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from adapters.llama.backoff import FIRST_PAUSE_S, LONGEST_PAUSE_S, Backoff


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_two_deaths_in_a_minute_are_forgiven_and_the_third_pauses() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    for _ in range(2):
        backoff.died()
        clock.now += 10
        assert backoff.pause_s == 0

    backoff.died()

    assert backoff.pause_s == FIRST_PAUSE_S
    clock.now += FIRST_PAUSE_S
    assert backoff.pause_s == 0


def test_pauses_double_up_to_a_bound_while_it_goes_on_dying() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    pauses = []
    for _ in range(12):
        backoff.died()
        pauses.append(backoff.pause_s)
        clock.now += backoff.pause_s + 1

    assert pauses[:6] == [0, 0, 5, 10, 20, 40]
    assert max(pauses) == pauses[-1] == LONGEST_PAUSE_S


def test_start_that_lasts_is_a_new_beginning() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    for _ in range(5):
        backoff.died()
        clock.now += backoff.pause_s
    clock.now += 10 * LONGEST_PAUSE_S

    for _ in range(2):
        backoff.died()
        assert backoff.pause_s == 0


@given(st.lists(st.floats(61, 10_000), max_size=30))
def test_rare_deaths_never_pause(lives: list[float]) -> None:
    clock = Clock()
    backoff = Backoff(clock)
    for life in lives:
        clock.now += life
        backoff.died()
        assert backoff.pause_s == 0
