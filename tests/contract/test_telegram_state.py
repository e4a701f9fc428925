"""What every memory of the Telegram surface must do, over the fake and over SQLite."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.sqlite import telegram_state
from adapters.sqlite.database import Database
from adapters.sqlite.telegram_state import SCHEMA, SqliteTelegramState
from bot.domain.errors import InvariantError
from bot.ports.telegram_state import ChatPlace, SentPart, TakenUpdate, TelegramState
from tests.fakes.telegram_state import MemoryTelegramState

UPDATE = TakenUpdate(bot="7", update_id=100, chat="42", message_id="5", payload="{}")
PLACE = ChatPlace(bot="7", chat="42", thread="")
PART = SentPart(PLACE, message_id="6", receipt_id="r" * 22, number=0, twin="nova", fan="42")


@pytest.fixture(params=["memory", "sqlite"])
async def state(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TelegramState]:
    if request.param == "memory":
        yield MemoryTelegramState()
        return
    database = await Database.open(tmp_path / "twinproof.db", schema=[SCHEMA])
    yield SqliteTelegramState(database)
    await database.close()


async def test_an_update_is_taken_once(state: TelegramState) -> None:
    assert await state.take(UPDATE)
    assert not await state.take(replace(UPDATE, message_id="9"))
    assert await state.unfinished("7") == [UPDATE]


async def test_a_message_is_taken_once_even_under_another_number(state: TelegramState) -> None:
    assert await state.take(UPDATE)
    assert not await state.take(replace(UPDATE, update_id=101))


async def test_presses_have_no_message_and_do_not_collide(state: TelegramState) -> None:
    press = replace(UPDATE, message_id="")

    assert await state.take(press)
    assert await state.take(replace(press, update_id=101))


async def test_bots_and_chats_are_apart(state: TelegramState) -> None:
    assert await state.take(UPDATE)
    assert await state.take(replace(UPDATE, bot="8"))
    assert await state.take(replace(UPDATE, update_id=101, chat="43"))
    assert len(await state.unfinished("7")) == 2
    assert len(await state.unfinished("8")) == 1


async def test_a_finished_update_is_forgotten_but_known(state: TelegramState) -> None:
    await state.take(UPDATE)

    await state.finish("7", 100)
    await state.finish("7", 100)

    assert await state.unfinished("7") == []
    assert not await state.take(UPDATE)
    assert not await state.take(replace(UPDATE, update_id=101))


async def test_unfinished_updates_come_in_the_order_of_taking(state: TelegramState) -> None:
    for number in (103, 101, 102):
        await state.take(replace(UPDATE, update_id=number, message_id=str(number)))

    await state.finish("7", 101)

    assert [update.update_id for update in await state.unfinished("7")] == [103, 102]


async def test_the_last_pick_counts_in_its_thread_only(state: TelegramState) -> None:
    topic = replace(PLACE, thread="3")
    await state.pick(PLACE, "nova")
    await state.pick(topic, "rumi")
    await state.pick(PLACE, "kit")

    assert await state.picked(PLACE) == "kit"
    assert await state.picked(topic) == "rumi"
    assert await state.picked(replace(PLACE, bot="8")) is None


async def test_parts_are_found_by_receipt_and_by_message(state: TelegramState) -> None:
    second = replace(PART, message_id="7", number=1)
    await state.add_part(PART)
    await state.add_part(second)

    assert await state.parts("7", "r" * 22) == [PART, second]
    assert await state.find_part("7", "42", "7") == second
    assert await state.find_part("7", "43", "7") is None
    assert await state.parts("8", "r" * 22) == []


async def test_a_part_is_kept_once_and_in_order(state: TelegramState) -> None:
    with pytest.raises(InvariantError):
        await state.add_part(replace(PART, number=1))
    await state.add_part(PART)
    await state.add_part(replace(PART, message_id="99"))

    assert await state.parts("7", "r" * 22) == [PART]


async def test_sqlite_survives_a_reopening_and_forgets_old_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram_state, "SEEN_KEPT", 2)
    path = tmp_path / "twinproof.db"
    database = await Database.open(path, schema=[SCHEMA])
    state = SqliteTelegramState(database)
    for number in range(1, 5):
        await state.take(replace(UPDATE, update_id=number, message_id=str(number)))
        await state.finish("7", number)
    await state.take(replace(UPDATE, update_id=5, message_id="5", payload="kept"))
    await database.close()

    database = await Database.open(path, schema=[SCHEMA])
    state = SqliteTelegramState(database)

    assert [update.payload for update in await state.unfinished("7")] == ["kept"]
    assert not await state.take(replace(UPDATE, update_id=4, message_id="4"))
    assert await state.take(replace(UPDATE, update_id=1, message_id="1"))
    await database.close()
