"""A new link that is asked for while an older one of the same twin is being used."""

import asyncio
from collections.abc import Awaitable

import pytest

from bot.domain.errors import UserError
from tests.unit.creators.house import (
    KEY,
    OTHER_KEY,
    ZOE,
    House,
    memory_house,
    sign,
    token_of,
)
from tests.unit.creators.test_publication import PNG

TICKS = 24


async def _meanwhile(
    first: Awaitable[object], second: Awaitable[object], ticks: int
) -> list[object]:
    """Begin one thing, and another one a little later; return what came of both."""
    begun = asyncio.ensure_future(first)
    for _ in range(ticks):
        await asyncio.sleep(0)
    return list(await asyncio.gather(begun, second, return_exceptions=True))


@pytest.mark.parametrize("ticks", range(TICKS))
async def test_a_link_that_is_replaced_while_it_is_opened_says_so(house: House, ticks: int) -> None:
    await house.begin()
    link = await house.desk.publish(ZOE, "zoe")

    _, prepared = await _meanwhile(house.desk.publish(ZOE, "zoe"), house.prepare(link), ticks=ticks)

    assert isinstance(prepared, UserError | tuple)
    assert (await house.publish()).endswith("is signed and in force.")


@pytest.mark.parametrize("ticks", range(TICKS))
async def test_a_picture_stays_although_the_link_is_replaced_while_it_is_signed(
    ticks: int,
) -> None:
    house = await memory_house().open()
    await house.begin()
    await house.desk.set_avatar(ZOE, "zoe", PNG)
    token, prepared = await house.prepare(await house.desk.publish(ZOE, "zoe"))

    _, said = await _meanwhile(
        house.desk.publish(ZOE, "zoe"),
        house.signing.submit(token, body=prepared.body, signature=sign(prepared)),
        ticks=ticks,
    )

    standing = await house.shelf.standing("zoe")
    assert isinstance(said, str) == (standing is not None)
    if standing is not None:
        assert await house.creators.avatar_of(standing.newest.hash) == PNG


@pytest.mark.parametrize("ticks", range(0, TICKS, 4))
async def test_a_twin_never_has_two_owners(house: House, ticks: int) -> None:
    await house.begin()
    token, prepared = await house.prepare(await house.desk.publish(ZOE, "zoe"))

    async def signed_by_another() -> str:
        link = await house.desk.publish(ZOE, "zoe")
        other, theirs = await house.prepare(link, key=OTHER_KEY)
        return await house.signing.submit(
            other, body=theirs.body, signature=sign(theirs, OTHER_KEY)
        )

    answers = await _meanwhile(
        signed_by_another(),
        house.signing.submit(token, body=prepared.body, signature=sign(prepared, KEY)),
        ticks=ticks,
    )

    assert sorted(isinstance(answer, str) for answer in answers) == [False, True]
    assert token_of(await house.desk.revoke(ZOE, "zoe", None))
