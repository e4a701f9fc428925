"""Replies that repeat one to another message: drawn again before anyone sees them, and provable."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from bot.crypto.dsse import parse_envelope
from bot.domain.errors import AdmissionError, UserError
from bot.domain.leaf import VoidLeaf, parse_leaf
from bot.domain.ledger import SPONSOR, hold_account
from bot.domain.money import NANO
from bot.domain.statements import Outcome, VoidReason, VoidStatement
from bot.ports.chat import ReplyShown
from bot.ports.inference import ANYONE, Caller, GenerationEvent, GenerationRequest
from bot.ports.stores import Intent, StoredReply
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.twins.publish import REDRAWS
from bot.twins.replay import replay
from bot.twins.running import RunningReplies
from tests.fakes.engine import MemoryEngine
from tests.fakes.model import FakeModel
from tests.fakes.store import MemoryStore, ProcessKilled, WriteFault
from tests.stage import PRICE, Stage, memory_stage, message
from tests.unit.twins.test_replay import WEIGHTS

TURNS = 8
LETTERS = b"abcd"


def _parrot() -> MemoryEngine:
    return MemoryEngine(model=FakeModel(letters=LETTERS))


@dataclass(slots=True)
class DroppingEngine(MemoryEngine):
    """Before its second generation, the fan takes the message back."""

    running: RunningReplies = field(default_factory=RunningReplies)

    async def generate(
        self,
        request: GenerationRequest,
        halt: asyncio.Event | None = None,
        caller: Caller = ANYONE,
    ) -> AsyncIterator[GenerationEvent]:
        """Take back, and generate all the same."""
        if self.requests:
            for intent in self.running.all():
                self.running.drop(intent.key)
        async for event in MemoryEngine.generate(self, request, halt, caller):
            yield event


async def _talk(stage: Stage, turns: int = TURNS) -> list[StoredReply]:
    """Say different things to a twin that knows four answers."""
    await stage.open()
    return [await stage.say(f"question {number}", number=f"m{number}") for number in range(turns)]


async def _attempts(stage: Stage, reply: StoredReply) -> list[Intent]:
    async with stage.store.reading() as tx:
        intent = await tx.find_intent(reply.intent)
        assert intent is not None
        return await tx.attempts_of(intent.slot_tag)


def _redrawn(replies: list[StoredReply]) -> StoredReply:
    """Return a reply that rejected attempts came before."""
    redrawn = [reply for reply in replies if reply.attempt]
    assert redrawn, "no reply of this conversation was drawn again"
    return redrawn[0]


async def _verified(stage: Stage, reply: StoredReply) -> VerifiedReceipt:
    bundle = await stage.proofs.bundle(reply.receipt_id)
    assert bundle is not None
    return verify_bundle(bundle, key=reply.opening_key, policy=stage.policy)


async def test_repeats_are_drawn_again_as_often_as_the_manifest_says(stage: Stage) -> None:
    stage.engine = _parrot()
    replies = await _talk(stage)

    assert max(reply.attempt for reply in replies) == REDRAWS
    for number, reply in enumerate(replies):
        earlier = {one.output_tokens for one in replies[:number]}
        assert reply.output_tokens not in earlier or reply.attempt == REDRAWS
    assert len({reply.output_tokens for reply in replies[:3]}) == 3


async def test_rejected_attempts_are_void_and_count_on(stage: Stage) -> None:
    stage.engine = _parrot()
    reply = _redrawn(await _talk(stage))
    attempts = await _attempts(stage, reply)

    assert [one.attempt for one in attempts] == list(range(reply.attempt + 1))
    assert [one.rejected for one in attempts] == list(range(reply.attempt + 1))
    assert [one.state for one in attempts] == ["void"] * reply.attempt + ["done"]
    assert len({one.seed for one in attempts}) == len(attempts)
    for one in attempts[:-1]:
        assert one.void_statement is not None
        statement = VoidStatement.parse(parse_envelope(one.void_statement).payload)
        assert statement.reason is VoidReason.REJECTED
        assert await stage.balance(hold_account(one.key)) == 0
    leaves = [parse_leaf(leaf) for leaf in (await stage.reader.read_all()).leaves]
    mine = [x for x in leaves if isinstance(x, VoidLeaf) and x.slot_tag == attempts[0].slot_tag]
    assert [leaf.reason for leaf in mine] == [VoidReason.REJECTED] * reply.attempt


async def test_redrawn_reply_verifies_and_replays_with_what_was_rejected(stage: Stage) -> None:
    stage.engine = _parrot()
    reply = _redrawn(await _talk(stage))
    verified = await _verified(stage, reply)

    assert verified.openings is not None
    assert verified.drawn is not None
    assert verified.openings.fields.rejected == len(verified.drawn.rejected) == reply.attempt
    outcome = await replay(verified, engine=_parrot(), model_sha256=WEIGHTS)
    assert outcome.exact


async def test_rejected_attempt_that_the_model_would_not_repeat_is_found(stage: Stage) -> None:
    stage.engine = _parrot()
    verified = await _verified(stage, _redrawn(await _talk(stage)))
    assert verified.drawn is not None
    outcomes = []
    for number in range(16):  # an answer that was not given yet comes out of some of these seeds
        drawn = replace(verified.drawn, rejected=(bytes([number]) * 32,))
        forged = replace(verified, drawn=drawn)
        outcomes.append(await replay(forged, engine=_parrot(), model_sha256=WEIGHTS))

    assert {outcome.redrawn_same for outcome in outcomes} == {True, False}
    assert all(outcome.exact is outcome.redrawn_same and outcome.formal for outcome in outcomes)


async def test_only_what_is_kept_is_shown(stage: Stage) -> None:
    stage.engine = _parrot()
    await stage.open()
    for number in range(TURNS):
        shown: list[str] = []
        said = message(f"question {number}", number=f"m{number}")
        reply = await stage.reply_to(said, shown.append)

        assert "".join(shown) == reply.text


async def test_message_that_was_drawn_again_costs_and_counts_once() -> None:
    stage = memory_stage(engine=_parrot(), daily_messages=TURNS)
    replies = await _talk(stage)
    _redrawn(replies)
    for reply in replies:
        await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)

    assert await stage.balance(SPONSOR) == 10 * NANO - TURNS * PRICE
    with pytest.raises(AdmissionError, match=f"{TURNS} messages"):
        await stage.say("one more", number="more")
    assert (await stage.audit()).wrong == []


async def test_same_message_again_gets_the_redrawn_reply(stage: Stage) -> None:
    stage.engine = _parrot()
    replies = await _talk(stage)
    reply = _redrawn(replies)
    number = replies.index(reply)

    same = await stage.say(f"question {number}", number=f"m{number}")

    assert same.receipt_id == reply.receipt_id


async def test_fan_may_wish_for_another_one_after_it(stage: Stage) -> None:
    stage.engine = _parrot()
    replies = await _talk(stage)
    last = replies[-1]
    again = await stage.again(last.receipt_id, event="wish")

    assert again.turn == last.turn
    assert again.attempt > last.attempt
    assert (await stage.again(last.receipt_id, event="wish")).receipt_id == again.receipt_id
    verified = await _verified(stage, again)
    assert verified.openings is not None
    assert verified.openings.fields.event.replaces == last.receipt_hash


@pytest.mark.parametrize("fault", [WriteFault.KILLED_BEFORE, WriteFault.KILLED_AFTER])
async def test_killed_between_the_draws_and_the_reply_the_same_one_comes_out(
    fault: WriteFault,
) -> None:
    undisturbed = memory_stage(engine=_parrot())
    wanted = _redrawn(await _talk(undisturbed))
    stage = memory_stage(engine=_parrot())
    await _talk(stage, turns=wanted.turn - 1)
    assert isinstance(stage.store, MemoryStore)
    stage.store.faults[stage.store.writes + 2] = fault  # the intent, and then all the rest
    with pytest.raises(ProcessKilled):
        await stage.say(f"question {wanted.turn - 1}", number=f"m{wanted.turn - 1}")

    again = replace(stage.restarted(), engine=_parrot())
    await again.open()
    finished = await again.recovery.run()

    assert finished == (fault is WriteFault.KILLED_BEFORE)
    found = await again.say(f"question {wanted.turn - 1}", number=f"m{wanted.turn - 1}")
    assert (found.text, found.attempt) == (wanted.text, wanted.attempt)
    assert (await again.audit()).wrong == []


async def test_message_that_is_taken_back_between_two_draws_leaves_one_void() -> None:
    undisturbed = memory_stage(engine=_parrot())
    wanted = _redrawn(await _talk(undisturbed))
    stage = memory_stage(engine=_parrot())
    await _talk(stage, turns=wanted.turn - 1)
    said = message(f"question {wanted.turn - 1}", number=f"m{wanted.turn - 1}")
    stage.engine = DroppingEngine(model=FakeModel(letters=LETTERS), running=stage.running)
    with pytest.raises(UserError, match="taken back"):
        await stage.reply_to(said)

    records = await stage.reader.read_all()
    last = records.intents[-1]
    assert (last.state, last.attempt) == ("void", 0)
    assert len(stage.engine.requests) == 2
    assert (await stage.audit()).wrong == []


async def test_surface_is_not_told_of_another_reply_that_nobody_wished_for(stage: Stage) -> None:
    stage.engine = _parrot()
    inbox = stage.make_inbox()
    await stage.open()
    shown = []
    for number in range(TURNS):
        said = message(f"question {number}", number=f"m{number}")
        *_, last = [event async for event in inbox.answer(said)]
        assert isinstance(last, ReplyShown)
        shown.append(last)
    last_one = (shown[-1].receipt_id, message("").surface.platform, "ana")
    *_, again = [event async for event in inbox.regenerate(*last_one, "wish")]

    replies = (await stage.reader.read_all()).replies
    assert any(reply.rejected for reply in replies)
    assert {one.attempt for one in shown} == {0}
    assert isinstance(again, ReplyShown)
    assert again.attempt > 0
