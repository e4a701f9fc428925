"""Bundles that are served: the latest outcome under the head, and nothing of the forgotten."""

from dataclasses import replace

from bot.domain.statements import Outcome
from bot.receipts.verify import verify_bundle
from tests.fakes.store import MemoryStore
from tests.stage import Stage, memory_stage


async def _outcome(stage: Stage, receipt_id: str, key: bytes | None) -> str | None:
    bundle = await stage.proofs.bundle(receipt_id)
    assert bundle is not None
    outcome = verify_bundle(bundle, key=key, policy=stage.policy).outcome
    return None if outcome is None else outcome.outcome.word


async def test_bundle_has_the_latest_outcome() -> None:
    stage = memory_stage()
    await stage.open()
    reply = await stage.say()

    words = [await _outcome(stage, reply.receipt_id, reply.opening_key)]
    for outcome in (Outcome.DELIVERED, Outcome.WITHDRAWN):
        await stage.delivery.record(reply.receipt_id, outcome)
        words.append(await _outcome(stage, reply.receipt_id, reply.opening_key))

    assert words == [None, "delivered", "withdrawn"]


async def test_replaced_reply_keeps_its_own_proof() -> None:
    stage = memory_stage()
    await stage.open()
    first = await stage.say()
    second = await stage.again(first.receipt_id)

    for reply, attempt in ((first, 0), (second, 1)):
        bundle = await stage.proofs.bundle(reply.receipt_id)
        assert bundle is not None
        verified = verify_bundle(bundle, key=reply.opening_key, policy=stage.policy)
        assert verified.receipt.attempt == attempt
        assert verified.openings is not None
        replaces = verified.openings.fields.event.replaces
        assert replaces == (first.receipt_hash if attempt else None)


async def test_forgotten_reply_has_no_bundle_any_more() -> None:
    stage = memory_stage()
    await stage.open()
    reply = await stage.say()
    assert isinstance(stage.store, MemoryStore)
    erased = replace(reply, opening_key=b"", sealed=b"", text="", fan_text="")
    stage.store.tables.replies[reply.receipt_hash] = erased

    assert await stage.proofs.bundle(reply.receipt_id) is None
