"""Epochs that the guardian vetoed: the audit wants that nothing was committed by them."""

from dataclasses import replace

import pytest

from bot.audit.findings import Findings
from bot.audit.run import Audit
from bot.domain.settlement import Commitment, Epoch, EpochState
from bot.domain.statements import Outcome
from scripts import vector_parts as parts
from tests.fakes.epochs import MemoryEpochStore
from tests.fakes.settlement_rig import earnings_of
from tests.fakes.store import MemoryStore, Tables
from tests.unit.audit.scribe import MANIFEST, Scribe

NOTHING = Commitment(1, bytes(32), 0, bytes(32), 0, bytes(32))


async def _tables() -> Tables:
    scribe = Scribe()
    await scribe.open()
    reply = await scribe.reply(await scribe.ask("m1"))
    await scribe.decide(reply, Outcome.DELIVERED)
    await scribe.publish()
    return scribe.store.tables


async def _audit(tables: Tables, *epochs: Epoch) -> Findings:
    store = MemoryEpochStore()
    for epoch in epochs:
        assert await store.veto(epoch)
    return await Audit(
        reader=MemoryStore(tables=tables),
        epochs=store,
        chain=None,
        log=parts.LOG,
        signing_key=MANIFEST.signing_key,
    ).run()


async def test_vetoed_epochs_pass_where_they_say_what_stood_before() -> None:
    first = Epoch(NOTHING, (), 0, EpochState.VETOED)
    second = replace(first, commitment=replace(NOTHING, epoch=2))

    found = await _audit(await _tables(), first, second)

    assert found.wrong == []
    assert found.checked["vetoed epochs"] == 2


@pytest.mark.parametrize(
    "false",
    [
        Epoch(replace(NOTHING, fee_total=5), (), 0, EpochState.VETOED),
        Epoch(NOTHING, (earnings_of(1, 5_000),), 0, EpochState.VETOED),
    ],
    ids=["total", "a claim"],
)
async def test_a_vetoed_epoch_that_says_something_new_is_named(false: Epoch) -> None:
    found = await _audit(await _tables(), false)

    assert "epoch 1: was vetoed, and does not say what the one before says" in found.wrong
