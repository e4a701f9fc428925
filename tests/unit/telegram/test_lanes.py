"""Lanes: replies of one fan in one place come in order, whatever ends first."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram_chat.events import Spot
from adapters.telegram_chat.lanes import MAX_WAITING, Job, Lanes
from bot.ports.chat import IncomingMessage, Surface

SPOT = Spot(42, None, is_private=True, fan=42)


def _job(number: int) -> Job:
    surface = Surface("telegram", "7", "42", "")
    return Job(IncomingMessage("nova", surface, "42", str(number), "Hello"))


async def _run(lanes: Lanes, number: int, *, wait_s: float, shown: list[int], merged: bool) -> None:
    job = _job(number)
    async with lanes.lane(SPOT, job):
        await asyncio.sleep(wait_s)
        if merged:
            return
        await job.begun.wait()
        shown.append(number)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=MAX_WAITING))
def test_replies_come_in_the_order_of_their_questions(jobs: list[tuple[int, bool]]) -> None:
    shown: list[int] = []
    lanes = Lanes()

    async def play() -> None:
        runs = [
            _run(lanes, number, wait_s=ticks / 1000, shown=shown, merged=merged)
            for number, (ticks, merged) in enumerate(jobs)
        ]
        await asyncio.wait_for(asyncio.gather(*runs), 5)

    asyncio.run(play())

    assert shown == [number for number, (_, merged) in enumerate(jobs) if not merged]
    assert lanes.jobs(SPOT) == []


async def test_a_cancelled_job_lets_the_next_one_begin() -> None:
    lanes, shown = Lanes(), list[int]()
    first = asyncio.create_task(_run(lanes, 1, wait_s=60, shown=shown, merged=False))
    await asyncio.sleep(0)
    second = asyncio.create_task(_run(lanes, 2, wait_s=0, shown=shown, merged=False))
    await asyncio.sleep(0.01)
    assert shown == []

    first.cancel()
    await second

    assert shown == [2]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_full_lane_and_whom_a_wish_hits() -> None:
    lanes, other = Lanes(), Spot(43, None, is_private=True, fan=42)
    runs = [
        asyncio.create_task(_run(lanes, number, wait_s=0.05, shown=[], merged=False))
        for number in range(MAX_WAITING)
    ]
    await asyncio.sleep(0.01)

    assert lanes.is_full(SPOT)
    assert not lanes.is_full(other)
    assert [job.message.message_id for job in lanes.jobs(SPOT)] == list("01234")
    assert len(lanes.jobs_of(42)) == MAX_WAITING
    assert lanes.is_written(42, "3")
    assert not lanes.is_written(43, "3")
    await asyncio.gather(*runs)
