"""Creators and fans at the real program: their commands, their browser, their wallet."""

import asyncio
import json
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from bot.crypto import eip712
from scripts.vector_log import fixed_key
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import Platform, until
from tests.acceptance.discord.specs import MISSING
from tests.acceptance.discord.test_serve import WITHIN_S, Service
from tests.acceptance.discord.world import Interaction, Json, Person
from tests.acceptance.program import Program, copy_model, free_port, program
from tests.acceptance.signing.browser import PROVIDER, Wallet, expect_end, review, sign

_CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
EPOCH_S = 5
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage"]
_PATIENCE_MS = 30_000


@dataclass(slots=True)
class Life:
    """One program, one server, and the people on it.

    Attributes:
        zoe: may make twins; so may nobody else.
        wallet: hers, in her browser.
        troubles: what has gone wrong in her browser.
    """

    rig: Rig
    service: Service
    here: Program
    zoe: Person
    origin: str
    browser: Browser
    wallet: Wallet = field(default_factory=Wallet)
    troubles: list[str] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.here.home / "data"

    @property
    def model(self) -> Path:
        return self.here.home / "starter.gguf"

    async def command(
        self, name: str, /, *, by: Person | None = None, **options: str | int | Json
    ) -> Interaction:
        """Run one of the creators' commands and wait for its answer."""
        who = by or self.zoe
        path = f"creator {name}"
        return await told(await self.rig.people.command(who, self.rig.room, path, **options))

    async def says(
        self, name: str, /, *, by: Person | None = None, **options: str | int | Json
    ) -> str:
        return private(await self.command(name, by=by, **options))[-1]

    async def window(self, twin: str, what: str, *values: str) -> str:
        """Open a window, write into it, send it."""
        asked = await self.rig.people.command(
            self.zoe, self.rig.room, "creator edit", twin=twin, what=what
        )
        await until(lambda: asked.answer, within_s=WITHIN_S)
        return private(await told(await self.rig.people.submit(asked, *values)))[-1]

    async def upload(self, command: str, twin: str, option: str, name: str, data: bytes) -> str:
        """Run a command with a file; return what is said."""
        given: dict[str, Any] = {option: await self.rig.people.attach(self.rig.room, name, data)}
        return await self.says(command, twin=twin, **given)

    async def page(self, asked: Interaction) -> Page:
        """Press the link of an answer: it opens in the browser, with the wallet injected."""
        address = link_of(asked)
        page = await self.browser.new_page(viewport={"width": 1100, "height": 800})
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self._remember(request.url))
        await page.expose_function("askWallet", self.wallet.answer)
        await page.add_init_script(PROVIDER)
        await page.goto(address)
        await page.get_by_label("With a wallet").check()
        await page.get_by_role("button", name="Connect the wallet in this browser").click()
        return page

    async def sign(self, asked: Interaction, sentence: str) -> None:
        """Sign what an answer asks for; the page must end with a sentence."""
        page = await self.page(asked)
        address = eip712.address_of(self.wallet.key)
        await expect(page.get_by_label("Address that signs")).to_have_value(address)
        if await page.locator("#payout").is_visible():  # an order has none, and goes on by itself
            await review(page)
        await sign(page)
        await expect_end(page, "done", sentence)
        await page.close()

    async def publish(self, twin: str, version: int = 1, *, key: str = "") -> None:
        """Publish the draft, and sign."""
        self.wallet.key = fixed_key(key or twin)
        asked = await self.command("publish", twin=twin)
        await self.sign(asked, f"Version {version} of {twin.title()} is signed and in force.")

    async def begin(self, twin: str) -> str:
        """Make a draft that has something to say; return the address that will sign it."""
        name, role = twin.title(), "a potter in Porto"
        said = await self.says("create", twin=twin, name=name, role=role)
        assert said.startswith("Saved"), said
        facts = "I throw pots.\nI live in Porto."
        await self.window(twin, "texts", name, role, facts, "politics")
        self.wallet.key = fixed_key(twin)
        return eip712.address_of(self.wallet.key)

    async def autocomplete(self, command: str, **options: str) -> list[str | int]:
        """Type into a command; return what is suggested."""
        rig = self.rig
        typed = await rig.people.autocomplete(self.zoe, rig.room, command, **options)
        await until(lambda: typed.answer)
        assert typed.answer is not None
        return [choice["value"] for choice in typed.answer["data"]["choices"]]

    async def link(self, reply: Json) -> str:
        """Press Proof as the fan who was answered; return the link with its key."""
        rig = self.rig
        pressed = await told(await rig.people.press(rig.ana, rig.room, reply["id"], "Proof"))
        found = re.search(r"<(http://\S+#k=[\w-]+)>", private(pressed)[-1])
        assert found, private(pressed)
        return found[1]

    async def verified(self, link: str, *, creator: str) -> Json:
        """Verify a link with a policy that trusts one creator's address and this log."""
        policy = json.loads((self.data / "trust.json").read_text()) | {"creators": [creator]}
        trust = self.here.home / "trust.json"
        trust.write_text(json.dumps(policy))
        found = await self.run("verify", link, "--trust", trust, "--json")
        assert all(step["done"] for step in found["steps"]), found
        return found

    async def run(self, *arguments: object) -> Json:
        """Run another command of the program, which must be content."""
        finished = await asyncio.to_thread(self.here.run, *arguments)
        assert finished.code == 0, finished
        return cast("Json", json.loads(finished.out))

    @staticmethod
    def step(found: Json, title: str) -> str:
        """Return what a verification has found at one step."""
        return str(next(step["found"] for step in found["steps"] if step["title"] == title))

    async def talk(self, twin: str, text: str, *, by: Person | None = None) -> Interaction:
        """Have a fan say something."""
        rig = self.rig
        return await rig.people.command(by or rig.ana, rig.room, "talk", twin=twin, text=text)

    @contextmanager
    def engine_held(self, moment: str) -> Iterator[list[int]]:
        """Freeze the engine, for the block, as soon as a message with some words is sent."""
        held: list[int] = []
        rest = self.rig.platform.rest
        before = rest.tap

        def tap(_now: str, _method: str, _path: str, body: Json) -> None:
            if moment in str(body.get("content")):
                rest.tap = before
                held.extend(self.here.engines())
                for engine in held:
                    os.kill(engine, signal.SIGSTOP)

        rest.tap = tap
        try:
            yield held
        finally:
            rest.tap = before
            for engine in held:
                os.kill(engine, signal.SIGCONT)

    def shown(self, text: str) -> Json:
        """Return the message that answers a question, which it quotes; or an empty one."""
        found = [m for m in self.rig.seen() if text in m["content"]]
        assert len(found) < 2, f"{text} is asked twice in this file"
        return found[0] if found else {"content": ""}

    async def answered(self, twin: str, text: str) -> Json:
        """Have a fan be answered; return the message when it is finished."""
        return await self.finished(text, await self.talk(twin, text))

    async def finished(self, text: str, asked: Interaction | None = None) -> Json:
        """Wait until a question is answered, and not declined; return the message."""

        def told_why() -> list[str]:
            return [why for why in private(asked) if why and "proof" not in why] if asked else []

        await until(
            lambda: "[proof]" in self.shown(text)["content"] or told_why(), within_s=WITHIN_S
        )
        assert told_why() == []
        return self.shown(text)

    async def refused(self, twin: str, text: str) -> str:
        """Have a fan be refused; return the sentence."""
        return private(await told(await self.talk(twin, text)))[-1]

    async def restart(self) -> Json:
        """Stop it as an operator does, and start it again; return what the audit found."""
        found, _ = await self.service.stop_and_audit(self.here.home)
        await self.service.start()
        return found

    def _remember(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.origin).netloc:
            self.troubles.append(f"the page asks {parts.netloc}")


async def told(asked: Interaction) -> Interaction:
    """Wait until a person is told something."""
    await until(lambda: "".join(private(asked)), within_s=WITHIN_S)
    return asked


def link_of(asked: Interaction) -> str:
    """Return where the one button of an answer leads."""
    (button,) = [b for row in asked.private[-1]["components"] for b in row["components"]]
    return str(button["url"])


def configure(home: Path, rig: Rig, zoe: Person) -> str:
    """Write a configuration that lets one person make twins; return where its pages are."""
    secret = home / "discord.token"
    secret.write_text(f"{rig.world.token}\n")
    secret.chmod(0o600)
    port = free_port()
    (home / "config.toml").write_text(
        f'[service]\ndata_dir = "{home / "data"}"\nport = {port}\n'
        f'[model]\npath = "{copy_model(home)}"\n'
        f"[money]\nepoch_seconds = {EPOCH_S}\n"
        f'[creators]\naccounts = ["discord:{zoe.id}"]\ntwins_each = 20\n'
        f'[discord]\ntoken_file = "{secret}"\nmessage_content = false\n'
        f'api_base = "{rig.platform.api_base}"\ngateway_url = "{rig.platform.gateway.url}"\n'
    )
    return f"http://127.0.0.1:{port}"


@asynccontextmanager
async def open_life(home: Path) -> AsyncIterator[Life]:
    """Start everything; when the block ends the program stops, and its book must agree."""
    if _CHROMIUM is None:
        pytest.skip("no chromium is installed (apt-get install chromium)")
    if MISSING:
        pytest.skip(MISSING)
    expect.set_options(timeout=_PATIENCE_MS)
    platform = Platform()
    async with AsyncExitStack() as stack:
        await platform.start()
        stack.push_async_callback(platform.stop)
        world = platform.world
        ana, bo, zoe = world.person("ana"), world.person("bo"), world.person("zoe")
        guild = world.guild(world.person("olga"))
        rig = Rig(platform, guild, world.room(guild), ana, bo)
        here = stack.enter_context(program(home))
        origin = configure(home, rig, zoe)
        driver = await stack.enter_async_context(async_playwright())
        browser = await driver.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        stack.push_async_callback(browser.close)
        service = Service(here, home / "config.toml", rig)
        stack.push_async_callback(_end, service)
        life = Life(rig, service, here, zoe, origin, browser)
        await service.start()
        yield life
        await service.stop_and_audit(home)
    assert life.troubles == []
    assert platform.complaints() == []


async def _end(service: Service) -> None:
    """End what a failure has left running."""
    if service.process is not None and service.process.poll() is None:
        service.kill()
        await service.gone()
