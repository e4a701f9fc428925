"""The whole service in a process of its own, with a stand-in engine, told what to do by pipe.

Real: surface and its library, core, SQLite on disk, receipts, ledger, log, outcomes, web server,
chain. Not real: the engine, whose process and pipe cost nothing here.
"""

import asyncio
import cProfile
import gc
import io
import json
import os
import pstats
import re
import resource
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config import Settings
from bot.ports.inference import (
    ANYONE,
    Caller,
    Generated,
    GenerationEvent,
    GenerationRequest,
    InferenceEngine,
    ModelInfo,
    ReplayOutcome,
    ReplayRequest,
    TextDelta,
)
from bot.wiring import app as app_wiring
from bot.wiring.engine import RunningEngine, no_progress

ROOT = Path(__file__).resolve().parent.parent
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
CONTEXT_TOKENS = 4096
LETTERS_A_TOKEN = 4
REPLY = (
    "The tide was low this morning, so I walked out to the old pier and drew the boats that lay "
    "on the mud; the green one has a new name, and nobody will tell me why."
)
PIECES = 8
CONTROL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|> ' + (m['content'] | trim) + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_MARK = re.compile("(" + "|".join(re.escape(mark) for mark in CONTROL) + ")")
TWIN = "mira"
QUIET_S = 1.0


class StandInEngine(InferenceEngine):
    """Says the same to everybody, at once or over some seconds; four letters are a token."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ids: dict[str, int] = {mark: number for number, mark in enumerate(CONTROL)}

    async def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        return ModelInfo(
            name="stand-in",
            chat_template=TEMPLATE,
            end_tokens=(0,),
            context_tokens=CONTEXT_TOKENS,
            vocabulary=2**20,
            profile_exact=True,
        )

    async def tokenize(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        return self._tokens(text, special=special)

    def _tokens(self, text: str, *, special: bool) -> tuple[int, ...]:
        pieces: list[str] = []
        for part in _MARK.split(text) if special else [text]:
            if special and part in CONTROL:
                pieces.append(part)
            else:
                starts = range(0, len(part), LETTERS_A_TOKEN)
                pieces += ["=" + part[at : at + LETTERS_A_TOKEN] for at in starts]
        return tuple(self._ids.setdefault(piece, len(self._ids)) for piece in pieces)

    async def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Keep nothing."""

    async def generate(
        self,
        request: GenerationRequest,
        halt: asyncio.Event | None = None,
        caller: Caller = ANYONE,
    ) -> AsyncIterator[GenerationEvent]:
        """Yield the reply in pieces."""
        del request, halt, caller
        size = -(-len(REPLY) // PIECES)
        for at in range(0, len(REPLY), size):
            await asyncio.sleep(self.seconds / PIECES)
            yield TextDelta(REPLY[at : at + size])
        yield Generated(self._tokens(REPLY, special=False), REPLY, "end")

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Replay nothing."""
        raise NotImplementedError

    async def forget(self, conversation: str) -> None:
        """Keep nothing anyway."""

    async def close(self) -> None:
        """Close nothing."""


def serve() -> int:
    """Be the service: settings on the first line of standard input, then orders."""
    asyncio.run(_serve())
    return 0


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    first = json.loads(await orders.readline())
    engine = StandInEngine()

    @asynccontextmanager
    async def open_stand_in(_path: Path, *, threads: int) -> AsyncIterator[RunningEngine]:
        del threads
        yield RunningEngine(engine, "stand-in", bytes(32), "no engine")

    app_wiring.__dict__["open_engine"] = open_stand_in
    if first["unpaced"]:
        _lift_telegram_budgets()
    settings = Settings(**first["settings"])
    async with app_wiring.open_app(settings, progress=no_progress, serving=True) as app:
        runs = [asyncio.create_task(one.run()) for one in app.platforms.surfaces.values()]
        _tell({"started": True})
        await _obey(orders, engine)
        for surface in app.platforms.surfaces.values():
            await surface.stop()
        await asyncio.gather(*runs, return_exceptions=True)


async def _obey(orders: asyncio.StreamReader, engine: StandInEngine) -> None:
    profile = cProfile.Profile()
    while line := await orders.readline():
        match json.loads(line):
            case {"do": "usage"}:
                gc.collect()
                _tell(usage())
            case {"do": "engine", "seconds": seconds}:
                engine.seconds = seconds
                _tell({})
            case {"do": "profile"}:
                profile.enable()
                _tell({})
            case {"do": "profiled"}:
                profile.disable()
                text = io.StringIO()
                pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(45)
                pstats.Stats(profile, stream=text).sort_stats("cumtime").print_stats(90)
                _tell({"text": text.getvalue()})
            case _:
                return


def usage() -> dict[str, float]:
    """Return what this process has used so far: CPU-seconds, and MiB that it holds now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"cpu_s": used.ru_utime + used.ru_stime, "rss_mib": pages * PAGE_BYTES / 2**20}


def _lift_telegram_budgets() -> None:
    """Take away the surface's own pacing, which keeps it below the platform's budgets."""
    from adapters.telegram_chat import chat  # noqa: PLC0415 - only where Telegram is measured
    from adapters.telegram_chat.pace import Pace  # noqa: PLC0415

    quick = Pace(chat_s=0.0, group_per_minute=10**9, bot_per_s=10**9)
    chat.__dict__["Pace"] = lambda: quick


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


@dataclass(slots=True)
class RunningService:
    """The driver's hand on a service process."""

    process: asyncio.subprocess.Process

    @classmethod
    async def start(cls, settings: dict[str, Any], *, unpaced: bool = True) -> "RunningService":
        """Start a service and wait until its surfaces run."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.service",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**24,
            cwd=ROOT,
        )
        service = cls(process)
        await service.ask({"settings": settings, "unpaced": unpaced})
        return service

    async def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order and return its answer."""
        assert self.process.stdin is not None  # noqa: S101 - PIPE was asked for
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        line = await self.process.stdout.readline()
        if not line:
            raise SystemExit("the service has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def usage(self) -> dict[str, float]:
        """Let what is under way end, and return what the service has used."""
        await asyncio.sleep(QUIET_S)
        return await self.ask({"do": "usage"})

    async def stop(self) -> None:
        """End it as an operator does."""
        assert self.process.stdin is not None  # noqa: S101
        self.process.stdin.write(b'{"do": "stop"}\n')
        await self.process.wait()


def settings_for(folder: Path, port: int, more: dict[str, Any]) -> dict[str, Any]:
    """Return settings without budgets: no quota, no end of sponsorship, no settlement meanwhile."""
    personas = folder / "personas"
    personas.mkdir()
    shutil.copy(ROOT / "personas" / f"{TWIN}.toml", personas)
    return {
        "personas": {"folder": str(personas)},
        "service": {
            "data_dir": str(folder / "data"),
            "port": port,
            "base_url": "https://twins.example.org",
        },
        "limits": {"daily_messages": 10**9},
        "money": {
            "sponsorship": "999999999",
            "twin_daily": "",
            "server_daily": "",
            "epoch_seconds": 10**6,
        },
        **more,
    }


def figure(name: str, value: float, unit: str, target: float | None = None) -> dict[str, Any]:
    """Return one figure; `ok` says whether it is at most its target, where there is one."""
    ok = None if target is None else value <= target
    return {"name": name, "value": round(value, 2), "unit": unit, "target": target, "ok": ok}


def sign_figures(
    name: str, seconds: list[float], target_ms: float | None = None
) -> list[dict[str, Any]]:
    """Return the figures of many waits for a first sign of life."""
    waits = [1000 * one for one in seconds]
    return [
        figure(f"{name}, p50", percentile(waits, 0.5), "ms"),
        figure(f"{name}, p99", percentile(waits, 0.99), "ms", target_ms),
    ]


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of all values does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def show(figures: list[dict[str, Any]], remarks: list[str], *, as_json: bool) -> None:
    """Print figures and what to know about them."""
    if as_json:
        sys.stdout.write(json.dumps({"figures": figures, "remarks": remarks}, indent=2) + "\n")
        return
    for one in figures:
        target = "" if one["target"] is None else f"(target {one['target']}) "
        mark = {None: "", True: "ok", False: "MISSED"}[one["ok"]]
        print(f"{one['name']:<58} {one['value']:>10} {one['unit']:<8} {target}{mark}")
    for remark in remarks:
        print(f"  {remark}")


if __name__ == "__main__":
    sys.exit(serve())
