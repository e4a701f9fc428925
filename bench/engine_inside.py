"""Figures of the engine alone, taken inside its process or from the service's event loop."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.measuring import Figure, Prompts, Rounds, count_rounds, tell
from bench.models import HALF, random_model
from bench.sides import Size, Tokens, ask_all, make_request, open_engine_side
from bench.worker import open_worker
from bot.inference.engine import Engine
from bot.inference.limits import Limits
from bot.ports.inference import Generated, TextDelta
from bot.ports.runner import Feed, ModelRunner, StateStore

PERSONA, MESSAGE = 1000, 30
TARGET_COLD, TARGET_DISK_MS, TARGET_PYTHON, TARGET_LAG_MS = 1.15, 20.0, 1.0, 15.0
LAG_EVERY_S = 0.005
TOP_P = 0.95  # what a twin has unless its creator says otherwise


@dataclass(frozen=True, slots=True)
class Opened:
    """A model in this process with its states on disk."""

    model: ModelRunner
    states: StateStore

    def engine(self, parallel: int = 8) -> Engine:
        """Return an engine that has nothing in memory."""
        for sequence in range(self.model.capacity.sequences):
            self.model.trim(sequence, 0)
        limits = Limits(parallel=parallel)
        return Engine(model=self.model, states=self.states, limits=limits)


@contextmanager
def opened(*, parallel: int = 8, context: int = 1280) -> Iterator[Opened]:
    """Load the 0.4B shape in this process, with one thread."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engine = open_worker(random_model(HALF), parallel=parallel, context=context, states=folder)
        yield Opened(engine._model, engine._states)  # noqa: SLF001 - measured from inside


async def cold(rounds: int) -> list[Figure]:
    """One fan of a published twin that nobody has talked to since the start."""
    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    with opened() as room:
        persona = prompts.tokens(PERSONA)
        _publish(room, persona)
        for _ in count_rounds("a published persona's first fan", rounds):
            asked = persona + prompts.tokens(MESSAGE)
            found.add("from disk", _first_token(room.engine(), asked, PERSONA))
            found.add("message in its place", _in_place(room, asked))
            found.add("message alone", _first_token(room.engine(), asked[PERSONA:], 0))
    figures = [
        tell(Figure(f"time to first token, {name}", found.median(name) * 1000, "CPU ms"))
        for name in found.values
    ]
    ratio = found.median("from disk") / found.median("message in its place")
    name = "published persona from disk, to prefilling the message behind it"
    return [*figures, tell(Figure(name, ratio, "times", TARGET_COLD))]


async def disk(rounds: int) -> list[Figure]:
    """Load a persona of 1,000 tokens from disk."""
    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    with opened() as room:
        persona = prompts.tokens(PERSONA)
        _publish(room, persona)
        for _ in count_rounds("a twin from disk", rounds):
            room.engine()
            began, began_cpu = time.perf_counter(), time.thread_time()
            state = room.states.get_prefix(persona)
            if state is None or not room.model.restore(0, PERSONA, state):
                raise RuntimeError("the persona's state was refused")
            found.add("cpu", (time.thread_time() - began_cpu) * 1000)
            found.add("wall", (time.perf_counter() - began) * 1000)
            found.add("size", len(state) / 2**20)
    note = f"{found.median('size'):.1f} MiB, file in the page cache"
    name = "a twin of 1,000 tokens from disk"
    return [
        # What others on the machine do would count in the wall time.
        tell(Figure(name, found.median("cpu"), "CPU ms", TARGET_DISK_MS, note=note)),
        tell(Figure(name, found.median("wall"), "ms", note=f"{found.spread('wall')} ms")),
    ]


def _publish(room: Opened, persona: Tokens) -> None:
    engine = room.engine()
    engine.prepare(0, persona)
    while not engine.idle:
        engine.step()


def _first_token(engine: Engine, asked: Tokens, persona: int) -> float:
    """Return the CPU-seconds from the request to its first token."""
    engine.generate(0, make_request(asked, 2, persona=persona))
    began = time.thread_time()
    while not any(isinstance(event, TextDelta | Generated) for _, event in engine.step()):
        pass
    return time.thread_time() - began


def _in_place(room: Opened, asked: Tokens) -> float:
    """Return the CPU-seconds to fill the message where its persona is in memory already."""
    room.engine()
    state = room.states.get_prefix(asked[:PERSONA])
    if state is None or not room.model.restore(0, PERSONA, state):
        raise RuntimeError("the persona's state was refused")
    began = time.thread_time()
    room.model.decode([Feed(0, PERSONA, asked[PERSONA:], 1)])
    return time.thread_time() - began


async def python(rounds: int) -> list[Figure]:
    """What of a step at 32 rows is not spent inside the library."""
    import llama_cpp  # noqa: PLC0415 - the environment was prepared by `opened`

    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    inside = Stopwatch(llama_cpp.llama_decode)
    with opened(parallel=32, context=256) as room:
        engine = room.engine(parallel=32)
        llama_cpp.llama_decode = inside
        try:
            for _ in count_rounds("Python's share of a step", rounds):
                for number in range(32):
                    asked = make_request(prompts.tokens(24), 48, seed=number)
                    sampler = replace(asked.sampler, top_p=TOP_P)
                    engine.generate(number, replace(asked, sampler=sampler))
                while len(engine._running) < 32 or any(one.left > 1 for one in engine._running):  # noqa: SLF001
                    engine.step()
                inside.spent_s = 0.0
                began = time.thread_time()
                for _ in range(24):
                    engine.step()
                whole = time.thread_time() - began
                found.add("share", 100 * (whole - inside.spent_s) / whole)
                found.add("each", 1000 * (whole - inside.spent_s) / 24)
                while not engine.idle:
                    engine.step()
        finally:
            llama_cpp.llama_decode = inside.function
    share, each = found.median("share"), found.median("each")
    note = f"{each:.2f} ms a step"
    return [
        tell(Figure("Python's share of a step of 32 rows", share, "%", TARGET_PYTHON, note=note))
    ]


class Stopwatch:
    """Adds up the CPU time that a function takes."""

    def __init__(self, function: Callable[..., int]) -> None:
        self.function = function
        self.spent_s = 0.0

    def __call__(self, *arguments: object) -> int:
        """Call it."""
        began = time.thread_time()
        result = self.function(*arguments)
        self.spent_s += time.thread_time() - began
        return result


async def lag(rounds: int) -> list[Figure]:
    """How late the service's event loop wakes up while the engine's process decodes."""
    prompts = Prompts(HALF.vocabulary)
    late: dict[bool, list[float]] = {True: [], False: []}
    async with open_engine_side(random_model(HALF), Size(8, context=256)) as engine:
        for _ in count_rounds("the event loop's lag", rounds):
            late[False] += await _lags(asyncio.create_task(asyncio.sleep(2)))
            asked = [prompts.tokens(24) for _ in range(8)]
            late[True] += await _lags(asyncio.create_task(ask_all(engine, asked, 48)))
    figures = []
    for busy, what in ((True, "during decode at 8 sequences"), (False, "while nothing runs")):
        p99 = float(np.percentile(late[busy], 99)) * 1000
        target = TARGET_LAG_MS if busy else None
        note = f"median {np.median(late[busy]) * 1000:.2f}, most {max(late[busy]) * 1000:.1f} ms"
        figures.append(tell(Figure(f"event loop lag p99 {what}", p99, "ms", target, note=note)))
    return figures


async def _lags(task: "asyncio.Task[object]") -> list[float]:
    """Return how late the loop woke up, again and again until a task has ended."""
    found = []
    while not task.done():
        began = time.perf_counter()
        await asyncio.sleep(LAG_EVERY_S)
        found.append(time.perf_counter() - began - LAG_EVERY_S)
    await task
    return found
