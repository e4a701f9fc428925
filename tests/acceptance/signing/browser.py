"""A browser with a wallet at the signing page; wallet and key files are eth_account's, not ours."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from adapters.web.server import WebServer
from bot.crypto import eip712
from bot.ports.signing import SigningDesk
from scripts.vector_log import fixed_key
from tests.fakes.chat import MemoryInbox, MemoryProofs
from tests.fakes.clock import SetClock
from tests.fakes.signing import MemorySigningDesk

_CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
KEY, OTHER_KEY = fixed_key("wallet"), fixed_key("another wallet")
ADDRESS, OTHER = eip712.address_of(KEY), eip712.address_of(OTHER_KEY)
_PATIENCE_MS = 15_000
PASSWORD = "four words make it"  # noqa: S105 - of a key that this test makes
# A wallet as it injects itself; what it is asked is answered by `Wallet` below.
PROVIDER = """
const listeners = [];
window.ethereum = {
  on: (name, listener) => name === 'accountsChanged' && listeners.push(listener),
  removeListener: (name, listener) => listeners.splice(listeners.indexOf(listener), 1),
  request: async ({ method, params }) => {
    const answer = await window.askWallet(method, params ?? []);
    if (answer.error) throw answer.error;
    return answer.result;
  },
};
window.switchAccount = (account) => listeners.forEach((listener) => listener([account]));
"""
ANNOUNCED = """
const announce = (uuid, name, provider) => {
  const detail = { info: { uuid, name, icon: 'data:image/png;base64,', rdns: 'x' }, provider };
  dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail: Object.freeze(detail) }));
};
const all = () => {
  announce('1', 'Broken Wallet', { request: async () => { throw new Error('out of order'); } });
  announce('2', 'Fox', window.ethereum);
};
addEventListener('eip6963:requestProvider', all);
all();
"""


@dataclass
class Wallet:
    """The person's wallet, with a foreign EIP-712.

    Attributes:
        key: of the account that is chosen.
        refuses: whether the person declines.
        chain: number that this wallet puts into every domain; none in an honest one.
        asked: methods, in order.
        shown: the typed data that the person saw last.
    """

    key: bytes = KEY
    refuses: bool = False
    chain: int | None = None
    asked: list[str] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)

    async def answer(self, method: str, params: list[Any]) -> dict[str, object]:
        """Answer one request of the page."""
        self.asked.append(method)
        if method == "eth_requestAccounts":
            return {"result": [eip712.address_of(self.key).lower()]}
        if method != "eth_signTypedData_v4":
            return {"error": {"code": -32601, "message": "no such method"}}
        if self.refuses:
            return {"error": {"code": 4001, "message": "User rejected the request."}}
        assert params[0] == eip712.address_of(self.key)
        self.shown = json.loads(params[1])
        return {"result": sign_typed(self.key, self.shown, self.chain)}


def sign_typed(key: bytes, typed_data: dict[str, Any], chain: int | None = None) -> str:
    """Sign as a wallet does."""
    if chain is not None:
        member = {"name": "chainId", "type": "uint256"}
        types = typed_data["types"]
        types = types | {"EIP712Domain": [*types["EIP712Domain"], member]}
        domain = typed_data["domain"] | {"chainId": chain}
        typed_data = typed_data | {"types": types, "domain": domain}
    signed = Account.sign_message(encode_typed_data(full_message=typed_data), key)
    return "0x" + bytes(signed.signature).hex()


@dataclass(slots=True)
class Visit:
    """A browser with a wallet at a server; everything that goes wrong in a page is collected.

    Attributes:
        desk: what is behind the page, where it is the one in memory.
        clock: the page's; the same as the service's.
    """

    browser: Browser
    desk: MemorySigningDesk
    clock: SetClock
    origin: str
    wallet: Wallet = field(default_factory=Wallet)
    troubles: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    async def open(self, token: str, *, scripts: tuple[str, ...] = (), width: int = 1100) -> Page:
        """Open a link in a fresh profile."""
        screen: ViewportSize = {"width": width, "height": 800}
        page = await self.browser.new_page(viewport=screen)
        await page.clock.set_fixed_time(self.clock.now())
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda line: self._note(line.text))
        page.on("request", lambda request: self._remember(request.url))
        await page.expose_function("askWallet", self.wallet.answer)
        for script in scripts:
            await page.add_init_script(script)
        await page.goto(f"{self.origin}/sign/{token}")
        return page

    async def open_with_wallet(self, token: str, *, width: int = 1100) -> Page:
        """Open a link with the wallet injected, and connect it."""
        page = await self.open(token, scripts=(PROVIDER,), width=width)
        await page.get_by_label("With a wallet").check()
        await page.get_by_role("button", name="Connect the wallet in this browser").click()
        return page

    def _note(self, line: str) -> None:
        if not line.startswith("Failed to load resource"):
            self.troubles.append(line)

    def _remember(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"}:
            self.hosts.add(parts.netloc)


@asynccontextmanager
async def open_visit(
    signing: SigningDesk, *, clock: SetClock, desk: MemorySigningDesk
) -> AsyncIterator[Visit]:
    """Serve a signing desk to a browser; nothing may go wrong in its pages."""
    if _CHROMIUM is None:
        pytest.skip("no chromium is installed (apt-get install chromium)")
    server = WebServer(
        inbox=MemoryInbox(), proofs=MemoryProofs(), signing=signing, host="127.0.0.1", port=0
    )
    await server.start()
    origin = f"http://127.0.0.1:{server.port}"
    expect.set_options(timeout=_PATIENCE_MS)
    async with async_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = await driver.chromium.launch(executable_path=_CHROMIUM, args=arguments)
        visit = Visit(browser, desk, clock, origin)
        yield visit
        await browser.close()
    await server.stop()
    assert visit.troubles == []
    assert visit.hosts == {urlsplit(origin).netloc}


async def review(page: Page) -> None:
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("#review")).to_be_visible()


async def sign(page: Page, button: str = "Sign in the wallet") -> None:
    await expect(page.locator("#review")).to_be_visible()
    if await page.locator("#agree-field").is_visible():
        await page.locator("#agree").check()
    await page.get_by_role("button", name=button).click()


async def expect_end(page: Page, state: str, sentence: str) -> None:
    await expect(page.locator("html")).to_have_attribute("data-state", state)
    await expect(page.locator("#ending")).to_contain_text(sentence)
    await expect(page.locator("#open")).to_be_hidden()


async def open_offline(visit: Visit, token: str, address: str) -> Page:
    page = await visit.open(token)
    await page.get_by_label("On another machine").check()
    await page.get_by_label("Address that signs").fill(address)
    await review(page)
    await page.locator("#agree").check()
    return page


async def downloaded(page: Page, button: str) -> str:
    async with page.expect_download(timeout=60_000) as waiting:
        await page.get_by_role("button", name=button).click()
    download = await waiting.value
    return await asyncio.to_thread(Path(await download.path()).read_text)
