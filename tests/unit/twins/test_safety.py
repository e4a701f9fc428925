"""Fixed answers: a rule applies, nothing is generated, nothing is charged, and it is proved."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.errors import AdmissionError, EngineCrashedError, UserError
from bot.domain.ledger import SPONSOR, hold_account
from bot.domain.money import NANO
from bot.domain.rules import CRISIS
from bot.domain.statements import Outcome
from bot.ports.chat import MergedInto
from bot.ports.stores import StoredReply
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.twins.replay import replay_request
from bot.twins.safety import BEYOND_QUOTA
from tests.fakes.store import MemoryStore, ProcessKilled, WriteFault
from tests.stage import PRICE, SURFACE, Stage, memory_stage, message

CRY = "I can't do this any more. I want to die"


async def _verified(stage: Stage, reply: StoredReply) -> VerifiedReceipt:
    bundle = await stage.proofs.bundle(reply.receipt_id)
    assert bundle is not None
    return verify_bundle(bundle, key=reply.opening_key, policy=stage.policy)


async def test_message_in_need_gets_the_rules_answer_and_nothing_is_generated(
    stage: Stage,
) -> None:
    await stage.open()
    shown: list[str] = []
    reply = await stage.reply_to(message(CRY), shown.append)

    assert shown == [reply.text] == [CRISIS.text]
    assert (reply.finish, reply.price_nano, reply.output_tokens) == ("fixed", 0, ())
    assert stage.engine.requests == []
    assert await stage.balance(SPONSOR) == 10 * NANO
    assert await stage.balance(hold_account(reply.intent)) == 0


async def test_receipt_names_the_rule_and_verifies_and_has_nothing_to_replay(stage: Stage) -> None:
    await stage.open()
    await stage.say(number="m1")
    verified = await _verified(stage, await stage.say(CRY, number="m2"))

    assert (verified.receipt.type, verified.receipt.rule) == ("fixed", CRISIS.id)
    assert verified.receipt.model.verdict == "exact"  # nothing was computed that could differ
    assert verified.openings is not None
    assert verified.openings.fields.choice.start == 2
    assert not any("L3" in sentence for sentence in verified.unproved)
    with pytest.raises(UserError, match="nothing to replay"):
        replay_request(verified)


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.UNDELIVERED, Outcome.WITHDRAWN])
async def test_outcome_is_recorded_as_of_every_reply(stage: Stage, outcome: Outcome) -> None:
    await stage.open()
    reply = await stage.say(CRY)
    async with stage.store.reading() as tx:
        assert [one.receipt_id for _, one in await tx.undelivered_replies()] == [reply.receipt_id]

    await stage.delivery.record(reply.receipt_id, outcome)

    verified = await _verified(stage, reply)
    assert verified.outcome is not None
    assert verified.outcome.outcome is outcome
    assert await stage.balance(SPONSOR) == 10 * NANO


async def test_next_context_begins_anew_and_says_so(stage: Stage) -> None:
    await stage.open()
    await stage.say("one", number="m1")
    fixed = await stage.say(CRY, number="m2")
    after = await stage.say("two", number="m3")
    later = await stage.say("three", number="m4")

    openings = [(await _verified(stage, reply)).openings for reply in (after, later)]
    fields = [one.fields for one in openings if one is not None]
    assert [(one.turn, one.choice.start, len(one.spans)) for one in fields] == [
        (3, 3, 2),
        (4, 3, 4),
    ]
    assert fields[0].previous == fixed.receipt_hash


async def test_other_answer_is_refused_with_a_sentence(stage: Stage) -> None:
    await stage.open()
    reply = await stage.say(CRY)

    with pytest.raises(UserError, match="always the same"):
        await stage.again(reply.receipt_id)


async def test_same_message_again_gets_the_same_receipt(stage: Stage) -> None:
    await stage.open()
    replies = await asyncio.gather(*(stage.say(CRY) for _ in range(3)))

    assert len({reply.receipt_id for reply in replies}) == 1


async def test_no_budget_and_no_engine_is_needed() -> None:
    stage = memory_stage(budget=PRICE - 1)
    await stage.open()
    stage.engine.errors = [EngineCrashedError("dead")] * 9

    assert (await stage.say(CRY)).text == CRISIS.text
    with pytest.raises(AdmissionError, match="budget"):
        await stage.say("hello", number="m2")
    assert (await stage.audit()).wrong == []


async def test_it_counts_as_a_message_of_today_and_is_given_beyond_the_quota() -> None:
    stage = memory_stage(daily_messages=1)
    await stage.open()
    for number in range(1 + BEYOND_QUOTA):
        assert (await stage.say(CRY, number=f"m{number}")).text == CRISIS.text

    with pytest.raises(AdmissionError, match="21 messages"):
        await stage.say(CRY, number="one more")
    with pytest.raises(AdmissionError, match="21 messages"):
        await stage.say("hello", number="another")
    assert (await stage.audit()).wrong == []


async def test_words_that_quick_messages_make_together_count(stage: Stage) -> None:
    await stage.open()
    stage.engine.pause = asyncio.Event()
    answer = stage.make_answer().answer
    first = asyncio.create_task(answer(message("hi", number="m1"), lambda _text: None))
    await stage.engine.begun.wait()
    quick = [
        asyncio.create_task(
            answer(message(text, number=number, may_merge=True), lambda _text: None)
        )
        for number, text in (("m2", "i want to"), ("m3", "die"))
    ]
    await asyncio.sleep(0)
    stage.engine.pause.set()
    await first
    reply, merged = await asyncio.gather(*quick)

    assert isinstance(reply, StoredReply)
    assert (reply.text, reply.fan_text) == (CRISIS.text, "i want to\ndie")
    assert merged == MergedInto("m2")


async def test_message_that_was_taken_back_is_not_answered(stage: Stage) -> None:
    await stage.open()
    reply = await stage.say(CRY)
    assert await stage.withdrawal.withdraw(SURFACE, "first") == [reply.receipt_id]

    verified = await _verified(stage, reply)
    assert verified.outcome is not None
    assert verified.outcome.outcome is Outcome.WITHDRAWN


@pytest.mark.parametrize("fault", [WriteFault.KILLED_BEFORE, WriteFault.KILLED_AFTER])
async def test_killed_around_its_one_write_it_is_there_or_comes_again(fault: WriteFault) -> None:
    stage = memory_stage()
    await stage.open()
    assert isinstance(stage.store, MemoryStore)
    stage.store.faults[stage.store.writes + 1] = fault
    with pytest.raises(ProcessKilled):
        await stage.say(CRY)

    again = stage.restarted()
    await again.open()
    assert await again.recovery.run() == 0
    async with again.store.reading() as tx:
        stored = await tx.undelivered_replies()
    assert len(stored) == (fault is WriteFault.KILLED_AFTER)
    assert (await again.say(CRY)).text == CRISIS.text
    assert len((await again.reader.read_all()).intents) == 1
    assert (await again.audit()).wrong == []


async def test_twin_whose_manifest_names_no_rule_generates() -> None:
    stage = memory_stage()
    twin = await stage.open()
    stage.roster.put(replace(twin, manifest=replace(twin.manifest, rules=())))

    assert (await stage.say(CRY)).finish != "fixed"
    assert len(stage.engine.requests) == 1
