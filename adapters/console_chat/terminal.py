"""The lines of a terminal: prompted and edited where a person types, plain where a pipe feeds."""

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.patch_stdout import patch_stdout

READ_BYTES = 65_536


class _Pipe:
    """Lines of standard input, each read by a thread that may be left behind.

    A read of a pipe can't be cancelled: a thread of asyncio's own would be waited for when the
    program stops, and so would a lock of `sys.stdin`.
    """

    def __init__(self) -> None:
        self._unread = b""

    async def line(self) -> str:
        """Return the next line with its end; empty when there are no more."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()

        def settle(line: str) -> None:
            if not future.done():
                future.set_result(line)

        def work() -> None:
            line = self._read()
            with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits
                loop.call_soon_threadsafe(settle, line)

        threading.Thread(target=work, daemon=True).start()
        return await future

    def _read(self) -> str:
        try:
            descriptor = sys.stdin.fileno()
        except OSError:  # no file: something in memory stands in for it
            return sys.stdin.readline()
        while b"\n" not in self._unread:
            try:
                data = os.read(descriptor, READ_BYTES)
            except OSError:
                data = b""
            if not data:
                line, self._unread = self._unread, b""
                return line.decode(errors="replace")
            self._unread += data
        line, end, self._unread = self._unread.partition(b"\n")
        return (line + end).decode(errors="replace")


class Terminal:
    """Reads lines and writes text; `read` returns None at the end of input."""

    def __init__(self, completions: Sequence[str]) -> None:
        self._session: PromptSession[str] | None = None
        self._pipe = _Pipe()
        if sys.stdin.isatty() and sys.stdout.isatty():
            completer = WordCompleter(list(completions), sentence=True)
            self._session = PromptSession(completer=completer, complete_while_typing=True)

    async def read(self, prompt: str) -> str | None:
        """Return the next line without its end, or None when there are no more."""
        try:
            if self._session is not None:
                with patch_stdout(raw=True):
                    return await self._session.prompt_async(prompt)
            self.write(prompt)
            line = await self._pipe.line()
        except (EOFError, KeyboardInterrupt):
            return None
        return line.rstrip("\r\n") if line else None

    def write(self, text: str) -> None:
        """Write text at once, without a line's end."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.write(f"{text}\n")

    def dim(self, text: str) -> None:
        """Write one line that may be overlooked."""
        self.line(f"\x1b[2m{text}\x1b[0m" if sys.stdout.isatty() else text)

    def bold(self, text: str) -> None:
        """Write text that stands out, without a line's end."""
        self.write(f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text)
