"""A day on which everything happened once, written by hand."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.order import OrderAction
from bot.domain.statements import Outcome
from scripts.vector_events import ORDER
from tests.fakes.store import MemoryStore, Tables
from tests.unit.audit.scribe import MANIFEST, Scribe

RESUME = replace(ORDER, action=OrderAction.RESUME, number=2)
VERSION = replace(ORDER, action=OrderAction.REVOKE, number=3, manifest=MANIFEST.hash)


@pytest.fixture(scope="session")
def day() -> Tables:
    """A day on which everything happened once."""
    return asyncio.run(_make_day())


@pytest.fixture
def scribe(day: Tables) -> Scribe:
    return Scribe(MemoryStore(tables=day.copy()), moment=ORDER.issued + timedelta(days=1))


async def _make_day() -> Tables:
    scribe = Scribe()
    await scribe.open()
    first = await scribe.reply(await scribe.ask("m1"))
    await scribe.decide(first, Outcome.DELIVERED)
    merged = await scribe.ask("m2", "m3", "m4", quoted=[first])
    second = await scribe.reply(merged, after=first)
    await scribe.decide(second, Outcome.DELIVERED)
    nothing = await scribe.ask_again(merged, second, "wish 1")
    await scribe.void(nothing)
    again = await scribe.ask_again(nothing, second, "wish 2")
    last = await scribe.reply(again, after=first, finish="stopped", halt="stop 1")
    await scribe.decide(last, Outcome.DELIVERED)
    third = await scribe.reply(await scribe.ask("m5", quoted=[first, last]), after=last)
    await scribe.decide(third, Outcome.DELIVERED)
    await scribe.decide(third, Outcome.WITHDRAWN)
    anew = await scribe.ask("m6", start=4)
    await scribe.order(ORDER)
    cut = await scribe.reply(anew, after=third, finish="cut", halt=ORDER.hash.hex())
    await scribe.decide(cut, Outcome.REFUNDED)
    await scribe.order(RESUME)
    await scribe.order(VERSION)
    await scribe.publish()
    forgotten = await scribe.reply(await scribe.ask("x1", fan="bo"))
    await scribe.decide(forgotten, Outcome.DELIVERED)
    await scribe.decide(forgotten, Outcome.WITHDRAWN)
    scribe.forget(forgotten)
    await scribe.publish()
    return scribe.store.tables
