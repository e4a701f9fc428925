"""Engines of several models: started when they are needed, ended when others need the room.

The one that was used least recently goes, and never while it has running requests. Whoever waits
for room is not overtaken for ever: the engine that has to go takes no new requests meanwhile.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace

from bot.domain.errors import ConfigurationError, EngineCrashedError, EngineOverloadedError
from bot.domain.model_record import TemplateIds
from bot.ports.inference import (
    ANYONE,
    Caller,
    GenerationEvent,
    GenerationRequest,
    InferenceEngine,
    ModelInfo,
    ReplayOutcome,
    ReplayRequest,
)

PATIENCE_S = 600.0
NOT_STARTED = (
    "The model of this twin can't be started now; nothing was charged. Please try again later."
)
BUSY = "Other twins are talking, and there is no room for this one's model yet: please try again."


@dataclass(frozen=True, slots=True)
class PoolModel:
    """A model that may be loaded.

    Attributes:
        gguf: SHA-256 of its file, 32 bytes.
        name: for the operator's log.
        needed_bytes: memory that it takes, estimated.
        template: compiled.
    """

    gguf: bytes
    name: str
    needed_bytes: int
    template: TemplateIds


Load = Callable[[PoolModel], AbstractAsyncContextManager[InferenceEngine]]
"""Starts a model's engine, which ends with the block."""


Told = Callable[[str, PoolModel, str], None]
"""Told of what happens to engines: an event's name, the model, and why."""


def tell_nobody(_event: str, _model: PoolModel, _reason: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How much may be loaded at a time.

    Attributes:
        most: so many models.
        spare_bytes: memory that stays free for everything else.
        free_bytes: tells how much is free now; None where that is not known.
    """

    most: int
    spare_bytes: int
    free_bytes: Callable[[], int | None]


@dataclass(slots=True)
class _Loaded:
    """A running engine; `users` requests run on it, and `idle` is set while there is none."""

    stack: AsyncExitStack
    engine: InferenceEngine
    info: ModelInfo
    users: int = 0
    leaving: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class EnginePool:
    """Owns the engines; `_loaded`, coldest first, belongs to the event loop."""

    def __init__(self, *, load: Load, limits: PoolLimits, told: Told = tell_nobody) -> None:
        self._load = load
        self._limits = limits
        self._told = told
        self._loaded: OrderedDict[bytes, _Loaded] = OrderedDict()
        self._turn = asyncio.Lock()
        self._closed = False

    def engine_of(self, model: PoolModel) -> "PooledEngine":
        """Return the engine of a model; nothing is started yet."""
        return PooledEngine(self, model)

    @property
    def loaded(self) -> tuple[bytes, ...]:
        """SHA-256 of the models that are loaded, the coldest first."""
        return tuple(self._loaded)

    async def load(self, model: PoolModel) -> ModelInfo:
        """Have a model loaded, and return what it says of itself.

        Raises:
            ConfigurationError: it can't be.
        """
        async with self._turn:
            return (await self._ensure(model)).info

    @asynccontextmanager
    async def using(
        self, model: PoolModel, patience_s: float = PATIENCE_S
    ) -> AsyncIterator[_Loaded]:
        """Hold a model loaded while the block runs.

        Raises:
            EngineOverloadedError: there was no room for it in time.
            EngineCrashedError: it can't be started, or the service is ending.
        """
        loaded = self._loaded.get(model.gguf)
        if loaded is None or loaded.leaving:
            loaded = await self._wait(model, patience_s)
        loaded.users += 1  # nothing was awaited since it was found or made
        loaded.idle.clear()
        self._loaded.move_to_end(model.gguf)
        try:
            yield loaded
        finally:
            loaded.users -= 1
            if loaded.users == 0:
                loaded.idle.set()

    async def forget(self, conversation: str, otherwise: PoolModel) -> None:
        """Destroy what is kept of a conversation, in every process and on disk.

        One engine is enough for the disk, whichever model the state is of (adapters/llama/states).
        """
        loaded = [one.engine for one in self._loaded.values()]
        if not loaded:
            async with self.using(otherwise) as one:
                await one.engine.forget(conversation)
        for engine in loaded:
            await engine.forget(conversation)

    async def close(self) -> None:
        """End every engine; what runs on them fails."""
        self._closed = True
        async with self._turn:
            while self._loaded:
                _, loaded = self._loaded.popitem()
                await loaded.stack.aclose()

    async def _wait(self, model: PoolModel, patience_s: float) -> _Loaded:
        """Load a model in the order of asking."""
        try:
            async with asyncio.timeout(patience_s):
                await self._turn.acquire()
                try:
                    return await self._ensure(model)
                finally:
                    self._turn.release()
        except TimeoutError as error:
            raise EngineOverloadedError(BUSY, retry_after_s=10.0) from error
        except ConfigurationError as error:
            self._told("model.unusable", model, str(error))
            raise EngineCrashedError(NOT_STARTED) from error

    async def _ensure(self, model: PoolModel) -> _Loaded:
        """Return a loaded model that stays; the caller holds the turn."""
        if self._closed:
            raise EngineCrashedError("The engine is shutting down.")
        loaded = self._loaded.get(model.gguf)
        if loaded is not None:
            return loaded
        while self._loaded and not self._has_room(model):
            await self._end_coldest()
        stack = AsyncExitStack()
        try:
            engine = await stack.enter_async_context(self._load(model))
            info = replace(await engine.info(), template=model.template)
        except BaseException:
            await stack.aclose()
            raise
        loaded = _Loaded(stack, engine, info)
        loaded.idle.set()
        self._loaded[model.gguf] = loaded
        self._told("model.loaded", model, f"{len(self._loaded)} loaded")
        return loaded

    def _has_room(self, model: PoolModel) -> bool:
        if len(self._loaded) >= self._limits.most:
            return False
        free = self._limits.free_bytes()
        return free is None or free >= model.needed_bytes + self._limits.spare_bytes

    async def _end_coldest(self) -> None:
        """End the engine that was used least recently, as soon as nothing runs on it."""
        idle = (gguf for gguf, one in self._loaded.items() if not one.users)
        gguf = next(idle, next(iter(self._loaded)))
        loaded = self._loaded[gguf]
        loaded.leaving = True
        try:
            await loaded.idle.wait()
        except BaseException:
            loaded.leaving = False
            raise
        del self._loaded[gguf]
        await loaded.stack.aclose()


class PooledEngine(InferenceEngine):
    """One model's engine, whether it is loaded at the moment or not."""

    def __init__(self, pool: EnginePool, model: PoolModel) -> None:
        self._pool = pool
        self._model = model

    async def info(self) -> ModelInfo:
        """Return what the loaded model says of itself, with its template."""
        async with self._pool.using(self._model) as loaded:
            return loaded.info

    async def tokenize(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        async with self._pool.using(self._model) as loaded:
            return await loaded.engine.tokenize(text, special=special)

    async def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Prefill a persona prefix, if that was never done, and keep it on disk."""
        async with self._pool.using(self._model) as loaded:
            await loaded.engine.prepare_prefix(tokens)

    async def generate(
        self,
        request: GenerationRequest,
        halt: asyncio.Event | None = None,
        caller: Caller = ANYONE,
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Yield the events of one generation; the model stays loaded until its last one."""
        async with (
            self._pool.using(self._model, caller.patience_s) as loaded,
            aclosing(_closable(loaded.engine.generate(request, halt, caller))) as events,
        ):
            async for event in events:
                yield event

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply and compare it token by token."""
        async with self._pool.using(self._model) as loaded:
            return await loaded.engine.replay(request)

    async def forget(self, conversation: str) -> None:
        """Destroy what is kept of a conversation, whichever model it was with."""
        await self._pool.forget(conversation, self._model)

    async def close(self) -> None:
        """Do nothing: the pool ends its engines."""


async def _closable(
    events: AsyncIterator[GenerationEvent],
) -> AsyncGenerator[GenerationEvent, None]:
    """Close what is iterated together with the iteration."""
    try:
        async for event in events:
            yield event
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
