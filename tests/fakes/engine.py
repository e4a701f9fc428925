"""The engine in this process, over a fake model; dies when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bot.domain.errors import BotError, EngineCrashedError, EngineOverloadedError, InvariantError
from bot.inference.engine import Engine
from bot.ports.inference import (
    GenerationEvent,
    GenerationRequest,
    InferenceEngine,
    ModelInfo,
    ReplayOutcome,
    ReplayRequest,
)
from tests.fakes.model import FakeModel

CRASHED = "The engine stopped in the middle of this reply; nothing was charged. Please try again."


@dataclass(slots=True)
class MemoryEngine(InferenceEngine):
    """Runs requests in order on the event loop, through the engine's own code.

    Attributes:
        crashes: for each coming generation, after how many events the process dies; None: it lives.
        errors: for each coming generation, an error to refuse it with.
        max_queued: bound of the queue.
        pause: waited for before each event; an unset event holds generations.
        begun: set when a generation begins.
        requests: generations that were begun.
        cancelled: generations whose iterator was closed early.
    """

    model: FakeModel = field(default_factory=FakeModel)
    crashes: list[int | None] = field(default_factory=list)
    errors: list[BotError] = field(default_factory=list)
    max_queued: int = 32
    pause: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[GenerationRequest] = field(default_factory=list)
    cancelled: int = 0
    _queued: int = 0
    _closed: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def _engine(self) -> Engine:
        return Engine(model=self.model)

    async def _enter(self) -> None:
        await asyncio.sleep(0)  # a process is never asked and answered in one step
        if self._closed:
            raise EngineCrashedError("The engine is shutting down.")
        if self._queued >= self.max_queued:
            raise EngineOverloadedError("Too many fans are talking at once.", retry_after_s=2.0)

    async def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        await self._enter()
        return self._engine.info()

    async def tokenize(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        await self._enter()
        return self._engine.tokenize(text, special=special)

    async def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Keep a prefix hot."""
        await self._enter()
        self._engine.prepare_prefix(tokens)

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply."""
        await self._enter()
        return self._engine.replay(request)

    async def generate(self, request: GenerationRequest) -> AsyncIterator[GenerationEvent]:
        """Yield the events of one generation, or of its beginning."""
        if len(request.seed) != 32 or request.prefix_tokens > len(request.context):
            raise InvariantError("the port: a seed of 32 bytes, a prefix within the context")
        await self._enter()
        if self.errors:
            raise self.errors.pop(0)
        crash = self.crashes.pop(0) if self.crashes else None
        self.requests.append(request)
        self.begun.set()
        self._queued += 1
        finished = False
        try:
            async with self._turn:
                for number, event in enumerate(self._engine.generate(request)):
                    await self._wait(crash_now=number == crash)
                    yield event
            finished = True
        except BotError:
            finished = True
            raise
        finally:
            self._queued -= 1
            self.cancelled += not finished

    async def _wait(self, *, crash_now: bool) -> None:
        await asyncio.sleep(0)
        if self.pause is not None:
            await self.pause.wait()
        if crash_now or self._closed:
            raise EngineCrashedError(CRASHED)

    async def close(self) -> None:
        """End; running requests fail."""
        self._closed = True
