"""`twinproof serve`: another reply, a report, an export, an undo and a forgetting, on Telegram."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.telegram_chat import texts
from tests.acceptance.program import program
from tests.acceptance.telegram.conftest import ADA, buttons_of
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.test_serve_kills import configure

pytestmark = pytest.mark.slow
PATIENCE_S = 90.0
MARKER = "zanzibar"


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - the other side is a process
            await asyncio.sleep(0.02)


async def test_a_fans_wishes_are_carried_out_by_the_whole_program(
    server: BotApiServer, tmp_path: Path
) -> None:
    bot = server.world.add_bot(7001, "mirabot")
    server.world.add_fan(ADA, "Ada")
    world = server.world
    with program(tmp_path) as here:
        process = here.popen("serve", "--config", configure(tmp_path, server, bot))
        world.say(bot, ADA, f"hi, do you know {MARKER}?")
        chat = world.private(bot, ADA)
        await _until(lambda: len(chat.from_bot()) == 1)
        first = chat.from_bot()[0]

        world.press(bot, ADA, first, texts.ANOTHER)
        await _until(lambda: "Replaced · its proof" in buttons_of(first))
        second = chat.from_bot()[1]
        world.say(bot, ADA, "/report It is a test.")
        await _until(lambda: chat.from_bot()[-1].get("text") == texts.REPORTED)
        world.say(bot, ADA, "/export")
        await _until(lambda: "document" in chat.from_bot()[-1])
        exported = json.loads(world.files[chat.from_bot()[-1]["document"]["file_id"]])

        world.say(bot, ADA, "/undo")
        await _until(lambda: chat.from_bot()[-1].get("text") == texts.UNDONE)
        left = [m for m in chat.from_bot() if "[AI twin]" in m.get("text", "")]
        world.say(bot, ADA, "/forget")
        await _until(lambda: chat.from_bot()[-1].get("text") == texts.FORGET_ASK)
        world.press(bot, ADA, chat.from_bot()[-1], texts.FORGET)
        await _until(lambda: "forgotten" in chat.from_bot()[-1].get("text", ""))

        process.send_signal(signal.SIGTERM)
        finished = await asyncio.to_thread(here.finish, process)
        audited = await asyncio.to_thread(here.run, "audit", "--data", tmp_path / "data", "--json")

    assert finished.code == 0, finished.err
    assert "Another reply to the same message" in second["text"]
    assert MARKER in json.dumps(exported)
    assert left == []
    found = json.loads(audited.out)
    assert (audited.code, found["wrong"]) == (0, [])
    assert found["checked"]["receipts"] == 2
    files = [path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not any(MARKER.encode() in content for content in files)
