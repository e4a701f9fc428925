"""What breaks on the way to Telegram, and what must happen; no bot stops another."""

import asyncio
from dataclasses import replace

import pytest

from adapters.telegram_chat.chat import TelegramBotSettings
from tests.acceptance.telegram.conftest import ADA, BEN, QUICK, Stage, settle, until
from tests.acceptance.telegram.server import Fault

RECEIPT = "receipt-00000000000001"


async def _ready(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")


async def test_a_fan_who_blocks_the_bot_costs_nothing(stage: Stage) -> None:
    await _ready(stage)
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.running)
    stage.server.world.block(stage.lobby, ADA)
    for _ in range(4):
        stage.inbox.gate.release()

    await until(lambda: stage.inbox.lost == [RECEIPT])
    assert stage.inbox.confirmed == []


@pytest.mark.parametrize("is_hung", [True, False])
async def test_an_unknown_outcome_is_sent_once_more(stage: Stage, *, is_hung: bool) -> None:
    await stage.start(pace=replace(QUICK, answer_s=0.3))
    await stage.ask("/twin nova")
    with stage.server.fault(Fault("sendMessage", is_done=True, is_hung=is_hung)):
        await stage.ask("Hello")
        await until(lambda: stage.inbox.confirmed == [RECEIPT])

    assert len(stage.heard()) == 3  # the pick, and the reply twice: the worst case
    assert len(stage.inbox.asked) == 1


async def test_server_errors_are_waited_out(stage: Stage) -> None:
    await _ready(stage)
    sending, polling = (Fault(name, 3, 502) for name in ("sendMessage", "getUpdates"))
    with stage.server.fault(sending), stage.server.fault(polling):
        reply = await stage.ask("Hello")
        await until(lambda: stage.inbox.confirmed)

    assert reply["text"].endswith("Ships come home.")
    assert len(stage.heard()) == 2


async def test_a_flood_in_one_chat_stalls_no_other(stage: Stage) -> None:
    await _ready(stage)
    await stage.ask("/twin nova", fan=BEN)
    with stage.server.fault(Fault("sendMessage", status=429, retry_after=2, chat=ADA)):
        loop = asyncio.get_running_loop()
        began = loop.time()
        stage.server.world.say(stage.lobby, ADA, "Hello")
        await until(lambda: stage.inbox.asked)
        await stage.ask("Hello", fan=BEN)
        bens = loop.time() - began
        await stage.answer(fan=ADA, after=1)
        adas = loop.time() - began

    assert bens < 2
    assert adas >= 2
    assert len(stage.heard()) == 2


async def test_the_network_may_vanish_and_return(stage: Stage) -> None:
    await _ready(stage)
    await stage.server.stop()
    await settle()
    await stage.server.start()

    reply = await stage.ask("Hello")

    assert reply["text"].endswith("Ships come home.")


async def test_a_reply_made_while_the_network_is_away_arrives(stage: Stage) -> None:
    await _ready(stage)
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.running)
    await stage.server.stop()
    for _ in range(4):
        stage.inbox.gate.release()
    await settle()
    await stage.server.start()

    await until(lambda: stage.inbox.confirmed == [RECEIPT])
    assert len(stage.heard()) == 2


async def test_the_network_may_be_away_at_the_start(stage: Stage) -> None:
    await stage.server.stop()
    surface = stage.build()
    await surface.start()
    await settle()
    await stage.server.start()

    await until(lambda: surface.ready_bots() == ["7001"])


async def test_a_second_poller_is_waited_out(stage: Stage) -> None:
    await _ready(stage)
    other = stage.build(state=type(stage.state)())
    before = stage.server.count("getUpdates")
    await other.start()
    await until(lambda: stage.server.count("getUpdates") > before + 4)
    await other.stop()

    reply = await stage.ask("Hello")

    assert reply["text"].endswith("Ships come home.")


async def test_a_webhook_that_was_left_behind_is_removed(stage: Stage) -> None:
    stage.lobby.webhook = {"url": "https://old.example.org/hook"}

    await stage.start()

    assert stage.lobby.webhook == {}
    assert (await stage.ask("/help"))["text"]


async def test_a_revoked_token_stops_no_other_bot_and_is_told_nowhere(
    stage: Stage, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    revoked = TelegramBotSettings("9009:SECRET-revoked", solo="nova")
    surface = await stage.start(revoked, TelegramBotSettings(stage.lobby.token))
    await stage.ask("/twin nova")
    stage.server.world.bots.pop(stage.lobby.token)  # and the other one is revoked in mid-flight
    third = stage.server.world.add_bot(7005, "thirdbot")
    await settle()
    await surface.stop()
    await stage.start(revoked, TelegramBotSettings(third.token, solo="nova"))

    reply = await stage.ask("Hello", bot=third)

    assert reply["text"].startswith("Nova [AI twin]")
    output = capsys.readouterr()
    told = output.out + output.err + caplog.text
    assert "telegram.token_rejected" in told
    assert "SECRET" not in told


async def test_a_token_that_works_again_is_found_again(stage: Stage) -> None:
    await _ready(stage)
    stage.server.world.bots.pop(stage.lobby.token)
    await settle()
    stage.server.world.bots[stage.lobby.token] = stage.lobby

    assert (await stage.ask("Hello"))["text"].endswith("home.")


async def test_a_crowd_is_served_below_the_platforms_limit(stage: Stage) -> None:
    stage.server.flood_per_s = 36  # 30 and what arrives closer together than it was sent
    await stage.start(pace=replace(QUICK, chat_s=1.0))
    fans = [stage.server.world.add_fan(5000 + number, "Fan") for number in range(70)]
    for fan in fans:
        stage.server.world.say(stage.lobby, fan, "/help")

    await until(lambda: stage.server.count("sendMessage") >= len(fans))
    await settle()

    assert [len(stage.heard(fan)) for fan in fans] == [1] * len(fans)
    assert stage.server.count("sendMessage") == len(fans)  # none was refused and repeated


async def test_a_flood_of_one_fan_is_bounded(stage: Stage) -> None:
    await _ready(stage)
    stage.inbox.gate = asyncio.Semaphore(0)
    for number in range(8):
        stage.server.world.say(stage.lobby, ADA, f"Hello {number}")
    await until(lambda: len(stage.heard()) == 4)
    for _ in range(20):
        stage.inbox.gate.release()
    await until(lambda: len(stage.inbox.confirmed) == 5)

    texts = [message.text for message in stage.inbox.asked]
    assert texts == [f"Hello {number}" for number in range(5)]
    assert (
        stage.heard()[1:4]
        == ["One moment: your earlier messages are still being answered. Please send this again."]
        * 3
    )


async def test_a_bug_becomes_a_sentence_and_the_bot_goes_on(stage: Stage) -> None:
    await _ready(stage)
    stage.inbox.link_ids = ["bad"]
    stage.inbox.words = ["fine"]
    broken, stage.inbox.running = stage.inbox.running, None  # type: ignore[assignment]
    answer = await stage.ask("Hello")
    stage.inbox.running = broken

    assert answer["text"] == "Something went wrong on this side. Nothing was charged."
    assert (await stage.ask("Again"))["text"].endswith("fine")


async def test_no_words_tokens_or_links_in_the_logs(
    stage: Stage, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    stage.inbox.words = ["MARKER-REPLY"]
    await _ready(stage)
    with stage.server.fault(Fault("sendMessage", status=502)):
        await stage.ask("MARKER-QUESTION")
    await stage.ask("/start proof_MARKER-PAYLOAD")
    stage.inbox.running = None  # type: ignore[assignment]
    await stage.ask("MARKER-BROKEN")
    stage.inbox.running = set()

    output = capsys.readouterr()
    told = output.out + output.err + caplog.text
    assert "telegram.settled" in told
    assert [word for word in ("MARKER", "SECRET", stage.inbox.key, "/r/") if word in told] == []
