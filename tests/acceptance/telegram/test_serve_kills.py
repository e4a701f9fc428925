"""The whole program, killed without warning while it answers on Telegram, and started again.

One folder and one chat live through a chain of kills. After each, the audit looks at what was left;
in the end every question has its answer, once in the log and once in the book, and in the chat once
or, where Telegram can't be read back, at worst twice.
"""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.cli.commands import run
from tests.acceptance.program import Program, free_port, program
from tests.acceptance.telegram.conftest import ADA, buttons_of
from tests.acceptance.telegram.server import BotApiServer, Fault
from tests.acceptance.telegram.world import BotSide, Json

pytestmark = pytest.mark.slow
PATIENCE_S = 90.0


@dataclass(slots=True)
class Service:
    """The program on one folder, and the platform that it talks to."""

    here: Program
    server: BotApiServer
    bot: BotSide
    config: Path
    data: Path

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; its engine is ready some seconds later."""
        return self.here.popen("serve", "--config", self.config)

    def say(self, text: str) -> int:
        """Let the fan write; return the message's number."""
        return int(self.server.world.say(self.bot, ADA, text)["message_id"])

    async def kill_when(self, process: subprocess.Popen[bytes], moment: Callable[[], bool]) -> None:
        """Kill the whole process group at a moment; the engine must follow."""
        await _until(moment, process)
        os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
        await asyncio.to_thread(self.here.wait_gone)
        assert await asyncio.to_thread(run, ["audit", "--data", str(self.data), "--json"]) == 0

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return what the book holds; nothing while there is none."""
        try:
            book = sqlite3.connect(f"file:{self.data / 'twinproof.db'}?mode=ro", uri=True)
        except sqlite3.Error:
            return []
        try:
            return list(book.execute(query))
        except sqlite3.Error:
            return []
        finally:
            book.close()

    def replies(self) -> list[Json]:
        """Return the twin's messages in the chat."""
        return [
            message
            for message in self.server.world.private(self.bot, ADA).from_bot()
            if "[AI twin]" in message["text"]
        ]

    def receipts_shown(self) -> list[str]:
        """Return the receipt of each reply in the chat."""
        found = []
        for message in self.replies():
            links = [b["url"] for b in buttons_of(message).values() if "/r/" in b.get("url", "")]
            found += [link.partition("#")[0].rpartition("/")[2] for link in links]
        return found


async def _until(moment: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not moment():
            assert process.poll() is None, process.communicate()
            await asyncio.sleep(0.002)


def configure(home: Path, server: BotApiServer, bot: BotSide) -> Path:
    """Write the configuration of a solo bot."""
    secret = home / "mira.token"
    secret.write_text(bot.token)
    secret.chmod(0o600)
    config = home / "config.toml"
    config.write_text(
        f'[service]\ndata_dir = "{home / "data"}"\nport = {free_port()}\n'
        'base_url = "https://twins.example.org"\n'
        f'[telegram]\nbots = [{{ token_file = "{secret}", twin = "mira" }}]\n'
        f'api_base = "{server.api_base}"\n'
    )
    return config


async def _kill_in_the_stream(service: Service) -> None:
    """The intent is written, the reply grows, nothing of it is committed."""
    process = service.start()
    known = {key for (key,) in service.rows("SELECT key FROM intents")}
    service.say("Where do you live?")
    await service.kill_when(
        process,
        lambda: any(key not in known for (key,) in service.rows("SELECT key FROM intents")),
    )


async def _kill_before_sending(service: Service) -> None:
    """The reply is committed; what sends it never reaches the platform."""
    with service.server.fault(Fault("sendMessage", times=99, is_hung=True)):
        sent = service.server.count("sendMessage")
        process = service.start()
        service.say("Do you sing?")
        await service.kill_when(process, lambda: service.server.count("sendMessage") > sent)


async def _kill_after_sending(service: Service) -> None:
    """The platform has shown the reply, and the program never hears of it: the one duplicate."""
    with service.server.fault(Fault("sendMessage", times=99, is_done=True, is_hung=True)):
        shown = len(service.replies())
        process = service.start()
        service.say("What do you eat?")
        await service.kill_when(process, lambda: len(service.replies()) > shown)


async def test_kills_lose_no_answer_and_charge_none_twice(
    server: BotApiServer, tmp_path: Path
) -> None:
    bot = server.world.add_bot(7001, "mirabot")
    server.world.add_fan(ADA, "Ada")
    with program(tmp_path) as here:
        config = configure(tmp_path, server, bot)
        service = Service(here, server, bot, config, tmp_path / "data")
        process = service.start()
        service.say("hi, who are you?")
        await service.kill_when(process, lambda: bool(service.replies()))

        await _kill_in_the_stream(service)
        await _kill_before_sending(service)
        await _kill_after_sending(service)
        process = service.start()
        await _until(lambda: len(set(service.receipts_shown())) == 4, process)
        await _until(
            lambda: not service.rows("SELECT 1 FROM replies WHERE outcome IS NULL"), process
        )
        process.send_signal(signal.SIGTERM)
        finished = await asyncio.to_thread(here.finish, process)
        audited = await asyncio.to_thread(here.run, "audit", "--data", service.data, "--json")

    assert finished.code == 0, finished.err
    found = json.loads(audited.out)
    assert (audited.code, found["wrong"]) == (0, [])
    assert found["checked"]["receipts"] == 4
    captures = service.rows("SELECT key FROM ledger_transactions WHERE kind = 'capture'")
    assert len(captures) == 4
    assert service.rows("SELECT 1 FROM replies WHERE outcome IS NOT 'delivered'") == []
    times = Counter(service.receipts_shown())
    assert set(times.values()) <= {1, 2}
    assert sum(times.values()) <= 4 + 2  # killed twice between the platform and our own book
    assert service.rows("SELECT 1 FROM telegram_updates WHERE payload IS NOT NULL") == []
