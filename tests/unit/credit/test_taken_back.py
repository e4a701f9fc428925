"""A platform takes back what paid a reply, whatever its fan did with the message before or after.

Whoever takes messages back keeps nothing from a charge-back: the fee is held, and goes with it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.ids import receipt_tag_of
from bot.domain.leaf import OutcomeLeaf, parse_leaf
from bot.domain.ledger import LOSS, OPERATOR_FEES, creator_account, held_account
from bot.domain.statements import Outcome
from bot.ports.credit import Refunded
from bot.ports.erasures import Tombstone
from bot.ports.stores import StoredReply
from bot.receipts.verify import verify_bundle
from bot.twins.export import build_export
from tests.credit_rig import ANA, HELD_HOURS, STAR_NANO, CreditRig, open_rig
from tests.fakes.fans import MemoryFanRecords
from tests.fakes.store import MemoryStore, Tables
from tests.stage import CREATOR_NANO, OPERATOR_NANO, PRICE, SURFACE, memory_stage

BOUGHT = 50 * STAR_NANO
HISTORY = ("delivered", "withdrawn", "refunded")


async def _withdrawn(rig: CreditRig) -> StoredReply:
    """Let the fan buy, be answered, and take the message back."""
    await rig.buy()
    reply = await rig.say()
    await rig.stage.withdrawal.withdraw(SURFACE, f"m{rig.asked}")
    return reply


async def _words(rig: CreditRig, reply: StoredReply) -> tuple[str, ...]:
    async with rig.stage.store.reading() as tx:
        stored = await tx.find_reply(reply.receipt_id)
    assert stored is not None
    return tuple(one.word for one in stored.outcomes)


async def _logged(rig: CreditRig, reply: StoredReply) -> tuple[str, ...]:
    """Return what the log itself says of a reply."""
    leaves = map(parse_leaf, (await rig.stage.reader.read_all()).leaves)
    tag = receipt_tag_of(reply.receipt_hash)
    said = [one for one in leaves if isinstance(one, OutcomeLeaf) and one.receipt == tag]
    return tuple(one.outcome.word for one in said)


async def _sound(rig: CreditRig) -> None:
    assert (await rig.stage.audit()).wrong == []


async def test_fee_of_a_withdrawn_reply_goes_back_with_the_payment(rig: CreditRig) -> None:
    reply = await _withdrawn(rig)
    kept = await rig.stage.balance(held_account(reply.twin))

    refunded = await rig.door.refund("terminal", "charge")
    rig.stage.clock.advance(timedelta(hours=HELD_HOURS))

    assert kept == CREATOR_NANO
    assert refunded == Refunded(BOUGHT - PRICE, PRICE, 0, again=False)
    assert await rig.mature.run() == 0
    for account in (LOSS, OPERATOR_FEES, creator_account(reply.twin), held_account(reply.twin)):
        assert await rig.stage.balance(account) == 0
    assert await _words(rig, reply) == await _logged(rig, reply) == HISTORY
    await _sound(rig)


async def test_it_goes_back_once_and_nothing_is_said_after_it(rig: CreditRig) -> None:
    reply = await _withdrawn(rig)
    await rig.door.refund("terminal", "charge")
    leaves = len((await rig.stage.reader.read_all()).leaves)

    again = await rig.door.refund("terminal", "charge")
    await rig.stage.withdrawal.withdraw(SURFACE, f"m{rig.asked}")
    for outcome in Outcome:
        await rig.stage.delivery.record(reply.receipt_id, outcome)

    assert again.again
    assert len((await rig.stage.reader.read_all()).leaves) == leaves
    assert await _words(rig, reply) == HISTORY
    await _sound(rig)


async def test_what_was_refunded_is_not_logged_as_withdrawn(rig: CreditRig) -> None:
    await rig.buy()
    reply = await rig.say()
    await rig.door.refund("terminal", "charge")

    await rig.stage.withdrawal.withdraw(SURFACE, f"m{rig.asked}")

    assert await _words(rig, reply) == await _logged(rig, reply) == ("delivered", "refunded")
    await _sound(rig)


async def test_withdrawn_fee_that_is_payable_stays_the_creators(rig: CreditRig) -> None:
    reply = await _withdrawn(rig)
    rig.stage.clock.advance(timedelta(hours=HELD_HOURS))
    await rig.mature.run()

    await rig.door.refund("terminal", "charge")

    assert await rig.stage.balance(creator_account(reply.twin)) == CREATOR_NANO
    assert await rig.stage.balance(OPERATOR_FEES) == OPERATOR_NANO
    assert await _words(rig, reply) == ("delivered", "withdrawn")
    await _sound(rig)


async def test_surface_can_not_refund_what_it_delivered(rig: CreditRig) -> None:
    await rig.buy()
    reply = await rig.say()

    await rig.stage.delivery.record(reply.receipt_id, Outcome.REFUNDED)

    assert await _words(rig, reply) == ("delivered",)
    assert await rig.stage.balance(held_account(reply.twin)) == CREATOR_NANO
    await _sound(rig)


async def test_proof_shows_the_latest_of_the_three(rig: CreditRig) -> None:
    reply = await _withdrawn(rig)
    await rig.door.refund("terminal", "charge")

    bundle = await rig.stage.proofs.bundle(reply.receipt_id)

    assert bundle is not None
    shown = verify_bundle(bundle, key=reply.opening_key, policy=rig.stage.policy).outcome
    assert shown is not None
    assert shown.outcome is Outcome.REFUNDED


async def test_fee_goes_back_also_after_the_fan_was_forgotten() -> None:
    stage = memory_stage()
    rig = await open_rig(stage)
    reply = await _withdrawn(rig)
    assert isinstance(stage.store, MemoryStore)
    await MemoryFanRecords(stage.store).erase(ANA, Tombstone(bytes(32), stage.clock.now()))

    refunded = await rig.door.refund("terminal", "charge")

    assert (refunded.reversed_nano, refunded.lost_nano) == (PRICE, 0)
    assert await _words(rig, reply) == HISTORY
    await _sound(rig)


async def test_export_says_the_latest_outcome() -> None:
    stage = memory_stage()
    rig = await open_rig(stage)
    await _withdrawn(rig)
    await rig.door.refund("terminal", "charge")
    assert isinstance(stage.store, MemoryStore)

    async def token_of(_manifest: bytes) -> str:
        return "tUSD"

    whole = await build_export(
        MemoryFanRecords(stage.store),
        ANA,
        money={},
        token_of=token_of,
        base_url="https://stage.example",
        moment=stage.clock.now(),
    )

    (conversation,) = json.loads(whole)["conversations"]
    assert conversation["turns"][-1]["reply"]["outcome"] == "refunded"


TAMPERS: dict[str, tuple[Callable[[StoredReply], dict[str, object]], str]] = {
    "refund unsaid": (
        lambda _: {"refund_statement": None, "refund_index": None},
        "its fee was taken back, and the log does not say so",
    ),
    "half a refund": (lambda _: {"refund_statement": None}, "half an outcome"),
    "the other half": (lambda _: {"refund_index": None}, "half an outcome"),
    "another statement": (
        lambda one: {"refund_statement": one.outcome_statement},
        "its outcome says something else",
    ),
    "refunded twice": (lambda _: {"reversal": "refunded"}, "refunded can't follow refunded"),
    "withdrawn, and never delivered": (
        lambda _: {"outcome": "withdrawn"},
        "withdrawn can't follow withdrawn",
    ),
    "refunded with nothing before it": (
        lambda _: {"reversal": None, "reversal_statement": None, "reversal_index": None},
        "refunded can't follow None",
    ),
    "in another order": (
        lambda one: {
            "reversal_index": one.refund_index,
            "refund_index": one.reversal_index,
        },
        "its outcome was logged before what it is of",
    ),
}


@pytest.mark.parametrize("what", TAMPERS)
async def test_tampered_history_is_named(what: str) -> None:
    change, named = TAMPERS[what]
    stage = memory_stage()
    rig = await open_rig(stage)
    reply = await _withdrawn(rig)
    await rig.door.refund("terminal", "charge")
    await _sound(rig)
    assert isinstance(stage.store, MemoryStore)
    tables: Tables = stage.store.tables
    old = tables.replies[reply.receipt_hash]

    tables.replies[reply.receipt_hash] = replace(old, **change(old))  # type: ignore[arg-type]

    wrong = (await stage.audit()).wrong
    assert any(named in sentence for sentence in wrong), wrong
