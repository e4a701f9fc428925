"""The engine's process is killed in the middle of a batch of replies: nobody pays, all go on."""

import asyncio
import os
import signal
import sys
from dataclasses import replace

from adapters.llama.process import EngineProcess
from bot.domain.errors import EngineCrashedError
from bot.domain.ledger import SPONSOR, hold_account
from bot.domain.money import NANO
from bot.ports.chat import IncomingMessage
from bot.ports.stores import StoredReply
from tests.stage import MIRA, PRICE, SURFACE, Stage, memory_stage

SLOW_CHILD = """
import time
from adapters.llama.child import Ready, serve_pipe
from bot.inference.engine import Engine
from tests.fakes.model import FakeModel
from tests.fakes.states import MemoryStates

class Slow(FakeModel):
    def decode(self, feeds):
        time.sleep(0.01)
        return super().decode(feeds)

serve_pipe(lambda: Ready(Engine(model=Slow(), states=MemoryStates())))
"""
FANS = 12


async def _kill_when_it_speaks(engine: EngineProcess, shown: list[str], *, last: int) -> int:
    """Kill the process that comes after `last`, once somebody was shown a word; return its id."""
    said = len(shown)
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.005)
            process = engine._process
            if process is not None and process.pid != last and len(shown) > said + 5:
                os.kill(process.pid, signal.SIGKILL)
                return process.pid


async def test_batch_whose_engine_is_killed_again_and_again_releases_every_hold() -> None:
    engine = EngineProcess(command=(sys.executable, "-c", SLOW_CHILD))
    stage: Stage = memory_stage(engine=engine)
    try:
        await stage.open((replace(MIRA, max_tokens=120),))
        shown: list[str] = []

        async def ask(fan: int, number: str) -> StoredReply:
            said = IncomingMessage("mira", SURFACE, f"fan {fan}", f"{number}-{fan}", "hello there")
            return await stage.reply_to(said, shown.append)

        asked = [asyncio.create_task(ask(fan, "first")) for fan in range(FANS)]
        first = await _kill_when_it_speaks(engine, shown, last=0)
        # Each reply is tried once more, by a process that is killed as well.
        await _kill_when_it_speaks(engine, shown, last=first)
        results = await asyncio.gather(*asked, return_exceptions=True)

        crashed = [one for one in results if isinstance(one, EngineCrashedError)]
        replied = [one for one in results if isinstance(one, StoredReply)]
        assert len(crashed) + len(replied) == FANS
        assert len(crashed) >= FANS // 2
        assert await stage.balance(SPONSOR) == 10 * NANO - len(replied) * PRICE
        for intent in (await stage.reader.read_all()).intents:
            # One that came through between the kills is held until it is delivered.
            held = 0 if intent.state == "void" else PRICE
            assert await stage.balance(hold_account(intent.key)) == held

        again = await asyncio.gather(*(ask(fan, "second") for fan in range(FANS)))
        assert len(again) == FANS
        assert (await stage.audit()).wrong == []
    finally:
        await engine.close()
