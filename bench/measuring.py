"""What every part of the engine's bench needs: figures with targets, prompts, rounds."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from scripts.progress_bar import ProgressBar, say

FIRST_PLAIN, LAST_SPECIALS = 256, 2  # ids of bytes come first, those of control tokens last


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Attributes:
        name: what was measured, and on what.
        target: what it has to reach; None where it is only told.
        most: whether the target is the most that it may be, or else the least.
        note: how it came about, where the name is not enough.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    most: bool = True
    note: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether it reaches its target; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.most else self.value >= self.target

    def as_json(self) -> dict[str, Any]:
        """Return it as the other benches print theirs."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "target": self.target,
            "ok": self.ok,
            "note": self.note,
        }

    def line(self) -> str:
        """Return it as a line for a person."""
        verdict = {None: "", True: "ok", False: "NOT REACHED"}[self.ok]
        bound = "" if self.target is None else f"{'<=' if self.most else '>='} {self.target:g}"
        value = f"{self.value:,.4g}" if abs(self.value) < 1000 else f"{self.value:,.0f}"
        return f"{self.name:<76} {value:>8} {self.unit:<14} {bound:>8} {verdict:<11} {self.note}"


@dataclass(slots=True)
class Rounds:
    """Values of interleaved rounds, by what they are of."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Add a round's value."""
        self.values.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        """Return the median over the rounds."""
        return median(self.values[name])

    def spread(self, name: str) -> str:
        """Return what the rounds lie between, as text."""
        low, high = min(self.values[name]), max(self.values[name])
        return f"{low:.3g} to {high:.3g}"

    def best(self, names: Sequence[str], choose: Callable[..., str]) -> str:
        """Return the name with the smallest (`min`) or largest (`max`) median."""
        return choose(names, key=self.median)


def count_rounds(title: str, rounds: int) -> Iterator[int]:
    """Yield the rounds' numbers, showing how far it is."""
    say(title)
    bar = ProgressBar("rounds")
    for number in range(rounds):
        yield number
        bar.show(number + 1, rounds)
    bar.end()


class Prompts:
    """Ever new token ids, the same in every run."""

    def __init__(self, vocabulary: int, seed: int = 1) -> None:
        self._rng = np.random.default_rng(seed)
        self._last = vocabulary - LAST_SPECIALS

    def tokens(self, count: int) -> tuple[int, ...]:
        """Return `count` ids of plain tokens."""
        return tuple(self._rng.integers(FIRST_PLAIN, self._last, count).tolist())


def rotated(sides: Sequence[Any], number: int) -> list[Any]:
    """Return the sides in another order each round, so that none always comes first."""
    first = number % len(sides)
    return [*sides[first:], *sides[:first]]


def tell(figure: Figure) -> Figure:
    """Show a figure at once; long runs are watched."""
    sys.stderr.write(f"  {figure.line()}\n")
    return figure
