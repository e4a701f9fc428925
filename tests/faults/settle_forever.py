"""Settles one epoch after another in a process that is killed with SIGKILL at random moments.

`python -m tests.faults.settle_forever FOLDER --kills 1000 --seed 7` is the soak: it kills, starts
again, and at the end says what was lost or done twice. The tests run twenty kills of it.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

from bot.domain.restored import Restored, TwinBook
from bot.domain.settlement import Earnings, EarningsSnapshot, EpochSettlement
from bot.domain.transactions import Purpose, Signer, TransactionState
from bot.domain.twin_log import TwinLog
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.publish import EpochPublisher
from tests.fakes.settlement_rig import Rig, earnings_of

LONGEST_S = 0.8
"""An epoch of five twins takes less; so some kills meet the opening, and some a later epoch."""


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

    async def twin_log(self, twin: bytes, log_size: int) -> TwinLog:
        raise NotImplementedError

    async def settle(self, settlement: EpochSettlement) -> None:
        """The store's final epochs are this book."""

    async def standing(self, log_size: int) -> tuple[TwinBook, ...]:
        raise NotImplementedError  # no book is lost here

    async def restore(self, restored: Restored) -> None:
        raise NotImplementedError


async def settle_forever(folder: Path) -> None:
    """Settle until somebody ends the process."""
    rig = await Rig.open(folder)
    publisher = EpochPublisher(
        chain=rig.chain, store=rig.store, earnings=GrowingEarnings(rig.store)
    )
    while True:
        await publisher.tick()


async def find_faults(folder: Path) -> tuple[int, list[str]]:
    """Finish what was begun; return how many epochs there are, and what is lost or was doubled."""
    rig = await Rig.open(folder)
    try:
        publisher = EpochPublisher(
            chain=rig.chain, store=rig.store, earnings=GrowingEarnings(rig.store)
        )
        status = await publisher.tick()
        final, state = await rig.store.last_final(), await rig.chain.contract()
        faults = [] if status.reason == "" else [f"it does not come to rest: {status.reason}"]
        if final is None or state.commitment != final.commitment:
            return 0, [*faults, "the contract holds something else than the book"]
        if await rig.chain.nonce(Signer.SETTLER) != final.number:
            faults.append("the settler has sent more transactions than there are epochs")
        if state.claimed_total != state.commitment.fee_total:
            faults.append(f"{state.claimed_total} of {state.commitment.fee_total} units are paid")
        for number in range(1, final.number + 1):
            commits = await rig.store.transactions(Purpose.COMMIT, number)
            found = [(c.state, c.signed.nonce, len(c.attempts)) for c in commits]
            if found != [(TransactionState.FINAL, number - 1, 1)]:
                faults.append(f"epoch {number} was committed by {found}")
        for item in final.earnings:
            held = await rig.chain.balance(item.payout)
            if held != item.cumulative_units:
                faults.append(f"{item.twin.hex()[:8]} holds {held} of {item.cumulative_units}")
        return final.number, faults
    finally:
        await rig.close()


def kill_at_random(folder: Path, kills: int, seed: int) -> None:
    """Begin and kill so many processes, one after the other."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    for _ in range(kills):
        # What takes seconds to load is there before the fork; this process has no other thread.
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(settle_forever(folder))
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, LONGEST_S))
        os.kill(child, signal.SIGKILL)
        _, how = os.waitpid(child, 0)
        if not os.WIFSIGNALED(how):
            raise SystemExit("a process ended by itself")


def main() -> int:
    """Run the soak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    kill_at_random(asked.folder, asked.kills, asked.seed)
    epochs, faults = asyncio.run(find_faults(asked.folder))
    print(f"{asked.kills} kills, {epochs} epochs, {len(faults)} faults", *faults, sep="\n")  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
