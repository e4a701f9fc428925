"""What the sponsorship budget pays in a day for one twin and for one server, and who is warned."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import AdmissionError
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.people import Person
from bot.ports.stores import StoredReply
from bot.twins.charging import SpendingCaps, slot_of
from tests.credit_rig import CreditRig, open_rig
from tests.stage import MIRA, PRICE, SURFACE, Stage, message

DAY = timedelta(days=1)


async def _payer(rig: CreditRig, reply: StoredReply) -> Payer:
    async with rig.stage.store.reading() as tx:
        intent = await tx.find_intent(reply.intent)
    assert intent is not None
    return intent.payment.payer


async def _sound(rig: CreditRig) -> None:
    assert (await rig.stage.audit()).wrong == []


def _in(server: str, chat: str, number: str, *, fan: str = "ana") -> IncomingMessage:
    """Return a message in one channel of a server."""
    surface = replace(SURFACE, chat=chat)
    return replace(message(number=number, fan=fan), surface=surface, server=server)


async def _caps(stage: Stage, **caps: int) -> CreditRig:
    return await open_rig(stage, files=(replace(MIRA, free_daily=9),), caps=SpendingCaps(**caps))


async def _capped(rig: CreditRig, said: IncomingMessage) -> str:
    with pytest.raises(AdmissionError) as refused:
        await rig.stage.reply_to(said)
    return str(refused.value)


@pytest.mark.parametrize("cap", ["twin_nano", "server_nano"])
async def test_budget_has_daily_caps(stage: Stage, cap: str) -> None:
    rig = await _caps(stage, **{cap: 2 * PRICE})
    for number, fan in (("1", "ana"), ("2", "ben")):
        await stage.reply_to(_in("harbour", "pier", number, fan=fan))

    told = await _capped(rig, _in("harbour", "pier", "3", fan="cat"))
    stage.clock.advance(DAY + timedelta(minutes=6))
    await stage.reply_to(_in("harbour", "pier", "4", fan="cat"))

    words = {"twin_nano": "of Mira", "server_nano": "for everybody here"}[cap]
    assert told.startswith(f"Today's free replies {words} are used up. ")


async def test_channels_of_a_server_share_its_cap_and_servers_do_not(stage: Stage) -> None:
    rig = await _caps(stage, server_nano=2 * PRICE)
    await stage.reply_to(_in("harbour", "pier", "1"))
    await stage.reply_to(_in("harbour", "quay", "2", fan="ben"))

    for chat in ("pier", "quay", "a third one"):
        assert "for everybody here" in await _capped(rig, _in("harbour", chat, "3", fan="cat"))

    assert await _payer(rig, await stage.reply_to(_in("castle", "hall", "4"))) is Payer.SPONSOR


async def test_twins_and_bots_share_the_cap_of_a_server(stage: Stage) -> None:
    files = [replace(MIRA, free_daily=9, slug=slug) for slug in ("mira", "nova")]
    rig = await open_rig(stage, files=files, caps=SpendingCaps(server_nano=PRICE))
    group = [
        IncomingMessage(twin, Surface("telegram", bot, "-1001", ""), "5", "1", "hi", server="-1001")
        for twin, bot in (("mira", "7001"), ("nova", "7002"))
    ]
    await stage.reply_to(group[0])

    assert "for everybody here" in await _capped(rig, group[1])


async def test_who_talks_alone_is_under_no_servers_cap(stage: Stage) -> None:
    rig = await _caps(stage, server_nano=PRICE)
    await stage.reply_to(_in("harbour", "pier", "1"))

    payers = [await _payer(rig, await stage.reply_to(_in("", "alone", n))) for n in ("2", "3")]

    assert payers == [Payer.SPONSOR, Payer.SPONSOR]


async def test_another_reply_counts_for_the_server_of_its_message(stage: Stage) -> None:
    rig = await _caps(stage, server_nano=2 * PRICE)
    first = await stage.reply_to(_in("harbour", "pier", "1"))
    await stage.delivery.record(first.receipt_id, Outcome.DELIVERED)

    await stage.again(first.receipt_id, event="press")

    assert "for everybody here" in await _capped(rig, _in("harbour", "quay", "2", fan="ben"))


async def test_reply_that_was_not_given_leaves_the_servers_cap(stage: Stage) -> None:
    rig = await _caps(stage, server_nano=PRICE)
    lost = await stage.reply_to(_in("harbour", "pier", "1"))
    await _capped(rig, _in("harbour", "quay", "2"))

    await stage.delivery.record(lost.receipt_id, Outcome.UNDELIVERED)

    assert await _payer(rig, await stage.reply_to(_in("harbour", "quay", "3"))) is Payer.SPONSOR


async def test_fans_of_a_server_who_ask_at_once_do_not_pass_its_cap(stage: Stage) -> None:
    rig = await _caps(stage, server_nano=2 * PRICE)

    said = [_in("harbour", f"channel {n}", "x", fan=f"fan {n}") for n in range(5)]
    done = await asyncio.gather(*map(stage.reply_to, said), return_exceptions=True)

    assert sum(isinstance(one, StoredReply) for one in done) == 2
    await _sound(rig)


async def test_operator_is_warned_once_for_each_server(stage: Stage) -> None:
    await _caps(stage, server_nano=5 * PRICE)

    with capture_logs() as logs:
        for number in range(5):
            await stage.reply_to(_in("harbour", f"channel {number}", "x", fan=f"fan {number}"))
        first = _warnings(logs)
        for number in range(5):
            await stage.reply_to(_in("castle", "hall", f"{number}", fan=f"fan {number}"))
        second = _warnings(logs)
        stage.clock.advance(DAY + timedelta(minutes=6))
        for number in range(4):
            await stage.reply_to(_in("castle", "hall", f"later {number}"))

    assert first == [("server", 4 * PRICE, 5 * PRICE)]
    assert second == 2 * first
    assert _warnings(logs) == 3 * first


async def test_what_is_refused_by_a_server_warns_of_no_twin(stage: Stage) -> None:
    rig = await _caps(stage, twin_nano=5 * PRICE, server_nano=3 * PRICE)

    with capture_logs() as logs:
        for number in range(3):
            await stage.reply_to(_in("harbour", "pier", f"{number}"))
        for number in range(2):
            await _capped(rig, _in("harbour", "pier", f"over {number}"))
        unheard = _warnings(logs)
        await stage.reply_to(_in("castle", "hall", "1"))

    assert unheard == [("server", 3 * PRICE, 3 * PRICE)]
    assert _warnings(logs)[1:] == [("twin", 4 * PRICE, 5 * PRICE)]


def _warnings(logs: Sequence[Mapping[str, object]]) -> list[tuple[object, ...]]:
    near = [one for one in logs if one["event"] == "sponsorship.cap_near"]
    return [(one["of"], one["used_nano"], one["cap_nano"]) for one in near]


async def test_nothing_that_counts_names_the_server(stage: Stage) -> None:
    await _caps(stage, server_nano=PRICE)
    await stage.reply_to(_in("harbour", "pier", "1"))

    async with stage.store.transaction() as tx:
        plain = [await tx.used(f"server:{name}", 0) for name in ("harbour", "server harbour")]
        keyed = stage.forgotten.digest_of(Person("terminal", "server harbour")).hex()
        counted = await tx.used(f"server:{keyed}", 0)
        warned = await tx.used(f"near:server:{keyed}", 0)
        await tx.clear_uses(slot_of(stage.clock.now()) + 1)
        left = [await tx.used(f"{kind}server:{keyed}", 0) for kind in ("", "near:")]

    assert [one.count for one in plain] == [0, 0]
    assert (counted.count, warned.count) == (1, 1)
    assert [one.count for one in left] == [0, 0]
