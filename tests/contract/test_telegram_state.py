"""What every memory of the Telegram surface must do, over the fake and over SQLite."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.sqlite import telegram_state
from adapters.sqlite.database import Database
from adapters.sqlite.telegram_state import SCHEMA, SqliteTelegramState
from bot.domain.errors import InvariantError
from bot.ports.telegram_state import (
    ChatPlace,
    LinkState,
    ManagedBot,
    OpenQuestion,
    SentPart,
    TakenUpdate,
    TelegramState,
)
from tests.fakes.telegram_state import MemoryTelegramState

UPDATE = TakenUpdate(bot="7", update_id=100, chat="42", message_id="5", payload="{}")
PLACE = ChatPlace(bot="7", chat="42", thread="")
PART = SentPart(
    PLACE, message_id="6", receipt_id="r" * 22, number=0, twin="nova", fan="42", answers="5"
)
QUESTION = OpenQuestion("7", "42", "42", step="edit.role", slug="nova", note="{}")
MANAGED = ManagedBot(manager="7", account="42", twin="nova")


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


async def test_several_updates_are_taken_together_and_each_once(state: TelegramState) -> None:
    other = replace(UPDATE, update_id=101, message_id="6")
    third = replace(UPDATE, update_id=102, message_id="7")
    assert await state.take(UPDATE)

    assert await state.take_all([other, UPDATE, other, third]) == [True, False, False, True]
    assert await state.take_all([third, other]) == [False, False]
    assert await state.unfinished("7") == [UPDATE, other, third]


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


async def test_replies_are_found_by_the_message_that_they_answer(state: TelegramState) -> None:
    again = replace(PART, message_id="10", receipt_id="s" * 22)
    other = replace(PART, message_id="11", receipt_id="t" * 22, answers="9")
    for part in (PART, again, other):
        await state.add_part(part)

    assert await state.parts_of_answer("7", "42", "5") == [PART, again]
    assert await state.parts_of_answer("7", "43", "5") == []


async def test_the_last_part_is_that_of_the_highest_number(state: TelegramState) -> None:
    last = replace(PART, message_id="10", receipt_id="s" * 22)
    foreign = replace(PART, message_id="99", receipt_id="t" * 22, fan="43")
    for part in (PART, last, foreign):
        await state.add_part(part)

    assert await state.last_part(PLACE, "42") == last
    assert await state.last_part(replace(PLACE, thread="3"), "42") is None


async def test_dropped_parts_are_gone_and_the_others_stay(state: TelegramState) -> None:
    other = replace(PART, message_id="10", receipt_id="s" * 22)
    await state.add_part(PART)
    await state.add_part(other)

    await state.drop_parts("7", PART.receipt_id)
    await state.drop_parts("7", PART.receipt_id)

    assert await state.find_part("7", "42", "6") is None
    assert await state.parts("7", "s" * 22) == [other]


async def test_notices_are_kept_until_they_are_dropped(state: TelegramState) -> None:
    await state.add_notice("7", "42", "6")
    await state.add_notice("8", "42", "6")
    assert await state.notices("7") == [("42", "6")]

    await state.drop_notice("7", "42", "6")
    await state.drop_notice("7", "42", "6")

    assert await state.notices("7") == []
    assert await state.notices("8") == [("42", "6")]


async def test_talkativeness_is_kept_for_each_bot_and_group(state: TelegramState) -> None:
    await state.set_talkative("7", "-1", 20)
    await state.set_talkative("7", "-1", 30)
    await state.set_talkative("8", "-1", 5)
    await state.set_talkative("9", "-1", 0)

    assert await state.talkative("-1") == {"7": 30, "8": 5}
    assert await state.talkative("-2") == {}


async def test_an_account_has_one_open_question(state: TelegramState) -> None:
    await state.ask(QUESTION)
    await state.ask(replace(QUESTION, step="price", note="12"))
    await state.ask(replace(QUESTION, account="43"))

    found = await state.question("7", "42", "42", within_s=60)
    assert found == replace(QUESTION, step="price", note="12")
    await state.drop_question("7", "42", "42")
    await state.drop_question("7", "42", "42")
    assert await state.question("7", "42", "42", within_s=60) is None
    assert await state.question("7", "42", "43", within_s=60) is not None


async def test_a_question_grows_old(state: TelegramState) -> None:
    await state.ask(QUESTION)

    assert await state.question("7", "42", "42", within_s=60) == QUESTION
    assert await state.question("7", "42", "42", within_s=-1) is None


async def test_a_managed_bot_has_one_record_for_its_twin(state: TelegramState) -> None:
    made = replace(MANAGED, bot="99", username="novabot", state=LinkState.LINKED)
    await state.keep_managed(MANAGED)
    await state.keep_managed(replace(MANAGED, twin="rumi"))
    await state.keep_managed(made)

    assert await state.managed() == [made, replace(MANAGED, twin="rumi")]


async def test_only_offers_that_nobody_took_expire(state: TelegramState) -> None:
    made = replace(MANAGED, twin="rumi", bot="99", username="rumibot")
    await state.keep_managed(MANAGED)
    await state.keep_managed(made)
    await state.expire_offers(older_than_s=60)
    assert MANAGED in await state.managed()

    await state.expire_offers(older_than_s=-1)

    assert set(await state.managed()) == {replace(MANAGED, state=LinkState.EXPIRED), made}


async def test_forgetting_leaves_nothing_of_a_person_but_the_update_numbers(
    state: TelegramState,
) -> None:
    theirs = replace(PART, place=replace(PLACE, chat="-1"), receipt_id="s" * 22)
    others = replace(PART, message_id="8", receipt_id="t" * 22, fan="43")
    for part in (PART, theirs, others):
        await state.add_part(part)
    await state.pick(PLACE, "nova")
    await state.ask(QUESTION)
    await state.add_notice("7", "42", "6")
    await state.take(replace(UPDATE, payload='{"spot": {"fan": 42}}'))
    await state.take(replace(UPDATE, update_id=101, chat="-1", payload='{"spot": {"fan": 43}}'))

    await state.forget("42")

    assert await state.parts("7", PART.receipt_id) == await state.parts("7", "s" * 22) == []
    assert await state.parts("7", "t" * 22) == [others]
    assert await state.picked(PLACE) is None
    assert await state.question("7", "42", "42", within_s=60) is None
    assert await state.notices("7") == []
    assert [update.update_id for update in await state.unfinished("7")] == [101]
    assert not await state.take(UPDATE)


async def test_a_forgotten_person_is_not_in_the_file(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "twinproof.db", schema=[SCHEMA])
    state = SqliteTelegramState(database)
    fan = "987654321987"
    await state.add_part(replace(PART, place=replace(PLACE, chat=fan), fan=fan))
    await state.pick(replace(PLACE, chat=fan), "nova")
    await state.take(replace(UPDATE, chat=fan, payload=f'{{"spot": {{"fan": {fan}}}}}'))
    await state.finish("7", 100)

    await state.forget(fan)

    tables = ("telegram_parts", "telegram_picks", "telegram_updates")
    async with database.reading() as connection:
        for table in tables:
            cursor = await connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - a constant
            assert fan not in str(list(await cursor.fetchall()))
    await database.close()


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


async def test_how_far_the_stars_were_followed_only_grows(state: TelegramState) -> None:
    assert await state.stars_followed("7") == 0

    await state.follow_stars("7", 200)
    await state.follow_stars("7", 100)
    await state.follow_stars("8", 300)

    assert [await state.stars_followed(bot) for bot in ("7", "8", "9")] == [200, 300, 0]
