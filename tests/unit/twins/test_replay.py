"""A replay needs the fan's key and the very weights; then it finds what was changed."""

from dataclasses import replace

import pytest

from bot.domain.errors import ConfigurationError, VerificationError
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.twins.replay import replay, replay_request
from scripts.vector_log import fixed_key
from tests.stage import Stage

WEIGHTS = fixed_key("gguf")


async def _verified(stage: Stage, *, with_key: bool = True) -> VerifiedReceipt:
    """Return the second reply of a conversation, verified."""
    await stage.open()
    await stage.say("the first turn", number="m1")
    reply = await stage.say("the second turn", number="m2")
    bundle = await stage.proofs.bundle(reply.receipt_id)
    assert bundle is not None
    return verify_bundle(bundle, key=reply.opening_key if with_key else None, policy=None)


async def test_reply_replays_exactly_on_a_fresh_engine(stage: Stage) -> None:
    verified = await _verified(stage)
    fresh = Stage(store=stage.store, reader=stage.reader).engine

    outcome = await replay(verified, engine=fresh, model_sha256=WEIGHTS)

    assert outcome.exact
    assert outcome.tokens


async def test_other_weights_are_refused_before_any_work(stage: Stage) -> None:
    verified = await _verified(stage)

    with pytest.raises(ConfigurationError, match=WEIGHTS.hex()):
        await replay(verified, engine=stage.engine, model_sha256=bytes(32))


async def test_receipt_without_the_fans_key_can_not_be_replayed(stage: Stage) -> None:
    verified = await _verified(stage, with_key=False)

    with pytest.raises(VerificationError, match="step 11"):
        replay_request(verified)


async def test_persona_and_message_are_tokenised_again(stage: Stage) -> None:
    verified = await _verified(stage)
    assert verified.openings is not None
    fields = verified.openings.fields
    fields = replace(fields, parts=(replace(fields.parts[0], text="something else"),))
    forged = replace(verified, openings=replace(verified.openings, fields=fields))

    outcome = await replay(forged, engine=stage.engine, model_sha256=WEIGHTS)

    assert not outcome.tokenisation_same
    assert not outcome.exact
