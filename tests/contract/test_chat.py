"""The contracts of the chat inbox and of served proofs, over the fakes and the real use cases."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from bot.domain.errors import UnknownTwinError, UserError
from bot.ports.chat import ChatInbox, IncomingMessage, ReplyShown, Surface, TextPiece
from bot.ports.proofs import ProofSource
from bot.receipts.link import parse_link
from tests.fakes.chat import MemoryInbox, MemoryProofs
from tests.stage import memory_stage

SURFACE = Surface(platform="web", bot="local", chat="fan-1", thread="")


@dataclass(frozen=True, slots=True)
class Door:
    """An inbox and the slug of a twin behind it."""

    inbox: ChatInbox
    twin: str

    def message(self, number: str = "one", text: str = "hello there") -> IncomingMessage:
        """Return a fan's message."""
        return IncomingMessage(self.twin, SURFACE, "fan", number, text)

    async def answer(self, number: str = "one") -> tuple[str, ReplyShown]:
        """Return the joined pieces and what came last, once."""
        events = [event async for event in self.inbox.answer(self.message(number))]
        *pieces, last = events
        assert isinstance(last, ReplyShown)
        assert all(isinstance(piece, TextPiece) for piece in pieces)
        return "".join(piece.text for piece in pieces if isinstance(piece, TextPiece)), last


@pytest.fixture(params=["memory", "use cases"])
async def door(request: pytest.FixtureRequest) -> Door:
    if request.param == "memory":
        return Door(MemoryInbox(), "nova")
    stage = memory_stage()
    await stage.open()
    return Door(stage.make_inbox(), "mira")


async def test_pieces_join_to_the_reply_that_comes_last(door: Door) -> None:
    text, shown = await door.answer()

    assert text == shown.text
    assert text


async def test_link_opens_and_the_public_one_does_not(door: Door) -> None:
    _, shown = await door.answer()

    link, public = parse_link(shown.link), parse_link(shown.public_link)
    assert link.key is not None
    assert public.key is None
    assert link.receipt_id == public.receipt_id == shown.receipt_id


async def test_same_message_again_is_the_same_reply(door: Door) -> None:
    first = await door.answer()

    assert await door.answer() == first
    assert (await door.answer("two"))[1].receipt_id != first[1].receipt_id


async def test_delivery_may_be_told_twice(door: Door) -> None:
    _, shown = await door.answer()

    await door.inbox.delivered(shown.receipt_id)
    await door.inbox.delivered(shown.receipt_id)


async def test_history_has_the_turns_in_order_and_is_the_fans_own(door: Door) -> None:
    shown = [(await door.answer(number))[1] for number in ("one", "two")]

    turns = await door.inbox.history(door.twin, SURFACE, "fan")

    assert [turn.link for turn in turns] == [reply.link for reply in shown]
    assert [turn.reply_text for turn in turns] == [reply.text for reply in shown]
    assert await door.inbox.history(door.twin, SURFACE, "somebody else") == []


async def test_closed_stream_leaves_the_message_answerable(door: Door) -> None:
    events = door.inbox.answer(door.message())
    assert isinstance(events, AsyncGenerator)
    await anext(events)
    await events.aclose()

    text, shown = await door.answer()

    assert text == shown.text


async def _again(
    door: Door,
    receipt_id: str,
    event: str = "press",
    fan: str = "fan",
    platform: str = SURFACE.platform,
) -> ReplyShown:
    """Return what a wish for another reply ends with; its pieces join to it."""
    *pieces, last = [
        event async for event in door.inbox.regenerate(receipt_id, platform, fan, event)
    ]
    assert isinstance(last, ReplyShown)
    assert "".join(p.text for p in pieces if isinstance(p, TextPiece)) == last.text
    return last


async def test_other_reply_has_a_receipt_of_its_own_and_the_next_attempt(door: Door) -> None:
    _, first = await door.answer()

    second = await _again(door, first.receipt_id)

    assert (first.attempt, second.attempt) == (0, 1)
    assert second.receipt_id != first.receipt_id
    assert await _again(door, first.receipt_id) == second  # the same wish
    assert (await door.answer())[1] == second  # what stands there now


async def test_only_the_latest_reply_is_made_again_and_only_for_its_fan(door: Door) -> None:
    _, first = await door.answer()
    await _again(door, first.receipt_id)

    for receipt, fan in ((first.receipt_id, "fan"), (first.receipt_id, "eve"), ("none", "fan")):
        with pytest.raises(UserError):
            await _again(door, receipt, "another wish", fan)


async def test_same_number_on_another_platform_is_another_person(door: Door) -> None:
    _, shown = await door.answer()

    with pytest.raises(UserError, match="Only the person"):
        await _again(door, shown.receipt_id, platform="elsewhere")
    with pytest.raises(UserError, match="Only the person"):
        await door.inbox.link_of(shown.receipt_id, "elsewhere", "fan")


async def test_stop_where_nothing_grows_says_so(door: Door) -> None:
    assert not await door.inbox.stop(SURFACE, "one", "fan", "press")
    await door.answer()
    assert not await door.inbox.stop(SURFACE, "one", "fan", "press")


async def test_message_taken_back_names_its_replies_each_time(door: Door) -> None:
    _, shown = await door.answer()

    taken = [await door.inbox.withdraw(SURFACE, number) for number in ("one", "one", "two")]

    assert taken == [[shown.receipt_id], [shown.receipt_id], []]


async def test_keyed_link_is_for_the_person_who_was_answered(door: Door) -> None:
    _, shown = await door.answer()

    assert await door.inbox.link_of(shown.receipt_id, SURFACE.platform, "fan") == shown.link
    for receipt, fan in ((shown.receipt_id, "eve"), ("none", "fan")):
        with pytest.raises(UserError):
            await door.inbox.link_of(receipt, SURFACE.platform, fan)


async def test_unknown_twin_is_refused(door: Door) -> None:
    stranger = IncomingMessage("nobody", SURFACE, "fan", "one", "hello")

    with pytest.raises(UnknownTwinError):
        [event async for event in door.inbox.answer(stranger)]
    with pytest.raises(UnknownTwinError):
        await door.inbox.history("nobody", SURFACE, "fan")


async def test_cards_name_the_live_twins(door: Door) -> None:
    assert [card.slug for card in await door.inbox.twins()] == [door.twin]


@pytest.mark.parametrize("kind", ["memory", "use cases"])
async def test_bundle_and_checkpoint_are_none_until_there_is_one(kind: str) -> None:
    stage = memory_stage()
    await stage.open()
    proofs: ProofSource = MemoryProofs() if kind == "memory" else stage.proofs
    before = await proofs.bundle("nothing"), await proofs.checkpoint()
    receipt = (await stage.say()).receipt_id
    if isinstance(proofs, MemoryProofs):
        proofs.bundles[receipt], proofs.note = b"{}", "note"

    assert before == (None, None)
    assert await proofs.bundle(receipt)
    assert await proofs.checkpoint()
