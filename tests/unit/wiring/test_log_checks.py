"""What is said of a log before anything is signed, and in an operator's check-up."""

import pytest

from bot.domain.errors import RestoredBackupError
from bot.domain.settlement import Commitment
from bot.ports.checks import State
from bot.receipts.log import CheckpointSigner, append_leaf
from bot.transparency.cosigning import Standing, WitnessReport
from bot.wiring.log_checks import judge_witnesses
from bot.wiring.own_log import check_commitment
from tests.fakes.store import MemoryStore


def test_each_witness_has_a_line_and_too_few_are_a_warning() -> None:
    found = judge_witnesses(
        {
            "a": WitnessReport(Standing.COSIGNED, size=7),
            "b": WitnessReport(Standing.AWAY, "it took too long"),
            "c": WitnessReport(Standing.AHEAD, "it knows 9 leaves, this log has 7"),
        },
        2,
    )

    states = [State.OK, State.WARNING, State.FAULT, State.WARNING]
    assert [one.state for one in found] == states
    assert "twinproof log continue" in found[2].remedy
    assert found[3].sentence.startswith("1 of the 2 that are needed")


async def test_a_chain_that_names_more_or_another_log_stops_the_start() -> None:
    store = MemoryStore()
    async with store.transaction() as tx:
        for number in range(3):
            await append_leaf(tx, b"%d" % number)
    head = await CheckpointSigner("x/log", bytes(32)).publish(store)
    assert head is not None

    def said(size: int, root: bytes) -> Commitment:
        return Commitment(4, bytes(32), 0, root, size, bytes(32))

    await check_commitment(store, said(0, bytes(32)))
    await check_commitment(store, said(3, head.root))
    with pytest.raises(RestoredBackupError, match=r"names 9 leaves.*database has 3"):
        await check_commitment(store, said(9, bytes(32)))
    with pytest.raises(RestoredBackupError, match="another log at 2 leaves"):
        await check_commitment(store, said(2, bytes(32)))
