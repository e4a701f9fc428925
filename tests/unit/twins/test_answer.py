"""The story of one message, over both stores; the fixture audits after each."""

import asyncio
from datetime import timedelta

import pytest

from bot.domain.errors import (
    AdmissionError,
    BotError,
    EngineCrashedError,
    EngineOverloadedError,
    InvariantError,
    MessageTooLongError,
    UnknownTwinError,
)
from bot.domain.fields import SpanKind
from bot.domain.leaf import VoidLeaf, parse_leaf
from bot.domain.ledger import OPERATOR_FEES, SPONSOR, creator_account, hold_account
from bot.domain.money import NANO
from bot.domain.statements import Outcome
from bot.ports.stores import Intent, StoredReply
from bot.receipts.verify import verify_bundle
from bot.twins.publish import VALIDITY
from bot.twins.replay import replay_request
from tests.stage import CREATOR_NANO, MIRA, OPERATOR_NANO, PRICE, THEO, Stage, memory_stage, message


async def _intents(stage: Stage) -> list[Intent]:
    return list((await stage.reader.read_all()).intents)


async def test_price_is_held_before_the_first_character(stage: Stage) -> None:
    await stage.open()
    stage.engine.pause = asyncio.Event()
    shown: list[str] = []

    task = asyncio.create_task(stage.reply_to(message(), shown.append))
    await stage.engine.begun.wait()
    (intent,) = await _intents(stage)
    held = await stage.balance(hold_account(intent.key))
    early = list(shown)
    stage.engine.pause.set()
    reply = await task

    assert (held, early, intent.state) == (PRICE, [], "open")
    assert "".join(shown) == reply.text


async def test_reply_alone_captures_nothing_and_delivery_captures_once(stage: Stage) -> None:
    twin = (await stage.open()).manifest.twin
    reply = await stage.say()
    before = await stage.balance(creator_account(twin)), await stage.balance(OPERATOR_FEES)

    for _ in range(2):
        await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    assert before == (0, 0)
    assert await stage.balance(creator_account(twin)) == CREATOR_NANO
    assert await stage.balance(OPERATOR_FEES) == OPERATOR_NANO
    assert await stage.balance(hold_account(reply.intent)) == 0
    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE


@pytest.mark.parametrize("outcome", [Outcome.UNDELIVERED, Outcome.WITHDRAWN, Outcome.REFUNDED])
async def test_every_other_outcome_gives_the_hold_back(stage: Stage, outcome: Outcome) -> None:
    twin = (await stage.open()).manifest.twin
    reply = await stage.say()

    await stage.delivery.record(reply.receipt_id, outcome)
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)  # too late: decided

    assert await stage.balance(creator_account(twin)) == 0
    assert await stage.balance(SPONSOR) == 10 * NANO


async def test_outcome_of_an_unknown_receipt_is_a_broken_invariant(stage: Stage) -> None:
    await stage.open()

    with pytest.raises(InvariantError):
        await stage.delivery.record("nothing", Outcome.DELIVERED)


async def test_same_message_again_gives_the_same_reply_and_no_second_fee(stage: Stage) -> None:
    await stage.open()
    first = await stage.say()
    shown: list[str] = []

    again = await stage.reply_to(message("another text"), shown.append)

    assert again == first
    assert shown == [first.text]
    assert len(stage.engine.requests) == 1
    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE


async def test_same_message_twice_at_once_is_answered_once(stage: Stage) -> None:
    await stage.open()

    replies = await asyncio.gather(*(stage.reply_to(message()) for _ in range(3)))

    assert len({reply.receipt_id for reply in replies}) == 1
    assert len(stage.engine.requests) == 1


async def test_message_id_of_somebody_else_never_opens_their_reply(stage: Stage) -> None:
    await stage.open()
    await stage.say("my secret", fan="ana")

    with pytest.raises(BotError):
        await stage.say("hi", fan="eve")


async def test_concurrent_messages_of_one_conversation_become_consecutive_turns(
    stage: Stage,
) -> None:
    await stage.open()

    replies = await asyncio.gather(
        *(stage.reply_to(message(f"hi {n}", number=f"m{n}")) for n in range(4))
    )

    ordered = sorted(replies, key=lambda reply: reply.turn)
    assert [reply.turn for reply in ordered] == [reply.seq for reply in ordered] == [1, 2, 3, 4]
    pairs = [len([s for s in i.spans if s.kind is SpanKind.TWIN]) for i in await _intents(stage)]
    assert sorted(pairs) == [0, 1, 2, 3]


async def test_conversations_run_at_the_same_time_and_apart(stage: Stage) -> None:
    await stage.open((MIRA, THEO))

    replies = await asyncio.gather(
        stage.reply_to(message(fan="ana", number="1")),
        stage.reply_to(message(fan="bo", number="2")),
        stage.reply_to(message(fan="ana", number="1", twin="theo")),
    )

    assert [reply.turn for reply in replies] == [1, 1, 1]
    assert len({reply.conversation for reply in replies}) == 3


async def test_reply_verifies_under_the_operators_keys_and_replays_exactly(stage: Stage) -> None:
    await stage.open()
    await stage.say("one", number="m1")
    reply = await stage.say("two 🐙", number="m2")
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    bundle = await stage.proofs.bundle(reply.receipt_id)
    assert bundle is not None
    verified = verify_bundle(
        bundle, key=reply.opening_key, policy=stage.policy, receipt_id=reply.receipt_id
    )
    outcome = await stage.engine.replay(replay_request(verified))

    assert all(step.done for step in verified.steps)
    assert verified.trust == "policy"
    assert outcome.exact


async def test_bundle_without_outcome_verifies_and_a_missing_one_is_none(stage: Stage) -> None:
    await stage.open()
    reply = await stage.say()

    bundle = await stage.proofs.bundle(reply.receipt_id)

    assert bundle is not None
    assert verify_bundle(bundle, key=reply.opening_key, policy=stage.policy).outcome is None
    assert await stage.proofs.bundle("nothing") is None
    assert await stage.proofs.checkpoint() is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("x" * 1001, "at most 1000"),
        ("x" * 6000, "at most 1000 characters; that were 6000"),
        ("a\x00b", "control"),
        ("a\x1bb", "control"),
        ("half \ud83d", "control"),
    ],
)
async def test_message_that_is_no_plain_text_is_refused_and_leaves_nothing(
    stage: Stage, text: str, words: str
) -> None:
    await stage.open()

    with pytest.raises(AdmissionError, match=words):
        await stage.say(text)
    assert await _intents(stage) == []


@pytest.mark.parametrize("text", ["x" * 1000, "  a\nb\tc  ", "🐙" * 300])
async def test_message_within_the_limits_is_answered(stage: Stage, text: str) -> None:
    await stage.open()

    assert (await stage.say(text)).fan_text == text.strip()


async def test_message_too_long_for_the_window_is_refused_and_nothing_is_held(
    stage: Stage,
) -> None:
    stage.engine.model.context_tokens = 160
    await stage.open()

    with pytest.raises(MessageTooLongError):
        await stage.say("x" * 150)
    assert await _intents(stage) == []
    assert await stage.balance(SPONSOR) == 10 * NANO


async def test_unknown_twin_is_refused_and_the_live_ones_are_named(stage: Stage) -> None:
    await stage.open()

    with pytest.raises(UnknownTwinError, match="mira"):
        await stage.reply_to(message(twin="nobody"))


async def test_fan_over_quota_is_refused_until_tomorrow(stage: Stage) -> None:
    stage.daily_messages = 2
    await stage.open()
    await stage.say(number="m1")
    await stage.say(number="m2")

    with pytest.raises(AdmissionError, match="2 messages"):
        await stage.say(number="m3")
    again = await stage.say(number="m1")  # what was answered is still there
    other = await stage.say(number="m4", fan="bo")
    stage.clock.advance(timedelta(days=1, seconds=1))
    tomorrow = await stage.say(number="m3")
    assert [again.seq, other.seq, tomorrow.seq] == [1, 3, 4]


async def test_used_up_budget_is_refused(stage: Stage) -> None:
    stage.budget = PRICE + 1
    await stage.open((MIRA, THEO))
    await stage.say(number="m1")

    with pytest.raises(AdmissionError, match="budget"):
        await stage.say(number="m2")
    free = await stage.reply_to(message(twin="theo", number="m3"))
    await stage.delivery.record(free.receipt_id, Outcome.DELIVERED)
    assert free.price_nano == 0


@pytest.mark.parametrize("late", [VALIDITY + timedelta(seconds=1), VALIDITY])
async def test_manifest_is_served_to_its_last_second_and_no_longer(
    stage: Stage, late: timedelta
) -> None:
    await stage.open()
    stage.clock.advance(late)

    if late == VALIDITY:
        assert (await stage.say()).seq == 1
        return
    with pytest.raises(AdmissionError, match="expired"):
        await stage.say()


async def test_engine_crash_in_the_middle_continues_the_same_text(stage: Stage) -> None:
    await stage.open()
    shown: list[str] = []
    stage.engine.crashes = [3, None]

    reply = await stage.reply_to(message(), shown.append)

    first, second = stage.engine.requests
    assert "".join(shown) == reply.text == (await _elsewhere()).text
    assert first == second


async def test_engine_crash_twice_voids_and_releases_and_says_one_sentence(stage: Stage) -> None:
    await stage.open()
    stage.engine.crashes = [2, 1]

    with pytest.raises(EngineCrashedError, match="nothing was charged"):
        await stage.say()

    (intent,) = await _intents(stage)
    records = await stage.reader.read_all()
    leaf = parse_leaf(records.leaves[-1])
    assert intent.state == "void"
    assert isinstance(leaf, VoidLeaf)
    assert leaf.slot_tag == intent.slot_tag
    assert await stage.balance(SPONSOR) == 10 * NANO
    with pytest.raises(AdmissionError, match="once more"):
        await stage.say()
    assert (await stage.say(number="m2")).seq == 1


async def test_overloaded_engine_voids_and_charges_nothing(stage: Stage) -> None:
    await stage.open()
    stage.engine.errors = [EngineOverloadedError("full", retry_after_s=2)]

    with pytest.raises(EngineOverloadedError):
        await stage.say()
    assert await stage.balance(SPONSOR) == 10 * NANO


@pytest.mark.parametrize("ticks", [1, 4, 9, 16, 30, 60])
async def test_cancelled_answer_is_finished_by_the_same_message(stage: Stage, ticks: int) -> None:
    await stage.open()
    expected = (await _elsewhere()).text
    task = asyncio.create_task(stage.say())
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    reply = await stage.say()

    assert reply.text == expected
    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE
    assert len(await _intents(stage)) == 1


async def _elsewhere() -> StoredReply:
    """Return what another service with the same keys answers to the same message."""
    other = memory_stage()
    await other.open()
    return await other.say()


async def test_opening_keys_are_never_used_twice(stage: Stage) -> None:
    await stage.open()

    replies = [await stage.say(number=f"m{n}") for n in range(3)]

    assert len({reply.opening_key for reply in replies}) == 3
