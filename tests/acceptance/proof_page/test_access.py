"""For everybody: small screens, keyboards, screen readers, dark rooms, quiet motion."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from tests.acceptance.browsing import Visit
from tests.acceptance.proof_page.states import PendingProofs, State, show, trust

pytestmark = pytest.mark.slow

_WIDE = "document.documentElement.scrollWidth > innerWidth"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_STATES = ["good", "witnessed", "public", "fixed", "revoked-before", "wrong-key"]


async def _violations(page: Page, project: Path) -> list[str]:
    """Run axe-core over the page with everything unfolded."""
    await page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    await page.evaluate((project / "node_modules" / "axe-core" / "axe.min.js").read_text())
    options = {"runOnly": {"type": "tag", "values": _RULES}}
    found = await page.evaluate("options => axe.run(document, options)", options)
    assert len(found["passes"]) > 15
    return [
        f"{violation['id']}: {node['target']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", _STATES)
async def test_axe_finds_nothing_to_object_to(
    visit: Visit,
    states: dict[str, State],
    project: Path,
    name: str,
    scheme: Literal["light", "dark"],
) -> None:
    page = await show(visit, states[name], expected="failed" if name == "wrong-key" else "verified")
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    assert await _violations(page, project) == []


async def test_axe_finds_nothing_where_there_is_nothing_to_check(
    visit: Visit, project: Path
) -> None:
    assert isinstance(visit.proofs, PendingProofs)
    visit.proofs.pending = {"P" * 22}
    for path in (f"/r/{'P' * 22}", f"/r/{'A' * 22}"):
        page = await visit.open(path)
        await page.locator("html:not([data-verdict=waiting])").wait_for()
        await page.emulate_media(reduced_motion="reduce")
        assert await _violations(page, project) == []


@pytest.mark.parametrize("name", _STATES)
async def test_a_phone_needs_no_sideways_scrolling(
    visit: Visit, states: dict[str, State], name: str
) -> None:
    page = await show(visit, states[name], expected="failed" if name == "wrong-key" else "verified")
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })")

    assert await page.evaluate(_WIDE) is False


async def test_the_keyboard_alone_reaches_everything(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["witnessed"])
    controls = "button, input, textarea, summary, a[href], pre[tabindex]"
    wanted = await page.locator(controls).evaluate_all(
        "all => all.filter((e) => e.checkVisibility()).map((e) => e.id || e.textContent)"
    )
    reached = set()
    for _ in range(60):
        await page.keyboard.press("Tab")
        reached.add(
            await page.evaluate("document.activeElement.id || document.activeElement.textContent")
        )
    assert set(wanted) <= reached

    await page.locator("#keys").focus()
    await trust(page, states["witnessed"].policy)
    await page.locator("#without").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#verdict")).to_contain_text("self-consistent")


async def test_the_result_is_said_once_and_the_parts_have_names(
    visit: Visit, states: dict[str, State]
) -> None:
    page = await show(visit, states["good"])

    await expect(page.get_by_role("status")).to_have_text(
        "Result: Signed and logged, without witnesses."
    )
    for name in ("What was said", "Who, what, when", "How far it was checked"):
        await expect(page.get_by_role("region", name=name)).to_be_visible()
    await expect(page.get_by_role("main")).to_have_count(1)
    await expect(page.get_by_role("heading", level=1)).to_have_count(1)
    await expect(
        page.get_by_role("img", name="QR code of the link without the key")
    ).to_be_visible()


async def test_nothing_moves_for_who_asked_for_quiet(visit: Visit) -> None:
    context = await visit.browser.new_context(reduced_motion="reduce")
    assert isinstance(visit.proofs, PendingProofs)
    visit.proofs.pending = {"P" * 22}

    page = await visit.open(f"/r/{'P' * 22}", context)
    await page.locator("html[data-verdict=pending]").wait_for()

    assert await page.evaluate("document.getAnimations().length") == 0
