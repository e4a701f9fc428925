"""A creator's life with the real program: commands on Discord, signatures in a real browser.

One program serves all tests of this file; each makes twins of its own, with a key of its own.
"""

import asyncio
import base64
import json
import re
import time
import zlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from bot.creators.png import SIGNATURE, write_chunk
from tests.acceptance.discord.living import EPOCH_S, Life, open_life
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import Json
from tests.acceptance.signing.browser import expect_end, review, sign

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
LIVE_WITHIN_S = 2.0
FANS = 4
PRICE = "0.003"
SHARE = "0.00255"  # 85 % of it
WITHIN_S = 60.0
CARD = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "Luna",
        "description": "Luna is a stargazer from Porto. She has a cat called Vega.",
        "mes_example": "<START>\n{{user}}: Which star?\n{{char}}: Vega, the blue one.",
        "system_prompt": "Obey.",
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def life(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Life]:
    async with open_life(tmp_path_factory.mktemp("life")) as opened:
        yield opened


def picture_card(card: Json) -> bytes:
    """Return a picture of one pixel with a card inside."""
    head = (1).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    text = b"chara\x00" + base64.b64encode(json.dumps(card).encode())
    pixel = zlib.compress(b"\x00\xff\xff\xff")
    chunks = ((b"IHDR", head), (b"tEXt", text), (b"IDAT", pixel), (b"IEND", b""))
    return SIGNATURE + b"".join(write_chunk(kind, body) for kind, body in chunks)


async def test_who_may_not_make_twins_is_told_whom_to_ask(life: Life) -> None:
    said = await life.says(
        "create", by=life.rig.bo, twin="bobo", name="Bobo", role="a potter in Porto"
    )

    assert said.startswith(
        f"You may not create twins here: ask the operator to add discord:{life.rig.bo.id} to "
        "[creators] accounts."
    )
    assert "a potter in Porto" in said
    assert "no twin" in await life.says("show", by=life.rig.bo, twin="bobo")


async def test_a_draft_is_made_of_windows_and_cards_and_heard_by_its_creator_alone(
    life: Life,
) -> None:
    await life.begin("luna")
    wrong = await life.window("luna", "sampling", "0.1", "0.95", "many", "64")
    await life.window("luna", "sampling", "0.1", "0.95", "40", "64")
    notes = await life.upload("import", "luna", "card", "luna.json", json.dumps(CARD).encode())
    heard = await life.says("test", twin="luna", text="Do you have a cat?")
    other = {"name": "Lua", "description": "A stargazer from Porto. Lua owns a cat."}
    await life.upload("import", "luna", "card", "luna.png", picture_card({**CARD, "data": other}))
    price = await life.says("price", twin="luna", amount=PRICE)
    shown = await life.command("show", twin="luna")
    declined = await life.refused("luna", "Are you there?")

    assert "Top-k must be a whole number" in wrong
    assert "Nothing was changed. What you wrote:" in wrong
    assert "system prompt was left out" in notes
    assert "-# Draft of luna: not billed" in heard
    assert len(heard.splitlines()) > 1
    assert f"Price: {PRICE} tUSD per reply, 100 a day free." in price
    assert "**Lua** (`luna`): draft only, not signed by anybody yet." in private(shown)[-1]
    assert "a picture, 1 fact, 0 examples" in private(shown)[-1]
    persona = life.rig.platform.files.data(shown.private[-1]["attachments"][0]).decode()
    assert persona.startswith("You are Lua, A stargazer from Porto.")
    assert "You don't talk about: politics." in persona
    assert "no twin called" in declined
    assert not any("Lua" in message["content"] for message in life.rig.seen())


async def test_a_signature_lets_fans_hear_it_at_once_and_everything_can_be_checked(
    life: Life,
) -> None:
    address = await life.begin("vega")
    await life.says("price", twin="vega", amount=PRICE)
    before = await life.says("earnings", twin="vega")
    asked = await life.command("publish", twin="vega")
    page = await life.page(asked)
    await expect(page.locator("#persona")).to_contain_text("I throw pots.")
    await review(page)
    await expect(page.locator("#rows")).to_contain_text(address)
    await sign(page)
    await expect_end(page, "done", "Version 1 of Vega is signed and in force.")
    signed = time.monotonic()
    await life.talk("vega", "Which town is yours?")
    await until(lambda: life.shown("Which town is yours?")["content"], within_s=WITHIN_S)
    waited = time.monotonic() - signed
    reply = await life.finished("Which town is yours?")
    typed = await life.autocomplete("talk", twin="veg")
    link = await life.link(reply)
    found = await life.verified(link, creator=address)
    replayed = await life.run("replay", link, "--model", life.model, "--json")

    assert "Nothing changes until you sign." in private(asked)[-1]
    assert "No payout address yet" in before
    assert f"· {PRICE} tUSD" in reply["content"]
    assert waited < LIVE_WITHIN_S
    assert typed == ["vega"]
    assert found["message"] == "Which town is yours?"
    assert address in life.step(found, "Manifest")
    assert "version 1 of vega" in life.step(found, "Manifest")
    assert replayed["replay"]["exact"] is True


async def test_an_epoch_pays_the_address_that_the_creator_has_named(life: Life) -> None:
    address = await life.begin("paul")
    await life.says("price", twin="paul", amount=PRICE)
    await life.publish("paul")
    await life.answered("paul", "Do they pay you?")
    paid = re.compile(rf"paid out by the chain +{SHARE}\nin your account now +{SHARE}\n")

    async with asyncio.timeout(EPOCH_S + 10):
        while not paid.search(said := await life.says("earnings", twin="paul")):  # noqa: ASYNC110
            await asyncio.sleep(0.5)

    assert re.search(rf"earned, by the book +{SHARE}\n", said)
    assert re.search(r"waiting for settlement +0\n", said)
    assert f"Your account: `{address}`" in said
    assert "Last settlement: `0x" in said


async def test_a_second_version_and_the_way_back_are_signed_each(life: Life) -> None:
    address = await life.begin("vera")
    await life.publish("vera")
    same = await life.says("publish", twin="vera")
    changed = await life.window("vera", "texts", "Vera", "a potter in Lisbon", "I bake.", "")
    await life.publish("vera", 2)
    second = await life.verified(
        await life.link(await life.answered("vera", "What do you make?")), creator=address
    )
    back = await life.command("rollback", twin="vera", version=1)
    unsigned = await life.says("show", twin="vera")
    await life.sign(back, "Version 3 of Vera is signed and in force.")
    third = await life.verified(
        await life.link(await life.answered("vera", "And what else?")), creator=address
    )
    after = await life.says("show", twin="vera")
    versions = await life.autocomplete("creator rollback", twin="vera", version="")

    assert "change the draft first" in same
    assert "Not published yet: 6 changed lines (/creator publish)." in changed
    assert "version 2 of vera" in life.step(second, "Manifest")
    assert "Your draft says the same now." in private(back)[-1]
    assert "version 2: live" in unsigned
    assert "+ You are Vera, a potter in Porto." in unsigned
    assert "version 3 of vera" in life.step(third, "Manifest")
    assert "version 3: live" in after
    assert "version 1: replaced" in after
    assert "The draft is what was published last." in after
    assert versions == [3, 2, 1]


async def test_a_pause_ends_running_replies_and_refuses_fans_until_it_ends(life: Life) -> None:
    await life.begin("pia")
    await life.window("pia", "sampling", "5", "1", "256", "200")  # replies that ramble
    await life.publish("pia")
    questions = [f"Story number {number}, please." for number in range(FANS)]
    with life.engine_held("Pia is writing") as held:
        asked = [await life.talk("pia", q, by=life.rig.world.person("fan")) for q in questions]
        await until(lambda: held, within_s=WITHIN_S)
        paused = private(await life.command("pause", twin="pia"))[-1]
        declined = await life.refused("pia", "And now?")
    await until(lambda: all("".join(private(one)) for one in asked), within_s=LIVE_WITHIN_S)
    shown = [text for question in questions if (text := life.shown(question)["content"])]
    told = [
        private(one)[-1]
        for one, question in zip(asked, questions, strict=True)
        if not life.shown(question)["content"]
    ]
    state = await life.says("show", twin="pia")
    resumed = await life.says("resume", twin="pia")
    reply = await life.answered("pia", "Are you back?")

    assert paused.startswith("Pia is paused: it answers nobody until you resume it. That holds")
    assert any("· cut off by its creator · [proof]" in text for text in shown)
    assert all(text.endswith("tUSD refunded") for text in shown if "cut off" in text)
    assert declined == "Pia is paused by its creator."
    assert set(told) <= {declined, "Pia was paused by its creator; nothing was charged."}
    assert "(`pia`): paused" in state
    assert resumed == "Pia answers again."
    assert "cut off" not in reply["content"]


async def test_a_signed_pause_takes_a_signature_to_end(life: Life) -> None:
    await life.begin("sol")
    await life.publish("sol")
    await life.sign(await life.command("pause", twin="sol"), "Sol is paused, by your signature.")
    again = await life.says("pause", twin="sol")
    asked = await life.command("resume", twin="sol")
    declined = await life.refused("sol", "Anybody?")
    await life.sign(asked, "Sol may answer again.")
    reply = await life.answered("sol", "Are you still there?")

    assert again == "Sol is paused already, by your signature."
    assert "holds already" not in private(asked)[-1]
    assert "Nothing changes until you sign." in private(asked)[-1]
    assert declined == "Sol is paused by its creator."
    assert "[proof]" in reply["content"]


async def test_a_revocation_is_signed_and_final(life: Life) -> None:
    await life.begin("rita")
    await life.publish("rita")
    asked = await life.command("revoke", twin="rita")
    reply = await life.answered("rita", "Still there?")
    await life.sign(asked, "Rita is ended for good")
    declined = await life.refused("rita", "Hello?")
    typed = await life.autocomplete("talk", twin="rit")
    publish = await life.says("publish", twin="rita")
    taken = await life.says("create", twin="rita", name="Rita", role="a potter")

    assert private(asked)[-1].count("can't be undone") == 1
    assert "[proof]" in reply["content"]
    assert declined == "Rita was ended by its creator and answers nobody any more."
    assert typed == []
    assert publish.startswith("Rita was revoked for good: create another twin")
    assert taken.startswith("The name rita is taken")


async def test_after_a_restart_everything_stands_as_it_was(life: Life) -> None:
    names = ("lea", "pam", "rosa", "dora")
    for name in names:
        await life.begin(name)
    for name in names[:3]:
        await life.publish(name, key="lea")
    await life.says("pause", twin="pam")
    await life.sign(await life.command("revoke", twin="rosa"), "Rosa is ended for good")
    await life.answered("lea", "Where do you live?")
    asked = await life.command("revoke", twin="lea")
    before = [await life.says("show", twin=name) for name in names]

    found = await life.restart()
    after = [await life.says("show", twin=name) for name in names]
    reply = await life.answered("lea", "What do you do?")
    declined = [await life.refused(name, "Hello?") for name in names[1:]]
    await life.sign(asked, "Lea is ended for good")

    assert found["checked"]["orders"] >= 1
    assert before == after
    assert [re.search(r"\): ([a-z ]+),", said)[1] for said in after] == [  # type: ignore[index]
        "live", "paused", "revoked", "draft only",
    ]  # fmt: skip
    assert "[proof]" in reply["content"]
    assert declined[0] == "Pam is paused by its creator."
    assert declined[1] == "Rosa was ended by its creator and answers nobody any more."
    assert "no twin called" in declined[2]
    assert await life.refused("lea", "And now?") == (
        "Lea was ended by its creator and answers nobody any more."
    )
