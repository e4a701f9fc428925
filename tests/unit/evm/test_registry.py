"""Reading the registry: the cache in front of it, and addresses where there is none."""

import asyncio
from pathlib import Path

import pytest

from adapters.evm.registry import CachedRegistry, EvmTwinRegistry, find_registry
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.ids import derive_twin_id
from tests.fakes.registry import MemoryRegistry
from tests.fakes.settlement_rig import Rig, StoppedClock, payout_of

CREATOR = payout_of(9)
TWIN = derive_twin_id(CREATOR, "mira")


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def memory(clock: StoppedClock) -> MemoryRegistry:
    registry = MemoryRegistry(clock)
    assert registry.bind(CREATOR, "mira", b"m" * 32, payout_of(0), 1)
    return registry


@pytest.fixture
def cached(memory: MemoryRegistry, clock: StoppedClock) -> CachedRegistry:
    return CachedRegistry(memory, clock=clock)


async def test_a_minute_is_answered_from_what_was_read(
    cached: CachedRegistry, memory: MemoryRegistry, clock: StoppedClock
) -> None:
    first = await cached.look(TWIN)
    assert memory.revoke(CREATOR, "mira")
    clock.advance(59)
    second = await cached.look(TWIN)
    clock.advance(1)
    third = await cached.look(TWIN)

    assert (first.age_s, second.age_s, third.age_s) == (0, 59, 0)
    assert first.standing == second.standing
    assert second.standing.active
    assert third.standing.is_revoked
    assert memory.questions == 2


async def test_a_chain_that_is_away_leaves_the_last_answer_and_its_age(
    cached: CachedRegistry, memory: MemoryRegistry, clock: StoppedClock
) -> None:
    known = await cached.look(TWIN)
    memory.is_away = True
    clock.advance(3_600)
    late = await cached.look(TWIN)
    memory.is_away = False
    again = await cached.look(TWIN)

    assert (late.standing, late.age_s, late.is_overdue) == (known.standing, 3_600, True)
    assert (again.age_s, again.is_overdue) == (0, False)


async def test_a_chain_that_is_away_from_the_start_says_so(
    cached: CachedRegistry, memory: MemoryRegistry
) -> None:
    memory.is_away = True

    with pytest.raises(ChainUnavailableError):
        await cached.look(TWIN)


async def test_many_messages_at_once_are_one_question(
    cached: CachedRegistry, memory: MemoryRegistry
) -> None:
    found = await asyncio.gather(*(cached.look(TWIN) for _ in range(20)))

    assert len({one.standing for one in found}) == 1
    assert memory.questions == 1


async def test_a_clock_that_is_set_back_makes_no_answer_younger(
    cached: CachedRegistry, memory: MemoryRegistry, clock: StoppedClock
) -> None:
    await cached.look(TWIN)
    clock.advance(-30)
    await cached.look(TWIN)

    assert memory.questions == 2


def test_more_than_a_minute_is_refused(memory: MemoryRegistry, clock: StoppedClock) -> None:
    with pytest.raises(ConfigurationError, match="once a minute"):
        CachedRegistry(memory, clock=clock, ttl_s=61)


async def test_the_vault_says_which_registry_it_asks(tmp_path: Path) -> None:
    rig = await Rig.open(tmp_path)
    try:
        provider, deployment = rig.embedded.provider, rig.embedded.deployment
        assert await find_registry(provider, deployment.settlement) == deployment.registry
        with pytest.raises(ConfigurationError, match="does not answer"):
            await find_registry(provider, deployment.token)
        wrong = EvmTwinRegistry(provider=provider, registry=deployment.token)
        with pytest.raises(ConfigurationError, match="no registry of this version"):
            await wrong.standing(TWIN)
        registry = EvmTwinRegistry(provider=provider, registry=deployment.registry)
        assert (await registry.domain()).contract == deployment.registry
    finally:
        await rig.close()
