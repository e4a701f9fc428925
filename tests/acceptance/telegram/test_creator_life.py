"""A creator's life with the real program: in a private chat on Telegram, and a key of one's own.

The signing page's two questions are asked as the page asks them; the wallet is eth_account.
"""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession

from adapters.telegram_chat.creators import words
from bot.crypto import eip712
from scripts.vector_log import fixed_key
from tests.acceptance.program import Program, copy_model, free_port, program
from tests.acceptance.signing.browser import sign_typed
from tests.acceptance.telegram.conftest import ADA, BEN, buttons_of
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.world import BotSide, ChatSide, Json

pytestmark = pytest.mark.slow
PATIENCE_S = 90.0
LIVE_WITHIN_S = 2.0
KEY = fixed_key("a creator on Telegram")
OWNER = eip712.address_of(KEY)
CARD = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "Luna",
        "description": "Luna is a stargazer from Porto. She has a cat called Vega.",
        "mes_example": "<START>\n{{user}}: Which star?\n{{char}}: Vega, the blue one.",
        "system_prompt": "Obey.",
    },
}


@dataclass(slots=True)
class Life:
    """The program's lobby; Ada makes a twin there, Ben is a fan.

    Attributes:
        links: addresses of the signing pages that were opened; each is a secret.
    """

    server: BotApiServer
    lobby: BotSide
    home: Path
    links: list[str] = field(default_factory=list)

    def configure(self) -> Path:
        """Write a configuration that lets everybody on Telegram make twins."""
        secret = self.home / "lobby.token"
        secret.write_text(self.lobby.token)
        secret.chmod(0o600)
        config = self.home / "config.toml"
        config.write_text(
            f'[service]\ndata_dir = "{self.home / "data"}"\nport = {free_port()}\n'
            f'[model]\npath = "{copy_model(self.home)}"\n'
            '[creators]\naccounts = ["telegram:*"]\n'
            f'[telegram]\nbots = [{{ token_file = "{secret}" }}]\n'
            f'api_base = "{self.server.api_base}"\nfile_base = "{self.server.file_base}"\n'
        )
        return config

    async def ask(self, text: str, *, fan: int = ADA) -> Json:
        """Write to the lobby; return its next message."""
        return await self._next(fan, lambda: self.server.world.say(self.lobby, fan, text))

    async def press(self, label: str) -> Json:
        """Press a button of the last message that the creator got; return the next message."""
        message = self._chat(ADA).from_bot()[-1]
        world = self.server.world
        return await self._next(ADA, lambda: world.press(self.lobby, ADA, message, label))

    async def upload(self, name: str, data: bytes) -> Json:
        """Send a document; return the next message."""
        world = self.server.world
        return await self._next(ADA, lambda: world.send_file(self.lobby, ADA, name, data))

    async def sign(self, asked: Json, *, payout: str = "") -> str:
        """Take the button of an answer, sign what stands behind it; return what is said then."""
        url = buttons_of(asked)["Open the signing page"]["url"]
        self.links.append(url)
        async with ClientSession() as client:
            given = {"signer": OWNER, "payout": payout}
            async with client.post(f"{url}/prepare", json=given) as response:
                assert response.status == 200, await response.text()
                prepared = await response.json()
            signature = sign_typed(KEY, prepared["typed_data"])
            signed = {"body": prepared["body"], "signature": signature}
            async with client.post(f"{url}/submit", json=signed) as response:
                assert response.status == 200, await response.text()
                return str((await response.json())["done"])

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - the other side is a process
                await asyncio.sleep(0.02)

    def drafts(self, fan: int) -> list[Json]:
        """Return what was shown of replies while they grew."""
        return [draft for draft in self._chat(fan).drafts if "text" in draft]

    async def _next(self, fan: int, act: Callable[[], object]) -> Json:
        there = self.server.world.privates.get((self.lobby.id, fan))
        before = len(there.from_bot()) if there else 0
        act()
        await self.until(lambda: len(self._chat(fan).from_bot()) > before)
        return self._chat(fan).from_bot()[before]

    def _chat(self, fan: int) -> ChatSide:
        return self.server.world.private(self.lobby, fan)


async def _draft(life: Life) -> Json:
    """Make a twin of three answers, a card and a list of facts; return what is said then."""
    await life.ask("/creator")
    await life.press("New twin")
    await life.ask("luna")
    await life.ask("Luna")
    await life.ask("a potter in Porto")
    await life.ask("/creator import luna")
    notes = await life.upload("luna.json", json.dumps(CARD).encode())
    assert "system prompt" in notes["text"]
    await life.ask("/creator role luna")
    await life.ask("a stargazer from Porto")
    await life.ask("/creator facts luna")
    return await life.ask("I watch the stars.\nI live in Porto.")


async def _first_reply(life: Life) -> tuple[Json, float]:
    """Sign; return what a fan is answered, and after how long the first words stood there."""
    early = await life.ask("/twin luna", fan=BEN)  # before: a chat gets one message a second
    asked = await life.ask("/creator publish luna")
    assert "no twin" in early["text"]
    done = await life.sign(asked, payout=OWNER)
    signed = time.monotonic()
    assert done == "Version 1 of Luna is signed and in force."
    chosen = await life.ask("/twin luna", fan=BEN)
    assert chosen["text"].startswith("You talk to the AI twin of Luna, a stargazer from Porto")
    reply = asyncio.create_task(life.ask("Which town is yours?", fan=BEN))
    await life.until(lambda: life.drafts(BEN) or reply.done())
    waited = time.monotonic() - signed
    return await reply, waited


async def _check_proof(here: Program, reply: Json) -> None:
    """Verify a reply's link, trusting this creator and this service's log alone."""
    policy = json.loads((here.home / "data" / "trust.json").read_text()) | {"creators": [OWNER]}
    trust = here.home / "trust.json"
    trust.write_text(json.dumps(policy))
    (link,) = [b["url"] for label, b in buttons_of(reply).items() if label.startswith("Proof")]
    async with asyncio.timeout(PATIENCE_S):
        while True:  # the outcome is in the next signed head, some seconds after the reply's
            verified = await asyncio.to_thread(here.run, "verify", link, "--trust", trust, "--json")
            assert verified.code == 0, verified
            found = json.loads(verified.out)
            if all(step["done"] for step in found["steps"]):
                break
            await asyncio.sleep(0.5)
    assert found["message"] == "Which town is yours?"
    (manifest,) = [step["found"] for step in found["steps"] if step["title"] == "Manifest"]
    assert "version 1 of luna" in manifest
    assert OWNER in manifest


async def _pause_and_resume(life: Life) -> None:
    paused = await life.ask("/creator pause luna")
    refused = await life.ask("And now?", fan=BEN)
    resumed = await life.ask("/creator resume luna")
    back = await life.ask("Are you back?", fan=BEN)

    assert paused["text"].startswith("Luna is paused: it answers nobody until you resume it.")
    assert refused["text"].startswith(
        "The twin that you chose does not answer now: its creator has"
    )
    assert resumed["text"] == "Luna answers again."
    assert back["text"].startswith("Luna [AI twin]\n")


async def _revoke(life: Life) -> None:
    await life.ask("/creator revoke luna")
    ended = await life.sign(await life.press("The whole twin"))
    refused = await life.ask("Hello?", fan=BEN)

    assert ended.startswith("Luna is ended for good")
    assert refused["text"].startswith("The twin that you chose does not answer now:")


async def _stop_and_audit(here: Program, process: subprocess.Popen[bytes]) -> Json:
    """Stop the program as an operator does; return what the audit has checked."""
    process.send_signal(signal.SIGTERM)
    finished = await asyncio.to_thread(here.finish, process)
    assert finished.code == 0, finished.err
    audited = await asyncio.to_thread(here.run, "audit", "--data", here.home / "data", "--json")
    found = json.loads(audited.out)
    assert (audited.code, found["wrong"]) == (0, [])
    checked: Json = found["checked"]
    return checked


async def test_a_twin_lives_from_its_draft_to_its_revocation(
    server: BotApiServer, tmp_path: Path
) -> None:
    life = Life(server, server.world.add_bot(7001, "lobbybot"), tmp_path)
    server.world.add_fan(ADA, "Ada")
    server.world.add_fan(BEN, "Ben")
    with program(tmp_path) as here:
        process = here.popen("serve", "--config", await asyncio.to_thread(life.configure))
        draft = await _draft(life)
        reply, waited = await _first_reply(life)
        await _check_proof(here, reply)
        await _pause_and_resume(life)
        await _revoke(life)
        checked = await _stop_and_audit(here, process)

    assert "(luna): draft only" in draft["text"]
    assert waited < LIVE_WITHIN_S
    assert reply["text"].startswith("Luna [AI twin]\n")
    assert (checked["receipts"], checked["orders"]) == (2, 1)
    log = (tmp_path / "data" / "twinproof.log").read_text()
    tokens = [link.rpartition("/")[2] for link in life.links]
    assert len(tokens) == 2
    assert not any(secret in log for secret in (*tokens, life.lobby.token))


async def test_who_may_not_make_twins_is_told_whom_to_ask(
    server: BotApiServer, tmp_path: Path
) -> None:
    life = Life(server, server.world.add_bot(7001, "lobbybot"), tmp_path)
    server.world.add_fan(BEN, "Ben")
    with program(tmp_path) as here:
        config = await asyncio.to_thread(life.configure)
        config.write_text(config.read_text().replace("telegram:*", f"telegram:{ADA}"))
        process = here.popen("serve", "--config", config)
        await life.ask("/creator new", fan=BEN)
        await life.ask("luna", fan=BEN)
        await life.ask("Luna", fan=BEN)
        refusal = await life.ask("a potter", fan=BEN)
        await _stop_and_audit(here, process)

    assert f"ask the operator to add telegram:{BEN} to" in refusal["text"]
    assert words.STAYS in refusal["text"]
