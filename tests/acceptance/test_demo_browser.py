"""A real browser at the real demo: talk, follow the proof link, tamper with it."""

import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect
from playwright.async_api import TimeoutError as PageTimeoutError

from bot.domain.wording import AI_LABEL
from bot.wiring.app import LOG
from tests.acceptance.conftest import SAID, Demo
from tests.acceptance.program import PATIENCE_S, fee_of

pytestmark = pytest.mark.slow

LINK = re.compile(r"http://127\.0\.0\.1:\d+/r/[\w-]{22}#k=[\w-]{43}", re.ASCII)
PATIENCE_MS = PATIENCE_S * 1000
_CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
# Every state that the reply's text was in, as a person watching would have seen it.
_WATCH = """
window.seen = [];
new MutationObserver(() => {
  const text = document.querySelector('.reply .text')?.textContent;
  if (text !== undefined && text !== window.seen.at(-1)) window.seen.push(text);
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


@dataclass(slots=True)
class Browser:
    """A fresh browser profile at the demo; what its pages ask for and complain of is kept."""

    context: BrowserContext
    demo: Demo
    hosts: set[str] = field(default_factory=set)
    troubles: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Name and port of the demo."""
        return f"127.0.0.1:{self.demo.port}"

    async def open(self, address: str) -> Page:
        """Open a page in a new tab."""
        page = await self.context.new_page()
        await page.goto(address)
        return page

    def link(self, number: int = 0) -> str:
        """Return the proof link of a reply of the first run, at the port that serves it now."""
        return re.sub(r":\d+/", f":{self.demo.port}/", self.demo.links[number], count=1)


@pytest.fixture
async def browser(serving: Demo) -> AsyncIterator[Browser]:
    if _CHROMIUM is None:
        pytest.skip("no chromium is installed (apt-get install chromium)")
    async with async_playwright() as driver:
        chromium = await driver.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        context = await chromium.new_context()
        context.set_default_timeout(PATIENCE_MS)
        made = Browser(context, serving)
        context.on("weberror", lambda error: made.troubles.append(str(error.error)))
        context.on("request", lambda request: made.hosts.add(urlsplit(request.url).netloc))
        yield made
        await chromium.close()
    assert made.troubles == []
    assert made.hosts - {""} == {made.host}  # "" are the pages' own data: and blob: addresses


async def _verdict(page: Page) -> str:
    settled = page.locator("html:not([data-verdict=waiting])")
    await settled.wait_for(timeout=PATIENCE_MS)
    return await settled.get_attribute("data-verdict") or ""


async def _assert_refused(browser: Browser, page: Page) -> None:
    """The page says so, large and in words, and shows nothing of what the link claims."""
    assert await _verdict(page) in {"failed", "unavailable"}
    await expect(page.locator("#exchange")).to_be_hidden()
    await expect(page.locator("#technical")).to_be_hidden()
    await expect(page.locator("#verdict h1")).not_to_contain_text("Verified")
    body = await page.locator("body").inner_text()
    for hidden in (SAID[1], *(reply["text"] for reply in browser.demo.result["replies"])):
        assert hidden not in body


async def test_a_fan_chooses_a_twin_talks_and_follows_the_proof(browser: Browser) -> None:
    await browser.context.add_init_script(_WATCH)
    page = await browser.open(f"http://{browser.host}/")
    await page.get_by_role("button", name="Theo Keller").click()
    await expect(page.locator("#name")).to_have_text("Theo Keller")
    await expect(page.locator("main")).to_contain_text("You talk to an AI replica")

    await page.get_by_label("Your message").fill("Where do you live?")
    await page.keyboard.press("Enter")

    reply = page.locator(".reply")
    proof = reply.get_by_role("link", name="Proof")
    try:
        await proof.wait_for()
    except PageTimeoutError as error:
        raise AssertionError(await _what_came_instead(browser, page)) from error
    await expect(reply).to_contain_text(AI_LABEL)
    await expect(reply.locator("footer")).to_contain_text(f"Fee {fee_of('theo')} tUSD")
    text = await reply.locator(".text").inner_text()
    seen = [state for state in await page.evaluate("window.seen") if state.strip()]
    assert len(seen) > 1, "the reply came in one piece"
    assert all(text.strip().startswith(state.strip()) for state in seen)
    badge = reply.locator(".badge")
    await expect(badge).to_have_attribute("data-verdict", "verified", timeout=PATIENCE_MS)

    link = await proof.get_attribute("href") or ""
    assert LINK.fullmatch(link)
    opened = await _follow(browser, page, link)
    assert await _verdict(opened) == "verified"
    await expect(opened.locator("#exchange")).to_contain_text("Where do you live?")
    await expect(opened.locator("#exchange")).to_contain_text(text.strip())
    await expect(opened.locator("#verdict")).to_contain_text("self-consistent")
    await expect(opened.locator("#verdict")).not_to_contain_text("anchored")
    await expect(opened.locator("#command")).to_have_text(f".venv/bin/twinproof replay '{link}'")
    await expect(opened.locator("#limits")).to_contain_text("That the reply is true.")


async def _what_came_instead(browser: Browser, page: Page) -> str:
    """Tell what the page shows, what still stands in its field, and what the demo has logged."""
    shown = await page.locator("main").inner_text()
    draft = await page.get_by_label("Your message").input_value()
    log = (browser.demo.folder / LOG).read_text(encoding="utf-8")
    since = log.rpartition('"event": "web.started"')[2]
    return f"no proof came; the page: {shown!r}; its field: {draft!r}; the log: {since}"


async def _follow(browser: Browser, page: Page, link: str) -> Page:
    """Click the proof link; it opens in a new tab."""
    async with browser.context.expect_page() as waiting:
        await page.get_by_role("link", name="Proof").click()
    opened = await waiting.value
    await opened.wait_for_load_state()
    assert opened.url == link
    return opened


async def test_the_operators_policy_lifts_self_consistent(browser: Browser) -> None:
    page = await browser.open(browser.link())
    assert await _verdict(page) == "verified"
    await expect(page.locator("#verdict")).to_contain_text("self-consistent")

    policy = (browser.demo.folder / "trust.json").read_text()
    await page.get_by_label("Trust policy").fill(policy)
    await page.get_by_role("button", name="Check with these keys").click()

    await expect(page.locator("#verdict")).to_contain_text("trusted by your policy")
    await expect(page.locator("#verdict")).not_to_contain_text("self-consistent")


async def test_a_strangers_policy_is_refused(browser: Browser) -> None:
    page = await browser.open(browser.link())
    assert await _verdict(page) == "verified"

    policy = json.loads((browser.demo.folder / "trust.json").read_text())
    await page.get_by_label("Trust policy").fill(
        json.dumps({**policy, "creators": ["0x" + "1" * 40]})
    )
    await page.get_by_role("button", name="Check with these keys").click()

    await page.locator("html[data-verdict=failed]").wait_for()
    await expect(page.locator("#exchange")).to_be_hidden()


@pytest.mark.parametrize("what", ["key", "key's end", "cut key", "id", "other reply's id"])
async def test_a_tampered_link_is_unmistakably_refused(browser: Browser, what: str) -> None:
    link = browser.link()
    base, key = link.split("#k=")
    identifier = base.rpartition("/")[2]
    other = browser.link(1).split("#")[0].rpartition("/")[2]
    letter = "A" if key[5] != "A" else "B"
    tampered = {
        "key": f"{base}#k={key[:5]}{letter}{key[6:]}",
        "key's end": f"{base}#k={key[:-1]}{'A' if key[-1] != 'A' else 'Q'}",
        "cut key": link[:-1],
        "id": link.replace(identifier, ("A" if identifier[0] != "A" else "B") + identifier[1:]),
        "other reply's id": link.replace(identifier, other),
    }[what]

    page = await browser.open(tampered)

    await _assert_refused(browser, page)


async def test_a_key_changed_in_the_address_bar_is_noticed(browser: Browser) -> None:
    """A changed fragment loads nothing anew: the page has to look by itself."""
    link = browser.link()
    page = await browser.open(link)
    assert await _verdict(page) == "verified"
    key = link.split("#k=")[1]

    other = ("A" if key[0] != "A" else "B") + key[1:]
    await page.evaluate("key => { location.hash = 'k=' + key }", other)

    await page.locator("html[data-verdict=failed]").wait_for()
    await expect(page.locator("#exchange")).to_be_hidden()


async def test_a_link_without_its_key_opens_nothing(browser: Browser) -> None:
    page = await browser.open(browser.link().split("#")[0])

    assert await _verdict(page) == "verified"
    await expect(page.locator("#exchange")).to_be_hidden()
    assert SAID[0] not in (await page.locator("#verdict").inner_text()).split()
