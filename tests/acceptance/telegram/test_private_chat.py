"""A fan talks to twins in a private chat, over polling, through the real library."""

from pathlib import Path

from adapters.sqlite.database import Database
from adapters.sqlite.telegram_state import SCHEMA, SqliteTelegramState
from adapters.telegram_chat.chat import TelegramBotSettings
from bot.domain.errors import EngineOverloadedError, MessageTooLongError
from tests.acceptance.telegram.conftest import ADA, BASE, Stage, buttons_of, settle, until


async def test_a_fan_picks_a_twin_and_gets_a_labelled_proved_reply(stage: Stage) -> None:
    await stage.start()
    picker = await stage.ask("/start")
    stage.server.world.press(stage.lobby, ADA, picker, "Nova")
    await until(lambda: "Nova" in stage.heard()[0])

    reply = await stage.ask("Hello there")

    assert reply["text"] == "Nova [AI twin]\nShips come home."
    assert reply["entities"] == [{"type": "bold", "offset": 0, "length": 14}]
    button = buttons_of(reply)["Proof · fee 0.002 TPT"]
    assert button["url"] == f"{BASE}/r/receipt-00000000000001#k={stage.inbox.key}"
    await until(lambda: stage.inbox.confirmed == ["receipt-00000000000001"])


async def test_the_slot_holds_the_platforms_own_numbers(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")

    await stage.ask("Hello")

    message = stage.inbox.asked[0]
    assert message.surface.platform == "telegram"
    assert (message.surface.bot, message.surface.chat, message.surface.thread) == (
        "7001",
        str(ADA),
        "",
    )
    assert message.message_id == "3"
    assert (message.fan, message.twin, message.text) == (str(ADA), "nova", "Hello")


async def test_a_solo_bot_needs_no_choice(stage: Stage) -> None:
    bot = stage.server.world.add_bot(7002, "novabot")
    await stage.start(TelegramBotSettings(bot.token, solo="nova"))

    greeting = await stage.ask("/start", bot=bot)
    reply = await stage.ask("Hello", bot=bot)

    assert "You talk to the AI twin of Nova" in greeting["text"]
    assert reply["text"].startswith("Nova [AI twin]\n")


async def test_without_a_choice_the_fan_is_asked_to_choose(stage: Stage) -> None:
    await stage.start()

    answer = await stage.ask("Hello")

    assert answer["text"].startswith("Choose who you talk to")
    assert set(buttons_of(answer)) == {"Nova", "Rumi"}
    assert stage.inbox.asked == []


async def test_a_chosen_twin_that_rests_is_not_stood_in_for(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin rumi")
    stage.inbox.cards = [card for card in stage.inbox.cards if card.slug != "rumi"]

    answer = await stage.ask("Hello")

    assert answer["text"].startswith("The twin that you chose does not answer now")
    assert set(buttons_of(answer)) == {"Nova"}
    assert stage.inbox.asked == []


async def test_what_must_survive_survives_in_sqlite(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "twinproof.db"
    database = await Database.open(path, schema=[SCHEMA])
    surface = await stage.start(state=SqliteTelegramState(database))
    await stage.ask("/twin rumi")
    reply = await stage.ask("Hello")
    await surface.stop()
    await database.close()
    database = await Database.open(path, schema=[SCHEMA])
    surface = await stage.start(state=SqliteTelegramState(database))

    again = await stage.ask("Hello again")
    chat = stage.server.world.private(stage.lobby, ADA)
    stage.server.world.post(chat, ADA, "/verify", reply_to=reply["message_id"])
    verdict = await stage.answer(after=3)

    assert again["text"].startswith("Rumi [AI twin]")
    assert verdict["text"].startswith("Genuine")
    await surface.stop()
    await database.close()


async def test_a_refusal_of_the_core_is_said_in_its_words(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.fail = MessageTooLongError("Please write at most 1000 characters.")

    answer = await stage.ask("long " * 500)

    assert answer["text"] == "Please write at most 1000 characters."
    assert stage.inbox.confirmed == []


async def test_a_busy_core_is_asked_again_with_the_same_message(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.fail = EngineOverloadedError("The queue is full.", retry_after_s=0.2)
    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.asked)
    stage.inbox.fail = None

    reply = await stage.answer(after=1)

    assert reply["text"].endswith("Ships come home.")
    assert {message.message_id for message in stage.inbox.asked} == {"3"}
    await settle()
    assert len(stage.heard()) == 2
