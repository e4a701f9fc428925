"""One line that shows how far a long step has come. Standard library only."""

import sys
import time

WIDTH = 30


class ProgressBar:
    """Draws on standard error; where nobody watches, only the end is written."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._started = time.monotonic()
        self._watched = sys.stderr.isatty()
        self._last = ""

    def show(self, done: int, total: int) -> None:
        """Draw that `done` of `total` are done."""
        elapsed = time.monotonic() - self._started
        filled = WIDTH * min(done, total) // max(total, 1)
        bar = "#" * filled + "." * (WIDTH - filled)
        self._last = f"  [{bar}] {done}/{total} {self._unit}, {elapsed:.0f} s"
        if self._watched:
            sys.stderr.write(f"\r{self._last}")
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the line as it is and go on below it."""
        if self._last:
            sys.stderr.write("\n" if self._watched else f"{self._last}\n")


def say(text: str) -> None:
    """Write one line for the person who waits."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
