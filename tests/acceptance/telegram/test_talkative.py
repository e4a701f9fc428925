"""Unasked answers in groups: who decides, how often, and never two of ours."""

from collections.abc import Callable

import pytest

from adapters.telegram_chat import texts
from adapters.telegram_chat.chat import TelegramBotSettings
from bot.domain.errors import AdmissionError
from bot.domain.turn_taking import speaks_unasked
from tests.acceptance.telegram.conftest import ADA, BEN, Stage, settle, until
from tests.acceptance.telegram.world import BotSide, ChatSide

GROUP = -1001000000001


@pytest.fixture
def reader(stage: Stage) -> BotSide:
    return stage.server.world.add_bot(7003, "readerbot", reads_all=True)


@pytest.fixture
def group(stage: Stage, reader: BotSide) -> ChatSide:
    group = stage.server.world.add_group(GROUP, ADA, BEN, reader.id)
    group.admins.add(ADA)
    return group


async def _set(stage: Stage, group: ChatSide, percent: object, *, fan: int = ADA) -> str:
    before = len(group.from_bot())
    stage.server.world.post(group, fan, f"/talkative@readerbot {percent}")
    return str((await stage.said_in(group, after=before))["text"])


def _solo(bot: BotSide) -> TelegramBotSettings:
    return TelegramBotSettings(bot.token, solo="nova")


def _asked(stage: Stage, count: int) -> Callable[[], bool]:
    return lambda: len(stage.inbox.confirmed) == count


async def test_the_chosen_share_of_messages_is_answered(
    stage: Stage, reader: BotSide, group: ChatSide
) -> None:
    await stage.start(_solo(reader))
    assert await _set(stage, group, 40) == texts.talkative(40)

    posted = []
    wanted: list[str] = []
    for number in range(20):
        posted.append(stage.server.world.post(group, BEN, f"chat {number}")["message_id"])
        wanted = [str(n) for n in posted if speaks_unasked(f"{GROUP}/{n}", 40)]
        await until(_asked(stage, len(wanted)))
    await settle()

    assert 0 < len(wanted) < 20
    assert sorted(m.message_id for m in stage.inbox.asked) == sorted(wanted)
    assert all(m.may_merge for m in stage.inbox.asked)
    taken = {message for _, _, message in stage.state.messages}
    assert not ({str(n) for n in posted} - set(wanted)) & taken  # the others left no trace


async def test_repeated_events_get_the_same_decision_and_no_second_answer(
    stage: Stage, reader: BotSide, group: ChatSide
) -> None:
    await stage.start(_solo(reader))
    await _set(stage, group, 100)
    message = stage.server.world.post(group, BEN, "chat")
    await until(_asked(stage, 1))

    reader.push("message", message)
    await settle()

    assert len(stage.inbox.asked) == 1


async def test_the_choice_survives_a_restart_and_can_be_taken_back(
    stage: Stage, reader: BotSide, group: ChatSide
) -> None:
    surface = await stage.start(_solo(reader))
    await _set(stage, group, "100%")
    await surface.stop()
    await stage.start(_solo(reader))
    stage.server.world.post(group, BEN, "chat")
    await until(_asked(stage, 1))

    assert await _set(stage, group, 0) == texts.talkative(0)
    stage.server.world.post(group, BEN, "chat")
    await settle()

    assert len(stage.inbox.asked) == 1


async def test_only_administrators_decide(stage: Stage, reader: BotSide, group: ChatSide) -> None:
    await stage.start(_solo(reader))

    assert await _set(stage, group, 50, fan=BEN) == texts.TALKATIVE_ADMINS
    group.hides_members = True
    assert await _set(stage, group, 50) == texts.TALKATIVE_UNSEEN
    assert stage.state.percents == {}


@pytest.mark.parametrize("wanted", ["", "101", "-1", "lots", "1.5", "\uff11\uff10"])
async def test_what_is_no_percentage_is_explained(
    stage: Stage, reader: BotSide, group: ChatSide, wanted: str
) -> None:
    await stage.start(_solo(reader))

    assert await _set(stage, group, wanted) == texts.TALKATIVE_HOW


async def test_with_privacy_mode_on_it_says_why_not(stage: Stage) -> None:
    group = stage.server.world.add_group(GROUP, ADA, stage.lobby.id)
    group.admins.add(ADA)
    await stage.start()

    stage.server.world.post(group, ADA, "/talkative@lobbybot 50")

    assert (await stage.said_in(group))["text"] == texts.TALKATIVE_BLIND
    assert (await stage.ask("/talkative 50"))["text"] == texts.TALKATIVE_IN_GROUPS


async def test_two_talkative_bots_never_answer_the_same_message(
    stage: Stage, reader: BotSide, group: ChatSide
) -> None:
    other = stage.server.world.add_bot(7004, "secondbot", reads_all=True)
    group.members.add(other.id)
    await stage.start(_solo(reader), TelegramBotSettings(other.token, solo="rumi"))
    await _set(stage, group, 100)
    before = len(group.from_bot())
    stage.server.world.post(group, ADA, "/talkative@secondbot 100")
    await stage.said_in(group, after=before)

    posted = [stage.server.world.post(group, BEN, f"chat {n}") for n in range(6)]
    await until(_asked(stage, 6))
    await settle()

    answered = [m.message_id for m in stage.inbox.asked]
    assert sorted(answered) == sorted(str(m["message_id"]) for m in posted)
    assert {m.twin for m in stage.inbox.asked} == {"nova", "rumi"}


async def test_in_a_group_without_common_numbers_the_first_bot_alone_speaks(
    stage: Stage, reader: BotSide
) -> None:
    other = stage.server.world.add_bot(7004, "secondbot", reads_all=True)
    basic = stage.server.world.add_group(-1001, ADA, BEN, reader.id, other.id)
    await stage.start(_solo(reader), TelegramBotSettings(other.token, solo="rumi"))
    for bot in (reader, other):
        await stage.state.set_talkative(str(bot.id), str(basic.id), 100)

    for number in range(3):
        stage.server.world.post(basic, BEN, f"chat {number}")
    await until(_asked(stage, 3))
    await settle()

    assert [m.twin for m in stage.inbox.asked] == ["nova"] * 3


async def test_what_is_meant_for_another_bot_is_left_to_it(
    stage: Stage, reader: BotSide, group: ChatSide
) -> None:
    robot = stage.server.world.add_bot(7009, "otherbot")
    group.members.add(robot.id)
    await stage.start(_solo(reader))
    await _set(stage, group, 100)
    said = group.add({k: robot.user[k] for k in ("id", "is_bot", "first_name")}, {"text": "hi"})

    stage.server.world.post(group, BEN, "you too", reply_to=said["message_id"])
    stage.server.world.post(group, BEN, "hey @otherbot")
    stage.server.world.post(group, BEN, "/roll")
    reader.push("message", said)
    await settle()

    assert stage.inbox.asked == []


async def test_an_unasked_failure_is_silent(stage: Stage, reader: BotSide, group: ChatSide) -> None:
    await stage.start(_solo(reader))
    await _set(stage, group, 100)
    stage.inbox.fail = AdmissionError("You have had all replies for today.")
    before = len(group.from_bot())

    stage.server.world.post(group, BEN, "chat")
    await until(lambda: stage.inbox.asked)
    await settle()

    assert len(group.from_bot()) == before


async def test_about_says_whose_words_enter_a_conversation(stage: Stage) -> None:
    await stage.start()

    about = await stage.ask("/about")

    assert (
        "In a group I see only what you say to me and what I answered you; nobody else's words "
        "enter our conversation." in about["text"]
    )
