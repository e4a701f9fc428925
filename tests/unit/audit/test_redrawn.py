"""Attempts that the filter rejected: they count on, in one context, and are always followed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.domain.fields import Choice
from bot.domain.statements import VoidReason
from bot.ports.stores import Intent, StoredReply
from tests.unit.audit.scribe import Scribe


async def _redrawn(scribe: Scribe) -> tuple[Intent, Intent, StoredReply]:
    """Answer another fan, and then draw twice for their next message."""
    first = await scribe.reply(await scribe.ask("n1", fan="cy"))
    rejected = await scribe.ask("n2", "n3", quoted=[first], fan="cy")
    drawn = await scribe.draw_next(rejected)
    reply = await scribe.reply(drawn, after=first)
    await scribe.publish()
    return rejected, drawn, reply


async def test_rejected_attempt_with_its_successor_passes(scribe: Scribe) -> None:
    _, drawn, reply = await _redrawn(scribe)

    assert (drawn.attempt, drawn.rejected, reply.attempt) == (1, 1, 1)
    assert (await scribe.audit()).wrong == []


async def test_wish_after_a_redrawn_reply_passes(scribe: Scribe) -> None:
    _, drawn, reply = await _redrawn(scribe)
    again = await scribe.ask_again(replace(drawn, rejected=0), reply, "wish 7")
    assert again.attempt == 2
    before = [
        r
        for r in scribe.store.tables.replies.values()
        if r.conversation == reply.conversation and r.turn == 1
    ]
    await scribe.reply(again, after=before[0])
    await scribe.publish()

    assert (await scribe.audit()).wrong == []


async def test_rejected_attempt_without_a_successor_is_named(scribe: Scribe) -> None:
    first = await scribe.reply(await scribe.ask("n1", fan="cy"))
    intent = await scribe.ask("n2", quoted=[first], fan="cy")
    await scribe.void(intent, VoidReason.REJECTED)

    assert any("not drawn again" in one for one in (await scribe.audit()).wrong)


CHANGES: dict[str, tuple[Callable[[Intent], Intent], str]] = {
    "counts": (lambda one: replace(one, rejected=2), "counts its rejected attempts wrongly"),
    "context": (lambda one: replace(one, context=()), "another context than the rejected"),
    "choice": (lambda one: replace(one, choice=Choice(2)), "another context than the rejected"),
    "wish": (
        lambda one: replace(one, regenerate="w", replaces=bytes(32)),
        "asked for again True",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_attempt_that_does_not_count_on_is_named(scribe: Scribe, what: str) -> None:
    _, drawn, _ = await _redrawn(scribe)
    change, named = CHANGES[what]
    intents = scribe.store.tables.intents
    intents[drawn.key] = change(intents[drawn.key])

    assert any(named in one for one in (await scribe.audit()).wrong)


async def test_attempt_that_counts_rejected_ones_that_were_not_is_named(scribe: Scribe) -> None:
    first = await scribe.reply(await scribe.ask("n1", fan="cy"))
    intent = await scribe.ask("n2", quoted=[first], fan="cy")
    intents = scribe.store.tables.intents
    intents[intent.key] = replace(intents[intent.key], rejected=1)

    assert any("was not rejected" in one for one in (await scribe.audit()).wrong)
