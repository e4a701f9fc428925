"""`twinproof serve`: the whole program answers a fan on Telegram, with proof and fee."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from tests.acceptance.program import free_port, program
from tests.acceptance.telegram.conftest import ADA, buttons_of
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.world import BotSide, Json

pytestmark = pytest.mark.slow
START_WITHIN_S = 90.0


def _configure(home: Path, server: BotApiServer, bot: BotSide) -> Path:
    secret = home / "mira.token"
    secret.write_text(f"{bot.token}\n")
    secret.chmod(0o600)
    config = home / "config.toml"
    config.write_text(
        f'[service]\ndata_dir = "{home / "data"}"\nport = {free_port()}\n'
        'base_url = "https://twins.example.org"\n'
        f'[telegram]\nbots = [{{ token_file = "{secret}", twin = "mira" }}]\n'
        f'api_base = "{server.api_base}"\n'
    )
    return config


async def _reply_to(server: BotApiServer, bot: BotSide, text: str) -> Json:
    server.world.say(bot, ADA, text)
    chat = server.world.private(bot, ADA)
    async with asyncio.timeout(START_WITHIN_S):
        while not chat.from_bot():  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.02)
    return chat.from_bot()[0]


async def test_the_program_answers_a_fan_stops_cleanly_and_its_book_agrees(
    server: BotApiServer, tmp_path: Path
) -> None:
    bot = server.world.add_bot(7001, "mirabot")
    server.world.add_fan(ADA, "Ada")
    with program(tmp_path) as here:
        config = _configure(tmp_path, server, bot)
        process = here.popen("serve", "--config", config)
        reply = await _reply_to(server, bot, "hi, who are you?")
        process.send_signal(signal.SIGTERM)
        finished = await asyncio.to_thread(here.finish, process)
        audit = await asyncio.to_thread(here.run, "audit", "--data", tmp_path / "data", "--json")

    assert finished.code == 0, finished.err
    assert reply["text"].startswith("Mira Solano [AI twin]\n")
    (button,) = [b for label, b in buttons_of(reply).items() if label.startswith("Proof")]
    assert button["url"].startswith("https://twins.example.org/r/")
    found = json.loads(audit.out)
    assert (audit.code, found["wrong"]) == (0, [])
    assert (found["checked"]["receipts"], found["checked"]["outcomes"]) == (1, 1)
    log = (tmp_path / "data" / "twinproof.log").read_text()
    assert bot.token not in log + finished.err
    assert "who are you" not in log


async def test_a_token_file_that_others_can_read_is_refused(
    server: BotApiServer, tmp_path: Path
) -> None:
    bot = server.world.add_bot(7001, "mirabot")
    with program(tmp_path) as here:
        config = _configure(tmp_path, server, bot)
        (tmp_path / "mira.token").chmod(0o644)
        finished = await asyncio.to_thread(here.run, "serve", "--config", config)

    assert finished.code == 2
    assert "chmod 600" in finished.complaint
    assert bot.token not in finished.err


async def test_nothing_configured_is_one_sentence(tmp_path: Path) -> None:
    with program(tmp_path) as here:
        finished = await asyncio.to_thread(here.run, "serve", "--port", free_port())

    assert finished.code == 2
    assert "No chat platform is configured" in finished.complaint
