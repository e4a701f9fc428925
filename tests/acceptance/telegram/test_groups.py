"""Groups: who is answered, what is shown to all, and what is given to one person alone."""

import asyncio

import pytest

from adapters.telegram_chat.chat import TelegramBotSettings
from tests.acceptance.telegram.conftest import ADA, BASE, BEN, Stage, buttons_of, settle, until
from tests.acceptance.telegram.world import ChatSide

GROUP = -1001


@pytest.fixture
def group(stage: Stage) -> ChatSide:
    return stage.server.world.add_group(GROUP, ADA, BEN, stage.lobby.id)


async def _pick(stage: Stage, group: ChatSide, *, topic: int | None = None) -> None:
    before = len(group.from_bot())
    stage.server.world.post(group, ADA, "/twin@lobbybot nova", topic=topic)
    await stage.said_in(group, after=before)


async def test_talk_is_answered_with_one_message_that_names_its_question(
    stage: Stage, group: ChatSide
) -> None:
    await stage.start()
    await _pick(stage, group)
    stage.inbox.gate = asyncio.Semaphore(0)

    question = stage.server.world.post(group, ADA, "/talk@lobbybot Hello you")
    await until(lambda: group.actions)
    for _ in range(4):
        stage.inbox.gate.release()
    reply = await stage.said_in(group, after=1)

    assert stage.inbox.asked[0].text == "Hello you"
    assert reply["reply_to_message"]["message_id"] == question["message_id"]
    assert stage.server.count("sendMessageDraft") == 0
    assert group.actions == ["typing"]


async def test_the_group_gets_the_public_link_and_the_author_alone_the_key(
    stage: Stage, group: ChatSide
) -> None:
    await stage.start()
    await _pick(stage, group)
    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    reply = await stage.said_in(group, after=1)
    buttons = buttons_of(reply)
    link = f"{BASE}/r/receipt-00000000000001"
    payload = buttons["My own link"]["url"].partition("?start=")[2]

    stage.server.world.start(stage.lobby, ADA, payload)
    stage.server.world.start(stage.lobby, BEN, payload)
    mine = await stage.answer(fan=ADA)
    others = await stage.answer(fan=BEN)

    assert buttons["Proof · fee 0.002 TPT"]["url"] == link
    assert buttons["My own link"]["url"].startswith("https://t.me/lobbybot?start=proof_")
    assert mine["text"] == f"{link}#k={stage.inbox.key}"
    assert "somebody else" in others["text"]
    assert not any("#k=" in message["text"] for message in group.from_bot())


async def test_the_key_is_not_given_in_a_group_even_to_the_author(
    stage: Stage, group: ChatSide
) -> None:
    await stage.start()
    await _pick(stage, group)
    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    await stage.said_in(group, after=1)

    stage.server.world.post(group, ADA, "/start@lobbybot proof_receipt-00000000000001")
    answer = await stage.said_in(group, after=2)

    assert "#k=" not in answer["text"]


async def test_ordinary_messages_are_neither_answered_nor_kept(stage: Stage) -> None:
    reader = stage.server.world.add_bot(7003, "readerbot", reads_all=True)
    group = stage.server.world.add_group(GROUP, ADA, BEN, reader.id)
    surface = await stage.start(*_solo(reader.token))
    for text in (
        "just us",
        "/help@otherbot",
        "/roll",
        "mail me at a@readerbotics.org",
        "or b@readerbot.org",
    ):
        stage.server.world.post(group, BEN, text)
    stage.server.world.post(group, BEN, None, photo=[_photo()])

    await settle()

    assert surface.ready_bots() == ["7003"]
    assert group.from_bot() == []
    assert stage.state.seen == set()


async def test_a_mention_is_answered_and_taken_off_the_question(stage: Stage) -> None:
    reader = stage.server.world.add_bot(7003, "readerbot", reads_all=True)
    group = stage.server.world.add_group(GROUP, ADA, reader.id)
    await stage.start(*_solo(reader.token))

    stage.server.world.post(group, ADA, "@ReaderBot, how are you?")
    await stage.said_in(group)
    stage.server.world.post(group, ADA, "is @readerbot here?")
    await stage.said_in(group, after=1)

    assert [message.text for message in stage.inbox.asked] == [
        "how are you?",
        "is @readerbot here?",
    ]


async def test_a_reply_to_the_bot_needs_no_mention(stage: Stage, group: ChatSide) -> None:
    await stage.start()
    await _pick(stage, group)
    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    first = await stage.said_in(group, after=1)

    stage.server.world.post(group, BEN, "and me?", reply_to=first["message_id"])
    await stage.said_in(group, after=2)

    assert [(m.fan, m.text) for m in stage.inbox.asked] == [
        (str(ADA), "Hello"),
        (str(BEN), "and me?"),
    ]


async def test_topics_are_threads_with_a_twin_of_their_own(stage: Stage) -> None:
    group = stage.server.world.add_group(GROUP, ADA, stage.lobby.id, topics=(11, 12))
    await stage.start()
    await _pick(stage, group, topic=11)

    stage.server.world.post(group, ADA, "/talk@lobbybot Hello", topic=11)
    reply = await stage.said_in(group, after=1)
    stage.server.world.post(group, ADA, "/talk@lobbybot Hello", topic=12)
    question = await stage.said_in(group, after=2)

    assert reply["message_thread_id"] == 11
    assert stage.inbox.asked[0].surface.thread == "11"
    assert stage.inbox.asked[0].server == str(GROUP)
    assert question["text"].startswith("Choose who you talk to")
    assert question["message_thread_id"] == 12


async def test_a_reply_chain_in_an_ordinary_group_is_no_thread(
    stage: Stage, group: ChatSide
) -> None:
    await stage.start()
    await _pick(stage, group)
    first = group.from_bot()[0]

    stage.server.world.post(
        group, ADA, "Hello", reply_to=first["message_id"], message_thread_id=first["message_id"]
    )
    await stage.said_in(group, after=1)

    assert stage.inbox.asked[0].surface.thread == ""


async def test_bots_and_anonymous_administrators_are_no_fans(stage: Stage) -> None:
    reader = stage.server.world.add_bot(7003, "readerbot", reads_all=True)
    robot = stage.server.world.add_fan(666, "Robot", is_bot=True)
    group = stage.server.world.add_group(GROUP, ADA, robot, reader.id)
    await stage.start(*_solo(reader.token))

    reader.push("message", group.add(stage.server.world.fans[robot], {"text": "@readerbot hi"}))
    stage.server.world.post(group, ADA, "@readerbot hi", sender_chat=group.as_json())
    await settle()

    assert stage.server.count("sendMessage") == 0
    assert stage.inbox.asked == []


@pytest.mark.parametrize("reads_all", [True, False])
async def test_joining_a_group_says_who_is_read(stage: Stage, *, reads_all: bool) -> None:
    bot = stage.server.world.add_bot(7003, "readerbot", reads_all=reads_all)
    group = stage.server.world.add_group(GROUP, ADA, bot.id)
    await stage.start(*_solo(bot.token))

    stage.server.world.post(group, ADA, None, new_chat_members=[bot.user | {}])
    hello = await stage.said_in(group)

    assert "AI twins" in hello["text"]
    assert f"Privacy mode is {'off' if reads_all else 'on'}" in hello["text"]
    assert "nobody else's words enter our conversation" in hello["text"]


async def test_a_migrated_group_gets_the_reply_under_its_new_number(
    stage: Stage, group: ChatSide
) -> None:
    await stage.start()
    await _pick(stage, group)
    heir = stage.server.world.add_group(-1002, ADA, stage.lobby.id)
    group.moved_to = heir.id

    stage.server.world.post(group, ADA, "/talk@lobbybot Hello")
    reply = await stage.said_in(heir)

    assert reply["text"].startswith("Nova [AI twin]")
    await until(lambda: stage.inbox.confirmed)


def _solo(token: str) -> tuple[TelegramBotSettings]:
    return (TelegramBotSettings(token, solo="nova"),)


def _photo() -> dict[str, object]:
    return {"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}
