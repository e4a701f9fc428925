"""A fan's own data: as a file, and gone; in private chats only."""

import asyncio
import json

import pytest

from adapters.telegram_chat import texts
from tests.acceptance.telegram.conftest import ADA, BEN, Stage, settle, until
from tests.acceptance.telegram.server import Fault


async def _ready(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    await stage.ask("Hello")
    await until(lambda: stage.inbox.confirmed)


async def test_export_sends_a_file(stage: Stage) -> None:
    await _ready(stage)

    answer = await stage.ask("/export")

    assert answer["document"]["file_name"] == "twinproof-telegram.json"
    data = json.loads(stage.server.world.files[answer["document"]["file_id"]])
    assert data == {"platform": "telegram", "messages": ["Hello"]}
    assert answer["caption"] == texts.EXPORTED


async def test_a_file_that_telegram_refuses_is_one_sentence(stage: Stage) -> None:
    await _ready(stage)
    with stage.server.fault(Fault("sendDocument", status=500)):
        answer = await stage.ask("/export")

    assert answer["text"] == texts.EXPORT_FAILED


@pytest.mark.parametrize("command", ["export", "forget", "creator"])
async def test_in_a_group_there_is_only_the_way_to_the_private_chat(
    stage: Stage, command: str
) -> None:
    group = stage.server.world.add_group(-1001, ADA, stage.lobby.id)
    await stage.start()

    stage.server.world.post(group, ADA, f"/{command}@lobbybot")
    answer = await stage.said_in(group)

    assert answer["text"].endswith(f"https://t.me/lobbybot?start={command}")
    assert stage.inbox.forgotten == []


@pytest.mark.parametrize("command", ["export", "forget"])
async def test_the_way_leads_to_the_command(stage: Stage, command: str) -> None:
    await stage.start()
    stage.server.world.start(stage.lobby, ADA, command)

    answer = await stage.answer()

    assert answer.get("document") or answer["text"] == texts.FORGET_ASK


async def test_forgetting_wants_a_confirmation(stage: Stage) -> None:
    await _ready(stage)
    question = await stage.ask("/forget")
    assert question["text"] == texts.FORGET_ASK

    stage.server.world.press(stage.lobby, ADA, question, texts.KEEP)
    await until(lambda: texts.KEPT in stage.heard())

    assert stage.inbox.forgotten == []
    assert stage.state.sent


async def test_forgetting_deletes_here_and_in_the_core(stage: Stage) -> None:
    await _ready(stage)
    await stage.ask("/twin rumi", fan=BEN)
    await stage.ask("Hello", fan=BEN)
    question = await stage.ask("/forget")

    stage.server.world.press(stage.lobby, ADA, question, texts.FORGET)
    await until(lambda: stage.heard()[-1].startswith("One reply was forgotten"))

    assert stage.inbox.forgotten == [("telegram", str(ADA))]
    assert [part.fan for part in stage.state.sent] == [str(BEN)]
    assert [place.chat for place in stage.state.picks] == [str(BEN)]
    assert (await stage.ask("/report"))["text"] == texts.REPORT_HOW


async def test_a_growing_reply_of_somebody_who_is_forgotten_is_not_shown(stage: Stage) -> None:
    await _ready(stage)
    question = await stage.ask("/forget")
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.server.world.say(stage.lobby, ADA, "One thing more")
    await until(lambda: stage.inbox.running)

    stage.server.world.press(stage.lobby, ADA, question, texts.FORGET)
    await until(lambda: stage.inbox.forgotten)
    for _ in range(4):
        stage.inbox.gate.release()
    await until(lambda: not stage.inbox.running)
    await settle()

    assert len([text for text in stage.heard() if "Ships" in text]) == 1
    assert stage.state.sent == []
