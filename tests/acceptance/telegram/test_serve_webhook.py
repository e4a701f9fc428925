"""`twinproof serve` in webhook mode: Telegram calls the program's own port."""

import asyncio
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.program import free_port, program
from tests.acceptance.telegram.conftest import ADA
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.world import BotSide

pytestmark = pytest.mark.slow
PATIENCE_S = 90.0
PUBLIC = "https://twins.example.org"
SECRET = "webhook-secret-of-this-test"  # noqa: S105 - of a server that this test starts


@dataclass(frozen=True, slots=True)
class Hook:
    """A bot whose updates are pushed, as a reverse proxy would pass them on."""

    server: BotApiServer
    bot: BotSide
    port: int

    def configure(self, home: Path) -> Path:
        """Write a configuration in webhook mode."""
        for name, secret in (("mira.token", self.bot.token), ("hook.secret", SECRET)):
            (home / name).write_text(f"{secret}\n")
            (home / name).chmod(0o600)
        config = home / "config.toml"
        config.write_text(
            f'[service]\ndata_dir = "{home / "data"}"\nport = {self.port}\n'
            f'base_url = "{PUBLIC}"\n'
            f'[telegram]\nbots = [{{ token_file = "{home / "mira.token"}", twin = "mira" }}]\n'
            f'webhook_secret_file = "{home / "hook.secret"}"\n'
            f'api_base = "{self.server.api_base}"\n'
        )
        return config

    async def push(self, text: str, *secrets: str | None) -> list[int]:
        """Let the fan write, and deliver that once with each secret; return the statuses."""
        self.server.world.say(self.bot, ADA, text)
        update = self.bot.updates.pop()
        base = f"http://127.0.0.1:{self.port}"
        return [
            await self.server.push(self.bot, update, base=base, secret=secret) for secret in secrets
        ]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - the other side is a process
                await asyncio.sleep(0.02)


async def test_who_knows_the_secret_is_answered_and_nobody_else(
    server: BotApiServer, tmp_path: Path
) -> None:
    hook = Hook(server, server.world.add_bot(7001, "mirabot"), free_port())
    server.world.add_fan(ADA, "Ada")
    with program(tmp_path) as here:
        process = here.popen("serve", "--config", hook.configure(tmp_path))
        await hook.until(lambda: hook.bot.webhook)
        registered = dict(hook.bot.webhook)
        forged = await hook.push("forged words", "another-secret-of-nobody", None, "")
        repeated = await hook.push("hi, who are you?", SECRET, SECRET)
        chat = server.world.private(hook.bot, ADA)
        await hook.until(chat.from_bot)
        process.send_signal(signal.SIGTERM)
        finished = await asyncio.to_thread(here.finish, process)
        audited = await asyncio.to_thread(here.run, "audit", "--data", tmp_path / "data", "--json")

    assert (registered["url"], registered["secret_token"]) == (f"{PUBLIC}/telegram/7001", SECRET)
    assert server.count("getUpdates") == 0
    assert forged == [403, 403, 403]
    assert repeated == [200, 200]
    (reply,) = chat.from_bot()
    assert reply["text"].startswith("Mira Solano [AI twin]\n")
    assert finished.code == 0, finished.err
    found = json.loads(audited.out)
    assert (audited.code, found["wrong"]) == (0, [])
    assert found["checked"]["receipts"] == 1
    log = (tmp_path / "data" / "twinproof.log").read_text() + finished.err
    assert not any(secret in log for secret in (SECRET, hook.bot.token, "forged words"))
