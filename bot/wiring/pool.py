"""Engines of several models: started when they are needed, ended when others need the room.

The one that was used least recently goes, and never while it has running requests. Whoever waits
for room is not overtaken for ever: the engine that has to go takes no new requests meanwhile.
Nobody makes room for a model that can't start: its file is checked before, and it pauses after.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bot.domain.errors import ConfigurationError, EngineCrashedError, EngineOverloadedError
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
from bot.wiring.pool_model import Check, Load, Pauses, PoolLimits, PoolModel, Told, tell_nobody

T = TypeVar("T")
PATIENCE_S = 600.0
MIB = 2**20
ENDING = "The engine is shutting down."
BUSY = "Other twins are talking, and there is no room for this one's model yet: please try again."


@dataclass(slots=True)
class _Loaded:
    """A running engine; `users` requests run on it, and `idle` is set while there is none."""

    model: PoolModel
    stack: AsyncExitStack
    engine: InferenceEngine
    info: ModelInfo
    users: int = 0
    leaving: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class EnginePool:
    """Owns the engines; `_loaded`, coldest first, belongs to the event loop.

    `_roomiest` is the most memory that was ever free for one model alone, as far as is known.
    """

    def __init__(
        self,
        *,
        load: Load,
        check: Check,
        limits: PoolLimits,
        told: Told = tell_nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._check = check
        self._limits = limits
        self._told = told
        self._loaded: OrderedDict[bytes, _Loaded] = OrderedDict()
        self._pauses = Pauses(clock)
        self._roomiest = 0
        self._turn = asyncio.Lock()
        self._closing = asyncio.Event()

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
            EngineCrashedError: it can't be started, or could not a moment ago, or the service is
                ending.
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
        Each is asked, even if another one fails.
        """
        loaded = [one.engine for one in self._loaded.values()]
        if not loaded:
            async with self.using(otherwise) as one:
                await one.engine.forget(conversation)
        asked = (engine.forget(conversation) for engine in loaded)
        for failure in await asyncio.gather(*asked, return_exceptions=True):
            if failure is not None:
                raise failure

    async def close(self) -> None:
        """End every engine; what runs on them fails, and so does whoever waits for room."""
        self._closing.set()
        async with self._turn:
            while self._loaded:
                _, loaded = self._loaded.popitem()
                await loaded.stack.aclose()

    async def _wait(self, model: PoolModel, patience_s: float) -> _Loaded:
        """Load a model in the order of asking."""
        self._pauses.refuse(model)
        try:
            async with asyncio.timeout(patience_s), self._turn:
                self._pauses.refuse(model)  # whoever was before may have found out
                return await self._start(model)
        except TimeoutError as error:
            raise EngineOverloadedError(BUSY, retry_after_s=10.0) from error

    async def _start(self, model: PoolModel) -> _Loaded:
        """Load a model, or have it pause; the caller holds the turn."""
        try:
            return await self._ensure(model)
        except (ConfigurationError, EngineCrashedError) as error:
            if self._closing.is_set():
                raise EngineCrashedError(ENDING) from error
            self._told("model.unusable", model, str(error))
            self._pauses.begin(model)
            self._pauses.refuse(model)
            raise

    async def _ensure(self, model: PoolModel) -> _Loaded:
        """Return a loaded model that stays; the caller holds the turn."""
        if self._closing.is_set():
            raise EngineCrashedError(ENDING)
        loaded = self._loaded.get(model.gguf)
        if loaded is not None:
            return loaded
        await self._unless_closing(self._check(model))
        self._check_size(model)
        while self._loaded and not self._has_room(model):
            await self._end_coldest()
        stack = AsyncExitStack()
        try:
            starting = stack.enter_async_context(self._load(model))
            engine = await self._unless_closing(starting)
            info = replace(await engine.info(), template=model.template)
        except BaseException:
            await stack.aclose()
            raise
        loaded = _Loaded(model, stack, engine, info)
        loaded.idle.set()
        self._loaded[model.gguf] = loaded
        self._roomiest = max(self._roomiest, model.needed_bytes)  # whatever was estimated
        self._told("model.loaded", model, f"{len(self._loaded)} loaded")
        return loaded

    def _has_room(self, model: PoolModel) -> bool:
        if len(self._loaded) >= self._limits.most:
            return False
        free = self._limits.free_bytes()
        mapped = sum(one.model.weights_bytes for one in self._loaded.values())
        return free is None or free - mapped >= model.needed_bytes + self._limits.spare_bytes

    def _check_size(self, model: PoolModel) -> None:
        """Refuse a model for which all others together would leave in vain.

        Where no other is loaded it is tried: its engine itself knows best what it needs.
        """
        free = self._limits.free_bytes()
        if free is None:
            return
        others = [one.model for one in self._loaded.values()]
        back = sum(one.needed_bytes - one.weights_bytes for one in others)
        self._roomiest = max(self._roomiest, free + back)
        if others and model.needed_bytes > self._roomiest:
            raise ConfigurationError(
                f"The model {model.name} needs about {model.needed_bytes // MIB} MiB of memory, "
                f"and no more than {self._roomiest // MIB} MiB are free even without any other: "
                "choose a smaller one, or free some."
            )

    async def _end_coldest(self) -> None:
        """End the engine that was used least recently, as soon as nothing runs on it."""
        idle = (gguf for gguf, one in self._loaded.items() if not one.users)
        gguf = next(idle, next(iter(self._loaded)))
        loaded = self._loaded[gguf]
        loaded.leaving = True
        try:
            await self._unless_closing(loaded.idle.wait())
        except BaseException:
            loaded.leaving = False
            raise
        del self._loaded[gguf]
        await loaded.stack.aclose()

    async def _unless_closing(self, wanted: Coroutine[object, object, T]) -> T:
        """Wait for something; it is cancelled when the pool is closed."""
        tasks = asyncio.create_task(wanted), asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not tasks[0].done():
                raise EngineCrashedError(ENDING)
            return tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


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
