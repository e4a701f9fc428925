"""Whether an epoch is due that has not begun yet.

The clock asks for one at its moments. Where it can't begin then, because the one before is not
final or the chain is away, it stays due and begins as soon as it can; at most one is owed, however
many moments have passed. After a restart the newest epoch's beginning says whether one is.
"""

from datetime import datetime

import structlog

from bot.domain.settlement import Epoch
from bot.ports.clock import Clock
from bot.ports.settlement import EpochStore

_log = structlog.get_logger()


class DueEpoch:
    """The publisher's memory of it; owned by the tick that runs."""

    def __init__(self, *, store: EpochStore, clock: Clock | None) -> None:
        self._store = store
        self._clock = clock
        self._since: int | None = None
        self._doubted = 0

    @property
    def is_due(self) -> bool:
        """Whether one may be planned as soon as none is open."""
        return self._since is not None

    def ask(self) -> None:
        """Take note of a moment of the clock's, or of somebody's wish."""
        self._since = now_of(self._clock)

    def drop(self) -> None:
        """Leave it to the clock's next moment."""
        self._since = None

    async def catch_up(self, beginning: datetime, every_s: float) -> None:
        """Ask where no epoch has begun since the clock's newest moment.

        Args:
            beginning: the clock's first moment.
            every_s: from one to the next.
        """
        if self._clock is None:
            return
        passed = (self._clock.now() - beginning).total_seconds()
        moment = int(beginning.timestamp() + passed // every_s * every_s)
        newest = await self._newest()
        if newest is None or self._is_ahead(newest) or newest.begun_at < moment:
            self.ask()

    async def begin_tick(self) -> int:
        """Return the newest epoch's number; one that another process has begun is not owed."""
        newest = await self._newest()
        if newest is None:
            return 0
        is_newer = self._since is not None and newest.begun_at > self._since
        if is_newer and not self._is_ahead(newest):
            self.drop()
        return newest.number

    async def note_begun(self, number: int) -> None:
        """Owe nothing more where there is an epoch above that number."""
        if self._since is not None:
            newest = await self._newest()
            if newest is not None and newest.number > number:
                self.drop()

    def _is_ahead(self, newest: Epoch) -> bool:
        """Whether an epoch began under a clock that was ahead: when it really did is unknown."""
        now = now_of(self._clock)
        if self._clock is None or newest.begun_at <= now:
            return False
        if newest.number != self._doubted:
            self._doubted = newest.number
            _log.warning(
                "settlement.clock_was_ahead",
                epoch=newest.number,
                ahead_s=newest.begun_at - now,
                reason=(
                    "this epoch began in the future of the clock of this machine: one of the two "
                    "was wrong. The next epoch does not wait for that time; see to the clock"
                ),
            )
        return True

    async def _newest(self) -> Epoch | None:
        return await self._store.open_epoch() or await self._store.last_final()


def now_of(clock: Clock | None) -> int:
    """Return the present in seconds since 1970; 0 where nothing goes by a clock."""
    return 0 if clock is None else int(clock.now().timestamp())
