"""Figures of the service on Discord: CPU per answered message, first sign of life, memory's growth.

The tests' local Discord and its fans run in this process, the service in another, so that its CPU
is measured alone. The stand-in engine answers at once; no budget holds: neither the platform's rate
limits nor the fans' quota.
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
# Not this folder: its discord.py would stand in the library's way.
sys.path[0] = str(ROOT)

from aiohttp import web  # noqa: E402

from bench.service import (  # noqa: E402
    TWIN,
    RunningService,
    figure,
    settings_for,
    show,
    sign_figures,
)
from tests.acceptance.discord import gateway, hooks, limits, rest  # noqa: E402
from tests.acceptance.discord.server import Platform  # noqa: E402
from tests.acceptance.discord.world import Channel, Json, Person  # noqa: E402
from tests.acceptance.program import free_port  # noqa: E402

FANS, AT_ONCE = 200, 16
ENGINE_S = 5.0
ARRIVAL_S = 4.0  # so that all of them wait before the first one has a reply
WARM, QUICK_END, FULL_START, FULL_END = 200, 2_000, 2_000, 20_000
CPU_MS, SIGN_MS, GROWTH_MIB = 8.0, 700.0, 20.0
PROOF = "/r/"
REMARKS = [
    "engine replaced by a stand-in that answers at once, in 8 pieces (first sign: over 5 s)",
    "lifted: Discord's rate limits, the fans' daily quota, settlement by the clock",
    "the local Discord's checks against the published descriptions are off: they are the tests'",
]


class Crowd:
    """Fans in rooms of their own, and what they see of the application."""

    def __init__(self) -> None:
        self.platform = Platform()
        _stop_checking()
        limits.__dict__["_BUCKETS"] = ()
        self.platform.rest.log = deque(maxlen=100)  # type: ignore[assignment]
        self._answered: dict[str, asyncio.Event] = {}
        self._signs: dict[str, float] = {}
        self._fans: list[tuple[Person, Channel]] = []
        self._watch()

    def gather(self) -> None:
        """Let the fans join one server, with a room each."""
        world = self.platform.world
        server = world.guild(world.person("olga"))
        for number in range(FANS):
            self._fans.append((world.person(f"fan{number}"), world.room(server)))

    async def talk(self, messages: int) -> None:
        """Let the fans send so many messages, some at once, each fan after their last answer."""
        left = iter(range(messages))
        free = deque(self._fans)

        async def one_after_the_other() -> None:
            for number in left:
                fan = free.popleft()
                await self._ask(*fan, number)
                free.append(fan)

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))

    async def wait_for_signs(self, within_s: float) -> list[float]:
        """Let all fans ask within so many seconds; return those until each saw a sign of life."""
        asked: dict[str, float] = {}

        async def ask(number: int, fan: Person, room: Channel) -> None:
            await asyncio.sleep(within_s * number / FANS)
            self._signs.pop(room.id, None)
            asked[room.id] = time.monotonic()
            await self._ask(fan, room, number)

        await asyncio.gather(*(ask(n, *fan) for n, fan in enumerate(self._fans)))
        return [self._signs[room] - begun for room, begun in asked.items()]

    async def _ask(self, fan: Person, room: Channel, number: int) -> None:
        """Ask by mention or by command in turns, and wait for the reply with its proof."""
        done = self._answered[room.id] = asyncio.Event()
        people = self.platform.people
        text = f"What did you see at the pier today? ({number})"
        if number % 2:
            await people.command(fan, room, "talk", twin=TWIN, text=text)
        else:
            await people.say(fan, room, f"<@{self.platform.world.app.id}> {text}")
        async with asyncio.timeout(60):
            await done.wait()

    def _watch(self) -> None:
        """Notice replies with a proof, and the first sign of life in each room."""
        platform = self.platform
        publish, typing = platform.gateway.publish_message, platform.rest.typing
        callback = platform.hooks.callback

        async def published(name: str, message: Json, channel: Channel) -> None:
            await publish(name, message, channel)
            ours = message["author"]["id"] == platform.world.app.id or "webhook_id" in message
            if ours:
                self._signs.setdefault(channel.id, time.monotonic())
                done = self._answered.get(channel.id)
                if done is not None and _is_final(message):
                    done.set()

        async def typed(request: web.Request) -> web.Response:
            self._signs.setdefault(request.match_info["channel"], time.monotonic())
            return await typing(request)

        async def called(request: web.Request) -> web.Response:
            asked = platform.world.interactions[request.match_info["token"]]
            self._signs.setdefault(asked.channel.id, time.monotonic())
            return await callback(request)

        platform.gateway.__dict__["publish_message"] = published
        platform.rest.__dict__["typing"] = typed
        platform.hooks.__dict__["callback"] = called


class Forgetful(list[Json]):
    """Counts the events of a session and keeps none: nothing is resumed here."""

    seen = 0

    def append(self, _frame: Json) -> None:
        """Count one."""
        self.seen += 1

    def __len__(self) -> int:
        return self.seen


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer messages, about a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--profile", metavar="FILE", help="write where the service's time goes")
    options = parser.parse_args()
    figures, remarks = asyncio.run(measure(quick=options.quick, profile=options.profile))
    show(figures, remarks, as_json=options.json)
    return 0


async def measure(*, quick: bool, profile: str | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Run the service through all measurements."""
    start, end = (WARM, QUICK_END) if quick else (FULL_START, FULL_END)
    crowd = Crowd()
    crowd.gather()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await crowd.platform.start()
        service = await RunningService.start(_settings(folder, crowd.platform), unpaced=False)
        try:
            await crowd.platform.gateway.wait_connected()
            for session in crowd.platform.gateway.sessions:
                session.sent = _forget(session.sent)
            while not crowd.platform.world.commands:  # noqa: ASYNC110 - set by the service
                await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            figures = await _figures(service, crowd, start, end, profile)
        finally:
            await service.stop()
            await crowd.platform.stop()
    quickly = [f"--quick: memory from message {start} to {end} only; fans don't come at once"]
    return figures, REMARKS + (quickly if quick else [])


async def _figures(
    service: RunningService, crowd: Crowd, start: int, end: int, profile: str | None
) -> list[dict[str, Any]]:
    await crowd.talk(start)
    if profile:
        await service.ask({"do": "profile"})
    before = await service.usage()
    await crowd.talk(end - start)
    after = await service.usage()
    if profile:
        told = await service.ask({"do": "profiled"})
        await asyncio.to_thread(Path(profile).write_text, told["text"])
    await service.ask({"do": "engine", "seconds": ENGINE_S})
    begun = time.monotonic(), time.process_time()
    signs = await crowd.wait_for_signs(ARRIVAL_S)
    busy = (time.process_time() - begun[1]) / (time.monotonic() - begun[0])
    burst = [] if end == QUICK_END else await crowd.wait_for_signs(0.0)
    cpu_ms = (after["cpu_s"] - before["cpu_s"]) / (end - start) * 1000
    growth = after["rss_mib"] - before["rss_mib"]
    return [
        figure("Discord: service CPU per answered message", cpu_ms, "CPU ms", CPU_MS),
        *sign_figures(f"Discord: first sign, {FANS} fans in {ARRIVAL_S:.0f} s", signs, SIGN_MS),
        *(sign_figures(f"Discord: first sign, {FANS} fans at once", burst) if burst else ()),
        figure("Discord: how busy the local Discord was meanwhile", 100 * busy, "% CPU"),
        figure(f"Discord: growth, message {start} to {end}", growth, "MiB", GROWTH_MIB),
        figure("Discord: service's memory at the end", after["rss_mib"], "MiB"),
    ]


def _settings(folder: Path, platform: Platform) -> dict[str, Any]:
    token = folder / "discord.token"
    token.write_text(platform.world.token)
    token.chmod(0o600)
    discord = {
        "token_file": str(token),
        "api_base": platform.api_base,
        "gateway_url": platform.gateway.url,
    }
    return settings_for(folder, free_port(), {"discord": discord})


def _is_final(message: Json) -> bool:
    return PROOF in message["content"] or any(
        PROOF in str(item.get("url")) for row in message["components"] for item in row["components"]
    )


def _forget(sent: list[Json]) -> Forgetful:
    kept = Forgetful()
    kept.seen = len(sent)
    return kept


def _stop_checking() -> None:
    for module in (gateway, hooks, rest):
        for name in ("check_event", "check_request", "check_response"):
            if hasattr(module, name):
                setattr(module, name, lambda *_: None)


if __name__ == "__main__":
    sys.exit(main())
