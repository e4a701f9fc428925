"""Personas: many fans of one twin at once, and what a cold one costs those who are served."""

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise
from statistics import fmean

from bench.measuring import Figure, Prompts, Rounds, count_rounds, rotated, tell
from bench.models import HALF, random_model
from bench.sides import Side, Size, Tokens, ask, ask_all, begin, open_engine_side, open_server_side

PERSONA, MESSAGE, REPLY, FANS = 1000, 30, 32, 8
SIZE = Size(FANS, context=1280)
SERVERS = ("server -kvu", "server -no-kvu")
TARGET_BURST, TARGET_WARM = 8.0, 1.05
TARGET_STALL, TARGET_SMALL_STALL = 1 / 3, 1 / 5
RUNNING, RUNNING_REPLY, SMALL_CHUNK = 4, 150, 48
SETTLED = 8


async def burst(rounds: int) -> list[Figure]:
    """Eight fans at once on a twin that the server has in one slot."""
    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    async with AsyncExitStack() as stack:
        sides = await _open_sides(stack)
        for number in count_rounds("burst on a twin in one slot", rounds):
            persona = prompts.tokens(PERSONA)
            asked = [persona + prompts.tokens(MESSAGE) for _ in range(FANS)]
            for side in rotated(sides, number):
                await side.publish(persona)
                await _burst(found, side, asked)
    best = found.best([f"{name} cpu" for name in SERVERS], min).removesuffix(" cpu")
    figures = _told(found, "burst of 8")
    for what, unit in (("cpu", "CPU"), ("first", "time to first token")):
        ratio = found.median(f"{best} {what}") / found.median(f"engine {what}")
        name = f"burst of 8 on a cold twin, {unit}, {best} to engine"
        figures.append(tell(Figure(name, ratio, "times", TARGET_BURST, most=False)))
    return figures


async def warm(rounds: int) -> list[Figure]:
    """The same burst where all slots of the server have seen the persona."""
    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    async with AsyncExitStack() as stack:
        sides = await _open_sides(stack)
        persona = prompts.tokens(PERSONA)
        for side in sides:
            await side.publish(persona)
            await ask_all(side, [persona + prompts.tokens(MESSAGE) for _ in range(FANS)], 2)
        for number in count_rounds("burst on a twin in all slots", rounds):
            asked = [persona + prompts.tokens(MESSAGE) for _ in range(FANS)]
            for side in rotated(sides, number):
                await _burst(found, side, asked)
    figures = _told(found, "warm burst of 8")
    for what, unit in (("cpu", "CPU"), ("first", "time to first token")):
        best = found.best([f"{name} {what}" for name in SERVERS], min)
        ratio = found.median(f"engine {what}") / found.median(best)
        name = f"warm burst of 8, {unit}, engine to {best.rpartition(' ')[0]}"
        figures.append(tell(Figure(name, ratio, "times", TARGET_WARM)))
    return figures


async def _open_sides(stack: AsyncExitStack) -> list[Side]:
    model = random_model(HALF)
    sides: list[Side] = [await stack.enter_async_context(open_engine_side(model, SIZE))]
    for name, unified in zip(SERVERS, (True, False), strict=True):
        server = open_server_side(model, SIZE, name=name, unified=unified)
        sides.append(await stack.enter_async_context(server))
    return sides


async def _burst(found: Rounds, side: Side, asked: list[Tokens]) -> None:
    before = side.cpu_s()
    replies = await ask_all(side, asked, REPLY, PERSONA)
    found.add(f"{side.name} cpu", side.cpu_s() - before)
    # In CPU-seconds of the process: what others on the machine do does not count.
    found.add(f"{side.name} first", fmean(one.first_cpu_s for one in replies))
    found.add(f"{side.name} first wall", fmean(one.first_s for one in replies))


def _told(found: Rounds, label: str) -> list[Figure]:
    return [
        tell(Figure(f"{label}, {name}, {what}", found.median(f"{name} {key}"), unit))
        for name in ("engine", *SERVERS)
        for key, what, unit in (
            ("cpu", "all", "CPU-s"),
            ("first", "mean time to first token", "CPU-s"),
            ("first wall", "mean time to first token", "s"),
        )
    ]


async def stall(rounds: int) -> list[Figure]:
    """How long running replies wait while a persona that nobody published is prefilled."""
    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    model = random_model(HALF)
    small = f"engine, {SMALL_CHUNK} tokens a step"
    async with AsyncExitStack() as stack:
        sides = await _open_sides(stack)
        chunked = await stack.enter_async_context(
            open_engine_side(model, SIZE, name=small, chunk=SMALL_CHUNK)
        )
        sides.append(chunked)
        for number in count_rounds("stall while a cold persona is prefilled", rounds):
            running = [prompts.tokens(MESSAGE) for _ in range(RUNNING)]
            cold = prompts.tokens(PERSONA + MESSAGE)
            for side in rotated(sides, number):
                await _stall(found, side, running, cold)
    best = found.best([f"{name} gap" for name in SERVERS], min)
    figures = []
    for name in ("engine", small, *SERVERS):
        gap, first = found.median(f"{name} gap"), found.median(f"{name} first")
        figures.append(tell(Figure(f"longest gap of running replies, {name}", gap, "CPU-s")))
        figures.append(tell(Figure(f"cold persona to first token, {name}", first, "CPU-s")))
    for name, target in (("engine", TARGET_STALL), (small, TARGET_SMALL_STALL)):
        ratio = found.median(f"{name} gap") / found.median(best)
        label = f"longest gap, {name} to {best.removesuffix(' gap')}"
        figures.append(tell(Figure(label, ratio, "times", round(target, 3))))
    return figures


async def _stall(found: Rounds, side: Side, running: list[Tokens], cold: Tokens) -> None:
    served = [begin(side) for _ in running]
    async with asyncio.TaskGroup() as group:
        for prompt, one in zip(running, served, strict=True):
            group.create_task(ask(side, prompt, RUNNING_REPLY, timeline=one))
        while min(len(one.arrivals) for one in served) < SETTLED:  # noqa: ASYNC110 - short
            await asyncio.sleep(0.05)
        late = group.create_task(ask(side, cold, 1, PERSONA))
    gaps = [
        after[1] - before[1]
        for one in served
        for before, after in pairwise(one.arrivals[SETTLED - 1 :])
    ]
    found.add(f"{side.name} gap", max(gaps))
    found.add(f"{side.name} first", late.result().first_cpu_s)
