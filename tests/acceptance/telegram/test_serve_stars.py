"""The whole program, killed around a payment: the platform has the money, the book has it once."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.program import Program, free_port, program
from tests.acceptance.telegram.conftest import ADA
from tests.acceptance.telegram.money import Checkout
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.world import BotSide, Json

pytestmark = pytest.mark.slow
PATIENCE_S = 90.0
PURCHASES = "SELECT key FROM ledger_transactions WHERE kind = 'purchase'"


@dataclass(slots=True)
class Shop:
    """The program on one folder, and the platform whose Stars it sells for."""

    here: Program
    server: BotApiServer
    bot: BotSide
    config: Path
    data: Path

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; its engine is ready some seconds later."""
        return self.here.popen("serve", "--config", self.config)

    async def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the whole process group now."""
        os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
        await asyncio.to_thread(self.here.wait_gone)

    def purchases(self) -> list[str]:
        """Return the keys of the purchases in the book; nothing while there is none."""
        try:
            with sqlite3.connect(f"file:{self.data / 'twinproof.db'}?mode=ro", uri=True) as book:
                found = [str(key) for (key,) in book.execute(PURCHASES)]
            book.close()
        except sqlite3.Error:
            return []
        return found

    def said(self) -> list[str]:
        """Return what the bot has written to the fan."""
        chat = self.server.world.privates.get((self.bot.id, ADA))
        return [message.get("text", "") for message in chat.from_bot()] if chat else []

    def invoices(self) -> list[Json]:
        """Return the invoices in the chat."""
        chat = self.server.world.private(self.bot, ADA)
        return [message for message in chat.from_bot() if "invoice" in message]

    async def invoice(self, process: subprocess.Popen[bytes]) -> Json:
        """Have an invoice sent."""
        self.server.world.say(self.bot, ADA, "/buy")
        await _until(lambda: any("50 Stars" in text for text in self.said()), process)
        chat = self.server.world.private(self.bot, ADA)
        offers = next(one for one in chat.from_bot() if "50 Stars" in one.get("text", ""))
        self.server.world.press(self.bot, ADA, offers, "50 Stars")
        await _until(self.invoices, process)
        return self.invoices()[0]


async def _until(moment: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not moment():
            assert process.poll() is None, process.communicate()
            await asyncio.sleep(0.002)


def _configure(home: Path, server: BotApiServer, bot: BotSide) -> Path:
    secret = home / "mira.token"
    secret.write_text(bot.token)
    secret.chmod(0o600)
    config = home / "config.toml"
    config.write_text(
        f'[service]\ndata_dir = "{home / "data"}"\nport = {free_port()}\n'
        'base_url = "https://twins.example.org"\n'
        '[money]\nrates = [{ unit = "telegram-star", worth = "0.01", counts = [50] }]\n'
        f'[telegram]\nbots = [{{ token_file = "{secret}", twin = "mira" }}]\n'
        f'api_base = "{server.api_base}"\n'
    )
    return config


async def test_kills_around_a_payment_lose_none_and_credit_none_twice(
    server: BotApiServer, tmp_path: Path
) -> None:
    bot = server.world.add_bot(7001, "mirabot")
    server.world.add_fan(ADA, "Ada")
    with program(tmp_path) as here:
        shop = Shop(here, server, bot, _configure(tmp_path, server, bot), tmp_path / "data")
        process = shop.start()
        invoice = await shop.invoice(process)
        first = server.till.pay(bot, ADA, invoice)
        await _until(lambda: first.charge, process)
        await shop.kill(process)  # the platform has the money

        process = shop.start()
        await _until(shop.purchases, process)
        await shop.kill(process)  # it is in the book, perhaps nobody was told

        server.till.is_mute = True
        payload = server.till.payloads[7001, ADA, invoice["message_id"]]
        second, third = (Checkout(bot, ADA, payload, 50, 0.0) for _ in range(2))
        for missed in (second, third):
            server.till.complete(missed)
        server.till.refund(third)
        process = shop.start()
        await _until(lambda: any("given 50 Stars back" in text for text in shop.said()), process)
        said = len(shop.said())
        server.world.say(bot, ADA, "/credit")
        await _until(lambda: len(shop.said()) > said, process)
        process.send_signal(signal.SIGTERM)
        finished = await asyncio.to_thread(here.finish, process)
        audited = await asyncio.to_thread(here.run, "audit", "--data", shop.data, "--json")

    assert first.took_s < 5
    assert finished.code == 0, finished.err
    assert sorted(shop.purchases()) == sorted(
        f"purchase:telegram:{one.charge}" for one in (first, second, third)
    )
    found = json.loads(audited.out)
    assert (audited.code, found["wrong"]) == (0, [])
    assert any(text.startswith("Your credit: 1 ") for text in shop.said())
    thanks = [text for text in shop.said() if text.startswith("Thank you")]
    # The first is told once, twice or, killed between book and chat, never; /credit says it.
    assert 2 <= len(thanks) <= 4
