"""A reply that its fan stops or its creator cuts off: what is kept, said and paid."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from bot.domain.errors import UserError
from bot.domain.leaf import VoidLeaf, parse_leaf
from bot.domain.ledger import SPONSOR, creator_account, hold_account
from bot.domain.money import NANO
from bot.domain.statements import Outcome
from bot.ports.stores import StoredReply
from bot.receipts.verify import verify_bundle
from bot.twins.replay import replay_request
from tests.stage import CREATOR_NANO, PRICE, SURFACE, Stage, memory_stage, message


class Growing:
    """A reply that grows one piece at a time, as far as the test lets it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.shown: list[str] = []
        self._more = asyncio.Event()
        self._gate = stage.engine.pause = asyncio.Event()
        answering = stage.make_answer().answer(message(), self._show)
        self.task = asyncio.create_task(answering)

    def _show(self, text: str) -> None:
        self.shown.append(text)
        self._gate.clear()
        self._more.set()

    async def grow(self) -> None:
        """Let one more piece be shown."""
        await self.stage.engine.begun.wait()
        self._more.clear()
        self._gate.set()
        await self._more.wait()

    async def end(self) -> StoredReply:
        reply = await self.task
        self.stage.engine.pause = None
        assert isinstance(reply, StoredReply)
        return reply


async def _stop(stage: Stage, *, fan: str = "ana") -> bool:
    return await stage.make_inbox().stop(SURFACE, "first", fan, "press 1")


async def test_stopped_reply_is_what_was_shown_and_is_paid_like_any_other(stage: Stage) -> None:
    twin = (await stage.open()).manifest.twin
    whole = memory_stage()
    await whole.open()
    expected = await whole.say()
    growing = Growing(stage)
    await growing.grow()
    await growing.grow()

    assert await _stop(stage)
    reply = await growing.end()
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    assert (reply.finish, reply.halt) == ("stopped", "press 1")
    assert 1 <= len(reply.output_tokens) < len(expected.output_tokens)
    assert reply.output_tokens == expected.output_tokens[: len(reply.output_tokens)]
    assert "".join(growing.shown) == reply.text
    assert await stage.balance(creator_account(twin)) == CREATOR_NANO


async def test_stopped_reply_verifies_and_replays(stage: Stage) -> None:
    await stage.open()
    growing = Growing(stage)
    await growing.grow()
    await _stop(stage)
    reply = await growing.end()

    bundle = await stage.proofs.bundle(reply.receipt_id)
    assert bundle is not None
    verified = verify_bundle(bundle, key=reply.opening_key, policy=stage.policy)

    assert verified.openings is not None
    assert verified.openings.fields.event.halt == "press 1"
    assert (await stage.engine.replay(replay_request(verified))).exact


@asynccontextmanager
async def _queued(stage: Stage) -> AsyncIterator[asyncio.Task[StoredReply]]:
    """Have a reply wait for the engine, which is busy with somebody else's until the block ends."""
    stage.engine.pause = asyncio.Event()
    busy = asyncio.create_task(stage.say(number="other", fan="bo"))
    await stage.engine.begun.wait()
    stage.engine.begun.clear()
    waiting = asyncio.create_task(stage.say())
    await stage.engine.begun.wait()
    yield waiting
    stage.engine.pause.set()
    await busy


async def test_reply_stopped_before_its_first_token_is_none_and_costs_nothing(
    stage: Stage,
) -> None:
    await stage.open()
    async with _queued(stage) as waiting:
        assert await _stop(stage)
        with pytest.raises(UserError, match=r"Stopped before it began; nothing was charged\."):
            await waiting

    records = await stage.reader.read_all()
    assert any(isinstance(parse_leaf(leaf), VoidLeaf) for leaf in records.leaves)
    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE


async def test_reply_cut_before_its_first_token_names_the_twin(stage: Stage) -> None:
    await stage.open()
    async with _queued(stage) as waiting:
        (intent,) = stage.running.answering(SURFACE, "first")
        stage.running.cut(intent.twin, by="pause 7")
        with pytest.raises(UserError, match=r"Mira was paused by its creator; nothing was"):
            await waiting

    # The other one was growing: what there was of it is kept, and refunded when it is told of.
    (reply,) = (await stage.reader.read_all()).replies
    assert reply.finish == "cut"


async def test_only_the_person_who_is_answered_may_stop(stage: Stage) -> None:
    await stage.open()
    growing = Growing(stage)
    await growing.grow()

    with pytest.raises(UserError, match="Only the person"):
        await _stop(stage, fan="eve")
    stage.engine.pause = None
    growing._gate.set()

    assert (await growing.end()).finish != "stopped"


async def test_stop_of_what_has_ended_or_never_began_does_nothing(stage: Stage) -> None:
    await stage.open()
    before = await _stop(stage)
    reply = await stage.say()

    assert (before, await _stop(stage)) == (False, False)
    assert reply.finish != "stopped"


@pytest.mark.parametrize("outcome", [Outcome.DELIVERED, Outcome.UNDELIVERED, Outcome.REFUNDED])
async def test_reply_that_its_creator_cut_off_is_refunded_whatever_the_surface_says(
    stage: Stage, outcome: Outcome
) -> None:
    twin = (await stage.open()).manifest.twin
    growing = Growing(stage)
    await growing.grow()

    assert stage.running.cut(twin, by="press 7") == 1
    reply = await growing.end()
    await stage.delivery.record(reply.receipt_id, outcome)

    async with stage.store.reading() as tx:
        stored = await tx.find_reply(reply.receipt_id)
    assert stored is not None
    assert (stored.finish, stored.halt, stored.outcome) == ("cut", "press 7", "refunded")
    assert await stage.balance(hold_account(reply.intent)) == 0
    assert await stage.balance(SPONSOR) == 10 * NANO


async def test_halt_that_comes_after_the_end_leaves_the_reply_complete(stage: Stage) -> None:
    twin = (await stage.open()).manifest.twin
    whole = memory_stage()
    await whole.open()
    expected = await whole.say()
    task = asyncio.create_task(stage.say())
    # Halted in every step from the engine's last word to the commit.
    for _ in range(10_000):
        await asyncio.sleep(0)
        if stage.engine.requests and not stage.engine._line:
            stage.running.cut(twin, by="late")
        if task.done():
            break

    reply = await task

    assert (reply.finish, reply.text, reply.halt) == (expected.finish, expected.text, None)


@pytest.mark.parametrize("ticks", range(0, 70, 3))
async def test_stop_at_any_moment_leaves_a_reply_or_a_void(stage: Stage, ticks: int) -> None:
    await stage.open()
    task = asyncio.create_task(stage.say())
    for _ in range(ticks):
        await asyncio.sleep(0)

    stopped = await _stop(stage)
    with suppress(UserError):
        await task

    records = await stage.reader.read_all()
    (intent,) = records.intents
    assert intent.state == ("done" if records.replies else "void")
    assert stopped or records.replies
    assert await stage.balance(SPONSOR) == 10 * NANO - PRICE * len(records.replies)
