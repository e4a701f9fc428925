"""What runs beside the conversations: heads of the log, sweeps, and settlement by the clock.

Everything runs under one TaskGroup; leaving the context stops intake first, then these, in reverse
order of starting.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
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

_log = structlog.get_logger()


class Service(AbstractAsyncContextManager["Service"]):
    """Signs heads every few seconds and lets the scheduler tick the settlement."""

    def __init__(
        self,
        *,
        store: Store,
        signer: CheckpointSigner,
        recovery: Recovery,
        settlement: EpochPublisher,
        epoch_seconds: int,
    ) -> None:
        self._store = store
        self._signer = signer
        self._recovery = recovery
        self._settlement = settlement
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        # One settlement at a time; a late one runs once, however many were missed.
        self._scheduler.add_job(
            self._settle,
            "interval",
            seconds=epoch_seconds,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._scheduler.add_job(
            self._sweep, "interval", seconds=SWEEP_EVERY_S, max_instances=1, coalesce=True
        )
        self._tasks = asyncio.TaskGroup()
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
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

    async def _sweep(self) -> None:
        """End what an error has left open while the service went on."""
        try:
            await self._recovery.run()
        except TransientError as error:
            _log.warning("recovery.delayed", reason=str(error))

    async def _settle(self) -> None:
        await self.sign_head()
        await self._settlement.tick()
