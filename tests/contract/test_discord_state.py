"""What every memory of the Discord surface must do, over the fake and over SQLite."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.discord_state import SCHEMA, SqliteDiscordState
from bot.domain.errors import StoreBusyError
from bot.ports.discord_state import DiscordState, Followed, Post
from tests.fakes.discord_state import MemoryDiscordState

POST = Post("900", "800", 0, "70", "", "11", "nova", "5", "", "")


@pytest.fixture(params=["memory", "sqlite"])
async def state(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DiscordState]:
    if request.param == "memory":
        yield MemoryDiscordState()
        return
    database = await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA])
    yield SqliteDiscordState(database)
    await database.close()


async def test_a_pick_belongs_to_exactly_its_place(state: DiscordState) -> None:
    await state.pick("1", "", "nova")
    await state.pick("1", "7", "otto")

    assert await state.picked("1", "") == "nova"
    assert await state.picked("1", "7") == "otto"
    assert await state.picked("1", "8") is None
    assert await state.picked("", "7") is None


async def test_the_last_pick_counts(state: DiscordState) -> None:
    await state.pick("1", "7", "nova")
    await state.pick("1", "7", "otto")

    assert await state.picked("1", "7") == "otto"


async def test_webhooks_are_never_forgotten(state: DiscordState) -> None:
    await state.keep_webhook("7", "70")
    await state.keep_webhook("7", "71")
    await state.keep_webhook("7", "71")

    assert await state.is_webhook("70")
    assert await state.is_webhook("71")
    assert not await state.is_webhook("7")


async def test_a_post_is_read_back_whole_and_replaced(state: DiscordState) -> None:
    await state.keep_post(POST)
    assert await state.post("900") == POST

    final = replace(POST, receipt="r" * 22, digest="d" * 64)
    await state.keep_post(final)

    assert await state.post("900") == final
    assert await state.post("800") is None


async def test_posts_of_one_answer_come_in_order(state: DiscordState) -> None:
    second = replace(POST, message="1000", part=1)
    for post in (second, POST, replace(POST, message="901", asked="801")):
        await state.keep_post(post)

    assert await state.posts_of("800") == (POST, second)
    assert await state.posts_of("802") == ()


async def test_posts_of_one_reply_are_found_by_its_receipt(state: DiscordState) -> None:
    first = replace(POST, receipt="r" * 22)
    second = replace(first, message="1000", part=1)
    for post in (second, first, replace(POST, message="901", receipt="q" * 22)):
        await state.keep_post(post)

    assert await state.posts_showing("r" * 22) == (first, second)
    assert await state.posts_showing("s" * 22) == ()


async def test_answers_of_a_channel_are_listed_once_each_with_or_without_threads(
    state: DiscordState,
) -> None:
    threaded = replace(POST, message="1000", asked="801", thread="77")
    more = replace(POST, message="902", part=1)
    elsewhere = replace(POST, message="903", asked="802", chat="71")
    for post in (threaded, more, elsewhere, POST):
        await state.keep_post(post)

    assert await state.posts_in("70", "") == (POST,)
    assert await state.posts_in("70", "77") == (threaded,)
    assert await state.posts_in("70", None) == (POST, threaded)
    assert await state.posts_in("72", None) == ()


async def test_a_dropped_post_is_gone_and_may_be_dropped_again(state: DiscordState) -> None:
    await state.keep_post(POST)

    await state.drop_post("900")
    await state.drop_post("900")

    assert await state.post("900") is None
    assert await state.posts_of("800") == ()


async def test_forgetting_a_person_takes_their_posts_and_no_others(state: DiscordState) -> None:
    other = replace(POST, message="901", asked="801", fan="6")
    for post in (POST, replace(POST, message="902", part=1), other):
        await state.keep_post(post)

    await state.pick("", "70", "nova")
    await state.pick("", "71", "nova")
    await state.pick("1", "70", "nova")

    assert [post.message for post in await state.posts_for("5")] == ["900", "902"]
    assert await state.forget_fan("5") == 2
    assert await state.posts_for("5") == ()
    assert await state.picked("", "70") is None
    assert await state.picked("", "71") == "nova"
    assert await state.picked("1", "70") == "nova"
    assert await state.forget_fan("5") == 0
    assert await state.post("900") is None
    assert await state.post("901") == other


async def test_talkativeness_belongs_to_exactly_one_channel(state: DiscordState) -> None:
    await state.set_talkativeness("1", "7", 30)
    await state.set_talkativeness("1", "7", 5)

    assert await state.talkativeness("1", "7") == 5
    assert await state.talkativeness("1", "8") == 0
    assert await state.talkativeness("2", "7") == 0


async def test_the_list_of_entitlements_is_followed_forward_from_where_it_began(
    state: DiscordState,
) -> None:
    assert await state.entitlements_followed("1") is None

    await state.follow_entitlements("1", Followed(40, 30))
    await state.follow_entitlements("2", Followed(0, 0))
    await state.follow_entitlements("1", Followed(50, 50))
    await state.follow_entitlements("1", Followed(0, 45))

    assert await state.entitlements_followed("1") == Followed(40, 50)
    assert await state.entitlements_followed("2") == Followed(0, 0)


async def test_everything_survives_a_reopening(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA])
    await SqliteDiscordState(first).keep_post(POST)
    await SqliteDiscordState(first).pick("1", "", "nova")
    await SqliteDiscordState(first).set_talkativeness("1", "7", 30)
    await SqliteDiscordState(first).follow_entitlements("1", Followed(2**62, 2**62 + 1))
    await first.close()

    second = await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA])
    assert await SqliteDiscordState(second).post("900") == POST
    assert await SqliteDiscordState(second).picked("1", "") == "nova"
    assert await SqliteDiscordState(second).talkativeness("1", "7") == 30
    kept = await SqliteDiscordState(second).entitlements_followed("1")
    assert kept == Followed(2**62, 2**62 + 1)
    await second.close()


async def test_the_fake_loses_the_writes_that_a_test_wants() -> None:
    state = MemoryDiscordState(fail_writes=1)

    with pytest.raises(StoreBusyError):
        await state.keep_post(POST)

    assert await state.post("900") is None
    await state.keep_post(POST)
    assert await state.post("900") == POST
