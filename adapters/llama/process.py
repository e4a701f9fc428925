"""The engine process as the service sees it: start, ask, cancel, notice its death, start again."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from adapters.llama import wire
from adapters.llama.backoff import Backoff
from adapters.llama.mailbox import Mailbox
from adapters.llama.spawning import LastWords, Started, spawn
from adapters.llama.states import forget_files
from bot.domain import errors
from bot.ports.inference import (
    ANYONE,
    Caller,
    Generated,
    GenerationEvent,
    GenerationRequest,
    InferenceEngine,
    ModelInfo,
    Queued,
    ReplayOutcome,
    ReplayRequest,
    TextDelta,
)

MAX_IN_FLIGHT = 512
CLOSE_TIMEOUT_S = 5.0
LEAST_RETRY_S = 2.0
START_TIMEOUT_S = 900.0
CRASHED = "The engine stopped in the middle of this reply; nothing was charged. Please try again."

_log = structlog.get_logger("engine")


class EngineProcess(InferenceEngine):
    """Owns one engine process at a time and restarts it on the next request after a death.

    `_waiting` maps a request's number to its events; it is owned by the event loop. A process that
    keeps dying is left alone for a while: requests are refused until then.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        max_queued: int = MAX_IN_FLIGHT,
        states: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            command: what to start.
            max_queued: most requests at a time.
            states: the folder in which the process keeps states, if it does.
            clock: of seconds.
        """
        self._command = tuple(command)
        self._max_queued = max_queued
        self._states = states
        self._backoff = Backoff(clock)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Mailbox] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._spawning: asyncio.Task[Started] | None = None
        self._starting = asyncio.Lock()
        self._wait_s = LEAST_RETRY_S
        self._closed = False
        self.remark = ""

    async def start(self) -> None:
        """Start the process and wait until its model is loaded.

        Raises:
            ConfigurationError: the model can't be used.
            EngineCrashedError: the process ended before it was ready, or has died too often.
        """
        async with self._starting:
            if self._closed:
                raise errors.EngineCrashedError("The engine is shutting down.")
            if self._process is not None and self._process.returncode is None:
                return
            if self._reader is not None:
                await self._reader  # it fails the old process's requests before new ones come
            self._refuse_pause()
            try:
                process, words, self.remark = await self._spawn()
            except errors.BotError as error:
                self._backoff.died()
                if self._process is None or not isinstance(error, errors.ConfigurationError):
                    raise
                # It ran before: to a fan this is a crash, whatever the operator has to change.
                raise errors.EngineCrashedError(f"The engine can't start again: {error}") from error
            self._process = process
            self._reader = asyncio.create_task(self._read(process, words))

    async def _spawn(self) -> Started:
        """Start a process, unless that takes too long or the service ends meanwhile."""
        self._spawning = asyncio.create_task(spawn(self._command))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await self._spawning
        except asyncio.CancelledError:
            if not self._closed:
                raise
            raise errors.EngineCrashedError("The engine is shutting down.") from None
        except (OSError, ValueError, KeyError, TimeoutError) as error:
            raise errors.EngineCrashedError("The engine can't be started now.") from error
        finally:
            self._spawning.cancel()

    def _refuse_pause(self) -> None:
        pause = self._backoff.pause_s
        if pause > 0:
            raise errors.EngineCrashedError(
                "The engine has stopped several times in a row and pauses: "
                f"please try again in {max(1, round(pause))} seconds.",
                retry_after_s=pause,
            )

    async def info(self) -> ModelInfo:
        """Return what the loaded model says of itself."""
        return wire.parse_info(await self._ask("info"))

    async def tokenize(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        return tuple(await self._ask("tokenize", text=text, special=special))

    async def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Prefill a persona prefix, if that was never done; it is kept on disk."""
        await self._ask("prepare", tokens=tokens)

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply and compare it token by token."""
        return wire.parse_outcome(await self._ask("replay", request=wire.encode_replay(request)))

    async def forget(self, conversation: str) -> None:
        """Destroy what the engine keeps of a conversation; never refused for being busy.

        A process that is down has nothing in memory; what it left on disk goes without it.
        """
        if self._states is not None:
            await asyncio.to_thread(forget_files, self._states, conversation)
        if self._process is not None and self._process.returncode is None:
            await self._ask("forget", conversation=conversation)

    async def generate(
        self,
        request: GenerationRequest,
        halt: asyncio.Event | None = None,
        caller: Caller = ANYONE,
    ) -> AsyncIterator[GenerationEvent]:
        """Yield `Queued` while it waits, text as it becomes safe to show, then one `Generated`."""
        if halt is not None and halt.is_set():
            yield Generated((), "", "halted")
            return
        number, events = await self._send(
            "generate", request=wire.encode_request(request), caller=wire.encode_caller(caller)
        )
        halting = None if halt is None else asyncio.create_task(self._halt(number, halt))
        finished = False
        try:
            while not finished:
                message = await events.take()
                finished = message["event"] in ("done", "error")
                yield self._event_of(message)
        finally:
            self._waiting.pop(number, None)
            if halting is not None:
                halting.cancel()
            if not finished:
                self._write({"id": number, "op": "cancel"})

    def _event_of(self, message: wire.Message) -> GenerationEvent:
        match message["event"]:
            case "delta":
                return TextDelta(message["text"])
            case "queued":
                self._wait_s = max(LEAST_RETRY_S, message["wait_s"])
                return Queued(message["ahead"], message["wait_s"])
            case "error":
                raise wire.parse_error(message)
            case _:
                return wire.parse_generated(message["value"])

    async def _halt(self, number: int, halt: asyncio.Event) -> None:
        await halt.wait()
        self._write({"id": number, "op": "halt"})

    async def close(self) -> None:
        """Stop the process; running requests fail with EngineCrashedError."""
        self._closed = True
        if self._spawning is not None:
            self._spawning.cancel()
        async with self._starting:  # a process that is just starting has to end as well
            process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader

    async def _ask(self, operation: str, **values: object) -> Any:  # noqa: ANN401 - JSON
        number, events = await self._send(operation, **values)
        try:
            message = await events.take()
        except asyncio.CancelledError:
            self._write({"id": number, "op": "cancel"})
            raise
        finally:
            self._waiting.pop(number, None)
        if message["event"] == "error":
            raise wire.parse_error(message)
        return message["value"]

    async def _send(self, operation: str, **values: object) -> tuple[int, Mailbox]:
        if len(self._waiting) >= self._max_queued and operation != "forget":
            raise errors.EngineOverloadedError(
                "Too many fans are talking at once: please try again in "
                f"about {round(self._wait_s)} seconds.",
                retry_after_s=self._wait_s,
            )
        if self._process is None or self._process.returncode is not None:
            await self.start()
        number = next(self._numbers)
        events = self._waiting[number] = Mailbox()
        self._write({"id": number, "op": operation, **values})
        return number, events

    def _write(self, message: wire.Message) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        process.stdin.write(wire.encode_line(message))

    async def _read(self, process: asyncio.subprocess.Process, words: LastWords) -> None:
        """Hand events to their requests; on the process's death fail whatever still runs."""
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        try:
            while line := await process.stdout.readline():
                message = json.loads(line)
                events = self._waiting.get(message["id"])
                if events is not None:
                    events.put(message)
        except (ValueError, KeyError, TypeError):  # too long, or no event
            _log.error("engine said what can't be read")
            if process.returncode is None:
                process.kill()
        code = await process.wait()
        why = await words.text()
        for events in self._waiting.values():
            events.put({"event": "error", "kind": "EngineCrashedError", "text": CRASHED})
        if not self._closed:
            self._backoff.died()
            _log.error("engine died", code=code, why=why, failed=len(self._waiting))
