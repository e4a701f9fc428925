"""What models answer under the portable build, on record: one line a model and library.

`MODEL_SHA256 LIBRARY INSTRUCTION_SET ANSWER`. The tree carries the line of its starter model; what
another model answered at its first start is noted in the engine's own folder, so that a later start
notices another processor, C library or compiler that computes differently.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from adapters.llama.library import ISA

PRIVATE = 0o600
_WORDS = 4


def answer_line(model: str, library: str, answer: bytes) -> str:
    """Return a record's line."""
    return f"{model.lower()} {_one_word(library)} {ISA} {answer.hex()}"


class AnswerBook:
    """The tree's record and the engine's own; damaged lines are passed over."""

    def __init__(self, shipped: Path, *, own: Path | None) -> None:
        """Name the files; neither has to be there.

        Args:
            shipped: read only.
            own: may be written; None to note nothing.
        """
        self._shipped = shipped
        self._own = own

    def find(self, model: str, library: str) -> bytes | None:
        """Return what a model answered before under this library; None if nobody noted it."""
        wanted = [model.lower(), _one_word(library), ISA]
        for *words, answer in self._lines():
            if words == wanted:
                with suppress(ValueError):
                    return bytes.fromhex(answer)
        return None

    def note(self, model: str, library: str, answer: bytes) -> None:
        """Remember an answer, unless there is one; a disk that is full is no reason to stop."""
        if self._own is None or not model or self.find(model, library) is not None:
            return
        line = answer_line(model, library, answer) + "\n"
        with suppress(OSError):
            self._own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._own, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)
            try:
                os.write(descriptor, line.encode("ascii"))
            finally:
                os.close(descriptor)

    def _lines(self) -> Iterator[list[str]]:
        for path in (self._shipped, self._own):
            with suppress(OSError, UnicodeDecodeError):
                lines = "" if path is None else path.read_text(encoding="ascii")
                for line in lines.splitlines():
                    words = line.split()
                    if len(words) == _WORDS:
                        yield words


def _one_word(library: str) -> str:
    return library.replace(" ", "==")
