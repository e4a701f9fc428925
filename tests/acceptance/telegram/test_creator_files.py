"""Cards and pictures by file: looked at before they are fetched, and back out as a file."""

import pytest

from adapters.telegram_chat.creators import words
from tests.acceptance.telegram.conftest import ADA, Stage, until
from tests.acceptance.telegram.server import Fault
from tests.acceptance.telegram.test_creators import made, press
from tests.acceptance.telegram.world import Json

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100
JPEG = b"\xff\xd8\xff" + b"x" * 100


async def _send(stage: Stage, name: str, data: bytes, **more: object) -> Json:
    before = len(stage.heard())
    stage.server.world.send_file(stage.lobby, ADA, name, data, **more)
    return await stage.answer(after=before)


async def _ask_for(stage: Stage, step: str) -> None:
    await made(stage)
    await stage.ask(f"/creator {step}")


@pytest.mark.parametrize(("name", "data"), [("card.json", b'{"spec": 1}'), ("Card.PNG", PNG)])
async def test_a_card_becomes_the_draft(stage: Stage, name: str, data: bytes) -> None:
    await _ask_for(stage, "import")

    answer = await _send(stage, name, data)

    assert answer["text"].startswith("The card's system prompt was left out.")
    assert stage.creators.views["mira"].draft.facts == ("From a card.",)


async def test_a_card_that_is_too_big_is_not_even_fetched(stage: Stage) -> None:
    await _ask_for(stage, "import")

    answer = await _send(stage, "card.json", b"{}", file_size=9 * 1024 * 1024)

    assert answer["text"].startswith("The file is too big: at most 8 MB.")
    assert stage.server.count("getFile") == 0


async def test_a_file_that_hides_its_size_is_looked_at_before_it_is_fetched(stage: Stage) -> None:
    await _ask_for(stage, "import")

    answer = await _send(stage, "card.json", b"{" + b" " * (9 * 1024 * 1024), file_size=10)

    assert answer["text"].startswith("The file is too big")
    assert (stage.server.count("getFile"), stage.server.count("file")) == (1, 0)


async def test_what_is_no_card_is_one_sentence(stage: Stage) -> None:
    await _ask_for(stage, "import")

    assert (await _send(stage, "notes.pdf", b"%PDF"))["text"].startswith(words.WANTS_CARD)
    assert (await stage.ask("my card"))["text"].startswith(words.WANTS_CARD)
    before = len(stage.heard())
    stage.server.world.send_photo(stage.lobby, ADA, JPEG)
    photo = await stage.answer(after=before)
    assert photo["text"].startswith(words.WANTS_CARD_FILE)
    assert stage.server.count("getFile") == 0
    assert (await _send(stage, "card.json", b"no json"))["text"].startswith("This is no character")

    done = await _send(stage, "card.json", b"{}")  # the question was open all the time
    assert "draft only" in done["text"]


@pytest.mark.parametrize("method", ["getFile"])
async def test_a_file_that_telegram_does_not_give_is_one_sentence(
    stage: Stage, method: str
) -> None:
    await _ask_for(stage, "import")
    with stage.server.fault(Fault(method, status=500)):
        answer = await _send(stage, "card.json", b"{}")

    assert answer["text"].startswith(words.NOT_FETCHED)
    assert "draft only" in (await _send(stage, "card.json", b"{}"))["text"]


async def test_a_file_that_is_gone_is_one_sentence(stage: Stage) -> None:
    await _ask_for(stage, "import")
    before = len(stage.heard())
    stage.server.world.send_file(stage.lobby, ADA, "card.json", b"{}")
    stage.server.world.files.clear()

    assert (await stage.answer(after=before))["text"].startswith(words.NOT_FETCHED)


async def test_a_photo_becomes_the_picture_in_the_size_that_fits(stage: Stage) -> None:
    await _ask_for(stage, "avatar")
    big = JPEG + b"x" * 300 * 1024
    before = len(stage.heard())
    stage.server.world.send_photo(stage.lobby, ADA, JPEG, big)

    answer = await stage.answer(after=before)

    assert "Picture: yes." in answer["text"]
    call = next(call for call in stage.server.calls if call.method == "getFile")
    assert stage.server.world.files[call.values["file_id"]] == JPEG


async def test_a_picture_file_is_taken_and_can_be_taken_away(stage: Stage) -> None:
    await _ask_for(stage, "avatar")
    assert (await _send(stage, "me.webp", PNG))["text"].startswith(words.WANTS_PICTURE)
    big = await _send(stage, "me.png", PNG, file_size=257 * 1024)
    assert big["text"].startswith("The file is too big: at most 256 KB.")
    assert "Picture: yes." in (await _send(stage, "me.png", PNG))["text"]

    await stage.ask("/creator avatar")
    answer = await stage.ask("-")

    assert answer["text"].startswith(words.NO_PICTURE)
    assert not stage.creators.views["mira"].has_avatar


async def test_the_card_comes_back_as_a_file(stage: Stage) -> None:
    await made(stage)

    answer = await press(stage, "Export card")

    assert answer["document"]["file_name"] == "mira.json"
    assert stage.server.world.files[answer["document"]["file_id"]] == b'{"spec": "chara_card_v2"}'


async def test_a_file_without_a_question_is_no_message(stage: Stage) -> None:
    await made(stage)
    await stage.ask("/twin nova")

    answer = await _send(stage, "card.json", b"{}")

    assert answer["text"].startswith("I can read words only")
    await until(lambda: not stage.state.open)
    assert stage.server.count("getFile") == 0
