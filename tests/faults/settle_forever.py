"""A process that settles one epoch after another until it is killed; for test_chain_kills.py."""

import asyncio
import sys
from pathlib import Path

from bot.domain.restored import Restored, TwinBook
from bot.domain.settlement import Earnings, EarningsSnapshot, EpochSettlement
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.publish import EpochPublisher
from tests.fakes.settlement_rig import Rig, earnings_of


class GrowingEarnings(EarningsReader):
    """A book in which everybody earns once an epoch; the store's own count is its memory."""

    def __init__(self, store: EpochStore) -> None:
        self._store = store

    async def freeze(self) -> EarningsSnapshot:
        final = await self._store.last_final()
        turn = final.number + 1 if final else 1
        earnings = tuple(earnings_of(i, turn * 1_234_567, count=turn) for i in range(5))
        return EarningsSnapshot(earnings, turn, turn.to_bytes(32, "big"), turn)

    async def earned(self, twin: bytes) -> Earnings | None:
        raise NotImplementedError

    async def settle(self, settlement: EpochSettlement) -> None:
        """The store's final epochs are this book."""

    async def standing(self, log_size: int) -> tuple[TwinBook, ...]:
        raise NotImplementedError  # no book is lost here

    async def restore(self, restored: Restored) -> None:
        raise NotImplementedError


async def main(folder: Path) -> None:
    rig = await Rig.open(folder)
    publisher = EpochPublisher(
        chain=rig.chain, store=rig.store, earnings=GrowingEarnings(rig.store)
    )
    while True:
        await publisher.tick()
        print("settled", flush=True)  # noqa: T201 - the parent listens


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
