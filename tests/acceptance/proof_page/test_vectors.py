"""The golden vectors on the page, in a browser with and without WebCrypto."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page

from tests.acceptance.browsing import Visit, verdict
from tests.acceptance.proof_page.states import trust

pytestmark = pytest.mark.slow

_VECTORS = sorted((Path(__file__).parents[3] / "docs" / "spec" / "vectors").glob("*.json"))
_NO_SUBTLE = "Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });"


_CURVES = re.compile(r"(small|mixed)-order|torsion|high-s|cosign")


def _sample() -> list[dict[str, Any]]:
    """Return one vector of each expectation, and all on which libraries of curves may differ.

    The verifier meets every vector in tests/unit/web; here it is the browser that is tested.
    """
    loaded = [json.loads(path.read_text()) for path in _VECTORS]
    one_of_each = {str(vector["expect"]): vector for vector in loaded}
    delicate = {vector["name"]: vector for vector in loaded if _CURVES.search(vector["name"])}
    return list(({v["name"]: v for v in one_of_each.values()} | delicate).values())


@pytest.mark.parametrize("webcrypto", [True, False])
async def test_the_page_gives_the_verdicts_of_the_vectors(visit: Visit, *, webcrypto: bool) -> None:
    context = await visit.browser.new_context()
    if not webcrypto:
        await context.add_init_script(_NO_SUBTLE)

    assert await _wrong_verdicts(visit, context, _sample()) == {}


async def _wrong_verdicts(
    visit: Visit, context: BrowserContext, vectors: list[dict[str, Any]]
) -> dict[str, object]:
    """Open each vector's link, and its policy where it has one; return what came out wrong."""
    wrong: dict[str, object] = {}
    page = await visit.open("/healthz", context)
    for vector in vectors:
        await page.goto(visit.origin + "/healthz")
        await page.goto(visit.origin + visit.publish(vector))
        if await verdict(page) == "verified" and vector["policy"] is not None:
            await trust(page, vector["policy"])
        got = await _shown(page)
        if got != _expected(vector["expect"]):
            wrong[vector["name"]] = got
    return wrong


def _expected(expect: dict[str, Any]) -> tuple[str, str, bool]:
    """Return levels, the failure's chip, and whether the contents are to be seen."""
    if "step" in expect:
        return "", f"failed at step {expect['step']}", False
    return " ".join(expect["levels"]), "", expect["opened"]


async def _shown(page: Page) -> tuple[str, str, bool]:
    chips = await page.locator(".chip", has_text="failed at step").all_text_contents()
    levels = await page.locator("html").get_attribute("data-levels") or ""
    details = await page.locator("#technical").is_visible()
    assert details is not bool(chips)
    return levels, "".join(chips), await page.locator("#exchange").is_visible()
