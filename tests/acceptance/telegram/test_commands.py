"""The fans' commands, and what is no command and no words."""

import pytest

from adapters.telegram_chat.chat import TelegramBotSettings
from bot.ports.views import TwinCard
from tests.acceptance.telegram.conftest import ADA, BASE, Stage, buttons_of, settle, until

STICKER = {
    "file_id": "f",
    "file_unique_id": "u",
    "type": "regular",
    "width": 1,
    "height": 1,
    "is_animated": False,
    "is_video": False,
}


async def test_the_commands_are_offered_to_clients(stage: Stage) -> None:
    solo = stage.server.world.add_bot(7002, "novabot")
    await stage.start(
        TelegramBotSettings(stage.lobby.token), TelegramBotSettings(solo.token, "nova")
    )
    await until(lambda: stage.server.count("getUpdates", bot=solo))

    names = [item["command"] for item in stage.lobby.commands["all_private_chats"]]
    solos = [item["command"] for item in solo.commands["all_group_chats"]]

    assert names == [
        "start",
        "twins",
        "twin",
        "talk",
        "stop",
        "undo",
        "verify",
        "report",
        "export",
        "forget",
        "about",
        "privacy",
        "terms",
        "help",
        "credit",
        "buy",
        "limit",
        "paysupport",
        "dispute",
        "creator",
        "cancel",
    ]
    assert "twin" not in solos
    assert "talkative" in solos
    assert "dispute" in solos
    assert not {"export", "forget", "creator", "credit", "buy", "paysupport"} & set(solos)


async def test_a_deep_link_picks_the_twin(stage: Stage) -> None:
    await stage.start()
    stage.server.world.start(stage.lobby, ADA, "twin_rumi")
    answer = await stage.answer()

    reply = await stage.ask("Hello")

    assert "Rumi" in answer["text"]
    assert reply["text"].startswith("Rumi [AI twin]")


async def test_twins_lists_names_roles_and_prices(stage: Stage) -> None:
    await stage.start()

    answer = await stage.ask("/twins")

    assert "Rumi, a gardener (0.001 TPT per reply): /twin rumi" in answer["text"]
    assert set(buttons_of(answer)) == {"Nova", "Rumi"}


async def test_many_twins_have_pages_and_a_repeated_press_is_harmless(stage: Stage) -> None:
    stage.inbox.cards = [
        TwinCard(f"{'x' * 60}{n:02}", f"Twin {n:02}", "a twin", "free") for n in range(20)
    ]
    await stage.start()
    picker = await stage.ask("/start")
    stale = dict(picker)

    stage.server.world.press(stage.lobby, ADA, stale, "More")
    await until(
        lambda: "Twin 19" in buttons_of(stage.server.world.private(stage.lobby, ADA).messages[2])
    )
    stage.server.world.press(stage.lobby, ADA, stale, "More")
    await until(lambda: stage.server.count("editMessageReplyMarkup") == 2)
    shown = stage.server.world.private(stage.lobby, ADA).messages[2]
    stage.server.world.press(stage.lobby, ADA, shown, "Twin 19")
    await until(lambda: "Twin 19" in stage.heard()[0])

    assert len(stage.server.world.answers) == 3  # every press was acknowledged
    assert len(stage.heard()) == 1


async def test_a_button_of_a_twin_that_has_gone_says_so(stage: Stage) -> None:
    await stage.start()
    picker = await stage.ask("/start")
    del stage.inbox.cards[0]

    stage.server.world.press(stage.lobby, ADA, picker, "Nova")
    await until(lambda: stage.server.world.answers)

    assert stage.server.world.answers[0]["text"] == "This button is out of date."


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("/twin nobody", "There is no twin called nobody. /twins shows who is here."),
        ("/frobnicate", "There is no command /frobnicate. /help lists them all."),
        ("/talk", "Write what you want to say after the command: /talk Hello!"),
    ],
)
async def test_what_does_not_work_is_said_in_one_sentence(
    stage: Stage, said: str, answer: str
) -> None:
    await stage.start()
    await stage.ask("/twin nova")

    assert (await stage.ask(said))["text"] == answer


@pytest.mark.parametrize("content", [{"sticker": STICKER}, {"photo": [], "caption": "look"}])
async def test_photos_and_stickers_get_a_sentence(stage: Stage, content: dict[str, object]) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    if "photo" in content:
        photo = {"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1}
        content = content | {"photo": [photo]}

    stage.server.world.post(stage.server.world.private(stage.lobby, ADA), ADA, None, **content)
    answer = await stage.answer(after=1)

    assert answer["text"] == "I can read words only: please write what you want to say."


async def test_an_album_gets_one_sentence(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    chat = stage.server.world.private(stage.lobby, ADA)
    for _ in range(3):
        stage.server.world.post(chat, ADA, None, sticker=STICKER, media_group_id="9")

    await stage.answer(after=1)
    await settle()

    assert len(stage.heard()) == 2


async def test_service_messages_are_no_messages(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")

    chat = stage.server.world.private(stage.lobby, ADA)
    stage.server.world.post(
        chat, ADA, None, message_auto_delete_timer_changed={"message_auto_delete_time": 60}
    )
    await settle()

    assert len(stage.heard()) == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/about", ["not the people themselves", "What it does not show", "Privacy mode is on"]),
        ("/privacy", ["Not stored: your name", "/forget deletes", BASE]),
        ("/terms", ["make mistakes", "/credit", "Telegram Stars", "/paysupport", BASE]),
        ("/help", ["/verify", "/paysupport", "/talk@lobbybot", "In a private chat just write"]),
        ("/verify", ["Reply to a message"]),
    ],
)
async def test_what_is_explained(stage: Stage, command: str, words: list[str]) -> None:
    await stage.start()

    text = (await stage.ask(command))["text"]

    assert [word for word in words if word not in text] == []


async def test_verify_knows_our_replies_our_other_messages_and_foreign_ones(stage: Stage) -> None:
    await stage.start()
    service = await stage.ask("/twin nova")
    reply = await stage.ask("Hello")
    await until(lambda: stage.state.sent)
    stage.proofs.bundles["receipt-00000000000001"] = b"{}"
    chat = stage.server.world.private(stage.lobby, ADA)
    verdicts: list[str] = []
    for number in (reply["message_id"], service["message_id"], 1):
        stage.server.world.post(chat, ADA, "/verify", reply_to=number)
        verdicts.append((await stage.answer(after=2 + len(verdicts)))["text"])

    genuine, other, foreign = verdicts
    assert genuine.startswith("Genuine")
    assert "receipt-00000000000001" in genuine
    assert "nobody but this bot can change" in genuine
    assert "appears in some seconds" not in genuine
    assert "#k=" not in genuine
    assert "no reply of a twin" in other
    assert foreign.startswith("Not ours")


async def test_verify_says_what_a_forward_can_tell(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    chat = stage.server.world.private(stage.lobby, ADA)
    origin = {"type": "user", "date": 1, "sender_user": stage.lobby.user}
    forward = stage.server.world.fans[ADA]
    copy = chat.add(forward, {"text": "Nova [AI twin]\nForged", "forward_origin": origin})

    stage.server.world.post(chat, ADA, "/verify", reply_to=copy["message_id"])
    verdict = await stage.answer(after=1)

    assert "open it and compare" in verdict["text"]
