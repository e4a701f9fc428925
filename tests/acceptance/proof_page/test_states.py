"""What the page says of a proof, in each state."""

import pytest
from playwright.async_api import Page, expect

from bot.domain.wording import AI_LABEL
from tests.acceptance.browsing import PATIENCE_MS, Visit, verdict
from tests.acceptance.proof_page.states import PendingProofs, State, show, trust

pytestmark = pytest.mark.slow

_ASKED, _SAID = "What do you sing about?", "About ships that come home late."
_UNWITNESSED = "Signed and logged, without witnesses"


async def _status(page: Page, level: str) -> str:
    return await page.locator(f"#rung-{level} .status").inner_text()


async def test_a_genuine_proof_says_what_was_said_by_whom_and_how_far_it_goes(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["good"])

    await expect(page.locator("h1")).to_have_text(_UNWITNESSED)
    for words in (_ASKED, _SAID, AI_LABEL):
        await expect(page.locator("#exchange")).to_contain_text(words)
    place = "web, chat fan, message 7"
    for words in ("Nova", "not tied to a person", "starter", "10:00:00 UTC", "word", place):
        await expect(page.locator("#who")).to_contain_text(words)
    await expect(page.locator("#verdict")).to_contain_text("self-consistent")
    await expect(page.locator("#limits")).to_contain_text("That the reply is true.")
    assert await page.locator("#limits li").count() == 13
    assert [await _status(page, level) for level in ("L0", "L1", "L2", "L3", "L4")] == [
        "checked here, now",
        "checked here, without witnesses",
        "not checked here",
        "not done here",
        "not checked here",
    ]
    await expect(page.locator("#command")).to_have_text(
        f".venv/bin/twinproof replay '{visit.origin}{states['good'].link}'"
    )
    await expect(page).to_have_title("Proof of Nova · Twinproof")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stopped", ["Stopped early", "The fan stopped the reply", "partial reply"]),
        ("cut", ["Cut off", "creator ended the reply", "Refunded", "partial reply"]),
        ("undelivered", ["Not delivered", "It costs nothing", "undelivered"]),
        ("withdrawn", ["Withdrawn", "The fan took the message back"]),
        ("refunded", ["Refunded", "The fee was given back."]),
        ("untold", ["none stated yet"]),
        ("good", ["budget: free for you", "creator earns 0.0017"]),
        ("paid", ["Paid with your credit: 0.002 TPT, of which the creator earns 0.0017"]),
        ("paid-refunded", ["Nothing: given back", "0.002 TPT that came from your credit"]),
        ("promotional", ["Paid with a gift of the operator: the creator earns nothing from it"]),
        ("free", ["Free", "the creator has signed that this twin costs nothing"]),
        ("fixed", ["Fixed answer by the rule crisis/1", "Nothing was generated", "costs nothing"]),
        ("again", ["Asked for again", "attempt 3", "Drawn again", "one draft"]),
        ("parts", ["in 2 messages that were answered together", "And why?"]),
        ("revoked-later", ["Revoked later", "this version", "stays what it was"]),
        ("continued", ["continued under another key", "demo.example/log2"]),
    ],
)
async def test_each_state_is_told_in_words(
    visit: Visit, states: dict[str, State], name: str, words: list[str]
) -> None:
    page = await show(visit, states[name])

    await expect(page.locator("h1")).to_have_text(_UNWITNESSED)
    for word in words:
        await expect(page.locator("main")).to_contain_text(word)


async def test_the_details_name_rate_table_and_registry_block(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["paid"])
    await expect(page.locator("#facts")).to_contain_text("7a" * 32)
    await expect(page.locator("#facts")).to_contain_text("none: the operator names no registry")

    page = await show(visit, states["registered"])

    for words in ("block 19000000", "5e" * 32, "this page has not asked that chain"):
        await expect(page.locator("#facts")).to_contain_text(words)
    await expect(page.locator("#facts")).to_contain_text("0.002 TPT per reply, 10 a day free")


async def test_a_reply_after_its_twin_was_revoked_is_not_shown_as_good(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["revoked-before"])

    await expect(page.locator("h1")).to_contain_text("after the creator had revoked it")
    await expect(page.locator("html")).to_have_attribute("data-tone", "warn")
    await expect(page.locator("#notes")).to_contain_text("does not stand behind it")


async def test_a_fixed_answer_offers_no_replay(visit: Visit, states: dict[str, State]) -> None:
    page = await show(visit, states["fixed"])

    assert await _status(page, "L3") == "nothing to replay"
    await expect(page.locator("#command")).to_have_count(0)


async def test_without_the_key_the_page_says_how_to_get_it_and_takes_it(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["public"])
    await expect(page.locator("h1")).to_have_text(f"{_UNWITNESSED}; contents closed")
    await expect(page.locator("#exchange")).to_be_hidden()
    await expect(page.locator("#limits")).to_contain_text("Anything about what was said.")
    assert await page.locator(".steps .hidden").count() == 3

    good = states["good"]
    visit.proofs.bundles = {good.id: good.file.encode()}
    await page.reload()
    field = page.get_by_label("The whole proof link, or its key alone")
    await field.fill("A" * 43)
    await expect(page.locator("#key-error")).to_contain_text("does not open the reply")
    await expect(page.locator("html")).to_have_attribute("data-verdict", "verified")
    await field.fill(good.key or "")

    await expect(page.locator("#exchange")).to_contain_text(_SAID)
    await expect(page.locator("#closed")).to_be_hidden()


async def test_a_witnessed_proof_reaches_the_next_level_by_the_viewers_policy_alone(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["witnessed"])
    await expect(page.locator("h1")).to_have_text(_UNWITNESSED)
    await expect(page.locator("#rung-L1")).to_contain_text("count for nothing")

    await trust(page, states["witnessed"].policy)

    await expect(page.locator("h1")).to_have_text("Signed, logged and witnessed")
    await expect(page.locator("#rung-L1")).to_contain_text("Cosigned by witness.example/w")
    await expect(page.locator("#verdict")).to_contain_text("trusted by your policy")
    await expect(page.locator("#verdict")).not_to_contain_text("self-consistent")
    await expect(page.locator("#limits")).not_to_contain_text("everybody sees the same log")
    await page.get_by_role("button", name="Check without them").click()
    await expect(page.locator("h1")).to_have_text(_UNWITNESSED)


async def test_keys_of_somebody_else_are_refused_and_can_be_taken_back(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["good"])

    await trust(page, states["good"].policy | {"creators": ["0x" + "1" * 40]})

    await expect(page.locator("h1")).to_have_text("Not the keys that you trust")
    await expect(page.locator("#exchange")).to_be_hidden()
    await expect(page.locator("#technical")).to_be_hidden()
    await page.get_by_role("button", name="Check without them").click()
    await expect(page.locator("h1")).to_have_text(_UNWITNESSED)


async def test_what_is_no_policy_is_said_at_the_field(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["good"])

    await page.get_by_label("Trust policy").fill("nonsense")
    await page.get_by_role("button", name="Check with these keys").click()

    await expect(page.locator("#policy-error")).to_contain_text("This is no trust policy")
    await expect(page.locator("h1")).to_have_text(_UNWITNESSED)


@pytest.mark.parametrize(("name", "step"), [("wrong-key", 5), ("spoilt", 2)])
async def test_a_false_proof_shows_nothing_of_what_it_claims(
    visit: Visit, states: dict[str, State], name: str, step: int
) -> None:
    page = await show(visit, states[name], expected="failed")

    await expect(page.locator("h1")).to_have_text("This proof is false")
    await expect(page.locator("#chips")).to_have_text(f"failed at step {step}")
    body = await page.locator("body").inner_text()
    for claimed in (_ASKED, _SAID, "Nova", "starter", "0x", "demo.example"):
        assert claimed not in body
    await expect(page).to_have_title("FALSE proof · Twinproof")


async def test_a_pending_proof_is_waited_for(visit: Visit, states: dict[str, State]) -> None:
    good = states["good"]
    assert isinstance(visit.proofs, PendingProofs)
    visit.proofs.pending = {good.id}

    page = await visit.open(good.link)
    assert await verdict(page) == "pending"
    await expect(page.locator("h1")).to_have_text("Not in the log yet")
    await expect(page.locator("#exchange")).to_be_hidden()
    visit.proofs.bundles = {good.id: good.file.encode()}

    await expect(page.locator("h1")).to_have_text(_UNWITNESSED, timeout=PATIENCE_MS)


async def test_an_absent_proof_is_no_verdict_and_can_be_looked_for_again(
    visit: Visit, states: dict[str, State]
) -> None:
    good = states["good"]
    page = await visit.open(good.link)
    assert await verdict(page) == "unavailable"
    await expect(page.locator("#checked")).to_be_hidden()
    await expect(page.get_by_label("Proof file")).to_be_visible()

    visit.proofs.bundles = {good.id: good.file.encode()}
    await page.get_by_role("button", name="Look again").click()

    await expect(page.locator("h1")).to_have_text(_UNWITNESSED)


async def test_the_verdict_comes_soon(visit: Visit, states: dict[str, State]) -> None:
    """The aim is a second on a quiet machine; the bound only catches what has gone wrong."""
    page = await show(visit, states["good"])
    marked = await page.evaluate("performance.getEntriesByName('verdict')[0].startTime")

    assert 0 < marked < 5000
