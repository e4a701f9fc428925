"""Starts an engine process, waits until its model is loaded, and keeps its last words."""

import asyncio
import json
import os
from collections.abc import Sequence

from adapters.llama import wire
from bot.domain import errors

LINE_LIMIT_BYTES = 16 * 1024 * 1024
LAST_WORDS_BYTES, LAST_WORDS_LINES = 2048, 6
CHUNK_BYTES = 4096
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",
    "GGML_NO_BACKTRACE": "1",  # an aborting library would look for a debugger first
}


class LastWords:
    """The end of what a process prints: the library's assertion, or where our own code broke."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._tail = b""
        self._task = asyncio.create_task(self._follow(process.stderr))

    async def _follow(self, stream: asyncio.StreamReader | None) -> None:
        while stream is not None and (chunk := await stream.read(CHUNK_BYTES)):
            self._tail = (self._tail + chunk)[-LAST_WORDS_BYTES:]

    async def text(self) -> str:
        """Return the last lines, after the process has ended."""
        await self._task
        lines = self._tail.decode("utf-8", errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-LAST_WORDS_LINES:])


Started = tuple[asyncio.subprocess.Process, LastWords, str]


async def spawn(command: Sequence[str]) -> Started:
    """Start a process and return when its model is loaded; none is left behind when it is not.

    Returns:
        The process, its last words, and its remark on itself.

    Raises:
        ConfigurationError: the model can't be used.
        EngineCrashedError: the process ended, or said something else.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT_BYTES,
        env=os.environ | ENVIRONMENT,
        start_new_session=True,  # Ctrl-C reaches the service, which drains and closes us
    )
    assert process.stdout is not None  # noqa: S101 - PIPE was asked for
    words = LastWords(process)
    ready = False
    try:
        first = await process.stdout.readline()
        message = json.loads(first) if first.startswith(b"{") else None
        if message is None:
            raise errors.EngineCrashedError("The engine ended while it loaded the model.")
        if message["event"] == "error":
            raise wire.parse_error(message)
        ready = True
        return process, words, message.get("remark", "")
    finally:
        if not ready:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await words.text()
