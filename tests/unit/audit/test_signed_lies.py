"""What an operator can sign, log and seal without any verifier noticing, the audit names."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from bot.domain.statements import Outcome
from bot.ports.stores import StoredReply
from scripts.vector_parts import OTHER_CREATOR_KEY
from tests.unit.audit.conftest import RESUME, VERSION
from tests.unit.audit.scribe import Scribe

Act = Callable[[Scribe], Awaitable[object]]


async def _last_turns(scribe: Scribe) -> tuple[StoredReply, StoredReply]:
    """Return the conversation's last two turns: a withdrawn one and the one after it."""
    replies = list(scribe.store.tables.replies.values())
    return replies[3], replies[4]


async def _older_attempt_quoted(scribe: Scribe) -> None:
    replies = list(scribe.store.tables.replies.values())
    _, cut = await _last_turns(scribe)
    await scribe.reply(await scribe.ask("n1", quoted=[replies[1]]), after=cut)


async def _withdrawn_quoted(scribe: Scribe) -> None:
    withdrawn, cut = await _last_turns(scribe)
    await scribe.reply(await scribe.ask("n1", quoted=[withdrawn, cut]), after=cut)


async def _left_out(scribe: Scribe) -> None:
    _, cut = await _last_turns(scribe)
    await scribe.reply(await scribe.ask("n1"), after=cut)


async def _older_attempt_is_previous(scribe: Scribe) -> None:
    """Answer a message of another fan twice, and go on from the reply that was replaced."""
    asked = await scribe.ask("n1", fan="cy")
    first = await scribe.reply(asked)
    await scribe.reply(await scribe.ask_again(asked, first, "wish 9"))
    await scribe.reply(await scribe.ask("n2", quoted=[first], fan="cy"), after=first)


async def _turn_twice(scribe: Scribe) -> None:
    one = await scribe.reply(await scribe.ask("n1", fan="cy"))
    other = await scribe.reply(await scribe.ask("n2", fan="dee"))
    moved = replace(other, conversation=one.conversation)
    scribe.store.tables.replies[other.receipt_hash] = moved


async def _order_after_the_end(scribe: Scribe) -> None:
    end = replace(VERSION, number=4, manifest=None)
    await scribe.order(end)
    await scribe.order(replace(RESUME, number=5))


async def _order_for_another_log(scribe: Scribe) -> None:
    await scribe.order(replace(RESUME, number=4, log="another.example"))


async def _unknown_version_revoked(scribe: Scribe) -> None:
    await scribe.order(replace(VERSION, number=4, manifest=bytes(32)))


async def _order_by_somebody_else(scribe: Scribe) -> None:
    await scribe.order(replace(RESUME, number=4), key=OTHER_CREATOR_KEY)


LIES: dict[str, tuple[Act, str]] = {
    "an older attempt is quoted": (_older_attempt_quoted, "quotes other turns"),
    "a withdrawn turn is quoted": (_withdrawn_quoted, "quotes other turns"),
    "the last turn is left out": (_left_out, "quotes other turns"),
    "a replaced reply is the previous turn": (_older_attempt_is_previous, "another turn before"),
    "two messages share a turn": (_turn_twice, "turn is of another message"),
    "an order after the twin's end": (_order_after_the_end, "after the twin's revocation"),
    "an order for another log": (_order_for_another_log, "for another log"),
    "an unknown version is revoked": (_unknown_version_revoked, "a version that is not"),
    "an order by somebody else": (_order_by_somebody_else, "not signed by the twin's creator"),
}


@pytest.mark.parametrize("what", LIES)
async def test_lie_that_the_operator_signed_is_named(scribe: Scribe, what: str) -> None:
    act, named = LIES[what]
    await act(scribe)
    await scribe.publish()

    findings = await scribe.audit()

    assert any(named in sentence for sentence in findings.wrong), findings.wrong


async def test_turn_after_the_withdrawn_one_is_quoted_alone(scribe: Scribe) -> None:
    _, cut = await _last_turns(scribe)
    await scribe.reply(await scribe.ask("n1", quoted=[cut]), after=cut)

    assert (await scribe.audit()).wrong == []


async def test_turn_that_is_withdrawn_later_was_rightly_quoted(scribe: Scribe) -> None:
    _, cut = await _last_turns(scribe)
    await scribe.reply(await scribe.ask("n1", quoted=[cut]), after=cut)
    other = await scribe.ask("n2", fan="cy")
    first = await scribe.reply(other)
    await scribe.decide(first, Outcome.DELIVERED)
    second = await scribe.reply(await scribe.ask("n3", quoted=[first], fan="cy"), after=first)
    await scribe.decide(first, Outcome.WITHDRAWN)

    assert second.turn == 2
    assert (await scribe.audit()).wrong == []
