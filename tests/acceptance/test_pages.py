"""The chat page in a real browser, over fakes and a golden vector."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from bot.domain.errors import AdmissionError
from bot.domain.wording import AI_LABEL
from bot.ports.views import EarningsLine
from bot.receipts.verify import verify_bundle
from tests.acceptance.browsing import Visit, receipt_id, visiting
from tests.fakes.chat import NOVA, MemoryProofs

pytestmark = pytest.mark.slow

_VECTORS = Path(__file__).parents[2] / "docs" / "spec" / "vectors"
_NOTE = "The model is <b>small</b>."


def _vector(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((_VECTORS / f"{name}.json").read_text())
    return loaded


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async with visiting(proofs=MemoryProofs(), note=_NOTE) as opened:
        yield opened


async def _say(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


def _prepare_good_reply(visit: Visit) -> str:
    """Let the inbox give the reply of the good vector, and return the fan's message of it."""
    vector = _vector("good")
    visit.publish(vector)
    visit.inbox.link_ids = [receipt_id(vector["bundle"])]
    visit.inbox.key = vector["key"]
    key = base64.urlsafe_b64decode(vector["key"] + "=")
    openings = verify_bundle(vector["bundle"].encode(), key=key, policy=None).openings
    assert openings is not None
    visit.inbox.words = [openings.fields.text[:4], openings.fields.text[4:]]
    return openings.fields.message


async def test_a_fan_talks_and_sees_the_reply_grow(visit: Visit) -> None:
    gate = visit.inbox.gate = asyncio.Semaphore(1)
    page = await visit.open("/")

    await page.get_by_label("Your message").fill("Hello")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("Nova")
    await page.keyboard.press("Enter")

    reply = page.locator(".reply .text")
    await expect(reply).to_have_text("Ships")
    await expect(page.locator(".reply")).to_have_attribute("aria-busy", "true")
    gate.release()
    await expect(reply).to_have_text("Ships come")
    gate.release()
    gate.release()
    await expect(reply).to_have_text("Ships come home.")
    await expect(page.locator(".reply")).to_contain_text(AI_LABEL)
    await expect(page.locator(".reply footer")).to_contain_text("Fee 0.002 TPT")
    await expect(page.locator("main")).to_contain_text("You talk to an AI replica")
    await expect(page.get_by_role("status")).to_have_text(f"Nova, {AI_LABEL}: Ships come home.")
    assert visit.inbox.asked[0].text == "Hello\nNova"


async def test_the_badge_is_the_browsers_own_check_and_history_survives(visit: Visit) -> None:
    message = _prepare_good_reply(visit)
    page = await visit.open("/")

    await _say(page, message)
    badge = page.locator(".badge")
    await expect(badge).to_have_attribute("data-verdict", "verified", timeout=15_000)
    await page.reload()

    await expect(page.locator(".fan")).to_contain_text(message)
    await expect(page.locator(".reply .tag")).to_have_text(AI_LABEL)
    await page.get_by_role("button", name="Check now").click()
    await expect(badge).to_have_attribute("data-verdict", "verified", timeout=15_000)
    proof = page.get_by_role("link", name="Proof")
    assert (await proof.get_attribute("href") or "").endswith(f"#k={visit.inbox.key}")


async def test_a_proof_of_other_words_is_noticed(visit: Visit) -> None:
    _prepare_good_reply(visit)
    page = await visit.open("/")

    await _say(page, "Something else")

    badge = page.locator(".badge")
    await expect(badge).to_have_attribute("data-verdict", "other", timeout=15_000)


async def test_a_refusal_is_one_sentence_and_the_words_are_kept(visit: Visit) -> None:
    visit.inbox.fail = AdmissionError("You have used today's free replies.")
    page = await visit.open("/")

    await _say(page, "Hello")

    await expect(page.get_by_role("alert")).to_have_text("You have used today's free replies.")
    await expect(page.get_by_label("Your message")).to_have_value("Hello")


async def test_an_unfinished_message_is_taken_up_again_after_a_reload(visit: Visit) -> None:
    gate = visit.inbox.gate = asyncio.Semaphore(1)
    page = await visit.open("/")
    await _say(page, "Hello")
    await expect(page.locator(".reply .text")).to_have_text("Ships")

    await page.reload()
    await expect(page.locator(".fan")).to_contain_text("Hello")
    for _ in range(3):
        gate.release()

    await expect(page.locator(".reply .text")).to_have_text("Ships come home.", timeout=20_000)
    await expect(page.locator(".reply")).to_have_count(1)
    assert len(visit.inbox.asked) == 1


async def _hold_history(page: Page, *, fails: bool = False) -> asyncio.Event:
    """Let the conversation's earlier turns come, or fail, no sooner than the event is set."""
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await (route.abort() if fails else route.continue_())

    await page.route("**/api/history*", hold)
    return held


async def test_words_said_before_the_history_is_there_are_answered_behind_it(visit: Visit) -> None:
    page = await visit.open("/")
    await _say(page, "Hello")
    await expect(page.locator(".reply footer")).to_have_count(1)
    history = await _hold_history(page)
    await page.reload()

    await _say(page, "And you?")

    await expect(page.get_by_label("Your message")).to_have_value("")
    await expect(page.locator(".fan")).to_contain_text(["And you?"])
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    history.set()
    await expect(page.locator(".reply footer")).to_have_count(2)
    await expect(page.locator(".fan")).to_contain_text(["Hello", "And you?"])
    assert [message.text for message in visit.inbox.asked] == ["Hello", "And you?"]


async def test_what_was_left_unanswered_comes_before_words_said_early(visit: Visit) -> None:
    gate = visit.inbox.gate = asyncio.Semaphore(1)
    page = await visit.open("/")
    await _say(page, "Hello")
    await expect(page.locator(".reply .text")).to_have_text("Ships")
    history = await _hold_history(page)
    await page.reload()

    await _say(page, "And you?")
    history.set()
    for _ in range(7):
        gate.release()

    await expect(page.locator(".reply footer")).to_have_count(2, timeout=20_000)
    await expect(page.locator(".fan")).to_contain_text(["Hello", "And you?"])
    assert [message.text for message in visit.inbox.asked] == ["Hello", "And you?"]


async def test_words_said_early_are_answered_where_the_history_fails(visit: Visit) -> None:
    page = await visit.open("/")
    history = await _hold_history(page, fails=True)
    await page.reload()

    await _say(page, "Hello")
    history.set()

    await expect(page.locator(".reply footer")).to_have_count(1)
    await expect(page.get_by_role("alert")).to_contain_text("The service does not answer.")
    await page.unroute("**/api/history*")
    async with page.expect_response("**/api/history*"):
        await page.get_by_role("button", name="Try again").click()
    await expect(page.locator(".fan")).to_contain_text(["Hello"])
    await expect(page.locator(".reply")).to_have_count(1)


async def test_earnings_stand_side_by_side(visit: Visit) -> None:
    payout, tx = "0x" + "1" * 40, "0x" + "ab" * 32
    line = EarningsLine("Nova", "TPT", 12_400_000, 10_200_000, 10_200_000, payout, 7, tx)
    visit.inbox.lines = [line]
    page = await visit.open("/")

    await page.get_by_text("What creators earn").click()

    panel = page.locator("#lines")
    for words in ("0.0124 TPT", "0.0022 TPT", "0.0102 TPT", "0.000000007 TPT", payout, tx):
        await expect(panel).to_contain_text(words)


async def test_the_earnings_of_the_twin_talked_to_come_first(visit: Visit) -> None:
    names = ["Ana", NOVA.name, "Zoe"]
    visit.inbox.cards = [replace(NOVA, slug=name.lower(), name=name) for name in names]
    visit.inbox.lines = [
        EarningsLine(name, "TPT", 1, 1, 1, "0x" + "1" * 40, 1, None) for name in names
    ]
    page = await visit.open("/")
    await page.get_by_text("What creators earn").click()
    titles = page.locator("#lines h3")
    await expect(titles).to_have_text(names)

    await page.get_by_role("button", name="Zoe").click()

    await expect(titles).to_have_text(["Zoe", "Ana", NOVA.name])


async def test_the_note_is_shown_as_text_beside_what_a_proof_link_opens(visit: Visit) -> None:
    page = await visit.open("/")

    await expect(page.locator("form .small")).to_have_text(
        f"{_NOTE} A proof link lets whoever has it read that message and its reply."
    )


async def test_a_phone_needs_no_sideways_scrolling(visit: Visit) -> None:
    context = await visit.browser.new_context(viewport={"width": 360, "height": 740})
    page = await visit.open("/", context)
    await page.wait_for_load_state("networkidle")

    wide = "document.documentElement.scrollWidth > innerWidth"
    assert await page.evaluate(wide) is False
