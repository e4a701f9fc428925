"""Chat page and proof page in a real browser, over fakes and the golden vectors."""

import asyncio
import base64
import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from adapters.web.server import WebServer
from bot.domain.errors import AdmissionError
from bot.domain.wording import AI_LABEL
from bot.ports.views import EarningsLine
from bot.receipts.verify import verify_bundle
from tests.fakes.chat import NOVA, MemoryInbox, MemoryProofs

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[2]
_VECTORS = _ROOT / "docs" / "spec" / "vectors"
_PROOF_PAGE = _ROOT / "adapters" / "web" / "pages" / "proof.html"
_CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_NOTE = "The model is <b>small</b>."
_NO_SUBTLE = "Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });"


def _vector(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((_VECTORS / f"{name}.json").read_text())
    return loaded


def _all_vectors() -> list[dict[str, Any]]:
    return [_vector(path.stem) for path in sorted(_VECTORS.glob("*.json"))]


def _receipt_id(bundle: str) -> str:
    """Derive the id that a link to this bundle has; any id where there is no receipt."""
    try:
        envelope = json.loads(bundle)["receipt"]
        kind, body = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    except ValueError:
        return "A" * 22
    pae = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)
    return base64.urlsafe_b64encode(hashlib.sha256(pae).digest()[:16]).decode().rstrip("=")


@dataclass(slots=True)
class Visit:
    """A browser at a server; everything that goes wrong in a page is collected."""

    browser: Browser
    inbox: MemoryInbox
    proofs: MemoryProofs
    origin: str
    troubles: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    async def open(self, path: str, context: BrowserContext | None = None) -> Page:
        """Open a page, in a fresh profile unless one is given."""
        page = await (context or await self.browser.new_context()).new_page()
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda line: self._note(line.text))
        page.on("request", lambda request: self._remember(request.url))
        await page.goto(self.origin + path if path.startswith("/") else path)
        return page

    def publish(self, vector: dict[str, Any]) -> str:
        """Serve a vector's bundle and return the path of its link."""
        receipt_id = _receipt_id(vector["bundle"])
        self.proofs.bundles = {receipt_id: vector["bundle"].encode()}
        fragment = f"#k={vector['key']}" if vector["key"] else ""
        return f"/r/{receipt_id}{fragment}"

    def _note(self, line: str) -> None:
        """Keep a line of the console; the browser itself reports every status from 400 on."""
        if not line.startswith("Failed to load resource"):
            self.troubles.append(line)

    def _remember(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob", "file"}:
            self.hosts.add(parts.netloc)


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    if _CHROMIUM is None:
        pytest.skip("no chromium is installed (apt-get install chromium)")
    inbox, proofs = MemoryInbox(), MemoryProofs()
    server = WebServer(inbox=inbox, proofs=proofs, host="127.0.0.1", port=0, note=_NOTE)
    await server.start()
    origin = f"http://127.0.0.1:{server.port}"
    inbox.base = origin
    async with async_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await driver.chromium.launch(executable_path=_CHROMIUM, args=arguments)
        visit = Visit(browser, inbox, proofs, origin)
        yield visit
        await browser.close()
    await server.stop()
    assert visit.troubles == []
    assert visit.hosts <= {urlsplit(origin).netloc}


async def _say(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


async def _verdict(page: Page) -> str:
    settled = page.locator("html:not([data-verdict=waiting])")
    await settled.wait_for()
    return await settled.get_attribute("data-verdict") or ""


def _prepare_good_reply(visit: Visit) -> str:
    """Let the inbox give the reply of the good vector, and return the fan's message of it."""
    vector = _vector("good")
    visit.publish(vector)
    visit.inbox.link_ids = [_receipt_id(vector["bundle"])]
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


async def test_a_genuine_proof_shows_the_reply_and_what_it_does_not_prove(visit: Visit) -> None:
    page = await visit.open(visit.publish(_vector("good")))

    assert await _verdict(page) == "verified"
    await expect(page.locator("#exchange")).to_contain_text("Rice. Always rice")
    await expect(page.locator("#exchange")).to_contain_text(AI_LABEL)
    await expect(page.locator("#verdict")).to_contain_text("self-consistent")
    await expect(page.locator("#limits")).to_contain_text("That the reply is true.")
    await expect(page.locator("#replay-card")).to_contain_text("From a clone of Twinproof:")
    command = page.locator("#command")
    await expect(command).to_contain_text(".venv/bin/twinproof replay 'http://127.0.0.1")
    assert await page.locator(".steps .passed").count() == 9


async def test_own_keys_lift_the_result(visit: Visit) -> None:
    vector = _vector("good")
    page = await visit.open(visit.publish(vector))

    await page.get_by_label("Trust policy").fill(json.dumps(vector["policy"]))
    await page.get_by_role("button", name="Check with these keys").click()

    await expect(page.locator("#verdict")).to_contain_text("trusted by your policy")
    await expect(page.locator("#verdict")).not_to_contain_text("self-consistent")


async def test_without_the_key_nothing_is_opened(visit: Visit) -> None:
    page = await visit.open(visit.publish(_vector("good-without-key")))

    assert await _verdict(page) == "verified"
    await expect(page.locator("#exchange")).to_be_hidden()
    assert await page.locator(".steps .hidden").count() == 3
    await expect(page.locator("#verdict")).to_contain_text("contents hidden")


async def test_the_bundle_can_be_downloaded_as_it_is(visit: Visit) -> None:
    vector = _vector("good")
    page = await visit.open(visit.publish(vector))
    await _verdict(page)

    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="Download the bundle").click()
    download = await waiting.value

    assert await asyncio.to_thread(Path(await download.path()).read_text) == vector["bundle"]


async def test_an_absent_bundle_is_no_verdict(visit: Visit) -> None:
    page = await visit.open(f"/r/{'A' * 22}")

    assert await _verdict(page) == "unavailable"
    await expect(page.locator("#checked")).to_be_hidden()


async def test_every_vector_gets_its_verdict(visit: Visit) -> None:
    context = await visit.browser.new_context()

    assert await _wrong_verdicts(visit, context, _all_vectors()) == {}


async def test_a_page_without_webcrypto_gives_the_same_verdicts(visit: Visit) -> None:
    context = await visit.browser.new_context()
    await context.add_init_script(_NO_SUBTLE)
    one_of_each = {str(vector["expect"]): vector for vector in _all_vectors()}

    assert await _wrong_verdicts(visit, context, list(one_of_each.values())) == {}


async def _wrong_verdicts(
    visit: Visit, context: BrowserContext, vectors: list[dict[str, Any]]
) -> dict[str, object]:
    """Open each vector's link, and its policy where it has one; return what came out wrong."""
    wrong: dict[str, object] = {}
    page = await visit.open("/healthz", context)
    for vector in vectors:
        await page.goto(visit.origin + "/healthz")
        await page.goto(visit.origin + visit.publish(vector))
        verdict = await _verdict(page)
        if verdict == "verified" and vector["policy"] is not None:
            await page.get_by_label("Trust policy").fill(json.dumps(vector["policy"]))
            await page.get_by_role("button", name="Check with these keys").click()
            await page.locator("#without").wait_for()
            verdict = await _verdict(page)
        step = vector["expect"].get("step")
        got = (verdict, *await _shown(page))
        if got != (("failed", f"failed at step {step}", False) if step else ("verified", "", True)):
            wrong[vector["name"]] = got
    return wrong


async def _shown(page: Page) -> tuple[str, bool]:
    """Return the failure's chip, and whether anything of the contents is to be seen."""
    chips = await page.locator(".chip", has_text="failed at step").all_text_contents()
    details = await page.locator("#technical").is_visible()
    return "".join(chips), details or await page.locator("#exchange").is_visible()


async def test_a_saved_page_checks_a_saved_bundle(visit: Visit, tmp_path: Path) -> None:
    vector = _vector("good")
    saved = tmp_path / "reply.json"
    saved.write_text(vector["bundle"])
    page = await visit.open(_PROOF_PAGE.as_uri())

    await page.get_by_label("Bundle file").set_input_files(saved)
    await expect(page.locator("#verdict")).to_contain_text("contents hidden")
    await page.get_by_label("Proof link or key, if you have it").fill(vector["key"])

    await expect(page.locator("#exchange")).to_contain_text("Rice. Always rice")
    await expect(page.locator("#command")).to_have_text(
        f".venv/bin/twinproof replay 'reply.json#k={vector['key']}'"
    )
    assert visit.hosts == set()


async def test_a_phone_needs_no_sideways_scrolling(visit: Visit) -> None:
    context = await visit.browser.new_context(viewport={"width": 360, "height": 740})
    for path in ("/", visit.publish(_vector("good"))):
        page = await visit.open(path, context)
        await page.wait_for_load_state("networkidle")
        if path != "/":
            await page.get_by_text("Technical details").click()
        wide = "document.documentElement.scrollWidth > innerWidth"
        assert await page.evaluate(wide) is False
