"""What a verification tells; which evidence it refuses is in tests/vectors and tests/properties."""

import json
from dataclasses import replace

import pytest

from bot.crypto import vrf
from bot.domain.errors import VerificationError
from bot.domain.fields import Finish, ReplyEvent
from bot.domain.ids import derive_seed
from bot.domain.receipt import ReceiptModel
from bot.domain.statements import Outcome
from bot.generation.rendering import render
from bot.receipts.bundle import encode_bundle
from bot.receipts.trust import parse_policy
from bot.receipts.verify import verify_bundle
from scripts.vector_log import fixed_key
from scripts.vector_parts import (
    FIELDS,
    MANIFEST,
    OPENING_KEY,
    PERSONA,
    POLICY,
    SPANS,
    Recipe,
    make_bundle,
)

BUNDLE = make_bundle(Recipe())
DATA = encode_bundle(BUNDLE)
TRUST = parse_policy(json.dumps(POLICY).encode())


def test_every_step_is_done_with_key_outcome_and_policy() -> None:
    result = verify_bundle(DATA, key=OPENING_KEY, policy=TRUST)

    assert [step.number for step in result.steps] == list(range(1, 11))
    assert all(step.done for step in result.steps)
    assert result.levels == ("L0", "L1-unwitnessed")
    assert result.trust == "policy"


def test_opened_result_holds_what_a_replay_needs() -> None:
    result = verify_bundle(DATA, key=OPENING_KEY, policy=None)

    beta = vrf.proof_to_hash(FIELDS.vrf_proof)
    assert result.openings is not None
    assert result.openings.fields == FIELDS
    assert result.openings.persona == PERSONA
    assert result.manifest == MANIFEST
    assert result.seed == derive_seed(beta, MANIFEST.hash, 0)
    assert result.receipt_hash == BUNDLE.receipt.digest


def test_another_attempt_has_another_seed() -> None:
    data = encode_bundle(make_bundle(Recipe(fields=AGAIN, receipt={"attempt": 1})))
    beta = vrf.proof_to_hash(FIELDS.vrf_proof)

    result = verify_bundle(data, key=OPENING_KEY, policy=None)

    assert result.seed == derive_seed(beta, MANIFEST.hash, 1) != derive_seed(beta, MANIFEST.hash, 0)


def test_without_key_the_sealed_steps_are_left_out_and_said_so() -> None:
    result = verify_bundle(DATA, key=None, policy=TRUST)

    left_out = {step.number: step.sentence for step in result.steps if not step.done}
    assert set(left_out) == {5, 6, 7}
    assert result.openings is None
    assert result.seed is None
    assert any("no key was given" in sentence for sentence in result.unproved)


def test_without_policy_the_result_is_self_consistent_only() -> None:
    result = verify_bundle(DATA, key=OPENING_KEY, policy=None)

    assert result.trust == "self-consistent"
    assert not result.steps[9].done
    assert any("no trust policy" in sentence for sentence in result.unproved)


def test_outcome_is_told_as_stated() -> None:
    recipe = Recipe(outcome=Outcome.WITHDRAWN, outcome_leaf=Outcome.WITHDRAWN)

    result = verify_bundle(encode_bundle(make_bundle(recipe)), key=None, policy=None)

    assert result.outcome is not None
    assert result.outcome.outcome is Outcome.WITHDRAWN
    assert "withdrawn" in result.steps[8].sentence


def test_bundle_without_outcome_leaves_step_9_out() -> None:
    data = encode_bundle(replace(BUNDLE, outcome=None))

    result = verify_bundle(data, key=None, policy=None)

    assert result.outcome is None
    assert not result.steps[8].done


def test_bundle_of_another_receipt_than_the_link_names_is_refused_at_step_1() -> None:
    verify_bundle(DATA, key=None, policy=None, receipt_id=BUNDLE.receipt_id)

    with pytest.raises(VerificationError) as caught:
        verify_bundle(DATA, key=None, policy=None, receipt_id="A" * 22)

    assert caught.value.step == 1


def test_tolerant_verdict_is_told() -> None:
    model = ReceiptModel(MANIFEST.model.gguf, MANIFEST.library, fixed_key("build"), "tolerant")
    data = encode_bundle(make_bundle(Recipe(receipt={"model": model})))

    result = verify_bundle(data, key=None, policy=None)

    assert any("self-check" in sentence for sentence in result.unproved)


def test_receipt_at_either_end_of_the_validity_is_accepted() -> None:
    for moment in (MANIFEST.valid_from, MANIFEST.valid_until):
        data = encode_bundle(make_bundle(Recipe(receipt={"time": moment})))

        assert verify_bundle(data, key=OPENING_KEY, policy=TRUST).receipt.time == moment


def test_what_is_never_proved_is_always_said() -> None:
    unproved = " ".join(verify_bundle(DATA, key=OPENING_KEY, policy=TRUST).unproved)

    for claim in (
        *("is true", "L3", "read the conversation", "same log", "blockchain"),
        *("not tied to a person", "stated time", "try versions", "beacon"),
        "nothing revoked it",
    ):
        assert claim in unproved


FIRST = replace(FIELDS, turn=1, previous=None, spans=(SPANS[0], SPANS[-1]))
WEB = replace(FIELDS, slot=replace(FIELDS.slot, platform="web", bot="local"))
AGAIN = replace(FIELDS, event=ReplyEvent("event", fixed_key("replaced receipt")))
STOPPED = replace(FIELDS, finish=Finish.STOPPED, event=ReplyEvent(halt="event"))


@pytest.mark.parametrize(
    ("claim", "recipe", "key", "said"),
    [
        ("given them", Recipe(), OPENING_KEY, True),
        ("given them", Recipe(), None, True),
        (
            "given them",
            Recipe(fields=replace(FIRST, context=render(MANIFEST.rendering, FIRST.spans))),
            OPENING_KEY,
            True,
        ),
        ("number are the platform's", Recipe(), None, True),
        ("operator numbers", Recipe(), None, False),
        ("operator numbers", Recipe(fields=WEB, proved_slot=WEB.slot), OPENING_KEY, True),
        ("number are the platform's", Recipe(fields=WEB, proved_slot=WEB.slot), OPENING_KEY, False),
        ("really was delivered", Recipe(), None, True),
        ("no key was given", Recipe(), OPENING_KEY, False),
        ("really asked", Recipe(), OPENING_KEY, False),
        ("really asked", Recipe(fields=AGAIN, receipt={"attempt": 1}), OPENING_KEY, True),
        ("really asked", Recipe(fields=AGAIN, receipt={"attempt": 1}), None, True),
        ("really asked", Recipe(fields=STOPPED), OPENING_KEY, True),
        ("really asked", Recipe(fields=STOPPED), None, False),
    ],
)
def test_conditional_claim_is_said_when_it_belongs(
    claim: str, recipe: Recipe, key: bytes | None, *, said: bool
) -> None:
    result = verify_bundle(encode_bundle(make_bundle(recipe)), key=key, policy=None)

    assert any(claim in sentence for sentence in result.unproved) is said
