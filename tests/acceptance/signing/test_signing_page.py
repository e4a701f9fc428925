"""The signing page in a real browser, from the link to the end."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from bot.domain.errors import StoreBusyError
from tests.acceptance.signing.browser import (
    ADDRESS,
    ANNOUNCED,
    KEY,
    OTHER,
    OTHER_KEY,
    PROVIDER,
    Visit,
    expect_end,
    review,
    sign,
)
from tests.fakes.signing import VALID

pytestmark = pytest.mark.slow


async def test_a_wallet_publishes_what_the_page_shows(visit: Visit) -> None:
    visit.desk.warnings = ("Your fans will see the examples.",)
    page = await visit.open_with_wallet(visit.desk.invite())

    await expect(page.get_by_role("heading", level=1).last).to_have_text(
        "Publish Mira Solano, version 1"
    )
    await expect(page.locator("#persona")).to_have_text(visit.desk.persona.text())
    await expect(page.locator("#disclosure")).to_contain_text("can read this whole text")
    await expect(page.get_by_label("Address that signs")).to_have_value(ADDRESS)
    await expect(page.get_by_label("Address that your fees are paid to")).to_have_value(ADDRESS)
    await review(page)
    for words in (
        "0.002 TPT per reply, 100 a day free",
        "first 100 in 24 hours: the operator pays their price",
        "creator 85.00 %, operator 15.00 %",
        ADDRESS,
    ):
        await expect(page.locator("#rows")).to_contain_text(words)
    await sign(page)

    await expect_end(page, "done", "Version 1 of Mira Solano answers fans now.")
    live = visit.desk.live
    assert live is not None
    assert (live.creator, live.payout) == (ADDRESS, ADDRESS)
    assert visit.wallet.shown["message"]["manifest"] == "0x" + live.hash.hex()
    assert visit.wallet.shown["domain"] == {"name": "Twinproof", "version": "1"}


async def test_the_box_has_to_be_ticked_before_the_wallet_is_asked(visit: Visit) -> None:
    page = await visit.open_with_wallet(visit.desk.invite())
    await review(page)

    await page.get_by_role("button", name="Sign in the wallet").click()

    await expect(page.get_by_role("alert")).to_have_text("Read the text and tick the box first.")
    assert visit.wallet.asked == ["eth_requestAccounts"]


async def test_a_pause_needs_no_payout_and_no_box(visit: Visit) -> None:
    visit.desk.creator = ADDRESS
    page = await visit.open_with_wallet(visit.desk.invite("pause"))

    await expect(page.locator("#rows")).to_contain_text("pause, number 1 of this twin")
    await expect(page.locator("#disclosure")).to_be_hidden()
    await expect(page.locator("#payout")).to_be_hidden()
    await page.get_by_role("button", name="Sign in the wallet").click()

    await expect_end(page, "done", "Mira Solano is paused")
    assert visit.wallet.shown["message"]["action"] == "pause"
    assert visit.wallet.shown["primaryType"] == "TwinOrder"
    assert len(visit.desk.orders) == 1


@pytest.mark.parametrize("version", [None, 1])
async def test_a_revocation_says_that_it_is_final(visit: Visit, version: int | None) -> None:
    page = await visit.open_with_wallet(visit.desk.invite())
    await review(page)
    await sign(page)
    await expect_end(page, "done", "answers fans now")
    live = visit.desk.live
    assert live is not None

    page = await visit.open_with_wallet(visit.desk.invite("revoke", version=version))
    await expect(page.locator("#lead")).to_contain_text("can never")
    await expect(page.locator("#agree-text")).to_contain_text("nobody can undo")
    await sign(page)

    await expect_end(page, "done", "is revoked")
    assert visit.desk.orders[0].manifest == (live.hash if version else None)


async def test_a_refusal_in_the_wallet_leaves_everything_open(visit: Visit) -> None:
    page = await visit.open_with_wallet(visit.desk.invite())
    await review(page)
    visit.wallet.refuses = True
    await sign(page)
    await expect(page.get_by_role("alert")).to_contain_text("You declined in the wallet.")
    assert visit.desk.live is None

    visit.wallet.refuses = False
    await page.get_by_role("button", name="Sign in the wallet").click()

    await expect_end(page, "done", "answers fans now")


async def test_another_account_is_told_and_a_change_is_followed(visit: Visit) -> None:
    visit.desk.creator = ADDRESS
    visit.wallet.key = OTHER_KEY
    page = await visit.open_with_wallet(visit.desk.invite("pause"))
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text(f"This twin belongs to {ADDRESS}, but this is {OTHER}.")
    await expect(page.locator("#review")).to_be_hidden()

    await page.get_by_role("button", name="Connect the wallet in this browser").click()
    visit.wallet.key = KEY
    await page.get_by_role("button", name="Connect the wallet in this browser").click()
    await expect(page.locator("#rows")).to_contain_text(ADDRESS)
    await page.evaluate("account => switchAccount(account)", OTHER)
    await expect(page.locator("#review")).to_be_hidden()
    await expect(alert).to_contain_text(f"but this is {OTHER}")
    await page.evaluate("account => switchAccount(account)", ADDRESS.lower())
    await page.get_by_role("button", name="Sign in the wallet").click()

    await expect_end(page, "done", "is paused")


async def test_of_several_wallets_one_is_chosen(visit: Visit) -> None:
    page = await visit.open(visit.desk.invite(), scripts=(PROVIDER, ANNOUNCED))
    await page.get_by_label("With a wallet").check()
    await page.get_by_role("button", name="Connect Broken Wallet").click()
    await expect(page.get_by_role("alert")).to_have_text(
        "The wallet says: out of order. Nothing was signed."
    )

    await page.get_by_role("button", name="Connect Fox").click()

    await expect(page.get_by_label("Address that signs")).to_have_value(ADDRESS)
    await expect(page.locator("#wallets button")).to_have_count(2)


async def test_without_a_wallet_the_other_ways_are_named(visit: Visit) -> None:
    page = await visit.open(visit.desk.invite())

    await page.get_by_label("With a wallet").check()

    await expect(page.locator("#no-wallet")).to_contain_text("No wallet was found")
    await expect(page.locator("#wallets button")).to_have_count(0)


async def test_a_signature_of_another_chain_gets_the_services_sentence(visit: Visit) -> None:
    visit.wallet.chain = 1
    page = await visit.open_with_wallet(visit.desk.invite())
    await review(page)
    await sign(page)
    await expect(page.get_by_role("alert")).to_contain_text("Your wallet has signed for chain 1")
    assert visit.desk.live is None

    visit.wallet.chain = None
    await page.get_by_role("button", name="Sign in the wallet").click()

    await expect_end(page, "done", "answers fans now")


async def test_a_replayed_submission_is_told_and_changes_nothing(visit: Visit) -> None:
    token = visit.desk.invite()
    first = await visit.open_with_wallet(token)
    second = await visit.open_with_wallet(token)
    third = await visit.open_with_wallet(token)
    await third.get_by_label("Address that your fees are paid to").fill("")
    for page in (first, second, third):
        await review(page)
    await sign(first)
    await expect_end(first, "done", "answers fans now")
    live = visit.desk.live

    await sign(second)
    await expect_end(second, "done", "Version 1 of Mira Solano answers fans now.")
    await sign(third)

    await expect_end(third, "done", "This link is closed")
    await expect(third.locator("#ending")).to_contain_text("Version 1 of Mira Solano answers")
    await second.reload()
    await expect_end(second, "done", "This link is closed")
    assert visit.desk.live is live


@pytest.mark.parametrize("late", [False, True])
async def test_an_expired_link_says_what_to_do(visit: Visit, *, late: bool) -> None:
    token = visit.desk.invite()
    if not late:
        visit.desk.clock.advance(VALID + timedelta(seconds=1))
    page = await (visit.open_with_wallet(token) if late else visit.open(token))
    if late:
        await review(page)
        visit.desk.clock.advance(VALID + timedelta(seconds=1))
        await sign(page)

    await expect_end(page, "gone", "This signing link has expired.")
    await expect(page.locator("#ending")).to_contain_text("Ask for a new link")


@pytest.mark.parametrize("token", ["A" * 43, "half-a-link"])
async def test_an_unknown_link_says_so(visit: Visit, token: str) -> None:
    page = await visit.open(token)

    await expect_end(page, "gone", "This link does not work")


async def test_a_signature_that_could_not_be_sent_is_sent_again(visit: Visit) -> None:
    page = await visit.open_with_wallet(visit.desk.invite())
    await review(page)
    visit.desk.fail = StoreBusyError("The service is busy.")
    await sign(page)
    await expect(page.get_by_role("alert")).to_have_text("The service is busy.")

    visit.desk.fail = None
    await page.get_by_role("button", name="Sign in the wallet").click()

    await expect_end(page, "done", "answers fans now")
    assert visit.wallet.asked == ["eth_requestAccounts", "eth_signTypedData_v4"]


async def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = await visit.open(visit.desk.invite(), scripts=(PROVIDER,))
    await page.locator("[name=way]").first.focus()
    await page.keyboard.press("Space")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#payout")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#review-title")).to_be_focused()
    for keys in ("Tab", "Tab", "Space", "Tab", "Enter"):
        await page.keyboard.press(keys)

    await expect_end(page, "done", "answers fans now")
    await expect(page.locator("#ending-title")).to_be_focused()


async def test_a_phone_needs_no_sideways_scrolling(visit: Visit) -> None:
    visit.desk.changes = ("- I sing in the harbour.", "+ I sing on ships, " + "a" * 60)
    wide = "document.documentElement.scrollWidth > innerWidth"
    page = await visit.open_with_wallet(visit.desk.invite(), width=360)
    await review(page)
    await page.get_by_text("Every detail").click()
    assert await page.evaluate(wide) is False

    page = await visit.open(visit.desk.invite(), width=360)
    await page.get_by_label("With a key file").check()
    await page.get_by_role("button", name="Make a new key").click()
    assert await page.evaluate(wide) is False
