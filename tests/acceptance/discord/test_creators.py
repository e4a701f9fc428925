"""Creators make, change, publish and watch their twins; every answer is theirs alone."""

import asyncio
from dataclasses import replace

import pytest

from adapters.discord_chat.creators import wording
from bot.domain.errors import EngineOverloadedError, UserError
from bot.domain.persona import Example
from bot.ports.creators import Actor, DraftEdit
from tests.acceptance.discord.conftest import BASE, Rig
from tests.acceptance.discord.files import parts_of
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.test_avatars import PNG
from tests.acceptance.discord.test_twins import told
from tests.acceptance.discord.world import Channel, Interaction, Json
from tests.fakes.creators import MemoryCreatorDesk

CARD = b'{"spec": "chara_card_v2"}'


def desk_of(rig: Rig) -> MemoryCreatorDesk:
    assert rig.desk is not None
    return rig.desk


def actor(rig: Rig) -> Actor:
    return Actor("discord", rig.ana.id, "ana")


async def creator(rig: Rig, command: str, **options: str | int | Json) -> Interaction:
    return await rig.people.command(rig.ana, rig.room, f"creator {command}", **options)


async def says(rig: Rig, command: str, **options: str | int | Json) -> str:
    return await told(rig, await creator(rig, command, **options))


async def begun(rig: Rig) -> None:
    """A server in which Ana has a draft called luna."""
    await rig.start()
    await desk_of(rig).create(actor(rig), "luna", name="Luna", role="a stargazer")


async def window(rig: Rig, what: str) -> tuple[Interaction, dict[str, str]]:
    asked = await creator(rig, "edit", twin="luna", what=what)
    await until(lambda: asked.answer)
    assert asked.answer is not None
    assert asked.answer["type"] == 9, private(asked)
    fields = parts_of(asked.answer["data"])
    return asked, {field["custom_id"]: field.get("value") or "" for field in fields}


def buttons(asked: Interaction) -> list[Json]:
    return [b for row in asked.private[-1]["components"] for b in row["components"]]


@pytest.mark.parametrize("where", ["server", "direct"])
async def test_a_creator_begins_a_draft_anywhere(rig: Rig, where: str) -> None:
    room: Channel = rig.room if where == "server" else rig.world.direct(rig.ana)
    await rig.start()

    asked = await rig.people.command(
        rig.ana, room, "creator create", twin="luna", name="Luna", role="a stargazer"
    )

    assert "Saved: the draft of Luna" in await told(rig, asked)
    assert desk_of(rig).owners == {"luna": rig.ana.id}
    assert rig.seen(room) == []


async def test_refused_creation_gives_the_words_back(rig: Rig) -> None:
    desk_of(rig).allowed = set()
    await rig.start()

    said = await says(rig, "create", twin="luna", name="Luna", role="a stargazer")

    assert said.startswith("You may not create twins here")
    assert "a stargazer" in said


async def test_show_tells_state_changes_versions_and_reports(rig: Rig) -> None:
    await begun(rig)
    desk = desk_of(rig)
    desk.published("luna", 1)
    desk.views["luna"] = replace(
        desk.views["luna"], changes=("+ Likes tea.", "- Likes rum."), reports=2
    )

    asked = await creator(rig, "show", twin="luna")
    said = await told(rig, asked)

    assert "version 1" in said
    assert "+ Likes tea.\n- Likes rum." in said
    assert "Reports on replies: 2" in said
    (file,) = asked.private[-1]["attachments"]
    assert rig.platform.files.data(file) == b"You are Luna, a stargazer."


async def test_a_long_list_of_changes_becomes_a_file(rig: Rig) -> None:
    await begun(rig)
    view = desk_of(rig).views["luna"]
    desk_of(rig).views["luna"] = replace(view, changes=("+ " + "x" * 900,) * 4)

    asked = await creator(rig, "show", twin="luna")
    await told(rig, asked)

    names = [file["filename"] for file in asked.private[-1]["attachments"]]
    assert names == ["luna-persona.txt", "luna-changes.diff"]


async def test_texts_are_changed_in_a_window_that_shows_them(rig: Rig) -> None:
    await begun(rig)
    change = DraftEdit(facts=("Lives on a hill.", "Owns a telescope."))
    await desk_of(rig).edit(actor(rig), "luna", change)

    asked, shown = await window(rig, "texts")
    sent = await rig.people.submit(asked, "Luna", "a watcher", "One.\n\n Two. \n", "politics")
    await told(rig, sent)

    assert shown["facts"] == "Lives on a hill.\nOwns a telescope."
    draft = desk_of(rig).views["luna"].draft
    assert (draft.role, draft.facts, draft.off_limits) == (
        "a watcher",
        ("One.", "Two."),
        ("politics",),
    )


async def test_examples_are_pairs_of_lines(rig: Rig) -> None:
    await begun(rig)
    await desk_of(rig).edit(
        actor(rig), "luna", DraftEdit(examples=(Example("Hi: there", "Hello."),))
    )

    asked, shown = await window(rig, "examples")
    text = shown["examples"] + "\n\nfan: Which star?\nTWIN: Vega: the blue one."
    await told(rig, await rig.people.submit(asked, text))

    assert desk_of(rig).views["luna"].draft.examples == (
        Example("Hi: there", "Hello."),
        Example("Which star?", "Vega: the blue one."),
    )


async def test_sampling_is_changed_and_wrong_numbers_are_given_back(rig: Rig) -> None:
    await begun(rig)

    asked, _ = await window(rig, "sampling")
    wrong = await told(rig, await rig.people.submit(asked, "0.7", "0.9", "many", "150"))
    await told(rig, await rig.people.submit(asked, "0.7", "0.9", "30", "150"))

    assert "Top-k must be a whole number" in wrong
    assert "many" in wrong
    draft = desk_of(rig).views["luna"].draft
    assert (draft.temperature, draft.top_k, draft.max_tokens) == ("0.7", 30, 150)


async def test_what_a_window_has_sent_is_never_lost(rig: Rig) -> None:
    await begun(rig)
    asked, _ = await window(rig, "examples")

    short = await told(rig, await rig.people.submit(asked, "Fan: hi\nLuna: hello"))
    long = await rig.people.submit(asked, "Fan: hi\nLuna: " + "hello " * 400)
    await told(rig, long)

    assert 'Line 2 of the examples must begin with "Twin:".' in short
    assert "Fan: hi\nLuna: hello" in short
    (file,) = long.private[-1]["attachments"]
    assert b"hello hello" in rig.platform.files.data(file)
    assert len(rig.platform.files.data(file)) > 2400


async def test_window_of_an_earlier_process_still_saves(rig: Rig) -> None:
    await begun(rig)
    asked, _ = await window(rig, "examples")
    await rig.chats[-1].stop()
    await rig.start()

    await told(rig, await rig.people.submit(asked, "Fan: hi\nTwin: hello"))

    assert desk_of(rig).views["luna"].draft.examples == (Example("hi", "hello"),)


async def test_texts_beyond_a_window_are_left_alone_and_the_way_is_told(rig: Rig) -> None:
    await begun(rig)
    facts = tuple(f"Fact {n}: " + "x" * 100 for n in range(50))
    examples = tuple(Example("Hi", "y" * 900) for _ in range(6))
    await desk_of(rig).edit(actor(rig), "luna", DraftEdit(facts=facts, examples=examples))

    asked, shown = await window(rig, "texts")
    assert asked.answer is not None
    note = next(p for p in asked.answer["data"]["components"] if p["type"] == 10)["content"]
    await told(rig, await rig.people.submit(asked, "Luna", "a watcher", "politics"))
    refused = await says(rig, "edit", twin="luna", what="examples")

    assert "facts" not in shown
    assert "Facts" in note
    assert "/creator import" in note
    assert "/creator export" in refused
    draft = desk_of(rig).views["luna"].draft
    assert (draft.role, draft.facts, draft.examples) == ("a watcher", facts, examples)


async def test_slow_draft_is_answered_in_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.discord_chat.creators.studio.ANSWER_WITHIN_S", 0.05)
    await begun(rig)

    async def slow(*_: object) -> None:
        await asyncio.sleep(1)

    monkeypatch.setattr(MemoryCreatorDesk, "show", slow)

    assert "try again in 5 s" in await says(rig, "edit", twin="luna")
    assert rig.platform.hooks.late == 0


@pytest.mark.parametrize(
    ("method", "command", "options"),
    [
        ("show", "show", {}),
        ("set_price", "price", {"amount": "0.1"}),
        ("set_avatar", "avatar", {}),
        ("export_card", "export", {}),
        ("test", "test", {"text": "hi"}),
        ("publish", "publish", {}),
        ("rollback", "rollback", {"version": 1}),
        ("revoke", "revoke", {}),
        ("pause", "pause", {}),
        ("resume", "resume", {}),
        ("earnings", "earnings", {}),
    ],
)
async def test_slow_core_is_acknowledged_before_it_answers(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    command: str,
    options: dict[str, str | int],
) -> None:
    await begun(rig)
    go_on = asyncio.Event()

    async def slow(*_: object) -> None:
        await go_on.wait()
        raise UserError("Not today.")

    monkeypatch.setattr(MemoryCreatorDesk, method, slow)
    asked = await creator(rig, command, twin="luna", **options)
    await until(lambda: asked.answer, within_s=2.5)
    assert asked.answer is not None
    assert asked.answer == {"type": 5, "data": {"flags": 64}}
    go_on.set()

    assert await told(rig, asked) == "Not today."


async def test_price_and_picture(rig: Rig) -> None:
    await begun(rig)
    picture = await rig.people.attach(rig.room, "luna.png", PNG)

    price = await says(rig, "price", twin="luna", amount="0.003")
    wrong = await says(rig, "price", twin="luna", amount="cheap")
    given = await says(rig, "avatar", twin="luna", picture=picture)
    taken = await says(rig, "avatar", twin="luna")

    assert "0.003 tUSD per reply" in price
    assert "decimal number" in wrong
    assert "has a picture now" in given
    assert "has no picture now" in taken


async def test_a_card_is_imported_with_its_notes_and_exported(rig: Rig) -> None:
    await begun(rig)
    card = await rig.people.attach(rig.room, "luna.json", CARD)

    notes = await says(rig, "import", twin="luna", card=card)
    exported = await creator(rig, "export", twin="luna")
    await told(rig, exported)

    assert "system prompt was left out" in notes
    assert desk_of(rig).views["luna"].draft.facts == ("From a card.",)
    (file,) = exported.private[-1]["attachments"]
    assert (file["filename"], rig.platform.files.data(file)) == ("luna.json", CARD)


@pytest.mark.parametrize(
    ("command", "name", "claimed", "sentence"),
    [
        ("import", "luna.exe", 10, "must be a JSON or PNG file"),
        ("import", "luna.json", (1 << 20) + 1, "at most 1 MiB"),
        ("import", "luna.png", (8 << 20) + 1, "at most 8 MiB"),
        ("avatar", "luna.gif", 10, "must be a PNG or JPG file"),
        ("avatar", "luna.jpeg", (256 << 10) + 1, "at most 256 KiB"),
    ],
)
async def test_wrong_and_large_files_are_refused_before_they_are_fetched(
    rig: Rig, command: str, name: str, claimed: int, sentence: str
) -> None:
    await begun(rig)
    file = await rig.people.attach(rig.room, name, b"x", claimed=claimed)

    option = "card" if command == "import" else "picture"
    said = await says(rig, command, twin="luna", **{option: file})

    assert sentence in said
    assert rig.platform.files.fetched == []


async def test_file_that_is_no_card_and_one_that_lies_about_its_size(rig: Rig) -> None:
    await begun(rig)
    rubbish = await rig.people.attach(rig.room, "luna.json", b"hello")
    liar = await rig.people.attach(rig.room, "luna.json", b"x" * ((1 << 20) + 1), claimed=10)

    assert "no character card" in await says(rig, "import", twin="luna", card=rubbish)
    assert "at most 1 MiB" in await says(rig, "import", twin="luna", card=liar)


async def test_draft_is_heard_by_its_creator_alone(rig: Rig) -> None:
    await begun(rig)

    said = await says(rig, "test", twin="luna", text="hello?")
    desk_of(rig).says = "word " * 900
    long = await creator(rig, "test", twin="luna", text="more?")
    await told(rig, long)

    assert said == (
        "-# Draft of luna: not billed, no proof, not remembered. Only you see this.\n"
        "Ahoy from the draft."
    )
    (file,) = long.private[-1]["attachments"]
    assert rig.platform.files.data(file) == b"word " * 900
    assert rig.seen() == []
    assert rig.inbox.asked == []


@pytest.mark.parametrize(
    ("command", "options"),
    [("publish", {}), ("rollback", {"version": 1}), ("revoke", {}), ("revoke", {"version": 1})],
)
async def test_orders_come_with_the_page_where_they_are_signed(
    rig: Rig, command: str, options: dict[str, int]
) -> None:
    await begun(rig)
    desk_of(rig).published("luna", 1)

    asked = await creator(rig, command, twin="luna", **options)
    said = await told(rig, asked)

    (button,) = buttons(asked)
    assert button["url"] == f"{BASE}/sign/{'t' * 43}"
    assert "Version 1 of luna" in said
    assert "Nothing changes until you sign" in said
    assert "<t:1795176000:f>" in said


async def test_pause_acts_at_once_and_offers_the_signed_order(rig: Rig) -> None:
    await begun(rig)

    paused = await creator(rig, "pause", twin="luna")
    said = await told(rig, paused)
    resumed = await creator(rig, "resume", twin="luna")

    assert "Luna is paused." in said
    assert "holds already" in said
    assert buttons(paused)[0]["url"].startswith(f"{BASE}/sign/")
    assert await told(rig, resumed) == "Luna answers again."
    assert buttons(resumed) == []


async def test_earnings_are_a_small_table(rig: Rig) -> None:
    await begun(rig)

    said = await says(rig, "earnings", twin="luna")

    assert "earned, by the book" in said
    assert "0.0017" in said
    assert "No payout address yet" in said
    line = await desk_of(rig).earnings(actor(rig), "luna")
    assert "chain unreachable" in wording.earnings(replace(line, payout="0x" + "12" * 20))


async def test_others_twins_are_refused_and_not_suggested(rig: Rig) -> None:
    await begun(rig)
    desk = desk_of(rig)
    await desk.create(Actor("discord", rig.bo.id, "bo"), "lars", name="Lars", role="a cook")
    desk.published("luna", 1)
    desk.published("luna", 2)

    typed = await rig.people.autocomplete(rig.ana, rig.room, "creator show", twin="l")
    versions = await rig.people.autocomplete(
        rig.ana, rig.room, "creator rollback", twin="luna", version="2"
    )
    await until(lambda: typed.answer and versions.answer)

    assert typed.answer is not None
    assert versions.answer is not None
    assert [one["value"] for one in typed.answer["data"]["choices"]] == ["luna"]
    assert [one["value"] for one in versions.answer["data"]["choices"]] == [2]
    assert await says(rig, "show", twin="lars") == "You have no twin lars."
    assert await says(rig, "edit", twin="lars") == "You have no twin lars."


async def test_failures_of_the_core_are_one_sentence(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(rig)

    async def busy(*_: object) -> str:
        raise EngineOverloadedError("full", retry_after_s=9)

    async def broken(*_: object) -> str:
        raise RuntimeError("luna's secret")

    monkeypatch.setattr(MemoryCreatorDesk, "test", busy)
    monkeypatch.setattr(MemoryCreatorDesk, "publish", broken)

    assert "try again in 9 s" in await says(rig, "test", twin="luna", text="hi")
    said = await says(rig, "publish", twin="luna")
    assert "Something broke here" in said
    assert "secret" not in said


async def test_without_a_desk_there_are_no_commands_for_creators(rig: Rig) -> None:
    rig.desk = None
    await rig.start()

    assert "creator" not in {command["name"] for command in rig.world.commands}
