"""Gives out what final epochs have published, and the twins' logs that they cover."""

import asyncio
from collections import OrderedDict

from bot.domain.settlement import Epoch, EpochState
from bot.domain.twin_log import ENTRY_BYTES
from bot.ports.recount import PublishedSettlement
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.publication import publication_of

MOST_KEPT = 16
"""So many logs and publications stay in memory; anybody may ask for them at any rate."""
MOST_KEPT_BYTES = 4 * 1024 * 1024


class PublishedEpochs(PublishedSettlement):
    """Made again from the book at each call that memory does not answer; final epochs alone.

    Memory is owned by the event loop. A publication never changes, and neither does a twin log
    below a size.
    """

    def __init__(self, *, store: EpochStore, earnings: EarningsReader) -> None:
        self._store = store
        self._earnings = earnings
        self._kept: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()

    async def publication(self, epoch: int | None) -> bytes | None:
        """Return what a final epoch has published, the newest one's without a number."""
        if epoch is not None and (kept := self._recall((b"", epoch))) is not None:
            return kept
        found = await self._newest() if epoch is None else await self._store.epoch(epoch)
        if found is None or found.state is not EpochState.FINAL:
            return None
        data = self._recall((b"", found.number))
        if data is None:
            data = await asyncio.to_thread(publication_of, found)
        return self._keep((b"", found.number), data)

    async def twin_log(self, twin: bytes, entries: int | None) -> bytes | None:
        """Return a twin log's first entries, as far as the newest final epoch covers them."""
        newest = await self._newest()
        if newest is None:
            return None
        size = newest.commitment.log_size
        data = self._recall((twin, size))
        if data is None:
            log = await self._earnings.twin_log(twin, size)
            data = self._keep((twin, size), await asyncio.to_thread(log.encode))
        if entries is None:
            return data or None
        return None if entries * ENTRY_BYTES > len(data) else data[: entries * ENTRY_BYTES]

    async def _newest(self) -> Epoch | None:
        """Return the newest final epoch; those of a lost book have nothing to publish."""
        found = await self._store.last_final()
        while found is not None and found.state is not EpochState.FINAL:
            found = await self._store.epoch(found.number - 1)
        return found

    def _recall(self, key: tuple[bytes, int]) -> bytes | None:
        data = self._kept.get(key)
        if data is not None:
            self._kept.move_to_end(key)
        return data

    def _keep(self, key: tuple[bytes, int], data: bytes) -> bytes:
        if len(data) <= MOST_KEPT_BYTES:
            self._kept[key] = data
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return data
