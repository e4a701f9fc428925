"""A creator makes, changes, signs and ends a twin in a private chat."""

from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.telegram_state import SCHEMA, SqliteTelegramState
from adapters.telegram_chat.creators import words
from adapters.telegram_chat.events import Author, Said, Spot, encode_event
from bot.domain.persona import Example
from bot.ports.telegram_state import TakenUpdate
from tests.acceptance.telegram.conftest import ADA, BEN, Stage, buttons_of, settle, until
from tests.acceptance.telegram.world import Json


async def press(stage: Stage, label: str, *, fan: int = ADA, message: Json | None = None) -> Json:
    """Let a creator press a button of the bot's last message, and return what is said next."""
    said = stage.server.world.private(stage.lobby, fan).from_bot()
    stage.server.world.press(stage.lobby, fan, message or said[-1], label)
    return await stage.answer(fan=fan, after=len(said))


async def made(stage: Stage, *, fan: int = ADA, slug: str = "mira") -> Json:
    """Start, and let a creator make a twin; return its menu."""
    if not stage.surfaces:
        await stage.start()
    await stage.ask("/creator", fan=fan)
    await press(stage, "New twin", fan=fan)
    await stage.ask(slug, fan=fan)
    await stage.ask("Mira Solano", fan=fan)
    return await stage.ask("a singer from the harbour", fan=fan)


async def test_a_twin_is_made_by_answering_three_questions(stage: Stage) -> None:
    await stage.start()
    menu = await stage.ask("/creator")
    assert set(buttons_of(menu)) == {"New twin"}

    asked = [(await press(stage, "New twin"))["text"]]
    asked += [(await stage.ask(text))["text"] for text in ("mira", "Mira Solano")]
    done = await stage.ask("a singer from the harbour")

    assert [text.split("?")[0].split(":")[0][:24] for text in asked] == [
        "Choose a short name for ",
        "What is your twin called",
        "Who is it, in one line",
    ]
    assert done["text"].startswith("Mira Solano (mira): draft only\na singer from the harbour")
    assert stage.creators.owners == {"mira": str(ADA)}
    assert all(
        len(button.get("callback_data", "").encode()) <= 64 for button in buttons_of(done).values()
    )
    assert stage.inbox.asked == []


async def test_every_field_of_a_draft_can_be_edited(stage: Stage) -> None:
    await made(stage)
    answers = {
        "Name": "Mira S.",
        "Role": "a poet",
        "Facts": "- Born at sea.\n\nSings at night.",
        "Off limits": "politics\nmoney",
        "Examples": "Fan: Hi!\nTwin: Ahoy.",
        "Sampling": "temperature 0.5\ntop_k: 20\nmax_tokens = 90",
    }
    for label, text in answers.items():
        await stage.ask("/creator edit")
        question = await press(stage, label)
        assert "/cancel" in question["text"]
        await stage.ask(text)

    draft = stage.creators.views["mira"].draft
    assert (draft.name, draft.role) == ("Mira S.", "a poet")
    assert draft.facts == ("Born at sea.", "Sings at night.")
    assert draft.off_limits == ("politics", "money")
    assert draft.examples == (Example("Hi!", "Ahoy."),)
    assert (draft.temperature, draft.top_p, draft.top_k, draft.max_tokens) == (
        "0.5",
        "0.95",
        20,
        90,
    )


async def test_a_question_shows_what_the_draft_says_now(stage: Stage) -> None:
    await made(stage)
    await stage.ask("/creator facts")
    await stage.ask("Born at sea.\nSings.")

    question = await stage.ask("/creator facts")

    assert "Now:\nBorn at sea.\nSings." in question["text"]


@pytest.mark.parametrize(
    ("step", "wrong", "sentence", "right"),
    [
        ("price", "cheap", 'The price must be a decimal number such as "0.002".', "0.01"),
        ("name", "x" * 65, "The persona's name is longer than 64 characters.", "Mira"),
        ("role", "two\nlines", "must be one line", "one line"),
        ("examples", "Fan: alone", "Write the examples as pairs", "Fan: a\nTwin: b"),
        ("sampling", "heat 3", "Write one setting a line", "temperature 0.3"),
        ("sampling", "top_k 1.5", "top_k must be a whole number.", "top_k 15"),
        ("facts", None, "Please answer with words.", "A fact."),
    ],
)
async def test_a_refused_answer_is_one_sentence_and_the_question_stays_open(
    stage: Stage, step: str, wrong: str | None, sentence: str, right: str
) -> None:
    await made(stage)
    before = stage.creators.views["mira"]
    await stage.ask(f"/creator {step}")

    if wrong is None:
        chat = stage.server.world.private(stage.lobby, ADA)
        count = len(chat.from_bot())
        stage.server.world.post(chat, ADA, None, sticker=_STICKER)
        refusal = await stage.answer(after=count)
    else:
        refusal = await stage.ask(wrong)
    assert sentence in refusal["text"]
    assert words.STAYS in refusal["text"]
    assert stage.creators.views["mira"] == before

    await stage.ask(right)
    assert stage.creators.views["mira"] != before


async def test_a_name_that_is_taken_costs_no_other_answer(stage: Stage) -> None:
    await made(stage, fan=BEN)
    refusal = await made(stage)
    assert refusal["text"].startswith("The name mira is taken: choose another one.")

    await press(stage, "Short name")
    done = await stage.ask("mira2")

    assert done["text"].startswith("Mira Solano (mira2): draft only")


async def test_what_is_not_allowed_is_said(stage: Stage) -> None:
    stage.creators.allowed = set()

    refusal = await made(stage)

    assert refusal["text"].startswith("You may not create twins here: ask the operator")


async def test_publishing_answers_with_the_signing_page(stage: Stage) -> None:
    await made(stage)

    answer = await press(stage, "Publish")

    button = buttons_of(answer)["Open the signing page"]
    assert button["url"] == f"https://twins.example/sign/{'t' * 43}"
    assert "Version 1 of mira" in answer["text"]
    assert "works until 20 Nov 2026, 12:00 UTC" in answer["text"]


async def test_without_a_public_address_the_link_stands_as_words(stage: Stage) -> None:
    stage.creators.base = "http://localhost:8800"
    await made(stage)

    answer = await press(stage, "Publish")

    assert answer["text"].endswith(f"http://localhost:8800/sign/{'t' * 43}")


async def test_a_version_can_be_had_again(stage: Stage) -> None:
    await made(stage)
    assert (await stage.ask("/creator versions"))["text"] == words.NO_VERSIONS
    stage.creators.published("mira", 1)
    stage.creators.published("mira", 2)
    await stage.ask("/creator versions")

    answer = await press(stage, "Back to 1")

    assert "Open the signing page" in buttons_of(answer)
    assert ("rollback", "mira") in stage.creators.calls
    assert (await stage.ask("/creator rollback mira 9"))["text"] == "There is no version 9 of mira."
    assert (await stage.ask("/creator rollback mira x"))[
        "text"
    ] == "A version is a number, such as 2."


async def test_pause_acts_at_once_and_is_signed_afterwards(stage: Stage) -> None:
    await made(stage)
    stage.creators.published("mira", 1)

    paused = await stage.ask("/creator pause")
    menu = await stage.ask("/creator")
    twin = await press(stage, "mira", message=menu)
    resumed = await press(stage, "Resume")

    assert paused["text"].startswith("Mira Solano is paused.")
    assert "Open the signing page" in buttons_of(paused)
    assert "Pause" not in buttons_of(twin)
    assert resumed["text"] == "Mira Solano answers again."


async def test_a_revocation_says_of_what_and_is_signed(stage: Stage) -> None:
    await made(stage)
    stage.creators.published("mira", 1)

    question = await stage.ask("/creator revoke")
    answer = await press(stage, "The whole twin")

    assert set(buttons_of(question)) == {"Version 1", "The whole twin, for ever"}
    assert "Open the signing page" in buttons_of(answer)


async def test_show_and_earnings_say_all(stage: Stage) -> None:
    await made(stage)
    stage.creators.published("mira", 1)

    shown = (await stage.ask("/creator show"))["text"]
    earned = (await stage.ask("/creator earnings"))["text"]

    for part in ("Version 1, 20 Nov 2026: live", "You are Mira Solano", "temperature 0.8"):
        assert part in shown
    assert earned.startswith("Mira Solano has earned 0.0017 tUSD.")
    assert "No payout address yet" in earned


async def test_a_test_goes_on_until_it_is_cancelled(stage: Stage) -> None:
    await made(stage)
    await stage.ask("/creator test")

    first = await stage.ask("Hello")
    second = await stage.ask("And now?")
    end = await stage.ask("/cancel")

    assert first["text"].startswith("Draft: Ahoy from the draft.")
    assert second["text"].startswith("Draft: ")
    assert end["text"] == words.CANCELLED
    assert (await stage.ask("/cancel"))["text"] == words.NOTHING_OPEN
    assert (await stage.ask("Hello"))["text"].startswith("Choose who you talk to")


async def test_a_question_survives_a_restart(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "twinproof.db"
    database = await Database.open(path, schema=[SCHEMA])
    surface = await stage.start(state=SqliteTelegramState(database))
    await made(stage)
    await stage.ask("/creator price")
    await surface.stop()
    await database.close()
    database = await Database.open(path, schema=[SCHEMA])
    surface = await stage.start(state=SqliteTelegramState(database))

    answer = await stage.ask("0.5")

    assert "Price: 0.5 tUSD per reply" in answer["text"]
    await surface.stop()
    await database.close()


async def test_an_old_question_is_dropped_and_words_go_to_the_twin_again(stage: Stage) -> None:
    await made(stage)
    await stage.ask("/twin nova")
    await stage.ask("/creator price")
    stage.state.now += 31 * 60

    reply = await stage.ask("0.5")

    assert reply["text"].startswith("Nova [AI twin]")


async def test_an_answer_handled_again_after_a_crash_is_no_message_to_a_twin(stage: Stage) -> None:
    await made(stage)
    await stage.ask("/twin nova")
    await stage.ask("/creator role")
    await stage.ask("a poet")
    taken = max(stage.state.seen)
    await stage.surfaces[0].stop()
    said = stage.server.world.private(stage.lobby, ADA).messages
    number = max(n for n, message in said.items() if message.get("text") == "a poet")
    stage.state.open[taken] = _taken(stage, number, taken[1])

    await stage.start()
    await until(lambda: not stage.state.open)

    assert stage.inbox.asked == []
    assert stage.creators.views["mira"].draft.role == "a poet"


@pytest.mark.parametrize("action", ["show", "publish", "price", "revoke", "bot", "edit facts"])
async def test_a_stranger_gets_at_no_twin(stage: Stage, action: str) -> None:
    await made(stage)
    calls = list(stage.creators.calls)

    answer = await stage.ask(f"/creator {action.partition(' ')[0]} mira", fan=BEN)
    if action == "edit facts":
        answer = await press(stage, "Facts", fan=BEN)

    assert answer["text"] in {"You have no twin mira.", words.GONE}
    assert stage.creators.calls == calls


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("/creator dance mira", words.NO_SUCH),
        ("/creator show", words.NO_TWIN.format(action="show")),
    ],
)
async def test_a_command_that_is_not_clear_is_explained(
    stage: Stage, said: str, answer: str
) -> None:
    await stage.start()

    assert (await stage.ask(said))["text"] == answer


async def test_without_a_creators_desk_there_are_no_creators_commands(stage: Stage) -> None:
    await stage.start(creators=None)

    answer = await stage.ask("/creator")

    assert "There is no command /creator" in answer["text"]
    names = [item["command"] for item in stage.lobby.commands["all_private_chats"]]
    assert "creator" not in names


async def test_commands_still_work_while_a_question_is_open(stage: Stage) -> None:
    await made(stage)
    await stage.ask("/creator price")

    assert "Who do you want" in (await stage.ask("/twins"))["text"]
    assert "Price: 0.5" in (await stage.ask("0.5"))["text"]
    await settle()


_STICKER = {
    "file_id": "f",
    "file_unique_id": "u",
    "type": "regular",
    "width": 1,
    "height": 1,
    "is_animated": False,
    "is_video": False,
}


def _taken(stage: Stage, number: int, update_id: int) -> TakenUpdate:
    spot = Spot(ADA, None, is_private=True, fan=ADA)
    said = Said(update_id, spot, number, "a poet", "", 0, Author.OTHER)
    name = str(stage.lobby.id)
    return TakenUpdate(name, update_id, str(ADA), str(number), encode_event(said))
