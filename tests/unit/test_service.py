"""What the scheduler does: ticks do not overlap, missed ones are one, and a stop waits for them."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from bot.domain.errors import ChainUnavailableError
from bot.service import BEGINNING, Chore, Service

EVERY_S = 0.05


@dataclass
class Settling:
    """A publisher that takes its time."""

    takes_s: float = 0.0
    begun: list[bool] = field(default_factory=list)
    ended: int = 0
    running: int = 0
    most: int = 0
    waits: bool = False
    asked: tuple[datetime, float] | None = None

    async def tick(self, *, begin: bool = True) -> None:
        self.begun.append(begin)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            await asyncio.sleep(0.02)  # as a transaction that is rolled back takes its time
            self.running -= 1
            self.ended += 1

    async def is_under_way(self) -> bool:
        return self.waits

    async def catch_up(self, beginning: datetime, every_s: float) -> None:
        self.asked = (beginning, every_s)

    async def publish(self, _store: object) -> None:
        """Be the signer of heads too."""

    async def run(self) -> int:
        """Be the recovery too."""
        return 0


def service(settling: Settling, *chores: Chore, every_s: float = EVERY_S) -> Service:
    part = cast("Any", settling)
    return Service(
        store=cast("Any", None),
        signer=part,
        recovery=part,
        settlement=part,
        epoch_seconds=every_s,
        chores=chores,
    )


async def test_ticks_that_take_longer_than_their_interval_do_not_overlap() -> None:
    settling = Settling(takes_s=0.2)
    async with service(settling):
        await asyncio.sleep(0.7)

    assert settling.most == 1
    assert 2 <= settling.ended <= 4


async def test_ticks_that_were_missed_are_one_and_a_late_one_is_not_lost() -> None:
    settling = Settling()
    async with service(settling):
        await asyncio.sleep(3 * EVERY_S)
        before = len(settling.begun)
        time.sleep(1.0)  # noqa: ASYNC251 - the machine was asleep for a score of intervals
        await asyncio.sleep(10 * EVERY_S)
        after = len(settling.begun)

    # One for all that were missed, and those of ten intervals; without coalescing they follow each
    # other as fast as a tick ends, 0.02 s: 25.
    assert 1 <= after - before <= 14


async def test_a_stop_waits_until_the_tick_has_let_go() -> None:
    settling = Settling(takes_s=60)
    async with service(settling):
        await asyncio.sleep(3 * EVERY_S)
        assert settling.running == 1

    assert settling.running == 0
    assert settling.ended == 1


async def test_what_is_under_way_goes_on_between_two_epochs_and_begins_none() -> None:
    settling = Settling(waits=True)
    async with service(settling):
        await asyncio.sleep(5 * EVERY_S)

    assert {True, False} == set(settling.begun)


async def test_a_start_asks_for_what_fell_due_while_nothing_ran() -> None:
    settling = Settling()
    async with service(settling, every_s=3600.0):
        assert settling.asked == (BEGINNING, 3600.0)


async def test_a_chore_that_fails_is_done_again_the_next_time() -> None:
    done = []

    async def fail() -> None:
        done.append(1)
        raise ChainUnavailableError("away")

    async with service(Settling(), Chore("failing", EVERY_S, fail)):
        await asyncio.sleep(5 * EVERY_S)

    assert len(done) >= 2
