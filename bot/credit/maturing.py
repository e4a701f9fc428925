"""Held fees become payable when no platform can take them back any more.

Each is one ledger transaction under a key of its own, so that running again, or twice at once,
changes nothing. Killed in between, the next run goes on.
"""

from datetime import timedelta

import structlog

from bot.credit.rates import RateBook
from bot.ledger.fees import plan_mature
from bot.ports.clock import Clock
from bot.ports.stores import Store
from bot.twins.charging import DAY_SLOTS, slot_of

BATCH = 200

_log = structlog.get_logger()


class MatureFees:
    """The use case; run by the clock."""

    def __init__(self, *, store: Store, rates: RateBook, clock: Clock) -> None:
        self._store = store
        self._rates = rates
        self._clock = clock

    async def run(self) -> int:
        """Make payable what is due, and forget counters that count no more; return how many."""
        now = self._clock.now()
        async with self._store.reading() as tx:
            tables = await tx.held_tables()
        matured = 0
        for table in tables:
            until = now - timedelta(hours=self._rates.held_hours(table))
            while True:
                async with self._store.transaction() as tx:
                    due = await tx.held_until(table, until, BATCH)
                    for fee in due:
                        await tx.post(plan_mature(fee.intent, fee.twin, fee.creator_nano))
                        await tx.end_held(fee.intent)
                matured += len(due)
                if len(due) < BATCH:
                    break
        async with self._store.transaction() as tx:
            await tx.clear_uses(slot_of(now) - DAY_SLOTS - 1)
        if matured:
            _log.info("credit.matured", fees=matured)
        return matured
