"""Fans' money on Discord: what they are told, who sees it, limits, questions, disputes."""

import asyncio
from dataclasses import replace

import pytest

from adapters.discord_chat.credit import delivery, wording
from adapters.discord_chat.credit.commands import DISPUTE
from bot.domain.errors import AdmissionError, CreditError
from bot.ports.credit import DisputeState
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.people import private
from tests.acceptance.discord.selling import (
    HALF,
    RECEIPT,
    Shop,
    labels,
    pressed,
    public,
    replied,
    sent,
)
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import Interaction
from tests.fakes.credit import sku_offer

NOTICE = "From now on a reply of Nova costs 0.002 tUSD of your 0.5 tUSD. Writing on means agreeing."


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.05)


@pytest.fixture
def shop(rig: Rig) -> Shop:
    return Shop(rig)


async def test_credit_shows_what_is_free_and_what_there_is(shop: Shop) -> None:
    shop.credit.give(shop.ana, 20_000_000)
    await shop.rig.start()

    told = await shop.opened()

    assert private(told)[-1].splitlines() == [
        "**Your credit:** 0.02 tUSD",
        "**Last 24 hours:** 0 of at most 5 tUSD spent",
        "- Mira: 5 of 5 free replies left today, then 0.002 tUSD per reply",
        "**Buy credit** with the buttons below. Discord shows the price first.",
        "- 0.5 tUSD: about 250 replies",
    ]


async def test_daily_limit_is_changed_in_a_window(shop: Shop) -> None:
    await shop.rig.start()
    told = await shop.opened()

    window = await pressed(shop, told, "Daily limit")
    refused = await sent(shop, window, "six")
    kept = await sent(shop, await pressed(shop, told, "Daily limit"), "0.25")

    assert refused == 'The limit must be a decimal number such as "0.5".'
    assert kept == "At most 0.25 tUSD of your credit is spent in 24 hours now."
    assert (await shop.credit.view(shop.ana)).daily_limit_nano == 250_000_000


async def test_question_about_a_payment_reaches_the_operator(shop: Shop) -> None:
    await shop.rig.start()
    told = await shop.opened()

    shop.credit.lose("support")
    refused = await sent(shop, await pressed(shop, told, "Ask about a payment"), "Paid twice?")
    kept = await sent(shop, await pressed(shop, told, "Ask about a payment"), "Paid twice?")

    assert "Paid twice?" in refused
    assert kept == "Your question was noted for the operator."
    assert shop.credit.questions == [(shop.ana, "Paid twice?")]


async def test_dispute_from_the_menu_of_a_reply(shop: Shop) -> None:
    await shop.rig.start()
    message = await replied(shop)

    asked = await shop.rig.people.menu(shop.rig.ana, shop.rig.room, DISPUTE, message)
    await until(lambda: asked.answer)
    said = await sent(shop, asked, "It told me nonsense")
    shop.credit.decide(RECEIPT, DisputeState.UPHELD, "You were right: 0.002 tUSD came back.")
    first, second = [private(await shop.opened())[-1] for _ in range(2)]

    assert said.startswith("The reply is being replayed.")
    assert shop.calls("dispute") == [RECEIPT]
    assert first.count("You were right") == 2  # said once, and it stands among the disputes
    assert second.count("You were right") == 1


async def test_dispute_from_the_proof_of_a_reply(shop: Shop) -> None:
    await shop.rig.start()
    message = await replied(shop)

    proof = await shop.rig.people.press(shop.rig.ana, shop.rig.room, message, "Proof")
    await until(lambda: private(proof) and not proof.private[-1]["flags"] & 128)
    said = await sent(shop, await pressed(shop, proof, "Something wrong with it?"), "")
    foreign = await shop.rig.people.press(shop.rig.bo, shop.rig.room, message, "Proof")
    await until(lambda: private(foreign) and not foreign.private[-1]["flags"] & 128)

    assert said.startswith("The reply is being replayed.")
    assert labels(foreign.private[-1]) == []


async def test_others_cannot_dispute_a_reply_and_get_their_words_back(shop: Shop) -> None:
    await shop.rig.start()
    message = await replied(shop)

    asked = await shop.rig.people.menu(shop.rig.bo, shop.rig.room, DISPUTE, message)
    await until(lambda: asked.answer)
    said = await sent(shop, asked, "I don't like it")

    assert said.startswith("Only the person who was answered may dispute a reply.")
    assert "I don't like it" in said


async def test_dispute_of_what_is_no_reply_is_refused(shop: Shop) -> None:
    await shop.rig.start()
    own = await shop.rig.people.say(shop.rig.bo, shop.rig.room, "just talking")

    asked = await shop.rig.people.menu(shop.rig.ana, shop.rig.room, DISPUTE, own)
    await until(lambda: private(asked))

    assert private(asked) == [wording.NO_REPLY_TO_DISPUTE]


async def test_price_notice_in_a_public_channel_stays_private(shop: Shop) -> None:
    shop.rig.inbox.fail = CreditError(NOTICE)
    await shop.rig.start()

    await shop.rig.people.say(shop.rig.ana, shop.rig.room, f"{shop.rig.mention} hello")
    await until(lambda: public(shop))
    message = shop.rig.seen()[0]
    foreign = await shop.rig.people.press(shop.rig.bo, shop.rig.room, message["id"], "Credit")
    own = await shop.rig.people.press(shop.rig.ana, shop.rig.room, message["id"], "Credit")
    await until(lambda: private(own) and private(foreign))
    await until(lambda: not (own.private[-1]["flags"] | foreign.private[-1]["flags"]) & 128)

    assert public(shop) == [wording.IN_PUBLIC]
    assert NOTICE in private(own)[-1]
    assert NOTICE not in private(foreign)[-1]
    assert f"sku {shop.sku}" in labels(own.private[-1])


@pytest.mark.parametrize("hooked", [True, False])
async def test_price_notice_of_a_command_is_told_with_what_is_on_sale(
    shop: Shop, *, hooked: bool
) -> None:
    if not hooked:
        shop.rig.guild.nick = "Nova"
    shop.rig.inbox.fail = CreditError(NOTICE)
    await shop.rig.start()

    asked = await shop.rig.people.command(
        shop.rig.ana, shop.rig.room, "talk", twin="nova", text="hello"
    )
    await until(lambda: NOTICE in private(asked))

    assert labels(asked.private[-1]) == [f"sku {shop.sku}", "Credit"]
    assert public(shop) == []


async def test_price_notice_in_a_direct_channel_is_told_there(shop: Shop) -> None:
    shop.rig.inbox.fail = CreditError(NOTICE)
    await shop.rig.start()
    direct = shop.rig.world.direct(shop.rig.ana)

    await shop.rig.people.say(shop.rig.ana, direct, "hello")
    await until(lambda: public(shop, direct))

    (message,) = shop.rig.seen(direct)
    assert message["content"] == NOTICE
    assert labels(message) == [f"sku {shop.sku}", "Credit"]


async def test_price_notice_stays_private_where_nothing_is_sold(shop: Shop) -> None:
    shop.credit.sold["discord"] = ()
    shop.rig.inbox.fail = CreditError(NOTICE)
    await shop.rig.start()

    await shop.rig.people.say(shop.rig.ana, shop.rig.room, f"{shop.rig.mention} hello")
    await until(lambda: public(shop))

    assert public(shop) == [wording.IN_PUBLIC]
    assert labels(shop.rig.seen()[0]) == ["Credit"]


async def test_other_refusals_are_told_as_they_are(shop: Shop) -> None:
    shop.rig.inbox.fail = AdmissionError("Nova is asleep.")
    await shop.rig.start()

    await shop.rig.people.say(shop.rig.ana, shop.rig.room, f"{shop.rig.mention} hello")
    await until(lambda: public(shop))

    assert public(shop) == ["Nova is asleep."]


@pytest.mark.parametrize("way", ["mention", "talk", "direct", "again"])
async def test_notices_are_told_once_after_a_reply_and_never_in_public(
    shop: Shop, way: str
) -> None:
    await shop.rig.start()
    if way == "again":
        await replied(shop)
    shop.credit.tell(shop.ana, "You have spent 80 % of your daily limit.")
    direct = shop.rig.world.direct(shop.rig.ana)
    told: Interaction | None = None

    match way:
        case "talk":
            told = await shop.rig.people.command(
                shop.rig.ana, shop.rig.room, "talk", twin="nova", text="hello"
            )
        case "again":
            message = shop.rig.seen()[-1]["id"]
            told = await shop.rig.people.press(
                shop.rig.ana, shop.rig.room, message, "Another reply"
            )
        case "direct":
            await shop.rig.people.say(shop.rig.ana, direct, "hello")
        case _:
            await shop.rig.people.say(shop.rig.ana, shop.rig.room, f"{shop.rig.mention} hello")

    def heard() -> list[str]:
        return private(told) if told is not None else shop.direct(shop.rig.ana)

    await until(lambda: any("80 %" in one for one in heard()))
    if way == "talk":
        assert private(told)[-1].startswith("Only you see this. Your proof: <")  # type: ignore[arg-type]
    assert not any("80 %" in one for one in public(shop))
    assert sum("80 %" in one for one in [*heard(), *shop.direct(shop.rig.ana)]) == (
        2 if told is None else 1
    )


async def test_without_a_credit_door_nothing_about_money_is_there(rig: Rig) -> None:
    await rig.start()

    assert not {"credit", DISPUTE} & {command["name"] for command in rig.world.commands}
    assert rig.platform.requests("GET", "/entitlements") == 0


async def test_about_privacy_and_forgetting_speak_of_money(shop: Shop) -> None:
    shop.credit.give(shop.ana, HALF)
    await shop.rig.start()
    names = ("about", "privacy show", "privacy forget")
    said = [private(await shop.opened(name))[-1] for name in names]

    assert "**What replies cost.** `/credit`" in said[0]
    assert "what you have bought, been given and spent" in said[1]
    assert "You have 0.5 tUSD of credit left" in said[2]


async def test_unasked_refusal_about_money_waits_for_its_fan(shop: Shop) -> None:
    shop.rig.inbox.fail = CreditError(NOTICE)
    shop.rig.state.talk[shop.rig.guild.id, shop.rig.room.id] = 100
    await shop.rig.start()

    await shop.rig.people.say(shop.rig.ana, shop.rig.room, "just talking")
    await until(lambda: shop.rig.inbox.asked)
    await asyncio.sleep(0.1)
    told = await shop.opened()

    assert public(shop) == []
    assert NOTICE in private(told)[-1]


async def test_offers_of_other_platforms_are_not_sold_here(shop: Shop) -> None:
    shop.credit.sold["discord"] += (replace(sku_offer(1, HALF), unit="telegram-star"),)
    await shop.rig.start()

    told = await shop.opened()

    assert labels(told.private[-1])[:2] == [f"sku {shop.sku}", "Daily limit"]
