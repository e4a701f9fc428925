"""Whether a process that keeps dying may be started again, and when."""

from collections import deque
from collections.abc import Callable

WITHIN_S = 60.0
DEATHS = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0


class Backoff:
    """Counts deaths; after several within a minute, pauses that double until one start lasts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._pause_s = FIRST_PAUSE_S
        self._until = float("-inf")

    def died(self) -> None:
        """Note a death or a start that failed."""
        now = self._clock()
        if self._deaths and now - self._deaths[-1] > max(WITHIN_S, 2 * self._pause_s):
            self._pause_s = FIRST_PAUSE_S  # the last start lasted
        self._deaths.append(now)
        repeated = len(self._deaths) == DEATHS and now - self._deaths[0] <= WITHIN_S
        if repeated or self._pause_s > FIRST_PAUSE_S:
            self._until = now + self._pause_s
            self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)

    @property
    def pause_s(self) -> float:
        """How long to wait before the next start; 0 if it may be now."""
        return max(0.0, self._until - self._clock())

    @property
    def deaths(self) -> int:
        """How many deaths there were within a minute."""
        return sum(self._clock() - one <= WITHIN_S for one in self._deaths)
