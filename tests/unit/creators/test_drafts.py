"""Drafts: who may make them, what they refuse, what they keep; and tests of them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.creators.drafts import edited, first_content
from bot.creators.shelf import check_names
from bot.domain.errors import ConfigurationError, UserError
from bot.domain.persona import Example
from bot.ports.creators import Actor, CardFile, DraftEdit, TwinView
from tests.stage import MIRA
from tests.unit.creators.house import EVE, ZOE, House, memory_house

TOO_LONG = "x" * 1001


@pytest.mark.parametrize("rule", ["*", "discord:*", "discord:100"])
async def test_an_allowed_account_may_create(rule: str) -> None:
    house = await memory_house(accounts=(rule,)).open()

    await house.begin()

    assert await house.desk.twins_of(ZOE) == ["zoe"]


@pytest.mark.parametrize("rule", ["telegram:*", "discord:101", "telegram:100"])
async def test_another_account_is_told_its_own_id(rule: str) -> None:
    house = await memory_house(accounts=(rule,)).open()

    with pytest.raises(UserError, match="ask the operator to add discord:100 to"):
        await house.begin()


@pytest.mark.parametrize("slug", ["", "Zoe", "zoe!", "-zoe", "z" * 65, "zoë", "zoe\n"])
async def test_a_slug_that_breaks_the_rule_is_refused(house: House, slug: str) -> None:
    with pytest.raises(UserError, match="small letters"):
        await house.desk.create(ZOE, slug, name="Zoe", role="a potter")


async def test_a_taken_slug_is_refused_whoever_has_it(house: House) -> None:
    await house.begin()
    await house.stage.publisher.publish(MIRA)

    for slug in ("zoe", "mira"):
        with pytest.raises(UserError, match=f"The name {slug} is taken"):
            await house.desk.create(EVE, slug, name="Eve", role="a thief")


async def test_the_slug_of_a_sample_that_is_gone_stays_taken(house: House) -> None:
    await house.stage.publisher.publish(MIRA)
    again = await house.restarted()

    with pytest.raises(UserError, match="The name mira is taken"):
        await again.desk.create(ZOE, "mira", name="Mira", role="another one")


async def test_a_persona_file_may_not_take_a_creators_name(house: House) -> None:
    await house.begin()

    await check_names(house.creators, ["mira"])
    with pytest.raises(ConfigurationError, match=r"rename the persona file zoe\.toml"):
        await check_names(house.creators, ["mira", "zoe"])


async def test_an_account_has_a_bounded_number_of_twins(house: House) -> None:
    for slug in ("one", "two", "three"):
        await house.begin(slug)

    with pytest.raises(UserError, match="You have 3 twins"):
        await house.begin("four")
    assert await house.desk.twins_of(ZOE) == ["one", "three", "two"]
    assert await house.desk.twins_of(Actor("telegram", "100", "Zoe")) == []


async def test_a_fresh_draft_says_where_it_stands(house: House) -> None:
    await house.begin()

    view = await house.desk.show(ZOE, "zoe")

    assert (view.state, view.price) == ("draft only", "0.002 tUSD per reply, 100 a day free")
    assert view.persona_text == "You are Zoe, a potter from Lisbon."
    assert (view.versions, view.changes, view.creator, view.reports) == ((), (), "", 0)


async def test_an_edit_is_kept_over_a_restart(house: House) -> None:
    await house.begin()
    change = DraftEdit(
        facts=("I throw cups.",), off_limits=("politics",), examples=(Example("hi", "hello"),)
    )

    edited = await house.desk.edit(ZOE, "zoe", change)
    await house.desk.edit(ZOE, "zoe", DraftEdit(temperature="0.9", top_k=7))

    view = await (await house.restarted()).desk.show(ZOE, "zoe")
    assert view.persona_text == edited.persona_text
    assert (view.draft.temperature, view.draft.top_k, view.draft.max_tokens) == ("0.9", 7, 200)


@pytest.mark.parametrize(
    "change",
    [
        DraftEdit(name=""),
        DraftEdit(name="n" * 65),
        DraftEdit(name="Zo\u202ee"),
        DraftEdit(role="two\nlines"),
        DraftEdit(facts=(TOO_LONG,)),
        DraftEdit(facts=("x",) * 101),
        DraftEdit(facts=("\ud800",)),
        DraftEdit(facts=("x" * 1000,) * 70),
        DraftEdit(examples=(Example("", "hello"),)),
        DraftEdit(temperature="0"),
        DraftEdit(temperature="hot"),
        DraftEdit(temperature="1e-3"),
        DraftEdit(temperature="99"),
        DraftEdit(top_p="1.1"),
        DraftEdit(top_p="nan"),
        DraftEdit(min_p="1.01"),
        DraftEdit(min_p="x"),
        DraftEdit(presence_penalty="2.5"),
        DraftEdit(frequency_penalty="-0.1"),
        DraftEdit(top_k=0),
        DraftEdit(top_k=257),
        DraftEdit(max_tokens=0),
        DraftEdit(max_tokens=1025),
    ],
)
async def test_an_edit_that_breaks_a_rule_loses_nothing(house: House, change: DraftEdit) -> None:
    await house.begin()
    before = await house.desk.show(ZOE, "zoe")

    with pytest.raises(UserError) as refused:
        await house.desk.edit(ZOE, "zoe", change)

    assert "\n" not in str(refused.value)
    assert await house.desk.show(ZOE, "zoe") == before


async def test_edits_at_the_same_time_are_both_kept(house: House) -> None:
    await house.begin()

    await asyncio.gather(
        house.desk.edit(ZOE, "zoe", DraftEdit(facts=("I fire at night.",))),
        house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver")),
        house.desk.set_price(ZOE, "zoe", "1"),
    )

    view = await house.desk.show(ZOE, "zoe")
    assert view.draft.facts == ("I fire at night.",)
    assert (view.draft.role, view.price) == ("a weaver", "1 tUSD per reply, 100 a day free")


@pytest.mark.parametrize("amount", ["0", "0.002", "12", "9007199.254740991", " 1 "])
async def test_a_price_is_a_decimal(house: House, amount: str) -> None:
    await house.begin()

    view = await house.desk.set_price(ZOE, "zoe", amount)

    assert view.price == f"{amount.strip()} tUSD per reply, 100 a day free"


@pytest.mark.parametrize(
    "amount", ["", "-1", "1e3", "0.0000000001", "free", "nan", "9007199.3", "٣"]
)
async def test_another_price_is_refused(house: House, amount: str) -> None:
    await house.begin()

    with pytest.raises(UserError, match="decimal number"):
        await house.desk.set_price(ZOE, "zoe", amount)


async def test_a_test_answers_from_the_draft_and_leaves_no_trace(house: House) -> None:
    await house.begin()
    before = house.stage.store

    first = await house.desk.test(ZOE, "zoe", "hello")
    second = await house.desk.test(ZOE, "zoe", "hello")

    assert first
    assert first != second  # the seed is drawn anew
    records = await house.stage.reader.read_all()
    assert (records.intents, records.replies, records.leaves) == ((), (), ())
    assert before is house.stage.store
    context = bytes(token for token in house.stage.engine.requests[-1].context if token < 256)
    assert b"You are Zoe, a potter from Lisbon." in context


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001, "\x00", "\ud800"])
async def test_a_test_refuses_what_a_fan_may_not_say(house: House, text: str) -> None:
    await house.begin()

    with pytest.raises(UserError):
        await house.desk.test(ZOE, "zoe", text)

    assert house.stage.engine.requests == []


async def test_one_account_runs_one_test_at_a_time(house: House) -> None:
    await house.begin()
    house.stage.engine.pause = asyncio.Event()
    running = asyncio.create_task(house.desk.test(ZOE, "zoe", "hello"))
    await house.stage.engine.begun.wait()

    with pytest.raises(UserError, match="still running"):
        await house.desk.test(ZOE, "zoe", "hello again")

    house.stage.engine.pause.set()
    assert await running
    assert await house.desk.test(ZOE, "zoe", "hello again")


async def test_tests_are_counted_like_a_fans_messages(house: House) -> None:
    await house.begin()
    for _ in range(5):
        await house.desk.test(ZOE, "zoe", "hello")

    with pytest.raises(UserError, match="5 tests in the last 24 hours"):
        await house.desk.test(ZOE, "zoe", "hello")

    house.stage.clock.advance(timedelta(days=1))
    assert await house.desk.test(ZOE, "zoe", "hello")


async def test_complaints_and_earnings_are_told_of_a_published_twin(house: House) -> None:
    await house.begin()
    empty = await house.desk.earnings(ZOE, "zoe")
    await house.publish()

    view: TwinView = await house.desk.show(ZOE, "zoe")

    assert view.reports == 3
    assert (empty.accrued_nano, empty.payout, empty.twin_name) == (0, "", "Zoe")
    assert (await house.desk.earnings(ZOE, "zoe")).payout == "0x" + "0" * 40


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd8" * 300_000]
)
async def test_a_picture_of_another_kind_is_refused(house: House, data: bytes) -> None:
    await house.begin()
    if not data:
        assert not (await house.desk.set_avatar(ZOE, "zoe", data)).has_avatar
        return

    with pytest.raises(UserError, match="PNG or JPEG of at most 256 KiB"):
        await house.desk.set_avatar(ZOE, "zoe", data)


async def test_a_card_fills_the_draft_and_comes_back(house: House) -> None:
    await house.begin()
    card = b'{"name": "Ada", "description": "Ada is a pilot. She flies.", "mine": 5}'

    imported = await house.desk.import_card(ZOE, "zoe", CardFile("ada.json", card))
    exported = await house.desk.export_card(ZOE, "zoe")

    assert imported.view.persona_text.startswith("You are Ada, a pilot.\n")
    assert exported.name == "zoe.json"
    assert b'"mine": 5' in exported.data


def test_topics_in_one_line_become_topics_of_their_own() -> None:
    content = first_content("Zoe", "a potter")
    line = ", ".join(f"topic {number}" for number in range(30))

    changed = edited(content, DraftEdit(off_limits=(line, "war")))

    assert len(changed.persona.off_limits) == 31
    assert changed.persona.text() == replace(content.persona, off_limits=(line, "war")).text()


async def test_a_price_that_would_empty_the_operators_budget_is_refused() -> None:
    house = await memory_house(highest_nano=100_000_000).open()
    await house.begin()

    await house.desk.set_price(ZOE, "zoe", "0.1")
    with pytest.raises(UserError, match=r"at most 0\.1 tUSD per reply here"):
        await house.desk.set_price(ZOE, "zoe", "0.100000001")
    assert (await house.desk.show(ZOE, "zoe")).price == "0.1 tUSD per reply, 100 a day free"


async def test_a_draft_from_before_the_operators_limit_is_not_published() -> None:
    house = await memory_house().open()
    await house.begin()
    await house.desk.set_price(ZOE, "zoe", "9")
    later = await House(house.stage, house.creators, highest_nano=100_000_000).open()

    with pytest.raises(UserError, match="at most"):
        await later.desk.publish(ZOE, "zoe")


@pytest.mark.parametrize("count", [0, 1, 20])
async def test_how_many_replies_are_free_is_kept_until_it_is_changed(count: int) -> None:
    house = await memory_house(most_free=20).open()
    await house.begin()

    await house.desk.set_price(ZOE, "zoe", "0.01", free_daily=count)
    view = await house.desk.set_price(ZOE, "zoe", "0.02")

    assert view.price == f"0.02 tUSD per reply, {count} a day free"


@pytest.mark.parametrize("count", [-1, 21, 10_001])
async def test_more_free_replies_than_the_operator_pays_are_refused(count: int) -> None:
    house = await memory_house(most_free=20).open()
    await house.begin()
    before = await house.desk.show(ZOE, "zoe")

    with pytest.raises(UserError, match="0 to 20 replies a day free here"):
        await house.desk.set_price(ZOE, "zoe", "0.01", free_daily=count)
    assert await house.desk.show(ZOE, "zoe") == before


async def test_a_new_draft_gives_no_more_than_the_operator_pays() -> None:
    house = await memory_house(most_free=7).open()

    await house.begin()

    assert (await house.desk.show(ZOE, "zoe")).price.endswith(", 7 a day free")


async def test_a_draft_from_before_the_operators_cap_is_not_published() -> None:
    house = await memory_house().open()
    await house.begin()
    later = await House(house.stage, house.creators, most_free=99).open()

    with pytest.raises(UserError, match="0 to 99 replies a day free here"):
        await later.desk.publish(ZOE, "zoe")


async def test_free_replies_are_what_is_signed_and_what_a_change_shows(house: House) -> None:
    await house.begin()
    await house.desk.set_price(ZOE, "zoe", "0.002", free_daily=3)
    await house.publish()
    assert house.stage.roster.find("zoe").manifest.free_daily == 3

    view = await house.desk.set_price(ZOE, "zoe", "0.002", free_daily=4)

    assert view.changes == (
        "- Price: 0.002 tUSD per reply, 3 a day free",
        "+ Price: 0.002 tUSD per reply, 4 a day free",
    )
