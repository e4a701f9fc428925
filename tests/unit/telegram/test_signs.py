"""When a rush is one, and who waits for its end."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram_chat.signs import DRAFTS_AT_ONCE, FEW, RUSH_S, Signs
from tests.unit.telegram.test_limiter import run


def _key(number: int) -> tuple[str, str, str]:
    return "7001", str(number), "1"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2 * FEW)), max_size=200))
def test_it_is_a_rush_while_more_than_a_few_wait(events: list[tuple[bool, int]]) -> None:
    signs = Signs()
    waiting: set[int] = set()
    for arrives, number in events:
        if arrives:
            signs.expect(_key(number))
            waiting.add(number)
        else:
            signs.seen(_key(number))
            waiting.discard(number)
        assert signs.is_rush == (len(waiting) > FEW)
        assert signs.is_crowded == signs.is_rush


def test_who_waits_for_calm_goes_on_in_order_and_before_those_who_come_later() -> None:
    signs = Signs()
    order = []

    async def ask(number: int) -> None:
        await signs.wait_for_calm()
        order.append(number)

    async def work() -> None:
        for number in range(FEW + 1):
            signs.expect(_key(number))
        early = [asyncio.create_task(ask(number)) for number in range(5)]
        await asyncio.sleep(0.1)
        assert order == []
        signs.seen(_key(0))
        late = asyncio.create_task(ask(5))
        await asyncio.gather(*early, late)

    run(work())

    assert order == [0, 1, 2, 3, 4, 5]


def test_a_rush_that_does_not_end_keeps_nobody_for_long() -> None:
    signs = Signs()

    async def work() -> float:
        for number in range(FEW + 1):
            signs.expect(_key(number))
        await signs.wait_for_calm()
        return asyncio.get_running_loop().time() - 1000.0

    assert abs(run(work()) - RUSH_S) < 0.01


def test_so_many_previews_under_way_are_a_crowd() -> None:
    signs = Signs()
    for _ in range(DRAFTS_AT_ONCE):
        assert not signs.is_crowded
        signs.__enter__()
    assert signs.is_crowded
    signs.__exit__()
    assert not signs.is_crowded


def test_a_bot_that_goes_leaves_no_rush_behind() -> None:
    signs = Signs()
    rushes = []
    for number in range(FEW):
        signs.expect(_key(number))
    for gone in ("7002", "7001"):
        signs.expect(("7002", "1", "1"))
        rushes.append(signs.is_rush)
        signs.forget(gone)
        rushes.append(signs.is_rush)

    assert rushes == [True, False, True, False]
