"""The registry of twins: whom it silences, what receipts say of it, and a chain that is away."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.crypto.dsse import parse_envelope
from bot.crypto.eip712 import parse_address
from bot.domain.errors import AdmissionError, ChainUnavailableError
from bot.domain.receipt import parse_receipt
from bot.ports.registry import KnownStanding, RegistryWatch
from bot.ports.stores import StoredReply
from bot.twins import registered
from bot.twins.registered import Registered
from tests.fakes.registry import MemoryRegistry
from tests.stage import Stage


@dataclass(slots=True)
class Watched(RegistryWatch):
    """Asks the registry each time; may take its time."""

    registry: MemoryRegistry
    delay_s: float = 0.0

    async def look(self, twin: bytes) -> KnownStanding:
        await asyncio.sleep(self.delay_s)
        return KnownStanding(await self.registry.standing(twin), 0.0, is_overdue=False)


async def _open(stage: Stage) -> tuple[MemoryRegistry, Watched, bytes]:
    registry = MemoryRegistry(stage.clock)
    watch = Watched(registry)
    stage.registered = Registered(watch, stage.clock)
    twin = await stage.open()
    creator = parse_address(twin.manifest.creator)
    stage.paying = type(stage.paying)(registry=stage.registered.block)
    assert registry.bind(creator, twin.manifest.slug, bytes([1]) * 32, bytes([2]) * 20, 1)
    return registry, watch, creator


def _block(reply: StoredReply) -> int | None:
    block = parse_receipt(parse_envelope(reply.envelope).payload).payment.registry
    return None if block is None else block.number


async def test_a_receipt_names_the_block_at_which_the_registry_was_asked(stage: Stage) -> None:
    registry, _, _ = await _open(stage)

    reply = await stage.say()

    assert _block(reply) == registry.height == 1


async def test_a_twin_that_is_revoked_on_the_chain_begins_no_reply(stage: Stage) -> None:
    registry, _, creator = await _open(stage)
    first = await stage.say()
    assert registry.revoke(creator, "mira")

    with pytest.raises(AdmissionError, match="revoked it for good"):
        await stage.say(number="second")
    with pytest.raises(AdmissionError, match="revoked it for good"):
        await stage.again(first.receipt_id)
    assert (await stage.audit()).wrong == []


async def test_a_twin_that_nobody_has_bound_may_speak(stage: Stage) -> None:
    registry, _, _ = await _open(stage)
    registry.bound.clear()

    assert _block(await stage.say()) == 1


async def test_a_chain_that_is_away_stops_nobody_and_is_not_asked_each_time(stage: Stage) -> None:
    registry, _, _ = await _open(stage)
    registry.is_away = True

    replies = [await stage.say(number=str(number)) for number in range(3)]

    assert [_block(reply) for reply in replies] == [None] * 3
    assert registry.questions == 1
    registry.is_away = False
    stage.clock.advance(registered.AWAY + timedelta(seconds=1))
    assert _block(await stage.say(number="later")) == 1


async def test_what_was_known_counts_while_the_chain_is_away(stage: Stage) -> None:
    registry, _, creator = await _open(stage)
    assert registry.revoke(creator, "mira")
    with pytest.raises(AdmissionError):
        await stage.say()
    registry.is_away = True

    with pytest.raises(AdmissionError, match="revoked"):
        await stage.say(number="second")


async def test_a_chain_that_hangs_delays_a_reply_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, watch, _ = await _open(stage)
    monkeypatch.setattr(registered, "PATIENCE_S", 0.01)
    watch.delay_s = 60.0

    assert _block(await stage.say()) is None
    watch.delay_s = 0.0
    assert _block(await stage.say(number="second")) is None  # not asked again yet


def test_the_fake_says_that_it_is_away(stage: Stage) -> None:
    registry = MemoryRegistry(stage.clock, is_away=True)

    with pytest.raises(ChainUnavailableError):
        asyncio.run(registry.standing(bytes(32)))
