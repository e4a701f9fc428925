"""A fan's data: complaints, a copy of everything, and forgetting."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import AdmissionError, StoreBusyError, TransientError, UserError
from bot.domain.ledger import SPONSOR
from bot.domain.money import NANO
from bot.ports.chat import ReplyShown, Surface
from bot.ports.fans import Person
from bot.receipts.link import parse_link
from bot.twins.turns import TakenBackError
from tests.fakes.fans import MemoryFanRecords
from tests.fakes.store import MemoryStore
from tests.fans_rig import FansRig, memory_rig, sqlite_rig
from tests.stage import MIRA, PRICE, SURFACE, THEO, message

ANA = Person("terminal", "ana")


@pytest.fixture(params=["memory", "sqlite"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FansRig]:
    if request.param == "memory":
        opened = memory_rig(tmp_path)
        await opened.stage.open((MIRA, THEO))
        yield opened
        assert (await opened.stage.audit()).wrong == []
        return
    async with sqlite_rig(tmp_path) as opened:
        await opened.stage.open((MIRA, THEO))
        yield opened
        assert (await opened.stage.audit()).wrong == []


async def _forget(rig: FansRig, fan: str = "ana") -> int:
    return await rig.fans.forget("terminal", fan)


async def _export(rig: FansRig, fan: str = "ana") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await rig.fans.export("terminal", fan))
    return found


async def test_report_is_kept_once_for_each_person(rig: FansRig) -> None:
    shown = await rig.ask(message())

    for fan, reason in (("ben", " rude \ud800 "), ("ben", "again"), ("cleo", "")):
        await rig.fans.report(shown.receipt_id, "discord", fan, reason)

    kept = await rig.records.reports()
    assert sorted((r.person.fan, r.reason, r.slug) for r in kept) == [
        ("ben", "rude ?", "mira"),
        ("cleo", "", "mira"),
    ]


@pytest.mark.parametrize(
    ("receipt", "reason", "sentence"),
    [("x" * 22, "rude", "no such reply"), ("", "x" * 1001, "at most 1,000")],
)
async def test_report_is_refused_with_a_sentence(
    rig: FansRig, receipt: str, reason: str, sentence: str
) -> None:
    shown = await rig.ask(message())

    with pytest.raises(UserError, match=sentence):
        await rig.fans.report(receipt or shown.receipt_id, "web", "ben", reason)

    assert await rig.records.reports() == []


async def test_export_holds_all_of_ones_own_and_nothing_of_others(rig: FansRig) -> None:
    first = await rig.ask(message("my secret garden"))
    await rig.ask(message("somebody else's words", number="b1", fan="ben"))
    await rig.ask(message("to theo", number="second", twin="theo"))
    elsewhere = replace(message("in another room", number="third"), surface=_room("room"))
    await rig.ask(elsewhere)
    await rig.fans.report(first.receipt_id, "terminal", "ana", "rude")
    await rig.fans.report(first.receipt_id, "terminal", "ben", "ben's reason")

    found = await _export(rig)
    text = json.dumps(found)

    assert found["format"] == "twinproof-export/1"
    assert (found["platform"], found["person"]) == ("terminal", "ana")
    conversations = found["conversations"]
    assert [(c["twin"], c["place"]["chat"], len(c["turns"])) for c in conversations] == [
        ("mira", "stage", 1),
        ("theo", "stage", 1),
        ("mira", "room", 1),
    ]
    turn = conversations[0]["turns"][0]
    assert turn["messages"] == [{"id": "first", "text": "my secret garden"}]
    assert turn["time"] == "2026-11-20T10:00:00Z"
    assert (turn["reply"]["text"], turn["reply"]["fee"]) == (first.text, "0.002000001 tUSD")
    assert turn["reply"]["outcome"] == "delivered"
    assert turn["reply"]["proof"] == first.link
    assert parse_link(turn["reply"]["proof"]).key is not None
    assert found["reports"] == [
        {
            "time": "2026-11-20T10:00:00Z",
            "twin": "mira",
            "receipt": first.receipt_id,
            "reason": "rude",
        }
    ]
    assert "somebody else" not in text
    assert "ben" not in text


async def test_export_of_a_long_history_is_whole_and_in_order(rig: FansRig) -> None:
    texts = [f"message {n} \x1b\u202e🐙" for n in range(120)]
    for number, text in enumerate(texts):
        await rig.ask(message(text.replace("\x1b", ""), number=str(number), twin="theo"))

    conversations = (await _export(rig))["conversations"]

    said = [turn["messages"][0]["text"] for turn in conversations[0]["turns"]]
    assert said == [text.replace("\x1b", "") for text in texts]


async def test_export_shows_other_replies_and_messages_without_any(rig: FansRig) -> None:
    first = await rig.ask(message())
    again = await rig.stage.again(first.receipt_id, event="wish")
    rig.stage.engine.crashes = [0, 0]
    with pytest.raises(TransientError):
        await rig.ask(message("lost", number="lost"))

    (conversation,) = (await _export(rig))["conversations"]

    turns = conversation["turns"]
    assert [turn["reply"] and turn["reply"]["receipt"] for turn in turns] == [
        first.receipt_id,
        again.receipt_id,
        None,
    ]
    assert turns[1]["another_reply"] == {"number": 1, "asked_by": "wish"}
    assert turns[1]["reply"]["outcome"] == "not yet known"
    assert turns[2]["state"] == "not answered"


async def test_export_of_a_stranger_is_empty_and_readable(rig: FansRig) -> None:
    await rig.ask(message())

    found = await _export(rig, "nobody")

    assert (found["conversations"], found["picked_twins"], found["reports"]) == ([], [], [])


def _room(chat: str) -> Surface:
    return replace(SURFACE, chat=chat)


async def test_forgotten_person_is_gone_and_others_are_not(rig: FansRig) -> None:
    await rig.ask(message("my secret garden"))
    await rig.ask(message("more of it", number="second"))
    ben = await rig.ask(message("ben's own", number="b1", fan="ben"))

    assert await _forget(rig) == 2

    inbox = rig.stage.make_inbox()
    assert await inbox.history("mira", SURFACE, "ana") == []
    assert [t.fan_text for t in await inbox.history("mira", SURFACE, "ben")] == ["ben's own"]
    assert await inbox.link_of(ben.receipt_id, "terminal", "ben") == ben.link
    assert (await _export(rig))["conversations"] == []
    assert await _forget(rig) == 0


async def test_the_engine_forgets_every_conversation_of_the_person_and_no_others(
    rig: FansRig,
) -> None:
    for number, (twin, fan) in enumerate([("mira", "ana"), ("theo", "ana"), ("mira", "ben")]):
        await rig.ask(message(twin=twin, fan=fan, number=str(number)))
    ours, others, bens = (one.conversation for one in rig.stage.engine.callers)

    await _forget(rig)

    assert sorted(rig.stage.engine.forgotten) == sorted([ours, others])
    assert bens not in rig.stage.engine.forgotten


async def test_delivered_replies_stay_paid_and_undecided_ones_are_not(rig: FansRig) -> None:
    paid = await rig.ask(message())
    undecided = await rig.stage.say(number="second")
    leaves = len((await rig.stage.reader.read_all()).leaves)

    assert await _forget(rig) == 2

    records = await rig.stage.reader.read_all()
    outcomes = {reply.receipt_id: (reply.outcome, reply.reversal) for reply in records.replies}
    assert outcomes == {
        paid.receipt_id: ("delivered", None),
        undecided.receipt_id: ("withdrawn", None),
    }
    assert len(records.leaves) == leaves + 1
    assert await rig.stage.balance(SPONSOR) == 10 * NANO - PRICE
    await rig.stage.make_inbox().delivered(undecided.receipt_id)
    assert await rig.stage.balance(SPONSOR) == 10 * NANO - PRICE


async def test_link_and_bundle_of_a_forgotten_reply_are_gone(rig: FansRig) -> None:
    shown = await rig.ask(message())
    bundle = await rig.stage.proofs.bundle(shown.receipt_id)
    assert bundle is not None
    path = rig.saved.save(shown.receipt_id, bundle)
    other = rig.saved.save("another", bundle)

    await _forget(rig)

    with pytest.raises(UserError, match="forgotten"):
        await rig.stage.make_inbox().link_of(shown.receipt_id, "terminal", "ana")
    assert await rig.stage.proofs.bundle(shown.receipt_id) is None
    assert not path.exists()
    assert other.exists()


async def test_forgotten_message_that_comes_again_is_refused_and_a_new_one_starts_anew(
    rig: FansRig,
) -> None:
    await rig.ask(message("my secret garden"))
    await _forget(rig)
    rig.stage.engine.requests.clear()

    with pytest.raises(AdmissionError, match="forgotten"):
        await rig.ask(message("my secret garden"))
    assert rig.stage.engine.requests == []
    await rig.ask(message("hello again", number="new"))

    (request,) = rig.stage.engine.requests
    assert b"garden" not in bytes(token for token in request.context if token < 256)
    (conversation,) = (await _export(rig))["conversations"]
    assert len(conversation["turns"]) == 1


async def test_running_reply_is_dropped_and_leaves_nothing(rig: FansRig) -> None:
    await rig.ask(message("before"))
    rig.stage.engine.pause = asyncio.Event()
    rig.stage.engine.begun.clear()
    running = asyncio.create_task(rig.ask(message("my secret garden", number="running")))
    await rig.stage.engine.begun.wait()
    forgetting = asyncio.create_task(_forget(rig))
    await asyncio.sleep(0.05)
    assert not forgetting.done()

    rig.stage.engine.pause.set()

    assert await forgetting == 1
    with pytest.raises(UserError, match="taken back"):
        await running
    records = await rig.stage.reader.read_all()
    assert [reply.text for reply in records.replies] == [""]
    assert [(i.state, i.message.text) for i in records.intents] == [("done", ""), ("void", "")]
    assert await rig.stage.balance(SPONSOR) == 10 * NANO - PRICE


async def test_messages_that_wait_in_line_are_taken_back(rig: FansRig) -> None:
    rig.stage.engine.pause = asyncio.Event()
    rig.stage.engine.begun.clear()
    asks = [asyncio.create_task(rig.ask(message("first", number="1")))]
    await rig.stage.engine.begun.wait()
    asks += [asyncio.create_task(rig.ask(message(f"later {n}", number=n))) for n in "23"]
    asks.append(asyncio.create_task(rig.ask(message("ben's", number="b", fan="ben"))))
    await asyncio.sleep(0.3)
    forgetting = asyncio.create_task(_forget(rig))
    await asyncio.sleep(0.3)
    rig.stage.engine.pause.set()
    await forgetting

    *theirs, bens = await asyncio.gather(*asks, return_exceptions=True)

    assert all(isinstance(one, TakenBackError) for one in theirs), theirs
    assert isinstance(bens, ReplyShown)
    records = await rig.stage.reader.read_all()
    assert {intent.message.text for intent in records.intents} == {"", "ben's"}


async def test_other_peoples_running_replies_run_on(rig: FansRig) -> None:
    await rig.ask(message("before"))
    rig.stage.engine.pause = asyncio.Event()
    rig.stage.engine.begun.clear()
    running = asyncio.create_task(rig.ask(message("ben's", number="b", fan="ben")))
    await rig.stage.engine.begun.wait()

    assert await _forget(rig) == 1
    rig.stage.engine.pause.set()

    assert (await running).text


async def test_what_a_crash_left_open_is_void_and_forgotten(rig: FansRig) -> None:
    rig.stage.engine.pause = asyncio.Event()
    task = asyncio.create_task(rig.stage.say("my secret garden"))
    await rig.stage.engine.begun.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert await _forget(rig) == 0

    (intent,) = (await rig.stage.reader.read_all()).intents
    assert (intent.state, intent.erased, intent.message.text) == ("void", True, "")


async def test_forgetting_gives_no_new_quota(rig: FansRig) -> None:
    rig.stage.daily_messages = 3
    for number in ("1", "2"):
        await rig.ask(message(number=number))
    await _forget(rig)
    await rig.ask(message(number="3"))
    await _forget(rig)

    with pytest.raises(AdmissionError, match="3 messages"):
        await rig.ask(message(number="4"))
    await rig.ask(message(number="b", fan="ben"))
    rig.stage.clock.advance(timedelta(hours=24, seconds=1))
    await rig.ask(message(number="5"))


async def test_a_cool_down_does_not_forget_what_was_sent_today(rig: FansRig) -> None:
    rig.stage.daily_messages, rig.stage.cooldown = 2, timedelta(seconds=10)
    for number in ("1", "2"):
        await rig.ask(message(number=number))
        await _forget(rig)
        rig.stage.clock.advance(timedelta(seconds=11))

    for number in ("3", "4"):
        with pytest.raises(AdmissionError, match="2 messages"):
            await rig.ask(message(number=number))


async def test_forgetting_a_person_on_one_platform_leaves_the_other(rig: FansRig) -> None:
    await rig.ask(message())
    web = replace(message("on the web", number="w"), surface=replace(SURFACE, platform="web"))
    await rig.ask(web)

    assert await rig.fans.forget("web", "ana") == 1

    assert len(await rig.stage.make_inbox().history("mira", SURFACE, "ana")) == 1


async def test_forgetting_while_messages_pour_in_ends_and_leaves_no_old_word(rig: FansRig) -> None:
    await rig.ask(message("garden"))
    shown: list[ReplyShown] = []

    async def talk(number: int) -> None:
        with suppress(UserError):
            shown.append(await rig.ask(message("hello", number=f"n{number}")))

    talking = [asyncio.create_task(talk(number)) for number in range(12)]
    await _forget(rig)
    await asyncio.gather(*talking)

    for intent in (await rig.stage.reader.read_all()).intents:
        words = bytes(token for token in intent.context if token < 256)
        assert b"garden" not in words


async def test_busy_store_is_said_and_asking_again_forgets(tmp_path: Path) -> None:
    rig = memory_rig(tmp_path)
    await rig.stage.open()
    await rig.ask(message())
    assert isinstance(rig.records, MemoryFanRecords)
    rig.records.busy = [True]

    with pytest.raises(StoreBusyError):
        await _forget(rig)

    assert len(await rig.tombstones.all()) == 1
    assert await _forget(rig) == 1


async def test_restored_backup_brings_nobody_back(tmp_path: Path) -> None:
    rig = memory_rig(tmp_path)
    await rig.stage.open()
    await rig.ask(message("my secret garden"))
    await rig.stage.say("undecided", number="second")
    await rig.ask(message("ben's", number="b", fan="ben"))
    assert isinstance(rig.stage.store, MemoryStore)
    assert isinstance(rig.records, MemoryFanRecords)
    backup = rig.stage.store.reopened()
    await _forget(rig)

    restored = rig.restarted(backup)
    assert isinstance(restored.records, MemoryFanRecords)
    restored.records.applied = []
    assert await restored.records.knows(ANA)
    assert await restored.fans.replay() == 2

    records = await restored.stage.reader.read_all()
    assert [r.fan_text for r in records.replies] == ["", "", "ben's"]
    assert not await restored.records.knows(ANA)
    assert (await restored.stage.audit()).wrong == []
    assert await restored.fans.replay() == 0


async def test_replay_counts_the_forgotten_messages_again_after_a_restart(tmp_path: Path) -> None:
    rig = memory_rig(tmp_path, daily_messages=2)
    await rig.stage.open()
    for number in ("1", "2"):
        await rig.ask(message(number=number))
    await _forget(rig)
    assert isinstance(rig.stage.store, MemoryStore)

    again = rig.restarted(rig.stage.store)
    await again.fans.replay()
    await again.stage.open()

    with pytest.raises(AdmissionError, match="2 messages"):
        await again.ask(message(number="3"))


async def test_tombstones_and_log_name_nobody(
    rig: FansRig, capsys: pytest.CaptureFixture[str]
) -> None:
    await rig.ask(replace(message(fan="ana-7731")))
    await _forget(rig, "ana-7731")

    (tombstone,) = await rig.tombstones.all()
    said = capsys.readouterr()

    assert b"ana" not in tombstone.digest
    assert "ana-7731" not in said.out + said.err
