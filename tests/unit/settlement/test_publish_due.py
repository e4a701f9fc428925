"""When an epoch begins: at the clock's moments, and where one could not, as soon as it can."""

from datetime import datetime, timedelta

import pytest
import structlog

from bot.domain.settlement import EpochState
from bot.settlement.publish import PublisherState
from tests.fakes.clock import START, SetClock
from tests.fakes.settlement_house import House

DAY_S = 86_400.0


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def house(clock: SetClock) -> House:
    house = House(clock=clock)
    house.earn(5_000_000)
    return house


async def test_an_epoch_that_is_due_begins_when_the_one_before_is_final(
    house: House, clock: SetClock
) -> None:
    publisher = house.publisher()
    house.chain.may_be_vetoed = True
    await publisher.tick()
    house.earn(5_000_000)
    clock.advance(timedelta(days=1))
    # The clock's moment: the first epoch can still be vetoed.
    await publisher.tick()
    assert list(house.store.epochs) == [1]

    house.chain.may_be_vetoed = False
    clock.advance(timedelta(minutes=1))
    await publisher.tick(begin=False)

    assert house.store.epochs[2].state is EpochState.FINAL
    assert house.store.epochs[2].begun_at == int(clock.now().timestamp())
    await house.assert_settled()
    house.earn(5_000_000)
    assert not await publisher.is_under_way()
    await publisher.tick(begin=False)
    assert list(house.store.epochs) == [1, 2]


async def test_however_many_moments_have_passed_one_epoch_is_owed(
    house: House, clock: SetClock
) -> None:
    publisher = house.publisher()
    house.chain.may_be_vetoed = True
    for _ in range(4):
        await publisher.tick()
        house.earn(5_000_000)
        clock.advance(timedelta(days=1))
    house.chain.may_be_vetoed = False
    await publisher.tick(begin=False)
    house.earn(5_000_000)
    await publisher.tick(begin=False)

    assert list(house.store.epochs) == [1, 2]


async def test_a_chain_that_was_away_at_the_moment_does_not_cost_the_whole_interval(
    house: House,
) -> None:
    publisher = house.publisher()
    house.chain.available = False
    assert (await publisher.tick()).state is PublisherState.WAITING
    assert await publisher.is_under_way()
    house.chain.available = True

    await publisher.tick(begin=False)

    await house.assert_settled()


async def test_a_moment_at_which_nothing_was_new_is_over(clock: SetClock) -> None:
    house = House(clock=clock)
    publisher = house.publisher()
    await publisher.tick()
    assert not await publisher.is_under_way()
    house.earn(5_000_000)

    await publisher.tick(begin=False)

    assert house.store.epochs == {}


@pytest.mark.parametrize(
    ("begun", "now", "is_due"),
    [
        (timedelta(hours=1), timedelta(hours=20), False),
        (timedelta(hours=1), timedelta(hours=25), True),
        (timedelta(0), timedelta(hours=23), False),
        (timedelta(hours=25), timedelta(hours=25), False),
        (timedelta(hours=1), timedelta(days=9), True),
    ],
)
async def test_a_start_begins_what_fell_due_while_nothing_ran(
    house: House,
    clock: SetClock,
    begun: timedelta,
    now: timedelta,
    is_due: bool,  # noqa: FBT001
) -> None:
    clock.advance(begun)
    await house.publisher().tick()
    house.earn(5_000_000)
    clock.advance(now - begun)
    again = house.publisher()

    await again.catch_up(START, DAY_S)
    await again.tick(begin=False)
    await again.tick(begin=False)

    assert len(house.store.epochs) == 1 + is_due
    third = house.publisher()
    house.earn(5_000_000)
    await third.catch_up(START, DAY_S)
    await third.tick(begin=False)
    assert len(house.store.epochs) == 1 + is_due


async def test_a_first_epoch_that_never_began_is_due_at_the_start(house: House) -> None:
    publisher = house.publisher()

    await publisher.catch_up(datetime.fromtimestamp(0, tz=START.tzinfo), DAY_S)
    await publisher.tick(begin=False)

    await house.assert_settled()


async def test_what_another_process_has_begun_meanwhile_is_not_owed(
    house: House, clock: SetClock
) -> None:
    one, other = house.publisher(), house.publisher()
    house.chain.available = False
    await one.tick()
    house.chain.available = True
    clock.advance(timedelta(minutes=5))
    await other.tick()
    house.earn(5_000_000)

    await one.tick(begin=False)

    assert list(house.store.epochs) == [1]


async def test_a_reason_to_halt_that_stays_is_said_once(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    await house.publisher().tick()
    publisher = house.publisher()
    house.book.log_size = 0
    for _ in range(5):
        assert (await publisher.tick()).state is PublisherState.HALTED
    assert capsys.readouterr().out.count("settlement.halted") == 1


@pytest.mark.parametrize("restarts", [True, False])
async def test_an_epoch_that_began_under_a_clock_far_ahead_stops_nothing(
    house: House,
    clock: SetClock,
    restarts: bool,  # noqa: FBT001
) -> None:
    publisher = house.publisher()
    right = clock.moment
    clock.moment = right + timedelta(days=365)
    await publisher.tick()
    clock.moment = right
    said = []

    for number in range(2, 5):
        clock.advance(timedelta(days=1))
        house.earn(5_000_000)
        with structlog.testing.capture_logs() as log:
            if restarts:
                publisher = house.publisher()
                await publisher.catch_up(START, DAY_S)
            await publisher.tick(begin=not restarts)
        said += [one["epoch"] for one in log if one["event"] == "settlement.clock_was_ahead"]
        assert list(house.store.epochs) == list(range(1, number + 1))

    assert said == [1], "the next epochs have begun at the right time"
    await house.assert_settled()


async def test_a_clock_that_was_ahead_is_said_once_while_its_epoch_is_open(
    house: House, clock: SetClock
) -> None:
    publisher = house.publisher()
    house.chain.may_be_vetoed = True
    right = clock.moment
    clock.moment = right + timedelta(days=365)
    await publisher.tick()
    clock.moment = right

    with structlog.testing.capture_logs() as log:
        for _ in range(4):
            await publisher.tick()

    (said,) = [one for one in log if one["event"] == "settlement.clock_was_ahead"]
    assert (said["log_level"], said["ahead_s"]) == ("warning", 365 * 86_400)
