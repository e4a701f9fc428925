"""Settles one epoch after another in a process that is killed with SIGKILL at random moments.

`python -m tests.faults.settle_forever FOLDER --kills 1000 --seed 7` is the soak: it kills, starts
again, and at the end says what was lost or done twice. The tests run twenty kills of it.

With `--vetoes 0.3` the contract has a delay, and its guardian vetoes that share of all commits,
at random moments too; the owner names the settler again after each.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from web3 import AsyncWeb3

from bot.domain.errors import InvariantError
from bot.domain.restored import Restored, TwinBook
from bot.domain.settlement import Earnings, EarningsSnapshot, EpochSettlement, EpochState
from bot.domain.transactions import Purpose, Signer, TransactionState
from bot.domain.twin_log import TwinLog
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.publish import EpochPublisher, PublisherState, PublisherStatus
from tests.fakes.settlement_rig import (
    SETTLER_KEY,
    TREASURY_KEY,
    Rig,
    StoppedClock,
    address_of,
    earnings_of,
)

DELAY_S = 600
_LAST_TICKS = 5
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


@dataclass
class Guarded:
    """A book that settles, and the guardian and the owner of its contract, in one process."""

    rig: Rig
    clock: StoppedClock
    publisher: EpochPublisher
    delay_s: int

    @classmethod
    async def open(cls, folder: Path, delay_s: int) -> "Guarded":
        clock = StoppedClock()
        rig = await Rig.open(folder, clock=clock, delay_s=delay_s)
        newest = await rig.web3.eth.get_block("latest")
        clock.at = max(clock.at, datetime.fromtimestamp(newest["timestamp"], UTC))
        publisher = EpochPublisher(
            chain=rig.chain, store=rig.store, earnings=GrowingEarnings(rig.store), clock=clock
        )
        return cls(rig, clock, publisher, delay_s)

    async def tick(self, is_vetoed: Callable[[], bool], *, begin: bool = True) -> PublisherStatus:
        """Settle; where a root waits for its delay, veto it, or let the time pass."""
        status = await self.publisher.tick(begin=begin)
        if not self.delay_s:
            return status
        state = await self.rig.chain.contract()
        if state.may_be_vetoed and is_vetoed():
            await self._send(self.rig.settlement.functions.veto())
        elif state.may_be_vetoed:
            # From the chain's time, which runs ahead of a clock that stands still.
            newest = await self.rig.web3.eth.get_block("latest")
            self.clock.at = datetime.fromtimestamp(newest["timestamp"] + self.delay_s + 1, UTC)
        # A block, without which no time passes; and the settler again whom a veto has removed,
        # even where this process was killed right after it.
        settler = AsyncWeb3.to_checksum_address(address_of(SETTLER_KEY))
        await self._send(self.rig.settlement.functions.set_settler(settler))
        return status

    async def _send(self, call: Any) -> None:  # noqa: ANN401 - web3 makes it at run time
        receipt = await self.rig.transact(call, TREASURY_KEY)
        if receipt["status"] != 1:
            raise InvariantError("the guardian's or the owner's transaction was reverted")


async def settle_forever(folder: Path, chance: random.Random, vetoes: float) -> None:
    """Settle until somebody ends the process."""
    guarded = await Guarded.open(folder, DELAY_S if vetoes else 0)
    while True:
        await guarded.tick(lambda: chance.random() < vetoes)


async def find_faults(folder: Path, vetoes: float = 0.0) -> tuple[int, int, list[str]]:
    """Finish what was begun; return how many epochs there are, vetoed ones, and what is wrong."""
    guarded = await Guarded.open(folder, DELAY_S if vetoes else 0)
    rig = guarded.rig
    try:
        status = await guarded.publisher.tick()
        for _ in range(_LAST_TICKS):
            if status.state is not PublisherState.IDLE:
                await guarded.tick(lambda: False, begin=False)
                status = await guarded.publisher.tick(begin=False)
        final, state = await rig.store.last_final(), await rig.chain.contract()
        faults = [] if status.reason == "" else [f"it does not come to rest: {status.reason}"]
        if final is None or state.commitment != final.commitment:
            return 0, 0, [*faults, "the contract holds something else than the book"]
        if await rig.chain.nonce(Signer.SETTLER) != final.number:
            faults.append("the settler has sent more transactions than there are epochs")
        if state.claimed_total != state.commitment.fee_total:
            faults.append(f"{state.claimed_total} of {state.commitment.fee_total} units are paid")
        vetoed, wrong = await _compare_commits(rig, final.number)
        faults += wrong
        for item in final.earnings:
            held = await rig.chain.balance(item.payout)
            if held != item.cumulative_units:
                faults.append(f"{item.twin.hex()[:8]} holds {held} of {item.cumulative_units}")
        return final.number, vetoed, faults
    finally:
        await rig.close()


async def _compare_commits(rig: Rig, newest: int) -> tuple[int, list[str]]:
    """Hold each epoch against its commit; return how many were vetoed, and what is wrong."""
    vetoed, faults = 0, []
    for number in range(1, newest + 1):
        epoch = await rig.store.epoch(number)
        was_vetoed = epoch is not None and epoch.state is EpochState.VETOED
        vetoed += was_vetoed
        commits = await rig.store.transactions(Purpose.COMMIT, number)
        found = [(c.state, c.signed.nonce, len(c.attempts)) for c in commits]
        end = TransactionState.DEAD if was_vetoed else TransactionState.FINAL
        if found != [(end, number - 1, 1)]:
            faults.append(f"epoch {number} was committed by {found}")
    events = await rig.settlement.events.EpochVetoed().get_logs(from_block=0)
    if len(events) != vetoed:
        faults.append(f"{len(events)} vetoes on the chain, {vetoed} in the book")
    return vetoed, faults


def kill_at_random(
    folder: Path, kills: int, seed: int, *, vetoes: float = 0.0, longest_s: float = LONGEST_S
) -> None:
    """Begin and kill so many processes, one after the other."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    for kill in range(kills):
        # What takes seconds to load is there before the fork; this process has no other thread.
        child = os.fork()
        if child == 0:
            try:
                own = random.Random(f"{seed} {kill}")  # noqa: S311 - as above
                asyncio.run(settle_forever(folder, own, vetoes))
            except Exception:  # noqa: BLE001 - whatever ended it is what the soak looks for
                traceback.print_exc()
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, longest_s))
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
    parser.add_argument("--vetoes", type=float, default=0.0, help="share of commits; 0 to 1")
    parser.add_argument("--longest", type=float, default=LONGEST_S, help="seconds of one process")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    options = {"vetoes": asked.vetoes, "longest_s": asked.longest}
    kill_at_random(asked.folder, asked.kills, asked.seed, **options)
    epochs, vetoed, faults = asyncio.run(find_faults(asked.folder, asked.vetoes))
    counts = f"{asked.kills} kills, {epochs} epochs, {vetoed} vetoed, {len(faults)} faults"
    print(counts, *faults, sep="\n")  # noqa: T201
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
