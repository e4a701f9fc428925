"""What every creators' desk must do, over the fake and over the real room."""

from collections.abc import Awaitable, Callable

import pytest

from bot.domain.errors import UserError
from bot.ports.creators import Actor, CardFile, CreatorDesk, DraftEdit
from tests.fakes.creators import MemoryCreatorDesk
from tests.unit.creators.house import memory_house

ZOE, EVE = Actor("discord", "100", "Zoe"), Actor("discord", "666", "Eve")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)


@pytest.fixture(params=["memory", "room"])
async def desk(request: pytest.FixtureRequest) -> CreatorDesk:
    if request.param == "memory":
        return MemoryCreatorDesk(allowed={"100"})
    return (await memory_house(accounts=("discord:100",)).open()).desk


@pytest.fixture
async def zoe(desk: CreatorDesk) -> CreatorDesk:
    await desk.create(ZOE, "zoe", name="Zoe", role="a potter")
    return desk


async def test_a_new_twin_is_a_draft_of_its_account(desk: CreatorDesk) -> None:
    view = await desk.create(ZOE, "zoe", name="Zoe", role="a potter")

    assert (view.slug, view.state, view.versions, view.creator) == ("zoe", "draft only", (), "")
    assert view.persona_text == "You are Zoe, a potter."
    assert view == await desk.show(ZOE, "zoe")
    assert await desk.twins_of(ZOE) == ["zoe"]
    assert await desk.twins_of(EVE) == []


async def test_who_may_not_create_is_told_so(desk: CreatorDesk) -> None:
    with pytest.raises(UserError, match="may not create twins here"):
        await desk.create(EVE, "eve", name="Eve", role="a thief")


async def test_a_slug_is_taken_once(zoe: CreatorDesk) -> None:
    with pytest.raises(UserError, match="taken"):
        await zoe.create(ZOE, "zoe", name="Zoe", role="another")


async def test_an_edit_changes_what_is_given_alone(zoe: CreatorDesk) -> None:
    await zoe.edit(ZOE, "zoe", DraftEdit(facts=("I throw.",), temperature="0.9"))
    view = await zoe.edit(ZOE, "zoe", DraftEdit(role="a weaver"))

    assert (view.draft.role, view.draft.facts) == ("a weaver", ("I throw.",))
    assert (view.draft.temperature, view.draft.name) == ("0.9", "Zoe")


async def test_a_wrong_edit_loses_nothing(zoe: CreatorDesk) -> None:
    before = await zoe.show(ZOE, "zoe")

    with pytest.raises(UserError):
        await zoe.edit(ZOE, "zoe", DraftEdit(name="", role="a weaver"))

    assert await zoe.show(ZOE, "zoe") == before


async def test_a_price_is_shown_in_words(zoe: CreatorDesk) -> None:
    view = await zoe.set_price(ZOE, "zoe", "0.005")

    assert view.price == "0.005 tUSD per reply, 100 a day free"
    view = await zoe.set_price(ZOE, "zoe", "0.005", free_daily=3)
    assert view.price == "0.005 tUSD per reply, 3 a day free"
    assert (await zoe.set_price(ZOE, "zoe", "1")).price == "1 tUSD per reply, 3 a day free"
    with pytest.raises(UserError, match="replies a day free"):
        await zoe.set_price(ZOE, "zoe", "1", free_daily=-1)
    with pytest.raises(UserError, match="decimal number"):
        await zoe.set_price(ZOE, "zoe", "a lot")


async def test_a_picture_comes_and_goes(zoe: CreatorDesk) -> None:
    assert (await zoe.set_avatar(ZOE, "zoe", PNG)).has_avatar
    with pytest.raises(UserError, match="PNG or JPEG"):
        await zoe.set_avatar(ZOE, "zoe", b"GIF89a")
    assert not (await zoe.set_avatar(ZOE, "zoe", b"")).has_avatar


async def test_cards_go_in_and_out(zoe: CreatorDesk) -> None:
    card = CardFile("zoe.json", b'{"name": "Zoe", "description": "Zoe is a potter. I throw."}')

    imported = await zoe.import_card(ZOE, "zoe", card)

    assert imported.view.draft.facts
    exported = await zoe.export_card(ZOE, "zoe")
    assert exported.name == "zoe.json"
    assert b"chara_card_v2" in exported.data
    with pytest.raises(UserError, match="no character card"):
        await zoe.import_card(ZOE, "zoe", CardFile("x.txt", b"hello"))


async def test_a_test_answers(zoe: CreatorDesk) -> None:
    assert await zoe.test(ZOE, "zoe", "hello")
    with pytest.raises(UserError, match="message is empty"):
        await zoe.test(ZOE, "zoe", "  ")


async def test_a_publication_gives_a_link(zoe: CreatorDesk) -> None:
    link = await zoe.publish(ZOE, "zoe")

    base, _, token = link.url.rpartition("/sign/")
    assert base.startswith("https://")
    assert len(token) == 43
    assert link.summary
    assert link.expires_at.tzinfo is not None


async def test_a_version_that_is_not_there_is_refused(zoe: CreatorDesk) -> None:
    with pytest.raises(UserError, match="no version 7"):
        await zoe.rollback(ZOE, "zoe", 7)


async def test_nobody_else_reaches_a_twin(zoe: CreatorDesk) -> None:
    calls: list[Callable[[Actor, str], Awaitable[object]]] = [
        *(zoe.show, zoe.export_card, zoe.publish, zoe.pause, zoe.resume, zoe.earnings),
        lambda actor, slug: zoe.edit(actor, slug, DraftEdit(role="a thief")),
        lambda actor, slug: zoe.set_price(actor, slug, "1"),
        lambda actor, slug: zoe.set_avatar(actor, slug, b""),
        lambda actor, slug: zoe.import_card(actor, slug, CardFile("x", b"{}")),
        lambda actor, slug: zoe.test(actor, slug, "hi"),
        lambda actor, slug: zoe.rollback(actor, slug, 1),
        lambda actor, slug: zoe.revoke(actor, slug, None),
    ]
    before = await zoe.show(ZOE, "zoe")

    for call in calls:
        for actor, slug in ((EVE, "zoe"), (ZOE, "nothing")):
            with pytest.raises(UserError, match="You have no twin"):
                await call(actor, slug)

    assert await zoe.show(ZOE, "zoe") == before


async def test_earnings_begin_with_a_name(zoe: CreatorDesk) -> None:
    assert (await zoe.earnings(ZOE, "zoe")).twin_name == "Zoe"
