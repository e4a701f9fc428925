"""The engine process as the service sees it: start, ask, cancel, notice its death, start again."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

from adapters.llama import wire
from bot.domain import errors
from bot.ports.inference import (
    Generated,
    GenerationEvent,
    GenerationRequest,
    InferenceEngine,
    ModelInfo,
    ReplayOutcome,
    ReplayRequest,
    TextDelta,
)

MAX_QUEUED = 32
LINE_LIMIT_BYTES = 4 * 1024 * 1024
CLOSE_TIMEOUT_S = 5.0
_KINDS = {
    kind.__name__: kind
    for kind in (
        errors.ConfigurationError,
        errors.MessageTooLongError,
        errors.EngineCrashedError,
    )
}


class EngineProcess(InferenceEngine):
    """Owns one engine process at a time and restarts it on the next request after a death.

    `_waiting` maps a request's number to the queue of its events; it is owned by the event loop.
    """

    def __init__(self, *, command: Sequence[str], max_queued: int = MAX_QUEUED) -> None:
        self._command = tuple(command)
        self._max_queued = max_queued
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[wire.Message]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._prefixes: dict[tuple[int, ...], None] = {}
        self._closed = False

    async def start(self) -> None:
        """Start the process and wait until its model is loaded.

        Raises:
            ConfigurationError: the model can't be used.
            EngineCrashedError: the process ended before it was ready.
        """
        async with self._starting:
            if self._closed:
                raise errors.EngineCrashedError("The engine is shutting down.")
            if self._process is not None and self._process.returncode is None:
                return
            if self._reader is not None:
                await self._reader  # it fails the old process's requests before new ones come
            environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_LIMIT_BYTES,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches the service, which drains and closes us
            )
            assert process.stdout is not None  # noqa: S101 - PIPE was asked for
            await _wait_until_ready(process, process.stdout)
            self._process = process
            self._reader = asyncio.create_task(self._read(process))
        for tokens in tuple(self._prefixes):
            await self.prepare_prefix(tokens)

    async def info(self) -> ModelInfo:
        """Return what the loaded model says of itself."""
        return wire.parse_info(await self._ask("info"))

    async def tokenize(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        return tuple(await self._ask("tokenize", text=text, special=special))

    async def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Prefill a persona prefix and keep it hot, also in a process started later."""
        await self._ask("prepare", tokens=tokens)
        self._prefixes[tokens] = None

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply and compare it token by token."""
        return wire.parse_outcome(await self._ask("replay", request=wire.encode_replay(request)))

    async def generate(
        self, request: GenerationRequest, halt: asyncio.Event | None = None
    ) -> AsyncIterator[GenerationEvent]:
        """Yield text as it becomes safe to show, then one `Generated`."""
        if halt is not None and halt.is_set():
            yield Generated((), "", "halted")
            return
        number, events = await self._send("generate", request=wire.encode_request(request))
        halting = None if halt is None else asyncio.create_task(self._halt(number, halt))
        finished = False
        try:
            while not finished:
                message = await events.get()
                if message["event"] == "delta":
                    yield TextDelta(message["text"])
                    continue
                finished = True
                if message["event"] == "error":
                    raise _error_of(message)
                yield wire.parse_generated(message["value"])
        finally:
            self._waiting.pop(number, None)
            if halting is not None:
                halting.cancel()
            if not finished:
                self._write({"id": number, "op": "cancel"})

    async def _halt(self, number: int, halt: asyncio.Event) -> None:
        await halt.wait()
        self._write({"id": number, "op": "halt"})

    async def close(self) -> None:
        """Stop the process; running requests fail with EngineCrashedError."""
        self._closed = True
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
            message = await events.get()
        finally:
            self._waiting.pop(number, None)
        if message["event"] == "error":
            raise _error_of(message)
        return message["value"]

    async def _send(
        self, operation: str, **values: object
    ) -> tuple[int, asyncio.Queue[wire.Message]]:
        if len(self._waiting) >= self._max_queued:
            raise errors.EngineOverloadedError(
                "Too many fans are talking at once: please try again in a moment.",
                retry_after_s=2.0,
            )
        if self._process is None or self._process.returncode is not None:
            await self.start()
        number = next(self._numbers)
        events: asyncio.Queue[wire.Message] = asyncio.Queue()
        self._waiting[number] = events
        self._write({"id": number, "op": operation, **values})
        return number, events

    def _write(self, message: wire.Message) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return
        process.stdin.write((json.dumps(message) + "\n").encode())

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand events to their requests; on the process's death fail whatever still runs."""
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        while line := await process.stdout.readline():
            message = json.loads(line)
            events = self._waiting.get(message["id"])
            if events is not None:
                events.put_nowait(message)
        await process.wait()
        for events in self._waiting.values():
            events.put_nowait({"event": "error", "kind": "EngineCrashedError", "text": CRASHED})


CRASHED = "The engine stopped in the middle of this reply; nothing was charged. Please try again."


async def _wait_until_ready(
    process: asyncio.subprocess.Process, output: asyncio.StreamReader
) -> None:
    """Return when the model is loaded; leave no process behind when it is not.

    Raises:
        ConfigurationError: the model can't be used.
        EngineCrashedError: the process ended, or said something else.
    """
    ready = False
    try:
        first = await output.readline()
        message = json.loads(first) if first.startswith(b"{") else None
        if message is None:
            raise errors.EngineCrashedError("The engine ended while it loaded the model.")
        if message["event"] == "error":
            raise _error_of(message)
        ready = True
    finally:
        if not ready:
            if process.returncode is None:
                process.kill()
            await process.wait()


def _error_of(message: wire.Message) -> errors.BotError:
    kind = _KINDS.get(message["kind"], errors.EngineCrashedError)
    return kind(message["text"])
