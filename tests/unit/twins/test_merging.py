"""Follow-ups that come while the twin answers become one turn."""

import asyncio

import pytest

from bot.domain.errors import AdmissionError, BotError, UserError
from bot.domain.ledger import SPONSOR
from bot.domain.money import NANO
from bot.ports.chat import IncomingMessage, MergedInto
from bot.ports.stores import Intent, StoredReply
from bot.receipts.verify import verify_bundle
from tests.fakes.store import MemoryStore, ProcessKilled, WriteFault
from tests.stage import PRICE, SURFACE, Stage, memory_stage, message

Answered = StoredReply | MergedInto


def _follow(number: int, text: str = "", *, may_merge: bool = True) -> IncomingMessage:
    return message(text or f"words {number}", number=f"m{number}", may_merge=may_merge)


async def _talk(stage: Stage, *messages: IncomingMessage) -> list[Answered | BaseException]:
    """Send messages in this order while the twin answers a first one; return their answers."""
    stage.engine.pause = asyncio.Event()
    stage.engine.begun.clear()
    answer = stage.make_answer()
    first = asyncio.create_task(answer.answer(message("busy", number="busy"), _ignore))
    await stage.engine.begun.wait()
    tasks = []
    for one in messages:
        tasks.append(asyncio.create_task(answer.answer(one, _ignore)))
        await asyncio.sleep(0)
    stage.engine.pause.set()
    await first
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    stage.engine.pause = None
    return answers


def _ignore(_text: str) -> None:
    pass


async def _intents(stage: Stage) -> list[Intent]:
    return [i for i in (await stage.reader.read_all()).intents if i.message.message_id != "busy"]


async def test_messages_that_wait_are_answered_together(stage: Stage) -> None:
    await stage.open()

    first, second, third = await _talk(stage, _follow(1), _follow(2), _follow(3))

    assert isinstance(first, StoredReply)
    assert (second, third) == (MergedInto("m1"), MergedInto("m1"))
    (intent,) = await _intents(stage)
    assert [(part.id, part.text) for part in intent.parts] == [
        *(("m1", "words 1"), ("m2", "words 2"), ("m3", "words 3")),
    ]
    assert first.fan_text == "words 1\nwords 2\nwords 3"
    assert await stage.balance(SPONSOR) == 10 * NANO - 2 * PRICE
    bundle = await stage.proofs.bundle(first.receipt_id)
    assert bundle is not None
    verified = verify_bundle(bundle, key=first.opening_key, policy=stage.policy)
    assert verified.openings is not None
    assert verified.openings.fields.parts == intent.parts


async def test_merged_message_that_comes_again_names_the_first_one_again(stage: Stage) -> None:
    await stage.open()
    first, _ = await _talk(stage, _follow(1), _follow(2))

    answer = stage.make_answer()

    assert await answer.answer(_follow(2), _ignore) == MergedInto("m1")
    assert await answer.answer(_follow(2, may_merge=False), _ignore) == MergedInto("m1")
    assert await answer.answer(_follow(1), _ignore) == first
    assert len(await _intents(stage)) == 1


async def test_message_that_may_not_merge_keeps_its_turn_and_the_order(stage: Stage) -> None:
    await stage.open()

    answers = await _talk(
        stage, _follow(1), _follow(2), _follow(3, may_merge=False), _follow(4), _follow(5)
    )

    kinds = [a.fan_text if isinstance(a, StoredReply) else a for a in answers]
    assert kinds == [
        *("words 1\nwords 2", MergedInto("m1"), "words 3", "words 4\nwords 5", MergedInto("m4")),
    ]
    turns = [a.turn for a in answers if isinstance(a, StoredReply)]
    assert turns == [2, 3, 4]


async def test_no_more_than_sixteen_messages_are_answered_together(stage: Stage) -> None:
    await stage.open()

    answers = await _talk(stage, *(_follow(n) for n in range(20)))

    assert [len(intent.parts) for intent in await _intents(stage)] == [16, 4]
    assert [isinstance(a, StoredReply) for a in answers].count(True) == 2


async def test_messages_answered_together_are_no_longer_than_one_may_be(stage: Stage) -> None:
    await stage.open()

    answers = await _talk(stage, *(_follow(n, "x" * 400) for n in range(3)))

    assert [isinstance(a, StoredReply) for a in answers] == [True, False, True]


async def test_messages_of_others_and_of_other_twins_do_not_merge(stage: Stage) -> None:
    await stage.open()
    mine, theirs = _follow(1), message("me too", number="m2", fan="bo", may_merge=True)

    answers = await _talk(stage, mine, theirs)

    assert all(isinstance(answer, StoredReply) for answer in answers)


async def test_too_long_together_for_the_window_is_answered_one_by_one(stage: Stage) -> None:
    stage.engine.model.context_tokens = 220
    await stage.open()

    answers = await _talk(stage, _follow(1, "x" * 90), _follow(2, "y" * 90))

    assert [a.fan_text for a in answers if isinstance(a, StoredReply)] == ["x" * 90, "y" * 90]


async def test_merged_turn_counts_once_towards_the_quota(stage: Stage) -> None:
    stage.daily_messages = 3
    await stage.open()

    await _talk(stage, *(_follow(n) for n in range(5)))

    assert (await stage.say(number="last")).turn == 3
    with pytest.raises(AdmissionError, match="3 messages"):
        await stage.say(number="one more")


async def test_refused_turn_refuses_each_of_its_messages(stage: Stage) -> None:
    stage.daily_messages = 1
    await stage.open()

    answers = await _talk(stage, _follow(1), _follow(2))

    assert [type(answer) for answer in answers] == [AdmissionError] * 2


async def test_waiting_message_that_is_taken_back_is_left_out(stage: Stage) -> None:
    await stage.open()
    stage.engine.pause = asyncio.Event()
    answer = stage.make_answer()
    tasks = [asyncio.create_task(answer.answer(message("busy", number="busy"), _ignore))]
    await stage.engine.begun.wait()
    for number in (1, 2, 3):
        tasks.append(asyncio.create_task(answer.answer(_follow(number), _ignore)))
        await asyncio.sleep(0)

    assert await stage.withdrawal.withdraw(SURFACE, "m2") == []
    stage.engine.pause.set()
    _, first, second, third = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(first, StoredReply)
    assert isinstance(second, UserError)
    assert "nothing was charged" in str(second)
    assert third == MergedInto("m1")
    assert first.fan_text == "words 1\nwords 3"


@pytest.mark.parametrize("ticks", range(0, 60, 4))
async def test_message_taken_back_at_any_moment_is_in_no_turn_that_stays(
    stage: Stage, ticks: int
) -> None:
    await stage.open()
    answer = stage.make_answer()
    tasks = [asyncio.create_task(answer.answer(_follow(n), _ignore)) for n in (1, 2, 3)]
    for _ in range(ticks):
        await asyncio.sleep(0)

    taken = await stage.withdrawal.withdraw(SURFACE, "m2")
    await asyncio.gather(*tasks, return_exceptions=True)

    records = await stage.reader.read_all()
    holding = {i.key for i in records.intents if "m2" in {part.id for part in i.parts}}
    replies = [reply for reply in records.replies if reply.intent in holding]
    if ticks:  # else it had not come yet
        assert [r.outcome for r in replies] == ["withdrawn"] * len(taken)
        assert all(i.state == "void" or taken for i in records.intents if i.key in holding)


@pytest.mark.parametrize("fault", WriteFault)
@pytest.mark.parametrize("ahead", [2, 3])  # the merged intent, its reply
async def test_merged_turn_survives_a_broken_write(ahead: int, fault: WriteFault) -> None:
    stage = memory_stage()
    await stage.open()
    assert isinstance(stage.store, MemoryStore)
    stage.store.faults[stage.store.writes + 1 + ahead] = fault
    try:
        answers = await _talk(stage, _follow(1), _follow(2), _follow(3))
    except ProcessKilled:
        answers = []
    assert all(isinstance(a, StoredReply | MergedInto | BotError | ProcessKilled) for a in answers)
    again = stage.restarted()
    await again.open()
    await again.recovery.run()

    answer = again.make_answer()
    told = [await answer.answer(_follow(n), _ignore) for n in (1, 2, 3)]

    parts = [part.id for intent in await _intents(again) for part in intent.parts]
    assert sorted(parts) == ["m1", "m2", "m3"]
    assert isinstance(told[0], StoredReply)
    assert (await again.audit()).wrong == []
