"""Durable writes that fail on demand: the real SQLite store, told at which write to break and how.

A write is a transaction that has changed something when it comes to its commit. Writes are numbered
from 1; the transactions that only look are not counted.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import aiosqlite

from adapters.sqlite.database import Database
from bot.domain.errors import BotError, OutcomeUnknownError, StoreBusyError


class Fault(StrEnum):
    """What happens at the write."""

    LOST = "lost"
    UNKNOWN = "applied, outcome unknown"
    BUSY = "applied, reported busy"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"


class Killed(BaseException):
    """The process ends here; no `except Exception` sees it."""


@dataclass(slots=True)
class FaultPlan:
    """Which write fails, and what has been written.

    Attributes:
        at: number of the write that fails; 0 for none.
        step: what the caller is doing; labels the writes.
        writes: labels of the writes so far, failed ones too.
        fired: whether the fault has happened.
        dead: whether the process is gone; nothing can be written any more.
    """

    at: int = 0
    fault: Fault = Fault.LOST
    step: str = "start"
    writes: list[str] = field(default_factory=list)
    fired: bool = False
    dead: bool = False

    def before_commit(self) -> None:
        """Count a write that is about to be committed, and fail it if it is the one."""
        self.writes.append(self.step)
        self.fired = self.fired or len(self.writes) == self.at
        if len(self.writes) != self.at:
            return
        if self.fault is Fault.LOST:
            raise StoreBusyError("injected: this write is lost")
        if self.fault is Fault.KILLED_BEFORE:
            self.dead = True
            raise Killed

    def after_commit(self) -> None:
        """Fail a write that is on disk, if it is the one."""
        if len(self.writes) != self.at:
            return
        if self.fault is Fault.UNKNOWN:
            raise OutcomeUnknownError("injected: this write is on disk, its answer is lost")
        if self.fault is Fault.BUSY:
            raise StoreBusyError("injected: this write is on disk, and reported as refused")
        if self.fault is Fault.KILLED_AFTER:
            self.dead = True
            raise Killed


class FaultyDatabase(Database):
    """The real database; its transactions break as planned."""

    def __init__(self, database: Database, plan: FaultPlan) -> None:
        super().__init__(database._connection)
        self._plan = plan

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Run the block in a transaction that may fail at its commit."""
        if self._plan.dead:
            raise Killed
        async with super().transaction() as connection:
            before = connection.total_changes
            yield connection
            wrote = connection.total_changes != before
            if wrote:
                self._plan.before_commit()
        if wrote:
            self._plan.after_commit()


EXPECTED = (BotError, Killed)
"""What may come out of a step at which a fault was injected."""
