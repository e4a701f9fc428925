"""A real browser at the web server over fakes; all that goes wrong in a page is collected."""

import base64
import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from adapters.web.server import WebServer
from bot.ports.statements import StatementDesk
from tests.fakes.chat import MemoryInbox, MemoryProofs

_CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PATIENCE_MS = 15_000


def receipt_id(bundle: str) -> str:
    """Derive the id that a link to this bundle has; any id where there is no receipt."""
    try:
        envelope = json.loads(bundle)["receipt"]
        kind, body = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    except (ValueError, KeyError, TypeError):
        return "A" * 22
    pae = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)
    return base64.urlsafe_b64encode(hashlib.sha256(pae).digest()[:16]).decode().rstrip("=")


@dataclass(slots=True)
class Visit:
    """A browser at a server.

    Attributes:
        browser: real, without a window.
        inbox: what the chat page talks to.
        proofs: what the proof page fetches.
        origin: the server's address.
        troubles: errors and lines of the console; a test leaves none.
        hosts: what pages have asked anything of.
        welcome: hosts beside the server that a test expects to be asked.
    """

    browser: Browser
    inbox: MemoryInbox
    proofs: MemoryProofs
    origin: str
    troubles: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    welcome: set[str] = field(default_factory=set)

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
        found = receipt_id(vector["bundle"])
        self.proofs.bundles = {found: vector["bundle"].encode()}
        fragment = f"#k={vector['key']}" if vector["key"] else ""
        return f"/r/{found}{fragment}"

    def _note(self, line: str) -> None:
        """Keep a line of the console; the browser itself reports every status from 400 on."""
        if not line.startswith("Failed to load resource"):
            self.troubles.append(line)

    def _remember(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob", "file"}:
            self.hosts.add(parts.netloc)


@asynccontextmanager
async def visiting(
    *, proofs: MemoryProofs, note: str = "", statements: StatementDesk | None = None
) -> AsyncIterator[Visit]:
    """Serve, and start a browser; afterwards nothing may have gone wrong in any page."""
    if _CHROMIUM is None:
        pytest.skip("no chromium is installed (apt-get install chromium)")
    inbox = MemoryInbox()
    server = WebServer(
        inbox=inbox, proofs=proofs, statements=statements, host="127.0.0.1", port=0, note=note
    )
    await server.start()
    inbox.base = origin = f"http://127.0.0.1:{server.port}"
    async with async_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await driver.chromium.launch(executable_path=_CHROMIUM, args=arguments)
        visit = Visit(browser, inbox, proofs, origin)
        yield visit
        await browser.close()
    await server.stop()
    assert visit.troubles == []
    assert visit.hosts <= {urlsplit(origin).netloc} | visit.welcome


async def verdict(page: Page) -> str:
    """Wait until the proof page has come to a result, and return it."""
    settled = page.locator("html:not([data-verdict=waiting])")
    await settled.wait_for()
    return await settled.get_attribute("data-verdict") or ""
