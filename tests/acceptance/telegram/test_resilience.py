"""Outages, second pollers, floods, repetitions and disorder, with several bots in one process."""

import asyncio
from dataclasses import replace

import pytest

from adapters.telegram_chat.chat import TelegramBotSettings
from tests.acceptance.telegram.conftest import ADA, BEN, QUICK, Stage, settle, until
from tests.acceptance.telegram.server import Fault
from tests.acceptance.telegram.world import BotSide

RECEIPTS = [f"receipt-{number:014d}" for number in range(1, 9)]


@pytest.fixture
def rumi(stage: Stage) -> BotSide:
    return stage.server.world.add_bot(7002, "rumibot")


async def _both(stage: Stage, rumi: BotSide) -> None:
    surface = await stage.start(
        TelegramBotSettings(stage.lobby.token, solo="nova"),
        TelegramBotSettings(rumi.token, solo="rumi"),
    )
    await until(lambda: len(surface.ready_bots()) == 2)


async def test_a_second_poller_is_told_of_once_and_the_other_bot_goes_on(
    stage: Stage, rumi: BotSide, capsys: pytest.CaptureFixture[str]
) -> None:
    await _both(stage, rumi)
    with stage.server.fault(Fault("getUpdates", times=6, status=409)) as conflict:
        conflict.bot = stage.lobby.id
        stage.lobby.polls += 1  # somebody else polls: ours comes back with a conflict
        stage.lobby.news.set()
        await until(lambda: conflict.times == 0)
        reply = await stage.ask("Hello", bot=rumi)

    output = capsys.readouterr().out
    assert reply["text"].startswith("Rumi [AI twin]")
    assert output.count("telegram.second_poller") == 1
    assert (await stage.ask("Hello"))["text"].startswith("Nova [AI twin]")


async def test_after_a_long_outage_every_message_is_answered_once(
    stage: Stage, rumi: BotSide
) -> None:
    await _both(stage, rumi)
    await stage.server.stop()
    for number in range(3):
        stage.server.world.say(stage.lobby, ADA, f"Hello {number}")
        stage.server.world.say(rumi, BEN, f"Hello {number}")
    await asyncio.sleep(20 * QUICK.backoff_max_s)  # as 10 minutes are to its 30 s

    await stage.server.start()
    await until(lambda: len(stage.inbox.confirmed) == 6)
    await settle()

    assert len(stage.heard()) == len(stage.heard(BEN, rumi)) == 3
    assert sorted(stage.inbox.confirmed) == RECEIPTS[:6]


async def test_repeated_and_disordered_updates_are_each_answered_once(stage: Stage) -> None:
    await stage.start(TelegramBotSettings(stage.lobby.token, solo="nova"))
    texts = [f"Hello {number}" for number in range(4)]
    for text in texts:
        stage.server.world.say(stage.lobby, ADA, text)
    one, two, three, four = stage.lobby.updates
    stage.lobby.updates[:] = [three, one, one, four, two, three]

    await until(lambda: len(stage.inbox.confirmed) == 4)
    stage.lobby.updates.extend([two, one])
    stage.lobby.news.set()
    await settle()

    assert sorted(message.text for message in stage.inbox.asked) == texts
    assert len(stage.heard()) == 4


async def test_a_flood_answer_for_one_bot_stalls_no_other_bot(stage: Stage, rumi: BotSide) -> None:
    await _both(stage, rumi)
    loop = asyncio.get_running_loop()
    with stage.server.fault(Fault("sendMessage", times=2, status=429, retry_after=1)) as flood:
        flood.bot = stage.lobby.id
        began = loop.time()
        stage.server.world.say(stage.lobby, ADA, "Hello")
        await until(lambda: flood.times == 1)
        await stage.ask("Hello", bot=rumi)
        rumis = loop.time() - began
        await stage.answer()
        lobbys = loop.time() - began

    assert rumis < 1
    assert lobbys >= 2
    assert len(stage.heard()) == 1


async def test_a_flood_in_a_group_stalls_no_private_chat(stage: Stage) -> None:
    group = stage.server.world.add_group(-1001000000001, ADA, stage.lobby.id)
    await stage.start(TelegramBotSettings(stage.lobby.token, solo="nova"))
    with stage.server.fault(Fault("sendMessage", status=429, retry_after=2, chat=group.id)):
        stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
        await until(lambda: stage.inbox.asked)
        began = asyncio.get_running_loop().time()
        await stage.ask("Hello", fan=BEN)

        assert asyncio.get_running_loop().time() - began < 1
        await stage.said_in(group)


async def test_hung_calls_of_one_bot_leave_the_others_their_connections(
    stage: Stage, rumi: BotSide
) -> None:
    """All bots share one pool of connections."""
    await _both(stage, rumi)
    with stage.server.fault(Fault("sendMessage", times=20, is_hung=True)) as hung:
        hung.bot = stage.lobby.id
        fans = [stage.server.world.add_fan(5000 + number, "Fan") for number in range(20)]
        for fan in fans:
            stage.server.world.say(stage.lobby, fan, "/help")
        await until(lambda: hung.times == 0)

        began = asyncio.get_running_loop().time()
        await stage.ask("Hello", bot=rumi)

        assert asyncio.get_running_loop().time() - began < 1


async def test_a_picker_that_was_deleted_still_says_who_is_talked_to(stage: Stage) -> None:
    await stage.start()
    picker = await stage.ask("/start")
    del stage.server.world.private(stage.lobby, ADA).messages[picker["message_id"]]

    stage.server.world.press(stage.lobby, ADA, picker, "Nova")
    await until(lambda: any("AI twin of Nova" in text for text in stage.heard()))

    assert (await stage.ask("Hello"))["text"].startswith("Nova [AI twin]")


async def test_a_fan_who_blocks_the_bot_under_a_long_reply_costs_nothing(stage: Stage) -> None:
    await stage.start(TelegramBotSettings(stage.lobby.token, solo="nova"))
    stage.inbox.words = ["Ships come home. " * 600]
    with stage.server.fault(Fault("sendMessage", delay_s=0.3)):
        stage.server.world.say(stage.lobby, ADA, "Hello")
        await until(lambda: stage.server.count("sendMessage") == 1)
        await asyncio.sleep(0.2)
        await until(stage.heard)
        stage.server.world.block(stage.lobby, ADA)

    await until(lambda: stage.inbox.lost == RECEIPTS[:1])
    assert stage.inbox.confirmed == []


async def test_bots_that_come_while_others_run_disturb_nobody(stage: Stage, rumi: BotSide) -> None:
    surface = await stage.start(TelegramBotSettings(stage.lobby.token, solo="nova"))
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.running)

    await surface.host(rumi.token, twin="rumi", owner=str(BEN))
    await until(lambda: "7002" in surface.ready_bots())
    await surface.unhost("7002")
    assert surface.ready_bots() == ["7001"]
    for _ in range(4):
        stage.inbox.gate.release()

    assert (await stage.answer())["text"].endswith("home.")
    assert surface.voice("7002") is None


async def test_a_slow_stop_of_one_bot_keeps_no_reply(stage: Stage) -> None:
    """What does not end in time is answered after the next start."""
    surface = await stage.start(
        TelegramBotSettings(stage.lobby.token, solo="nova"), pace=replace(QUICK, drain_s=0.05)
    )
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.running)
    await surface.stop()
    stage.inbox.gate = None

    await stage.start(TelegramBotSettings(stage.lobby.token, solo="nova"))

    assert (await stage.answer())["text"].endswith("home.")
    assert len(stage.heard()) == 1


async def test_full_works_and_a_full_queue_make_the_platform_wait_and_lose_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.telegram_chat.works.MAX_OPEN", 2)
    monkeypatch.setattr("adapters.telegram_chat.works.MAX_QUEUED", 3)
    fans = [stage.server.world.add_fan(6000 + number, "Fan") for number in range(12)]
    await stage.start(TelegramBotSettings(stage.lobby.token, "nova"))
    stage.inbox.gate = asyncio.Semaphore(0)

    for fan in fans[:6]:
        stage.server.world.say(stage.lobby, fan, "Hello")
    await until(lambda: len(stage.state.open) == 6)
    for fan in fans[6:]:
        stage.server.world.say(stage.lobby, fan, "Hello")
    await settle()
    works = len(stage.inbox.running)
    waiting = len(stage.lobby.updates)
    for _ in range(12 * 4):
        stage.inbox.gate.release()
    await until(lambda: len(stage.inbox.confirmed) == 12)

    assert works == 2
    assert waiting >= 6  # not confirmed, so the platform keeps them
    assert len(stage.inbox.asked) == 12
    await until(lambda: stage.state.open == {})
