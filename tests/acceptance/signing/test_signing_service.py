"""The same page in front of the real creators' room: draft, signature, answer, order."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from bot.domain.errors import AdmissionError
from bot.domain.persona import Example
from bot.ports.creators import DraftEdit
from tests.acceptance.signing.browser import (
    ADDRESS,
    KEY,
    OTHER,
    OTHER_KEY,
    Visit,
    expect_end,
    open_visit,
    review,
    sign,
)
from tests.fakes.clock import SetClock
from tests.fakes.signing import MemorySigningDesk
from tests.unit.creators.house import ZOE, House, memory_house, token_of

pytestmark = pytest.mark.slow

_EDIT = DraftEdit(
    facts=("I throw pots.", "- and I glaze them."),
    off_limits=("politics", "rent, debts, and taxes"),
    examples=(Example(fan="Hi", twin="Hello: welcome"),),
)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    opened = await memory_house().open()
    await opened.begin()
    yield opened
    assert (await opened.stage.audit()).wrong == []


@pytest.fixture
async def visit(house: House) -> AsyncIterator[Visit]:
    clock = house.stage.clock
    assert isinstance(clock, SetClock)
    async with open_visit(house.signing, clock=clock, desk=MemorySigningDesk()) as opened:
        yield opened


async def test_a_draft_is_published_and_paused_in_the_browser(house: House, visit: Visit) -> None:
    await house.desk.edit(ZOE, "zoe", _EDIT)
    page = await visit.open_with_wallet(token_of(await house.desk.publish(ZOE, "zoe")))
    await review(page)
    await expect(page.locator("#rows")).to_contain_text(ADDRESS)
    await sign(page)
    await expect_end(page, "done", "Version 1 of Zoe is signed and in force.")
    assert (await house.desk.show(ZOE, "zoe")).creator == ADDRESS
    assert (await house.say("m1")).seq == 1

    page = await visit.open_with_wallet(token_of(await house.desk.pause(ZOE, "zoe")))
    await expect(page.locator("#rows")).to_contain_text("pause, number 1")
    await sign(page)

    await expect(page.locator("html")).to_have_attribute("data-state", "done")
    with pytest.raises(AdmissionError, match="paused"):
        await house.say("m2")


async def test_the_next_version_is_its_owners_alone(house: House, visit: Visit) -> None:
    page = await visit.open_with_wallet(token_of(await house.desk.publish(ZOE, "zoe")))
    await page.get_by_label("Address that your fees are paid to").fill("")
    await review(page)
    await sign(page)
    await expect_end(page, "done", "Version 1")
    await house.desk.edit(ZOE, "zoe", _EDIT)
    token = token_of(await house.desk.publish(ZOE, "zoe"))
    visit.wallet.key = OTHER_KEY
    page = await visit.open_with_wallet(token)
    await expect(page.get_by_role("alert")).to_contain_text(f"but this is {OTHER}")

    visit.wallet.key = KEY
    page = await visit.open_with_wallet(token)
    await expect(page.locator("#changes")).to_contain_text("I throw pots.")
    await review(page)
    await sign(page)

    await expect_end(page, "done", "Version 2 of Zoe")


async def test_a_chain_id_and_a_used_link_get_the_services_words(
    house: House, visit: Visit
) -> None:
    token = token_of(await house.desk.publish(ZOE, "zoe"))
    visit.wallet.chain = 1
    page = await visit.open_with_wallet(token)
    await review(page)
    await sign(page)
    await expect(page.get_by_role("alert")).to_contain_text("signed for chain 1")
    visit.wallet.chain = None
    await sign(page)
    await expect_end(page, "done", "Version 1 of Zoe is signed and in force.")

    page = await visit.open(token)

    await expect_end(page, "done", "This link is closed")
    await expect(page.locator("#ending")).to_contain_text("Version 1 of Zoe")
