"""The engine in this process, over a fake model; dies when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from copy import copy
from dataclasses import dataclass, field

from bot.domain.errors import BotError, EngineCrashedError, EngineOverloadedError, InvariantError
from bot.inference.engine import Engine
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
)
from bot.ports.runner import Failed
from tests.fakes.model import FakeModel
from tests.fakes.states import MemoryStates

CRASHED = "The engine stopped in the middle of this reply; nothing was charged. Please try again."


@dataclass(slots=True)
class MemoryEngine(InferenceEngine):
    """Runs requests in order on the event loop, through the engine's own code.

    Attributes:
        crashes: for each coming generation, after how many events the process dies; None: it lives.
        errors: for each coming generation, an error to refuse it with.
        max_queued: bound of the queue.
        pause: waited for before each event; an unset event holds generations that nobody halts.
        begun: set when a generation begins.
        requests: generations that were begun.
        callers: for whom those were.
        cancelled: generations whose iterator was closed early.
        forgotten: conversations that were to be forgotten.
    """

    model: FakeModel = field(default_factory=FakeModel)
    crashes: list[int | None] = field(default_factory=list)
    errors: list[BotError] = field(default_factory=list)
    max_queued: int = 32
    pause: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[GenerationRequest] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)
    cancelled: int = 0
    forgotten: list[str] = field(default_factory=list)
    states: MemoryStates = field(default_factory=MemoryStates)
    _models: list[FakeModel] = field(default_factory=list)
    _closed: bool = False
    _line: list[asyncio.Event] = field(default_factory=list)

    @property
    def _engine(self) -> Engine:
        """One over an empty model and the same disk: runs never meet in a sequence."""
        model = copy(self.model)
        model.held, model._sources, model._targets = {}, set(), set()
        self._models.append(model)
        return Engine(model=model, states=self.states)

    @property
    def evaluated(self) -> int:
        """How many tokens were evaluated in all."""
        return sum(model.evaluated for model in self._models)

    async def _enter(self) -> None:
        await asyncio.sleep(0)  # a process is never asked and answered in one step
        if self._closed:
            raise EngineCrashedError("The engine is shutting down.")
        if len(self._line) >= self.max_queued:
            raise EngineOverloadedError("Too many fans are talking at once.", retry_after_s=2.0)

    async def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        await self._enter()
        return self.model.info()

    async def tokenize(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        await self._enter()
        return self.model.tokenize(text, special=special)

    async def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Keep a prefix on disk."""
        await self._enter()
        engine = self._engine
        engine.prepare(0, tokens)
        _drain(engine)

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply."""
        await self._enter()
        engine = self._engine
        engine.replay(0, request)
        outcome = _drain(engine)
        if not isinstance(outcome, ReplayOutcome):
            raise InvariantError("the port: a replay ends in its outcome")
        return outcome

    async def forget(self, conversation: str) -> None:
        """Destroy a conversation's state."""
        await self._enter()
        self.forgotten.append(conversation)
        self.states.forget(conversation)

    async def generate(
        self,
        request: GenerationRequest,
        halt: asyncio.Event | None = None,
        caller: Caller = ANYONE,
    ) -> AsyncIterator[GenerationEvent]:
        """Yield the events of one generation, or of its beginning."""
        if len(request.seed) != 32 or request.prefix_tokens > len(request.context):
            raise InvariantError("the port: a seed of 32 bytes, a prefix within the context")
        halt = halt or asyncio.Event()
        await self._enter()
        if self.errors:
            raise self.errors.pop(0)
        crash = self.crashes.pop(0) if self.crashes else None
        self.requests.append(request)
        self.callers.append(caller)
        self.begun.set()
        turn = asyncio.Event()
        self._line.append(turn)
        self._line[0].set()
        finished = False
        try:
            await _either(turn, halt)
            if not turn.is_set():
                finished = True
                yield Generated((), "", "halted")
                return
            for number, event in enumerate(self._engine.run(request, halt.is_set)):
                await self._wait(halt, crash_now=number == crash)
                finished = isinstance(event, Generated)
                yield event
        except BotError:
            finished = True
            raise
        finally:
            self._line.remove(turn)
            if self._line:
                self._line[0].set()
            self.cancelled += not finished

    async def _wait(self, halt: asyncio.Event, *, crash_now: bool) -> None:
        await asyncio.sleep(0)
        if self.pause is not None:
            await _either(self.pause, halt)
        if crash_now or self._closed:
            raise EngineCrashedError(CRASHED)

    async def close(self) -> None:
        """End; running requests fail."""
        self._closed = True


def _drain(engine: Engine) -> object:
    """Step until nothing is left to do; return the last event."""
    last: object = None
    while not engine.idle:
        for _, last in engine.step():
            if isinstance(last, Failed):
                raise last.error
    return last


async def _either(left: asyncio.Event, right: asyncio.Event) -> None:
    """Wait for one of two events."""
    if left.is_set() or right.is_set():
        return
    waiting = [asyncio.ensure_future(event.wait()) for event in (left, right)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
