"""A process that settles and is killed with SIGKILL at random moments."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.settlement import Purpose, TransactionState
from bot.settlement.publish import EpochPublisher
from tests.fakes.settlement_rig import Opener, Rig
from tests.faults.settle_forever import GrowingEarnings


@pytest.fixture
async def open_rig() -> AsyncIterator[Opener]:
    async with Rig.opener() as opener:
        yield opener


@pytest.mark.slow
async def test_kill_minus_nine_at_random_moments_loses_and_repeats_nothing(
    tmp_path: Path, open_rig: Opener
) -> None:
    chance = random.Random(7)  # noqa: S311 - a schedule, not a secret
    for _ in range(3):
        await asyncio.to_thread(_settle_and_kill, tmp_path, chance.uniform(0.0, 0.8))

    rig = await open_rig(tmp_path)
    publisher = EpochPublisher(
        chain=rig.chain, store=rig.store, earnings=GrowingEarnings(rig.store)
    )
    await publisher.tick()
    final = await rig.store.last_final()
    state = await rig.chain.contract()
    assert final is not None
    assert state.commitment == final.commitment
    assert final.number >= 3
    for number in range(1, final.number + 1):
        commits = await rig.store.transactions(Purpose.COMMIT, number)
        assert [c.state for c in commits] == [TransactionState.FINAL]
        assert commits[0].signed.nonce == number - 1
    assert state.claimed_total == state.commitment.fee_total
    for item in final.earnings:
        assert await rig.chain.balance(item.payout) == item.cumulative_units


def _settle_and_kill(folder: Path, after_s: float) -> None:
    command = [sys.executable, "-m", "tests.faults.settle_forever", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "settled\n" or _skip_logs(process.stdout)
        time.sleep(after_s)
        os.kill(process.pid, signal.SIGKILL)


def _skip_logs(lines: object) -> bool:
    return any(line == "settled\n" for line in lines)  # type: ignore[attr-defined]
