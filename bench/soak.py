"""Thousands of replies with churn on one engine process: does anything grow, or differ?

Fans of several twins come, go on, leave in the middle, stop replies and are forgotten, many at
once. Memory of the engine process is read as it goes; some replies are replayed at the end.

    python -m bench.soak            5,000 requests on the starter model, some minutes
    python -m bench.soak --count 500
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from adapters.llama.process import EngineProcess
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import (
    Caller,
    Generated,
    GenerationRequest,
    ReplayRequest,
)
from bot.wiring.engine import STARTER, EngineOptions

TWINS, FANS = 6, 60
AT_ONCE = 24
SAMPLES = 40
REPLAYED = 50
PAGE_KIB = 4


@dataclass
class Soaked:
    """What a soak saw; memory in KiB.

    Attributes:
        requests: how many replies were asked for.
        finished: how many came to their end.
        cancelled: how many were left in the middle.
        halted: how many were stopped.
        memory: of the engine process, read `SAMPLES` times on the way.
        files: descriptors that the process had open at those times.
        replayed: how many replies were replayed at the end.
        exact: how many of them were the same bits.
    """

    requests: int = 0
    finished: int = 0
    cancelled: int = 0
    halted: int = 0
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    replayed: int = 0
    exact: int = 0

    @property
    def growth(self) -> float:
        """By which share the memory of the last quarter is above that of the second."""
        quarter = max(1, len(self.memory) // 4)
        early = statistics.median(self.memory[quarter : 2 * quarter])
        return statistics.median(self.memory[-quarter:]) / early - 1


class Soak:
    """One run; draws are seeded, so a run can be repeated but for its timing."""

    def __init__(self, engine: EngineProcess, count: int) -> None:
        self._engine = engine
        self._count = count
        self._random = random.Random(7)  # noqa: S311 - repeatable
        self._personas: list[tuple[int, ...]] = []
        self._histories: dict[int, tuple[int, ...]] = {}
        self._made: list[tuple[GenerationRequest, Generated]] = []
        self._busy: set[int] = set()
        self.seen = Soaked()

    async def run(self) -> Soaked:
        """Ask, leave, stop and forget until all requests are made; then replay some."""
        self._info = await self._engine.info()
        for twin in range(TWINS):
            text = f"<|system|> You are twin {twin}. " + "You like to talk. " * (3 * twin)
            tokens = await self._engine.tokenize(text + "<|end|>", special=True)
            await self._engine.prepare_prefix(tokens)
            self._personas.append(tokens)
        await asyncio.gather(*(self._worker() for _ in range(AT_ONCE)))
        await self._replay()
        return self.seen

    async def _worker(self) -> None:
        while self.seen.requests < self._count:
            self.seen.requests += 1
            if self.seen.requests % max(1, self._count // SAMPLES) == 0:
                self._read_memory()
            fan = self._random.choice([n for n in range(FANS) if n not in self._busy])
            self._busy.add(fan)
            try:
                await self._turn(fan)
            finally:
                self._busy.discard(fan)

    async def _turn(self, fan: int) -> None:
        persona = self._personas[fan % TWINS]
        said = await self._engine.tokenize(
            f"<|user|> hello {self._random.randrange(10**6)}<|end|><|assistant|>", special=True
        )
        history = self._histories.get(fan, persona) + said
        longest = self._random.randrange(4, 33)
        if len(history) + longest > self._info.context_tokens:
            await self._engine.forget(f"talk {fan}")
            history = persona + said
        request = GenerationRequest(
            context=history,
            prefix_tokens=len(persona),
            seed=self._random.randbytes(32),
            sampler=SamplerPolicy(0.8, 40, 0.95, longest),
            stop_tokens=self._info.end_tokens,
            stop_strings=(),
        )
        made = await self._ask(request, Caller(f"fan {fan}", f"twin {fan % TWINS}", f"talk {fan}"))
        self._histories[fan] = history + (made.tokens if made else ())
        if made and made.finish != "halted":
            self._made.append((request, made))

    async def _ask(self, request: GenerationRequest, caller: Caller) -> Generated | None:
        """Read a reply to its end, or leave or stop it somewhere."""
        way = self._random.random()
        after = self._random.randrange(6)
        halt = asyncio.Event()
        events = self._engine.generate(request, halt, caller)
        assert isinstance(events, AsyncGenerator)  # noqa: S101
        async for event in events:
            if isinstance(event, Generated):
                self.seen.finished += 1
                self.seen.halted += event.finish == "halted"
                return event
            after -= 1
            if after == 0 and way < 0.1:
                await events.aclose()
                self.seen.cancelled += 1
            elif after == 0 and way < 0.2:
                halt.set()
        return None

    async def _replay(self) -> None:
        chosen = self._random.sample(self._made, min(REPLAYED, len(self._made)))
        outcomes = await asyncio.gather(
            *(
                self._engine.replay(ReplayRequest(asked, made.tokens, made.finish, made.text, ()))
                for asked, made in chosen
            )
        )
        self.seen.replayed = len(outcomes)
        self.seen.exact = sum(outcome.exact for outcome in outcomes)

    def _read_memory(self) -> None:
        assert self._engine._process is not None  # noqa: S101, SLF001 - its own bench
        process = Path(f"/proc/{self._engine._process.pid}")  # noqa: SLF001
        resident = int((process / "statm").read_text(encoding="ascii").split()[1])
        self.seen.memory.append(resident * PAGE_KIB)
        self.seen.files.append(len(list((process / "fd").iterdir())))


async def soak(count: int, folder: Path, *, model: Path = STARTER) -> Soaked:
    """Run a soak on an engine process of its own.

    Args:
        count: how many requests.
        folder: for the states; small, so that they are thrown away as well.
        model: a GGUF.
    """
    options = EngineOptions(sha256="00" * 32, folder=str(folder), state_disk_mb=32)
    command = (sys.executable, "-m", "bot.wiring.engine_process", str(model), "1", options.text())
    engine = EngineProcess(command=command)
    try:
        return await Soak(engine, count).run()
    finally:
        await engine.close()


def main() -> int:
    """Soak and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen = asyncio.run(soak(options.count, Path(folder)))
    print(json.dumps(asdict(seen) | {"growth": round(seen.growth, 4)}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
