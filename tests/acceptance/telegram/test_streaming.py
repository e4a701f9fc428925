"""What a fan sees while a reply grows, and what happens when previews fail."""

import asyncio
import functools
from dataclasses import replace

import pytest

from adapters.telegram_chat.chat import TelegramBotSettings
from adapters.telegram_chat.signs import FEW
from tests.acceptance.telegram.conftest import ADA, QUICK, Stage, until
from tests.acceptance.telegram.server import Fault
from tests.acceptance.telegram.world import Json

PATIENT = replace(QUICK, bot_per_s=10_000, preview_s=30.0, sign_s=1.0)


async def _slow_reply(stage: Stage, *, words: int = 3) -> asyncio.Semaphore:
    """Let the twin answer word by word, at the gate's pace."""
    await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.gate = asyncio.Semaphore(0)
    stage.inbox.words = [f"word{number} " for number in range(words)]
    stage.server.world.say(stage.lobby, ADA, "Hello")
    return stage.inbox.gate


def _drafts(stage: Stage) -> list[Json]:
    return stage.server.world.private(stage.lobby, ADA).drafts[1:]  # after the pick's message


def _last_text(stage: Stage) -> str:
    return str([{}, *_drafts(stage)][-1].get("text", ""))


def _shows(stage: Stage, word: str) -> bool:
    return word in _last_text(stage)


async def test_a_private_reply_streams_as_one_draft_and_ends_as_one_message(stage: Stage) -> None:
    gate = await _slow_reply(stage)
    await until(lambda: _drafts(stage))
    for number in range(3):
        gate.release()
        await until(functools.partial(_shows, stage, f"word{number}"))
    gate.release()

    reply = await stage.answer(after=1)

    drafts = _drafts(stage)
    assert "text" not in drafts[0]  # the platform says "Thinking…"
    assert drafts[1]["text"] == "Nova [AI twin]\nword0"
    assert drafts[-1] == {"over": True}  # nothing comes after the message
    assert len({draft["draft_id"] for draft in drafts[:-1]}) == 1
    assert reply["text"] == "Nova [AI twin]\nword0 word1 word2"
    assert stage.server.count("editMessageText") == 0


async def test_a_slow_draft_does_not_come_after_the_message(stage: Stage) -> None:
    gate = await _slow_reply(stage)
    await until(lambda: _drafts(stage))
    with stage.server.fault(Fault("sendMessageDraft", delay_s=0.3)):
        gate.release()
        await until(lambda: stage.server.count("sendMessageDraft") == 2)
        for _ in range(3):
            gate.release()
        await stage.answer(after=1)
        await asyncio.sleep(0.5)

    assert _drafts(stage)[-1] == {"over": True}


async def test_previews_are_throttled(stage: Stage) -> None:
    await stage.start(pace=replace(QUICK, preview_s=0.3))
    await stage.ask("/twin nova")
    stage.inbox.words = ["w "] * 300

    await stage.ask("Hello")

    assert stage.server.count("sendMessageDraft") <= 2


async def test_three_failed_drafts_turn_into_typing_and_never_into_edits(stage: Stage) -> None:
    with stage.server.fault(Fault("sendMessageDraft", times=1000, status=500)):
        gate = await _slow_reply(stage)
        await until(lambda: stage.server.count("sendChatAction"))
        for _ in range(4):
            gate.release()

        reply = await stage.answer(after=1)

    assert reply["text"].endswith("word0 word1 word2")
    assert stage.server.count("sendMessageDraft") == 3
    assert stage.server.world.private(stage.lobby, ADA).actions == ["typing"]
    assert stage.server.count("editMessageText") == 0


async def test_a_draft_method_that_does_not_exist_is_no_revoked_token(stage: Stage) -> None:
    with stage.server.fault(Fault("sendMessageDraft", times=1000, status=404)):
        gate = await _slow_reply(stage)
        await until(lambda: stage.server.count("sendMessageDraft"))
        for _ in range(4):
            gate.release()

        reply = await stage.answer(after=1)

    assert reply["text"].startswith("Nova [AI twin]")


async def test_a_flood_answer_to_a_draft_pauses_drafts_and_not_the_message(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    with stage.server.fault(Fault("sendMessageDraft", times=1, status=429, retry_after=30)):
        gate = await _slow_reply(stage)
        await until(lambda: stage.server.count("sendMessageDraft"))
        for _ in range(4):
            gate.release()

        reply = await stage.answer(after=1)

    assert reply["text"].endswith("word2")
    assert stage.server.count("sendMessageDraft") == 1
    assert "preview_failed" not in capsys.readouterr().out


async def test_a_very_long_draft_shows_its_end(stage: Stage) -> None:
    gate = await _slow_reply(stage, words=1)
    stage.inbox.words[:] = ["a" * 5000 + "END "]
    gate.release()
    await until(lambda: "END" in _last_text(stage))
    gate.release()

    await stage.answer(after=2)

    assert stage.heard()[1].startswith("Nova [AI twin] (1/2)\n")


async def test_a_reply_that_is_whole_at_once_is_one_message_and_nothing_else(stage: Stage) -> None:
    await stage.start(pace=replace(QUICK, sign_s=2.0))
    await stage.ask("/twin nova")

    await stage.ask("Hello")

    assert stage.server.count("sendMessageDraft") == stage.server.count("sendChatAction") == 0


async def test_in_a_rush_everybody_has_a_sign_before_the_twin_begins(stage: Stage) -> None:
    """With more fans at once than the core is asked for at once; no sign waits for a reply."""
    stage.inbox.gate = asyncio.Semaphore(0)
    await stage.start(TelegramBotSettings(stage.lobby.token, solo="nova"), pace=PATIENT)
    fans = [stage.server.world.add_fan(6000 + number, "Fan") for number in range(60)]
    held: list[int] = []

    def noticed() -> bool:
        if stage.inbox.asked and not held:
            held.append(stage.server.count("sendMessageDraft"))
        return len(stage.inbox.asked) == len(fans)

    for fan in fans:
        stage.server.world.say(stage.lobby, fan, "Hello")
    await until(noticed)

    assert held[0] >= len(fans) - FEW
    await until(lambda: stage.server.count("sendMessageDraft") == len(fans))
