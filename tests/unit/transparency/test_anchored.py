"""Heads that the settlement contract names, on the embedded chain, against the log."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.monitor_state import SqliteMonitorState
from bot.domain.settlement import Commitment
from bot.domain.transactions import SignedTransaction
from bot.ports.chain import Broadcast
from bot.ports.stores import StoredCheckpoint
from bot.settlement.claims import ClaimTree, to_leaf
from bot.transparency.monitor import Monitor
from bot.transparency.report import MonitorReport
from tests.fakes.settlement_rig import Opener, Rig, earnings_of
from tests.fakes.transparency import NearLog
from tests.log_rig import NOBODY, LogRig
from tests.stage import LOG


@pytest.fixture
async def open_rig() -> AsyncIterator[Opener]:
    async with Rig.opener() as opener:
        yield opener


async def _commit(chain: Rig, epoch: int, head: StoredCheckpoint, root: bytes) -> None:
    """Commit an epoch that names a head."""
    earnings = earnings_of(1, 5_000_000 * epoch)
    commitment = Commitment(
        epoch=epoch,
        fee_root=ClaimTree([to_leaf(earnings)]).root,
        fee_total=earnings.cumulative_units,
        log_root=root,
        log_size=head.size,
        data_hash=b"d" * 32,
    )
    signed = await chain.chain.sign_commit(commitment, nonce=epoch - 1)
    assert isinstance(signed, SignedTransaction)
    assert await chain.chain.send(signed) is Broadcast.ACCEPTED


async def test_what_the_contract_names_is_found_in_the_log_or_named_as_another(
    rig: LogRig, open_rig: Opener, tmp_path: Path
) -> None:
    chain = await open_rig(tmp_path)
    state = await SqliteMonitorState.open(tmp_path / "monitor.db")
    await rig.stage.open()
    heads = []
    for number in range(3):
        await rig.stage.say(number=f"m{number}")
        heads.append(await rig.sign())

    async def look() -> MonitorReport:
        monitor = Monitor(
            log=LOG, remote=NearLog(rig.public), state=state, policy=NOBODY, chain=chain.chain
        )
        return await monitor.look()

    none = await look()
    await _commit(chain, 1, heads[0], heads[0].root)
    same = await look()
    await _commit(chain, 2, heads[1], heads[0].root)
    other = await look()
    await state.close()

    assert none.chain == "Nothing was committed on the chain yet."
    assert same.chain == "Epoch 1 on the chain names 2 leaves: the same log."
    assert same.is_well
    assert [one.kind for one in other.findings] == ["chain-contradiction"]
