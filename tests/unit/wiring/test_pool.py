"""Several models' engines: started when needed, ended for others' room, never under way."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.errors import (
    BotError,
    ConfigurationError,
    EngineCrashedError,
    EngineOverloadedError,
)
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import Caller, Generated, GenerationRequest, InferenceEngine
from bot.wiring.engine import NO_OPTIONS
from bot.wiring.models import _Garage
from bot.wiring.pool import EnginePool, PooledEngine
from bot.wiring.pool_model import PAUSE_S, PoolLimits, PoolModel
from tests.fakes.engine import MemoryEngine
from tests.fakes.model import END, TEMPLATE_IDS, FakeModel

MIB = 2**20
REQUEST = GenerationRequest(
    context=(257, 104, 105, 256, 259),
    prefix_tokens=1,
    seed=bytes(32),
    sampler=SamplerPolicy(temperature=1.0, top_k=40, top_p=0.95, max_tokens=12),
    stop_tokens=(END,),
    stop_strings=(),
)


def model(number: int, needed_mib: int = 10, weights_mib: int = 0) -> PoolModel:
    name, needed, weights = f"model {number}", needed_mib * MIB, weights_mib * MIB
    return PoolModel(bytes([number]) * 32, name, needed, TEMPLATE_IDS, weights)


class SlowEngine(MemoryEngine):
    """Takes a while to forget."""

    async def forget(self, conversation: str) -> None:
        for _ in range(0 if self._closed else 9):
            await asyncio.sleep(0)
        await super().forget(conversation)


class Machine:
    """Where engines run: counts what is loaded, and knows how much memory that leaves.

    `broken` models end with an error as they start; those in `damaged` have a wrong file.
    """

    def __init__(self, memory_mib: int | None = None) -> None:
        self.memory = None if memory_mib is None else memory_mib * MIB
        self.running: dict[bytes, MemoryEngine] = {}
        self.starts: Counter[bytes] = Counter()
        self.checks: Counter[bytes] = Counter()
        self.ends: list[bytes] = []
        self.broken: dict[bytes, BotError] = {}
        self.damaged: set[bytes] = set()
        self.now = 1000.0
        self.told: list[tuple[str, str]] = []
        self.starting = asyncio.Event()
        self.starting.set()
        self.held = asyncio.Event()
        self.held.set()
        self._used = 0

    def free(self) -> int | None:
        return None if self.memory is None else self.memory - self._used

    async def check(self, wanted: PoolModel) -> None:
        self.checks[wanted.gguf] += 1
        await asyncio.sleep(0)
        if wanted.gguf in self.damaged:
            raise ConfigurationError("the file is damaged")

    def tell(self, event: str, of: PoolModel, _reason: str) -> None:
        self.told.append((event, of.name))

    @asynccontextmanager
    async def load(self, wanted: PoolModel) -> AsyncIterator[InferenceEngine]:
        await self.starting.wait()
        if wanted.gguf in self.broken:
            raise self.broken[wanted.gguf]
        assert wanted.gguf not in self.running
        engine = SlowEngine(model=FakeModel(), pause=self.held)
        self.running[wanted.gguf] = engine
        self.starts[wanted.gguf] += 1
        self._used += wanted.needed_bytes - wanted.weights_bytes  # those are mapped
        try:
            await asyncio.sleep(0)
            yield engine
        finally:
            del self.running[wanted.gguf]
            self._used -= wanted.needed_bytes - wanted.weights_bytes
            self.ends.append(wanted.gguf)
            await engine.close()


def make_pool(machine: Machine, *, most: int = 2, spare_mib: int = 0) -> EnginePool:
    return EnginePool(
        load=machine.load,
        check=machine.check,
        limits=PoolLimits(most=most, spare_bytes=spare_mib * MIB, free_bytes=machine.free),
        told=machine.tell,
        clock=lambda: machine.now,
    )


async def until(fact: Callable[[], object]) -> None:
    """Let the others go on until a fact holds."""
    for _ in range(100_000):
        if fact():
            return
        await asyncio.sleep(0)
    raise AssertionError("in vain")


async def say(engine: PooledEngine, **caller: float) -> str:
    patience = caller.get("patience_s", 60.0)
    async for event in engine.generate(REQUEST, None, Caller(patience_s=patience)):
        if isinstance(event, Generated):
            return event.text
    raise AssertionError("no end")


async def test_a_model_is_started_by_its_first_request_and_stays() -> None:
    machine = Machine()
    pool = make_pool(machine)
    engine = pool.engine_of(model(1))

    assert not machine.running
    first, second = await say(engine), await say(engine)

    assert first == second
    assert machine.starts == {model(1).gguf: 1}
    await pool.close()
    assert not machine.running


async def test_template_of_the_record_is_in_what_the_engine_says() -> None:
    pool = make_pool(Machine())

    info = await pool.engine_of(model(1)).info()

    assert info.template == TEMPLATE_IDS


async def test_the_least_recently_used_one_makes_room() -> None:
    machine = Machine()
    pool = make_pool(machine, most=2)
    one, two, three = (pool.engine_of(model(number)) for number in (1, 2, 3))

    for engine in (one, two, one, three):
        await engine.tokenize("hi")

    assert set(machine.running) == {model(1).gguf, model(3).gguf}
    assert pool.loaded == (model(1).gguf, model(3).gguf)


async def test_memory_decides_as_well_as_the_number() -> None:
    machine = Machine(memory_mib=25)
    pool = make_pool(machine, most=9, spare_mib=5)

    for number in (1, 2, 3):
        await pool.engine_of(model(number)).tokenize("hi")

    assert set(machine.running) == {model(2).gguf, model(3).gguf}


async def test_mapped_weights_of_loaded_models_are_not_free_whatever_the_system_says() -> None:
    machine = Machine(memory_mib=25)
    pool = make_pool(machine, most=9)

    for number in (1, 2, 3):
        await pool.engine_of(model(number, 10, weights_mib=9)).tokenize("hi")

    assert machine.free() == 23 * MIB
    assert set(machine.running) == {model(2).gguf, model(3).gguf}


async def test_a_model_that_never_fits_ends_no_other() -> None:
    machine = Machine(memory_mib=25)
    pool = make_pool(machine, most=9)
    one, huge = pool.engine_of(model(1)), pool.engine_of(model(2, 26))
    await one.tokenize("hi")

    with pytest.raises(EngineCrashedError, match="can't be started"):
        await huge.tokenize("hi")

    assert set(machine.running) == {model(1).gguf}
    assert not machine.ends
    assert ("model.unusable", "model 2") in machine.told


async def test_a_model_that_fits_alone_still_ends_the_others() -> None:
    machine = Machine(memory_mib=25)
    pool = make_pool(machine, most=9)
    await pool.engine_of(model(1, weights_mib=5)).tokenize("hi")

    await pool.engine_of(model(2, 25, weights_mib=5)).tokenize("hi")

    assert set(machine.running) == {model(2).gguf}


async def test_memory_that_became_free_since_the_start_counts_for_what_fits_alone() -> None:
    machine = Machine(memory_mib=15)
    pool = make_pool(machine, most=9)
    await pool.engine_of(model(1)).tokenize("hi")
    machine.memory = 40 * MIB

    await pool.engine_of(model(2, 35)).tokenize("hi")

    assert set(machine.running) == {model(2).gguf}


async def test_a_model_that_ran_alone_against_the_estimate_may_come_back() -> None:
    machine = Machine(memory_mib=15)
    pool = make_pool(machine, most=1)
    own, other = pool.engine_of(model(1, 40)), pool.engine_of(model(2))

    for engine in (own, other, own):
        await engine.tokenize("hi")

    assert machine.starts[model(1).gguf] == 2


async def test_where_nothing_can_make_room_the_model_is_tried_all_the_same() -> None:
    """The engine itself knows better what it needs, and refuses in a sentence."""
    machine = Machine(memory_mib=5)

    assert await make_pool(machine).engine_of(model(1)).tokenize("hi")


async def test_a_model_with_running_requests_is_never_ended() -> None:
    machine = Machine()
    machine.held.clear()
    pool = make_pool(machine, most=1)
    running = asyncio.create_task(say(pool.engine_of(model(1))))
    await until(lambda: machine.running)
    await machine.running[model(1).gguf].begun.wait()

    waiting = asyncio.create_task(say(pool.engine_of(model(2))))
    for _ in range(50):
        await asyncio.sleep(0)
    assert set(machine.running) == {model(1).gguf}
    machine.held.set()

    assert await running
    assert await waiting
    assert set(machine.running) == {model(2).gguf}


async def test_a_busy_model_does_not_keep_another_one_waiting_for_ever() -> None:
    machine = Machine()
    pool = make_pool(machine, most=1)
    busy, other = pool.engine_of(model(1)), pool.engine_of(model(2))
    done = 0

    async def chatter() -> None:
        nonlocal done
        while True:
            await say(busy)
            done += 1

    chatting = [asyncio.create_task(chatter()) for _ in range(3)]
    await until(lambda: done >= 3)

    async with asyncio.timeout(20):
        assert await say(other)
        before = done
        await until(lambda: done > before)  # and the busy one comes back
    for task in chatting:
        task.cancel()
    await asyncio.gather(*chatting, return_exceptions=True)
    assert machine.starts[model(1).gguf] == 2


async def test_whoever_waits_in_vain_is_told_so_and_leaves_no_trace() -> None:
    machine = Machine()
    machine.held.clear()
    pool = make_pool(machine, most=1)
    running = asyncio.create_task(say(pool.engine_of(model(1))))
    await until(lambda: machine.running)
    await machine.running[model(1).gguf].begun.wait()

    with pytest.raises(EngineOverloadedError, match="room"):
        await say(pool.engine_of(model(2)), patience_s=0.05)
    machine.held.set()

    assert await running
    assert await say(pool.engine_of(model(1)))
    assert machine.starts == {model(1).gguf: 1}


async def test_a_model_that_can_not_be_started_fails_its_own_requests_alone() -> None:
    machine = Machine()
    machine.broken[model(2).gguf] = ConfigurationError("the file is damaged")
    pool = make_pool(machine)

    with pytest.raises(EngineCrashedError, match="can't be started"):
        await say(pool.engine_of(model(2)))
    with pytest.raises(ConfigurationError, match="damaged"):
        await pool.load(model(2))

    assert await say(pool.engine_of(model(1)))


async def test_nobody_makes_room_for_a_model_whose_file_is_damaged() -> None:
    machine = Machine()
    machine.damaged.add(model(2).gguf)
    pool = make_pool(machine, most=1)
    await say(pool.engine_of(model(1)))

    for _ in range(5):
        with pytest.raises(EngineCrashedError, match="try again in 60 seconds") as refused:
            await say(pool.engine_of(model(2)))
        assert refused.value.retry_after_s == PAUSE_S

    assert not machine.ends
    assert machine.checks[model(2).gguf] == 1
    assert machine.told.count(("model.unusable", "model 2")) == 1


@pytest.mark.parametrize("fault", [ConfigurationError("no template"), EngineCrashedError("dead")])
async def test_a_model_that_fails_as_it_starts_pauses_before_it_costs_another_one(
    fault: BotError,
) -> None:
    machine = Machine()
    machine.broken[model(2).gguf] = fault
    pool = make_pool(machine, most=1)
    one, two = pool.engine_of(model(1)), pool.engine_of(model(2))

    for step in range(6):
        await say(one)
        with pytest.raises(EngineCrashedError, match="can't be started") as refused:
            await say(two)
        assert refused.value.retry_after_s == PAUSE_S - 10 * step
        machine.now += 10
    assert machine.ends == [model(1).gguf]

    machine.broken.clear()
    assert await say(two)


async def test_those_who_asked_for_a_broken_model_together_are_refused_by_one_try() -> None:
    machine = Machine()
    machine.damaged.add(model(2).gguf)
    engine = make_pool(machine).engine_of(model(2))

    results = await asyncio.gather(*(say(engine) for _ in range(9)), return_exceptions=True)

    assert {type(one) for one in results} == {EngineCrashedError}
    assert machine.checks[model(2).gguf] == 1


async def test_a_paused_model_is_refused_at_once_while_somebody_waits_for_room() -> None:
    machine = Machine()
    machine.damaged.add(model(3).gguf)
    pool = make_pool(machine, most=1)
    with pytest.raises(EngineCrashedError):
        await say(pool.engine_of(model(3)))
    async with pool.using(model(1)):
        waiting = asyncio.create_task(say(pool.engine_of(model(2))))
        await until(lambda: machine.checks[model(2).gguf])

        async with asyncio.timeout(5):
            with pytest.raises(EngineCrashedError, match="can't be started"):
                await say(pool.engine_of(model(3)))
    assert await waiting


async def test_files_are_compared_once_and_looked_for_at_every_start(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF of the record")
    digest = sha256(b"GGUF of the record").digest()
    right = PoolModel(digest, "right", 1, TEMPLATE_IDS)
    wrong = PoolModel(bytes(32), "wrong", 1, TEMPLATE_IDS)
    garage = _Garage(1)
    for one in (right, wrong):
        garage.put(one, path, NO_OPTIONS, is_checked=False)

    await garage.check(right)
    with pytest.raises(ConfigurationError, match="not what was added"):
        await garage.check(wrong)
    path.write_bytes(b"GGUF")
    await garage.check(right)  # reading gigabytes at every start would keep people waiting
    path.unlink()
    with pytest.raises(ConfigurationError, match="no longer there"):
        await garage.check(right)


async def test_a_reply_that_nobody_wants_any_more_is_cancelled_and_frees_its_model() -> None:
    machine = Machine()
    pool = make_pool(machine, most=1)
    events = pool.engine_of(model(1)).generate(REQUEST)

    await anext(events)
    await events.aclose()

    assert machine.running[model(1).gguf].cancelled == 1
    assert await say(pool.engine_of(model(2)))


async def test_forgetting_reaches_every_process_that_runs_and_starts_one_if_none_does() -> None:
    machine = Machine()
    pool = make_pool(machine)

    await pool.engine_of(model(1)).forget("talk")
    assert set(machine.running) == {model(1).gguf}
    await pool.engine_of(model(2)).tokenize("hi")
    await pool.engine_of(model(3)).forget("other")

    assert machine.running[model(1).gguf].forgotten == ["talk", "other"]
    assert machine.running[model(2).gguf].forgotten == ["other"]


async def test_forgetting_reaches_the_others_when_one_engine_fails() -> None:
    machine = Machine()
    pool = make_pool(machine, most=3)
    for number in (1, 2, 3):
        await pool.engine_of(model(number)).tokenize("hi")
    await machine.running[model(1).gguf].close()

    with pytest.raises(EngineCrashedError):
        await pool.engine_of(model(2)).forget("talk")

    assert machine.running[model(2).gguf].forgotten == ["talk"]
    assert machine.running[model(3).gguf].forgotten == ["talk"]


async def test_closing_does_not_wait_for_whoever_waits_for_room() -> None:
    machine = Machine()
    pool = make_pool(machine, most=1)
    async with pool.using(model(1)):
        waiting = [asyncio.create_task(say(pool.engine_of(model(n)))) for n in (2, 2, 3)]
        await until(lambda: machine.checks[model(2).gguf])
        for _ in range(20):
            await asyncio.sleep(0)

        async with asyncio.timeout(5):
            await pool.close()
            results = await asyncio.gather(*waiting, return_exceptions=True)

    assert [str(one) for one in results] == ["The engine is shutting down."] * 3
    assert {type(one) for one in results} == {EngineCrashedError}
    assert not machine.running
    assert ("model.unusable", "model 2") not in machine.told


async def test_closing_does_not_wait_for_a_model_that_is_just_starting() -> None:
    machine = Machine()
    machine.starting.clear()
    pool = make_pool(machine)
    waiting = asyncio.create_task(say(pool.engine_of(model(1))))
    await until(lambda: machine.checks[model(1).gguf])
    for _ in range(20):
        await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await pool.close()
        with pytest.raises(EngineCrashedError, match="shutting down"):
            await waiting
    assert not machine.starts


async def test_a_pool_that_is_closed_starts_nothing() -> None:
    pool = make_pool(Machine())
    await pool.close()

    with pytest.raises(EngineCrashedError, match="shutting down"):
        await pool.engine_of(model(1)).tokenize("hi")


@given(
    wishes=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=12),
    most=st.integers(1, 3),
    memory_mib=st.none() | st.integers(10, 40),
)
@settings(max_examples=60, deadline=None)
def test_any_mix_of_requests_is_answered_within_the_limits(
    wishes: list[tuple[int, int]], most: int, memory_mib: int | None
) -> None:
    async def run() -> None:
        machine = Machine(memory_mib)
        pool = make_pool(machine, most=most)
        worst = 0

        async def ask(number: int, delay: int) -> str:
            nonlocal worst
            for _ in range(delay):
                await asyncio.sleep(0)
            text = await say(pool.engine_of(model(number)))
            worst = max(worst, len(machine.running))
            return text

        async with asyncio.timeout(30):
            texts = await asyncio.gather(*(ask(*wish) for wish in wishes))
        assert len(set(texts)) == 1
        assert worst <= most
        await pool.close()
        assert not machine.running

    asyncio.run(run())
