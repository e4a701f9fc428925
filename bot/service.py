"""What runs beside the conversations: heads of the log, sweeps, and settlement by the clock.

Everything runs under one TaskGroup; leaving the context stops intake first, then these, in reverse
order of starting.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.domain.errors import TransientError
from bot.ports.stores import Store
from bot.receipts.log import CheckpointSigner
from bot.settlement.publish import EpochPublisher
from bot.twins.recovery import Recovery

CHECKPOINT_EVERY_S = 2.0
SWEEP_EVERY_S = 60
ADVANCE_EVERY_S = 15
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""Everything by the clock happens at whole intervals since then."""


_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    """Something that is done by the clock, once at a time; what it returns is not looked at."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]


class Service(AbstractAsyncContextManager["Service"]):
    """Signs heads every few seconds and lets the scheduler tick the settlement."""

    def __init__(
        self,
        *,
        store: Store,
        signer: CheckpointSigner,
        recovery: Recovery,
        settlement: EpochPublisher,
        epoch_seconds: float,
        chores: Sequence[Chore] = (),
    ) -> None:
        self._store = store
        self._signer = signer
        self._recovery = recovery
        self._settlement = settlement
        self._epoch_seconds = epoch_seconds
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        everything = (
            # At the same moments whenever the service was started: a daily epoch is due every day.
            Chore("settlement", epoch_seconds, self._settle),
            # What an epoch waits for, such as finality, comes much sooner than the next epoch.
            Chore("settlement.advance", min(ADVANCE_EVERY_S, epoch_seconds), self._advance),
            Chore("recovery", SWEEP_EVERY_S, self._recovery.run),
            *chores,
        )
        for chore in everything:
            # One at a time; a late one runs once, however many were missed.
            self._scheduler.add_job(
                self._do,
                "interval",
                args=(chore,),
                seconds=chore.every_s,
                start_date=BEGINNING,
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )
        self._under_way: set[asyncio.Task[None]] = set()
        self._tasks = asyncio.TaskGroup()
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        # Nobody settled at a moment at which this did not run: that epoch begins with the next
        # advance, in seconds, and not a whole interval later.
        await self._settlement.catch_up(BEGINNING, self._epoch_seconds)
        await self._tasks.__aenter__()
        self._tasks.create_task(self._sign_heads())
        self._scheduler.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scheduler.shutdown(wait=False)
        # The scheduler has cancelled what ran. It may be in the middle of a write: what is closed
        # next is in use until it has ended.
        if self._under_way:
            await asyncio.wait(self._under_way)
        self._stopping.set()
        if error is not None and not isinstance(error, asyncio.CancelledError):
            # The group would wrap it; the command line wants the error itself.
            kind = error = trace = None
        await self._tasks.__aexit__(kind, error, trace)

    async def sign_head(self) -> None:
        """Sign a head over what is in the log now."""
        await self._signer.publish(self._store)

    async def _sign_heads(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.sign_head()
            except TransientError as error:
                _log.warning("log.head_delayed", reason=str(error))
            try:
                async with asyncio.timeout(CHECKPOINT_EVERY_S):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _do(self, chore: Chore) -> None:
        """Do a chore; what fails is tried again the next time."""
        task = asyncio.current_task()
        if task is not None:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        try:
            await chore.run()
        except TransientError as error:
            _log.warning("chore.delayed", chore=chore.name, reason=str(error))

    async def _settle(self) -> None:
        await self.sign_head()
        await self._settlement.tick()

    async def _advance(self) -> None:
        """Take what was begun further; no new epoch begins before it is due.

        One that is due begins here where it could not at its moment: the one before was not final
        yet, or the chain did not answer.
        """
        if await self._settlement.is_under_way():
            await self._settlement.tick(begin=False)
