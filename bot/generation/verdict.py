"""What a replay says where bits may differ (docs/spec/formats.md section 11.2).

Without the exact profile on both machines, an honest replay differs from its receipt now and then,
by little. How often and by how much was counted for the model beforehand, for honest replies and
for each thing that could have been put in the place of what was promised. Every token of a replay
is then more likely under the one or the other; the logarithms of these ratios add up over the
tokens of a reply, and over replies (Wald's sequential test).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

Counts = tuple[tuple[int, ...], ...]
MOST_OF_A_TOKEN = 4.5
"""No token adds or takes more than this: none decides alone, however rare it was when counted."""


class Verdict(Enum):
    """What a replay shows."""

    EXACT = "exact"
    CONSISTENT = "consistent"
    INCONSISTENT = "inconsistent"
    UNDECIDED = "undecided"


class Observed(Protocol):
    """One replayed token: whether it is the same, and the shifts of `margins.Judged`."""

    @property
    def same(self) -> bool:
        """Whether the claimed token is what the model gives."""
        ...

    @property
    def margin(self) -> float:
        """Least shift of logits that makes the claimed token the choice."""
        ...

    @property
    def room(self) -> float:
        """Least shift of logits that makes another token the choice."""
        ...


@dataclass(frozen=True, slots=True)
class Other:
    """Something that could stand in the place of what was promised.

    Attributes:
        name: in words, such as `another prompt`.
        needed: whether a reply is consistent only if this is ruled out.
        counts: of replayed tokens, as in `Calibration`.
    """

    name: str
    needed: bool
    counts: Counts


@dataclass(frozen=True, slots=True)
class Measured:
    """What the test said of replies that were not counted: `replies` at a time, by verdict."""

    what: str
    replies: int
    consistent: int
    undecided: int
    inconsistent: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was counted for one model, and the errors that are put up with.

    Attributes:
        model: SHA-256 of the GGUF.
        noise: how honest differences were made, in words.
        false_alarm: chance that honest replies are called inconsistent, at most.
        miss: chance that something that is ruled out was there all the same, at most.
        rooms: upper ends of the classes of `room`; the last class is open.
        margins: upper ends of the classes of `margin`, after the class of tokens that are the same.
        honest: tokens counted by class of room (row) and of margin (column).
        others: what honest replies are told from.
        measured: rates that were measured with these counts on other replies.
    """

    model: bytes
    noise: str
    false_alarm: float
    miss: float
    rooms: tuple[float, ...]
    margins: tuple[float, ...]
    honest: Counts
    others: tuple[Other, ...]
    measured: tuple[Measured, ...] = ()

    def cell_of(self, token: Observed) -> tuple[int, int]:
        """Return the row and column in which a token is counted."""
        column = 0 if token.same else 1 + _class_of(token.margin, self.margins)
        return _class_of(token.room, self.rooms), column

    @property
    def alarm(self) -> float:
        """Sum from which on the replies are called inconsistent."""
        return math.log(len(self.others) / self.false_alarm)

    @property
    def ruled_out(self) -> float:
        """Sum down from which something else is ruled out."""
        return math.log(self.miss)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the tokens of some replies weigh together.

    Attributes:
        tokens: how many.
        differing: how many of them are not the same.
        sums: for each of the calibration's others, the logarithm of how much more likely the tokens
            are under it than if all was honest.
    """

    tokens: int
    differing: int
    sums: tuple[float, ...]

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(
            self.tokens + other.tokens,
            self.differing + other.differing,
            tuple(a + b for a, b in zip(self.sums, other.sums, strict=True)),
        )


def weigh(tokens: Iterable[Observed], calibration: Calibration) -> Evidence:
    """Return what replayed tokens weigh."""
    seen = [(calibration.cell_of(token), token.same) for token in tokens]
    return Evidence(
        tokens=len(seen),
        differing=sum(not same for _, same in seen),
        sums=tuple(
            math.fsum(_weight(cell, calibration.honest, other.counts) for cell, _ in seen)
            for other in calibration.others
        ),
    )


def decide(evidence: Evidence, calibration: Calibration) -> Verdict:
    """Return what the evidence says; never that a reply is exact."""
    if any(total >= calibration.alarm for total in evidence.sums):
        return Verdict.INCONSISTENT
    needed = [
        total
        for total, other in zip(evidence.sums, calibration.others, strict=True)
        if other.needed
    ]
    if needed and max(needed) <= calibration.ruled_out:
        return Verdict.CONSISTENT
    return Verdict.UNDECIDED


def excluded(evidence: Evidence, calibration: Calibration) -> tuple[str, ...]:
    """Return the names of what is ruled out."""
    return tuple(
        other.name
        for total, other in zip(evidence.sums, calibration.others, strict=True)
        if total <= calibration.ruled_out
    )


def suspected(evidence: Evidence, calibration: Calibration) -> str:
    """Return the name of what explains the tokens best beside an honest reply."""
    best = max(range(len(evidence.sums)), key=lambda n: evidence.sums[n])
    return calibration.others[best].name


def _weight(cell: tuple[int, int], honest: Counts, other: Counts) -> float:
    row, column = cell
    weight = _log_share(other[row], column) - _log_share(honest[row], column)
    return max(-MOST_OF_A_TOKEN, min(MOST_OF_A_TOKEN, weight))


def _log_share(row: Sequence[int], column: int) -> float:
    """Return the logarithm of a class's share, with half a token added to each class."""
    return math.log((row[column] + 0.5) / (sum(row) + 0.5 * len(row)))


def _class_of(value: float, ends: Sequence[float]) -> int:
    return sum(value > end for end in ends)
