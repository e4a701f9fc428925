"""Figures of the service on Telegram: CPU per answered message, first sign, memory, 300 bots.

The tests' local Bot API and its fans run in this process, the service in another, so that its CPU
is measured alone. The stand-in engine answers at once; no budget holds: neither the platform's
flood limits, to which the surface paces itself, nor the fans' quota.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Not this folder: its telegram.py would stand in the library's way.
sys.path[0] = str(ROOT)

from bench.service import (  # noqa: E402
    TWIN,
    RunningService,
    figure,
    settings_for,
    show,
    sign_figures,
)
from tests.acceptance.program import free_port  # noqa: E402
from tests.acceptance.telegram.server import BotApiServer, Call  # noqa: E402
from tests.acceptance.telegram.spec import SPEC, BotApiSpec  # noqa: E402
from tests.acceptance.telegram.world import BotSide, ChatSide, Json  # noqa: E402

FANS, AT_ONCE, BOTS = 200, 16, 300
ENGINE_S = 5.0
ARRIVAL_S = 4.0  # so that all of them wait before the first one has a reply
WARM, QUICK_END, FULL_START, FULL_END = 200, 2_000, 2_000, 20_000
CPU_MS, SIGN_MS, GROWTH_MIB, BOTS_MIB = 10.0, 700.0, 20.0, 1024.0
SECRET = "bench-bench-bench-bench"  # noqa: S105 - of this run's local server
SIGNS = ("sendChatAction", "sendMessageDraft", "sendMessage")
PROOF = "/r/"
PATIENCE_S = 300.0
REMARKS = [
    "engine replaced by a stand-in that answers at once, in 8 pieces (first sign: over 5 s)",
    "lifted: the pacing below Telegram's flood limits, the fans' quota, settlement by the clock",
]


class Watched(deque[Call]):
    """Keeps the last calls, and notes the first sign of life in each chat."""

    def __init__(self, signs: dict[int, float]) -> None:
        super().__init__(maxlen=100)
        self._signs = signs

    def append(self, call: Call) -> None:
        """Look at a call as it arrives."""
        super().append(call)
        if call.method in SIGNS:
            self._signs.setdefault(call.values["chat_id"], time.monotonic())


class Crowd:
    """Fans in their private chats with one bot, and what they see of it."""

    def __init__(self) -> None:
        self.server = BotApiServer(BotApiSpec.load())
        setattr(BotApiSpec, "check_result", lambda *_: None)  # noqa: B010 - that is the tests'
        self._signs: dict[int, float] = {}
        self.server.calls = Watched(self._signs)  # type: ignore[assignment]
        self._answered: dict[int, asyncio.Event] = {}
        self._fans = [self.server.world.add_fan(10_000 + n, f"Fan {n}") for n in range(FANS)]
        _notice_answers(self._answered)

    async def talk(self, bot: BotSide, messages: int) -> None:
        """Let the fans send so many messages, some at once, each fan after their last answer."""
        left = iter(range(messages))
        free = deque(self._fans)

        async def one_after_the_other() -> None:
            for number in left:
                fan = free.popleft()
                await self._ask(bot, fan, number)
                free.append(fan)

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))

    async def wait_for_signs(self, bot: BotSide, within_s: float) -> list[float]:
        """Let all fans ask within so many seconds; return those until each saw a sign of life."""
        asked: dict[int, float] = {}

        async def ask(number: int, fan: int) -> None:
            await asyncio.sleep(within_s * number / FANS)
            self._signs.pop(fan, None)
            asked[fan] = time.monotonic()
            await self._ask(bot, fan, number)

        await asyncio.gather(*(ask(n, fan) for n, fan in enumerate(self._fans)))
        return [self._signs[fan] - begun for fan, begun in asked.items()]

    async def ask_by_webhook(self, bot: BotSide, fan: int, address: str) -> None:
        """Let a fan write to a bot whose updates Telegram delivers."""
        done = self._answered[fan] = asyncio.Event()
        self.server.world.say(bot, fan, "What did you see at the pier today?")
        status = await self.server.push(bot, bot.updates.pop(), base=address, secret=SECRET)
        if status != 200:
            raise SystemExit(f"the service answers a webhook with {status}")
        async with asyncio.timeout(PATIENCE_S):
            await done.wait()

    async def _ask(self, bot: BotSide, fan: int, number: int) -> None:
        """Ask, and wait for the reply with its proof."""
        done = self._answered[fan] = asyncio.Event()
        self.server.world.say(bot, fan, f"What did you see at the pier today? ({number})")
        async with asyncio.timeout(60):
            await done.wait()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer messages, about a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--profile", metavar="FILE", help="write where the service's time goes")
    options = parser.parse_args()
    if not SPEC.is_file():
        raise SystemExit("the local Bot API needs Telegram's description, which is not here")
    figures, remarks = asyncio.run(measure(quick=options.quick, profile=options.profile))
    show(figures, remarks, as_json=options.json)
    return 0


async def measure(*, quick: bool, profile: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Run one service through all measurements, and another one with many bots."""
    start, end = (WARM, QUICK_END) if quick else (FULL_START, FULL_END)
    crowd = Crowd()
    await crowd.server.start()
    try:
        figures = await _one_bot(crowd, start, end, profile)
        figures += await _many_bots(crowd)
    finally:
        await crowd.server.stop()
    quickly = [f"--quick: memory from message {start} to {end} only; fans don't come at once"]
    return figures, REMARKS + (quickly if quick else [])


async def _one_bot(crowd: Crowd, start: int, end: int, profile: str | None) -> list[dict[str, Any]]:
    bot = crowd.server.world.add_bot(7001, "mirabot")
    with tempfile.TemporaryDirectory() as name:
        service = await RunningService.start(_settings(Path(name), crowd.server, [bot]))
        try:
            await crowd.talk(bot, start)
            if profile:
                await service.ask({"do": "profile"})
            before = await service.usage()
            await crowd.talk(bot, end - start)
            after = await service.usage()
            if profile:
                told = await service.ask({"do": "profiled"})
                await asyncio.to_thread(Path(profile).write_text, told["text"])
            await service.ask({"do": "engine", "seconds": ENGINE_S})
            begun = time.monotonic(), time.process_time()
            signs = await crowd.wait_for_signs(bot, ARRIVAL_S)
            busy = (time.process_time() - begun[1]) / (time.monotonic() - begun[0])
            burst = [] if end == QUICK_END else await crowd.wait_for_signs(bot, 0.0)
        finally:
            await service.stop()
    cpu_ms = (after["cpu_s"] - before["cpu_s"]) / (end - start) * 1000
    growth = after["rss_mib"] - before["rss_mib"]
    return [
        figure("Telegram: service CPU per answered message", cpu_ms, "CPU ms", CPU_MS),
        *sign_figures(f"Telegram: first sign, {FANS} fans in {ARRIVAL_S:.0f} s", signs, SIGN_MS),
        *(sign_figures(f"Telegram: first sign, {FANS} fans at once", burst) if burst else ()),
        figure("Telegram: how busy the local Bot API was meanwhile", 100 * busy, "% CPU"),
        figure(f"Telegram: growth, message {start} to {end}", growth, "MiB", GROWTH_MIB),
        figure("Telegram: service's memory at the end", after["rss_mib"], "MiB"),
    ]


async def _many_bots(crowd: Crowd) -> list[dict[str, Any]]:
    """Register many bots by webhook in one process, and let a fan of each be answered."""
    server = crowd.server
    bots = [server.world.add_bot(8000 + n, f"twin{n}bot") for n in range(BOTS)]
    fans = [server.world.add_fan(20_000 + n, f"Fan {n}") for n in range(BOTS)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = _settings(folder, server, bots)
        secret = folder / "hook.secret"
        _write_secret(secret, SECRET)
        settings["telegram"]["webhook_secret_file"] = str(secret)
        begun = time.monotonic()
        service = await RunningService.start(settings)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not all(bot.webhook for bot in bots):  # noqa: ASYNC110 - set by the service
                    await asyncio.sleep(0.1)
            seconds = time.monotonic() - begun
            registered = await service.usage()
            address = f"http://127.0.0.1:{settings['service']['port']}"
            turns = asyncio.Semaphore(AT_ONCE)

            async def ask(bot: BotSide, fan: int) -> None:
                async with turns:
                    await crowd.ask_by_webhook(bot, fan, address)

            await asyncio.gather(*map(ask, bots, fans))
            answered = await service.usage()
        finally:
            await service.stop()
    return [
        figure(f"Telegram: {BOTS} bots registered by webhook", seconds, "s"),
        figure(f"Telegram: memory, {BOTS} bots registered", registered["rss_mib"], "MiB"),
        figure(
            f"Telegram: memory, {BOTS} bots have answered", answered["rss_mib"], "MiB", BOTS_MIB
        ),
    ]


def _settings(folder: Path, server: BotApiServer, bots: list[BotSide]) -> dict[str, Any]:
    named = []
    for bot in bots:
        token = folder / f"{bot.id}.token"
        _write_secret(token, bot.token)
        named.append({"token_file": str(token), "twin": TWIN})
    return settings_for(
        folder, free_port(), {"telegram": {"bots": named, "api_base": server.api_base}}
    )


def _write_secret(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def _notice_answers(answered: dict[int, asyncio.Event]) -> None:
    """Tell a fan's waiting question when a message with a proof comes into their chat."""
    add = ChatSide.add

    def added(chat: ChatSide, sender: Json, content: Json, *, topic: int | None = None) -> Json:
        message = add(chat, sender, content, topic=topic)
        done = answered.get(chat.id)
        if sender["is_bot"] and done is not None and PROOF in str(content.get("reply_markup")):
            done.set()
        return message

    setattr(ChatSide, "add", added)  # noqa: B010 - mypy knows that methods stay


if __name__ == "__main__":
    sys.exit(main())
