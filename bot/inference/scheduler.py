"""Whose turn it is: who begins next, and which tokens are evaluated in the next step.

Admission takes turns over twins, then over fans of a twin, then prefers the shortest; a request
that too many later ones have overtaken comes first. A step evaluates the next token of every reply
that is being written, and fills new contexts with what is left of a small budget, so that running
replies never wait long for somebody's long context.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from bot.inference.request import Work

_Key = TypeVar("_Key", str, tuple[str, str])

OVERTAKEN_LIMIT = 8
SKIPPED_LIMIT = 4
TOLD_EVERY_S = 2.0
REMEMBERED_TURNS = 1024


@dataclass(slots=True)
class Waiting:
    """A request in the queue.

    Attributes:
        since: when it came, in seconds of the engine's clock.
        overtaken: how many that came later were admitted before it.
        told_at: when its caller last heard of the queue.
    """

    work: Work
    since: float
    overtaken: int = 0
    told_at: float | None = None

    def hears_now(self, now: float) -> bool:
        """Return whether it is time to tell its caller of the queue, and note that it was told."""
        due = self.told_at is None or now - self.told_at >= TOLD_EVERY_S
        self.told_at = now if due else self.told_at
        return due


@dataclass(slots=True)
class Running:
    """A request that has begun.

    Attributes:
        sequence: where its tokens are; changes when another request ends.
        filled: how many of its tokens are evaluated.
        skipped: steps in a row in which it got nothing.
    """

    work: Work
    sequence: int
    filled: int
    began: float
    skipped: int = 0

    @property
    def left(self) -> int:
        """How many tokens are still to be evaluated."""
        return len(self.work.tokens) - self.filled

    @property
    def done(self) -> bool:
        """Whether nothing more is to be evaluated."""
        return self.work.finished or self.left == 0


class Queue:
    """Requests that wait, at most `limit` of them; owned by the engine's loop."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[int, Waiting] = {}
        # The later in the order, the more recently it had its turn.
        self._twins: OrderedDict[str, int] = OrderedDict()
        self._fans: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._turn = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether no reply may be added; what nobody waits for does not count."""
        return sum(not one.work.background for one in self._waiting.values()) >= self._limit

    def add(self, work: Work, now: float) -> None:
        """Put a request at the end."""
        self._waiting[work.number] = Waiting(work, now)

    def remove(self, number: int) -> Waiting | None:
        """Take a request out, if it waits."""
        return self._waiting.pop(number, None)

    def find(self, number: int) -> Waiting | None:
        """Return a request, if it waits."""
        return self._waiting.get(number)

    def expired(self, now: float) -> list[Waiting]:
        """Take out and return the requests that have waited longer than their patience."""
        late = [
            one
            for one in self._waiting.values()
            if now - one.since > one.work.caller.patience_s and not one.work.background
        ]
        for one in late:
            del self._waiting[one.work.number]
        return late

    def order(self) -> list[Waiting]:
        """Return the requests in the order in which they would begin now."""
        return sorted(self._waiting.values(), key=self._key)

    def begin(self, chosen: Waiting) -> None:
        """Take out a request that begins; those before it in time were overtaken."""
        del self._waiting[chosen.work.number]
        for one in self._waiting.values():
            one.overtaken += one.work.number < chosen.work.number
        self._turn += 1
        caller = chosen.work.caller
        _remember(self._twins, caller.twin, self._turn)
        _remember(self._fans, (caller.twin, caller.fan), self._turn)

    def _key(self, one: Waiting) -> tuple[bool, bool, int, int, int, int]:
        caller = one.work.caller
        starving = one.overtaken >= OVERTAKEN_LIMIT
        if starving:
            return (False, False, 0, 0, 0, one.work.number)
        return (
            True,
            one.work.background,
            self._twins.get(caller.twin, 0),
            self._fans.get((caller.twin, caller.fan), 0),
            len(one.work.tokens),
            one.work.number,
        )


def _remember(turns: OrderedDict[_Key, int], key: _Key, turn: int) -> None:
    turns[key] = turn
    turns.move_to_end(key)
    while len(turns) > REMEMBERED_TURNS:
        turns.popitem(last=False)


def plan(running: Sequence[Running], *, batch: int, chunk: int) -> list[tuple[Running, int]]:
    """Decide how many tokens of which requests are evaluated in the next step.

    Args:
        running: in the order of their sequences.
        batch: most tokens of a step.
        chunk: budget for filling contexts while others wait for tokens.

    Returns:
        (request, count) pairs in the order of the sequences, each count at least 1.
    """
    shares = {id(one): 1 for one in running if one.left == 1}
    filling = sorted(
        (one for one in running if one.left > 1),
        key=lambda one: (one.skipped < SKIPPED_LIMIT, one.work.background, one.left),
    )
    room = batch - len(shares)
    budget = min(room, chunk) if shares or len(filling) > 1 else room
    for one in filling:
        count = min(one.left, budget)
        budget -= count
        one.skipped = 0 if count else one.skipped + 1
        if count:
            shares[id(one)] = count
    return [(one, shares[id(one)]) for one in running if id(one) in shares]
