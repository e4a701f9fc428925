"""The contracts of clock and entropy, over fakes and the host."""

from datetime import timedelta

import pytest

from adapters.host.system import SystemClock, SystemEntropy
from bot.domain.errors import InvariantError
from bot.ports.clock import Clock, Entropy
from tests.fakes.clock import CountingEntropy, SetClock
from tests.fakes.settlement_rig import StoppedClock


@pytest.mark.parametrize(
    "clock", [SetClock(), StoppedClock(), SystemClock()], ids=["set", "stopped", "host"]
)
def test_present_is_aware_utc_and_does_not_run_backwards(clock: Clock) -> None:
    first, second = clock.now(), clock.now()

    assert first.utcoffset() == timedelta(0)
    assert first <= second


@pytest.mark.parametrize("entropy", [CountingEntropy(), SystemEntropy()], ids=["fake", "host"])
@pytest.mark.parametrize("size", [6, 32, 100])
def test_bytes_have_the_size_asked_for_and_differ(entropy: Entropy, size: int) -> None:
    drawn = [entropy.random_bytes(size) for _ in range(20)]

    assert {len(data) for data in drawn} == {size}
    assert len(set(drawn)) == 20


def test_fake_clock_is_set_and_never_goes_back() -> None:
    clock = SetClock()
    before = clock.now()

    clock.advance(timedelta(hours=1))

    assert clock.now() - before == timedelta(hours=1)
    with pytest.raises(InvariantError):
        clock.advance(timedelta(seconds=-1))


def test_fake_entropy_is_the_same_in_every_run_and_counts() -> None:
    first, second = CountingEntropy(), CountingEntropy()

    assert [first.random_bytes(32) for _ in range(3)] == [second.random_bytes(32) for _ in range(3)]
    assert first.given == 3
