"""The door that surfaces call: streams, history, cards, earnings."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from bot.domain.errors import (
    AdmissionError,
    EngineCrashedError,
    InvariantError,
    UnknownTwinError,
)
from bot.domain.ledger import SPONSOR, creator_account
from bot.domain.money import NANO
from bot.ports.chat import MergedInto, ReplyEvent, ReplyShown, TextPiece
from bot.receipts.link import parse_link
from bot.twins.inbox import Inbox
from tests.stage import CREATOR_NANO, MIRA, PRICE, SURFACE, THEO, Stage, message


async def _answer(inbox: Inbox, number: str = "first") -> tuple[str, ReplyShown]:
    events: list[ReplyEvent] = [event async for event in inbox.answer(message(number=number))]
    last = events.pop()
    assert isinstance(last, ReplyShown)
    return "".join(event.text for event in events if isinstance(event, TextPiece)), last


async def test_pieces_join_to_the_reply_and_its_link_opens_it(stage: Stage) -> None:
    await stage.open()

    text, shown = await _answer(stage.make_inbox())

    link = parse_link(shown.link)
    assert text == shown.text
    assert (link.receipt_id, len(link.key or b"")) == (shown.receipt_id, 32)
    assert parse_link(shown.public_link).key is None
    assert (shown.fee_nano, shown.token, shown.twin_name) == (PRICE, "tUSD", "Mira")


async def test_same_message_again_streams_the_same_reply(stage: Stage) -> None:
    await stage.open()
    first = await _answer(stage.make_inbox())

    assert await _answer(stage.make_inbox()) == first


@pytest.mark.parametrize("crashes", [[0, 0], [2, 2]])
async def test_error_leaves_the_stream_as_one_sentence(stage: Stage, crashes: list[int]) -> None:
    await stage.open()
    stage.engine.crashes = list(crashes)

    with pytest.raises(EngineCrashedError, match="try again"):
        await _answer(stage.make_inbox())


async def test_refusal_leaves_the_stream(stage: Stage) -> None:
    await stage.open()

    with pytest.raises(AdmissionError):
        [event async for event in stage.make_inbox().answer(message(" "))]


async def test_fan_who_leaves_finds_the_reply_in_the_history(stage: Stage) -> None:
    await stage.open()
    inbox = stage.make_inbox()
    events = inbox.answer(message())
    assert isinstance(events, AsyncGenerator)
    await anext(events)

    await events.aclose()
    await inbox.drain()

    (turn,) = await inbox.history("mira", SURFACE, "ana")
    assert turn.fan_text == "hello there"
    assert turn.reply_text


async def test_history_delivers_what_it_shows(stage: Stage) -> None:
    twin = (await stage.open()).manifest.twin
    inbox = stage.make_inbox()
    _, first = await _answer(inbox, "m1")
    _, second = await _answer(inbox, "m2")
    before = await stage.balance(creator_account(twin))

    await inbox.history("mira", SURFACE, "ana")
    turns = await inbox.history("mira", SURFACE, "ana")

    assert [turn.link for turn in turns] == [first.link, second.link]
    assert (before, await stage.balance(creator_account(twin))) == (0, 2 * CREATOR_NANO)


async def test_history_of_others_is_empty_and_of_nobody_unknown(stage: Stage) -> None:
    await stage.open()
    inbox = stage.make_inbox()
    await _answer(inbox)

    assert await inbox.history("mira", SURFACE, "bo") == []
    with pytest.raises(UnknownTwinError):
        await inbox.history("nobody", SURFACE, "ana")


async def test_delivered_captures_once(stage: Stage) -> None:
    await stage.open()
    inbox = stage.make_inbox()
    _, shown = await _answer(inbox)

    await asyncio.gather(*(inbox.delivered(shown.receipt_id) for _ in range(3)))

    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE


async def test_cards_say_name_role_and_price(stage: Stage) -> None:
    await stage.open((THEO, MIRA))

    cards = await stage.make_inbox().twins()

    assert [(card.slug, card.role, card.price) for card in cards] == [
        ("mira", "a cook", "0.002000001 tUSD per reply, 100 a day free"),
        ("theo", "a guide", "0 tUSD per reply, 100 a day free"),
    ]


async def test_earnings_name_every_twin(stage: Stage) -> None:
    await stage.open((MIRA, THEO))

    lines = await stage.make_inbox().earnings()

    assert [(line.twin_name, line.committed_nano, line.last_tx) for line in lines] == [
        ("Mira", 0, None),
        ("Theo", 0, None),
    ]


async def test_outbox_holds_what_its_account_has_not_delivered_oldest_first(stage: Stage) -> None:
    await stage.open()
    inbox = stage.make_inbox()
    shown = [(await _answer(inbox, number))[1] for number in ("m1", "m2", "m3")]
    await inbox.delivered(shown[0].receipt_id)
    await inbox.undelivered(shown[1].receipt_id)
    _, last = await _answer(inbox, "m4")

    pending = await inbox.pending(SURFACE.platform, SURFACE.bot)

    assert [one.reply for one in pending] == [shown[2], last]
    assert [one.message.message_id for one in pending] == ["m3", "m4"]
    assert await inbox.pending("discord", SURFACE.bot) == []
    assert await inbox.pending(SURFACE.platform, "another account") == []


async def test_undelivered_releases_once_and_is_final(stage: Stage) -> None:
    await stage.open()
    inbox = stage.make_inbox()
    _, shown = await _answer(inbox)

    await inbox.undelivered(shown.receipt_id)
    await inbox.undelivered(shown.receipt_id)
    await inbox.delivered(shown.receipt_id)

    assert await stage.balance(SPONSOR) == 10 * NANO


async def test_history_and_outbox_know_the_last_attempt_and_nothing_withdrawn(
    stage: Stage,
) -> None:
    await stage.open()
    inbox = stage.make_inbox()
    _, first = await _answer(inbox, "m1")
    _, second = await _answer(inbox, "m2")
    whose = (second.receipt_id, SURFACE.platform, "ana")
    again = [event async for event in inbox.regenerate(*whose, "press")][-1]
    assert isinstance(again, ReplyShown)
    await inbox.withdraw(SURFACE, "m1")

    pending = await inbox.pending(SURFACE.platform, SURFACE.bot)
    turns = await inbox.history("mira", SURFACE, "ana")

    assert [one.reply.receipt_id for one in pending] == [second.receipt_id, again.receipt_id]
    assert [turn.link for turn in turns] == [again.link]
    assert again.attempt == 1
    assert first.link not in {turn.link for turn in turns}


async def test_merged_message_streams_nothing_but_whose_reply_it_is_in(stage: Stage) -> None:
    await stage.open()
    inbox = stage.make_inbox()
    stage.engine.pause = asyncio.Event()

    async def collect(number: str) -> list[ReplyEvent]:
        return [e async for e in inbox.answer(message(number=number, may_merge=True))]

    tasks = [asyncio.create_task(collect("m1"))]
    await stage.engine.begun.wait()
    for number in ("m2", "m3"):
        tasks.append(asyncio.create_task(collect(number)))
        await asyncio.sleep(0.01)
    stage.engine.pause.set()
    _, second, third = await asyncio.gather(*tasks)

    assert isinstance(second[-1], ReplyShown)
    assert third == [MergedInto("m2")]


async def test_stopped_stream_ends_with_what_was_shown(stage: Stage) -> None:
    await stage.open()
    inbox = stage.make_inbox()
    stage.engine.pause = asyncio.Event()
    stage.engine.pause.set()
    events = inbox.answer(message())
    pieces = [await anext(events)]
    stage.engine.pause.clear()

    assert await inbox.stop(SURFACE, "first", "ana", "press")
    *rest, last = [event async for event in events]

    assert isinstance(last, ReplyShown)
    text = "".join(piece.text for piece in (*pieces, *rest) if isinstance(piece, TextPiece))
    assert (last.text, last.finish) == (text, "stopped")


async def test_id_of_an_event_that_fits_no_receipt_is_refused_before_anything(
    stage: Stage,
) -> None:
    await stage.open()
    for event in ("", "e" * 201):
        with pytest.raises(InvariantError):
            await stage.make_inbox().stop(SURFACE, "first", "ana", event)


async def test_cards_say_version_and_creator(stage: Stage) -> None:
    twin = await stage.open()

    (card,) = await stage.make_inbox().twins()

    assert (card.version, card.creator) == (1, twin.manifest.creator)
