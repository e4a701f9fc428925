"""What else the contract must be, so that its word about an epoch is a word about a payout."""

from dataclasses import replace

import pytest

from bot.ports.recount import VaultFacts
from bot.settlement.recount import Evidence, Recount, StepState, Verdict
from bot.settlement.recounting import recount
from tests.fakes.recount_rig import HONEST, Published
from tests.fakes.settlement_rig import payout_of

ELSEWHERE = payout_of(77)


@pytest.fixture
async def evidence() -> Evidence:
    made = Published()
    made.earn(1_700_000)
    await made.commit()
    return await made.evidence()


def _judged(evidence: Evidence, vault: VaultFacts | None) -> Recount:
    assert evidence.chain is not None
    return recount(replace(evidence, chain=replace(evidence.chain, vault=vault)))


def _waits(found: Recount) -> str:
    assert found.verdict is Verdict.NOT_YET, found.sentence
    (step,) = [one for one in found.steps if one.number == 12]
    assert step.state is StepState.WAITS
    return step.sentence


async def test_a_contract_of_this_version_is_believed_and_its_token_named(
    evidence: Evidence,
) -> None:
    found = _judged(evidence, HONEST)

    assert found.verdict is Verdict.PROVED
    (step,) = [one for one in found.steps if one.number == 12]
    assert "It pays with the token 0x0909" in step.sentence


async def test_another_contract_proves_nothing(evidence: Evidence) -> None:
    assert "no settlement contract of this version" in _waits(_judged(evidence, None))


async def test_a_registry_of_somebodys_own_proves_nothing(evidence: Evidence) -> None:
    vault = replace(HONEST, is_registry_known=False)

    assert "can name anybody" in _waits(_judged(evidence, vault))


async def test_an_epoch_that_may_still_be_vetoed_is_not_proved(evidence: Evidence) -> None:
    vault = replace(HONEST, vetoable_until=1_800_000_000)

    assert "may veto it until 2027-01-15T08:00:00Z" in _waits(_judged(evidence, vault))


async def test_a_registry_that_pays_somebody_else_is_refuted(evidence: Evidence) -> None:
    found = _judged(evidence, replace(HONEST, paid_to=ELSEWHERE))

    assert found.verdict is Verdict.REFUTED
    assert found.steps[-1].number == 12
    assert "not the address you named" in found.steps[-1].sentence


async def test_a_registry_that_pays_whom_the_creator_named_is_right(evidence: Evidence) -> None:
    named = replace(evidence, payout=ELSEWHERE)

    assert _judged(named, replace(HONEST, paid_to=ELSEWHERE)).verdict is Verdict.PROVED
    assert _judged(named, HONEST).verdict is Verdict.REFUTED


async def test_a_creator_who_named_nobody_is_told_whom_the_registry_pays(
    evidence: Evidence,
) -> None:
    unnamed = replace(evidence, payout=None)

    assert "name it as --payout" in _waits(_judged(unnamed, replace(HONEST, paid_to=ELSEWHERE)))
