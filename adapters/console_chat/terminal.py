"""The lines of a terminal: prompted and edited where a person types, plain where a pipe feeds."""

import asyncio
import sys
from collections.abc import Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.patch_stdout import patch_stdout


class Terminal:
    """Reads lines and writes text; `read` returns None at the end of input."""

    def __init__(self, completions: Sequence[str]) -> None:
        self._session: PromptSession[str] | None = None
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
            line = await asyncio.to_thread(sys.stdin.readline)
        except (EOFError, KeyboardInterrupt):
            return None
        return line.rstrip("\n") if line else None

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
