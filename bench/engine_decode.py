"""Pure decoding, where both sides do the same work in the same kernels: parity is the aim."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bench.measuring import Figure, Prompts, Rounds, count_rounds, rotated, tell
from bench.models import HALF, random_model
from bench.sides import Side, Size, Timeline, ask, ask_all, open_engine_side, open_server_side
from scripts.build_native import native_libraries

PROMPT, REPLY = 24, 48
SERVERS = ("server -kvu", "server -no-kvu")
TARGET_STEADY = 0.95
CHATS, CHAT_REPLY = 8, 32


async def steady(rounds: int) -> list[Figure]:
    """Decode at 8 and 32 sequences, one thread."""
    figures = []
    model = random_model(HALF)
    for parallel in (8, 32):
        found = Rounds()
        prompts = Prompts(HALF.vocabulary)
        async with AsyncExitStack() as stack:
            size = Size(parallel, context=256)
            sides: list[Side] = [await stack.enter_async_context(open_engine_side(model, size))]
            for name, unified in zip(SERVERS, (True, False), strict=True):
                server = open_server_side(model, size, name=name, unified=unified)
                sides.append(await stack.enter_async_context(server))
            for number in count_rounds(f"steady decode at {parallel} sequences", rounds):
                asked = [prompts.tokens(PROMPT) for _ in range(parallel)]
                for side in rotated(sides, number):
                    cpu, _ = decode_speed(await ask_all(side, asked, REPLY))
                    found.add(side.name, cpu)
        best = found.best(SERVERS, max)
        for name in ("engine", *SERVERS):
            label = f"decode at {parallel} sequences, {name}"
            note = found.spread(name)
            figures.append(tell(Figure(label, found.median(name), "tokens/CPU-s", note=note)))
        ratio = found.median("engine") / found.median(best)
        label = f"decode at {parallel} sequences, engine to {best}"
        figures.append(tell(Figure(label, ratio, "times", TARGET_STEADY, most=False)))
    return figures


def decode_speed(replies: list[Timeline]) -> tuple[float, float]:
    """Return tokens a CPU-second and a second while all replies were being written.

    From the first token of the reply that began last, to its latest token before any reply ended.
    """
    last = max(replies, key=lambda one: one.arrivals[0][0])
    end = min(one.arrivals[-1][0] for one in replies)
    began_s, began_cpu_s = last.arrivals[0]
    ended_s, ended_cpu_s = [one for one in last.arrivals if one[0] <= end][-1]
    made = sum(began_s < at <= ended_s for one in replies for at, _ in one.arrivals)
    return made / (ended_cpu_s - began_cpu_s), made / (ended_s - began_s)


async def threads(rounds: int) -> list[Figure]:
    """Decode 8 sequences with two threads, while libgomp's threads wait actively or passively."""
    model = random_model(HALF)
    passive = {"OMP_WAIT_POLICY": "passive"}
    size = Size(8, context=256, threads=2)
    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    names = ("engine", "server, default", "server, passive")
    async with AsyncExitStack() as stack:
        sides: list[Side] = [await stack.enter_async_context(open_engine_side(model, size))]
        for name, environment in zip(names[1:], ({}, passive), strict=True):
            server = open_server_side(model, size, name=name, environment=environment)
            sides.append(await stack.enter_async_context(server))
        for number in count_rounds("two threads", rounds):
            asked = [prompts.tokens(PROMPT) for _ in range(8)]
            for side in rotated(sides, number):
                _, wall = decode_speed(await ask_all(side, asked, REPLY))
                found.add(side.name, wall)
    return [
        tell(Figure(f"2 threads, 8 sequences, {name}", found.median(name), "tokens/s"))
        for name in names
    ]


async def native(rounds: int) -> list[Figure]:
    """The native build against the portable one."""
    model = random_model(HALF)
    library = {"LLAMA_CPP_LIB_PATH": str(native_libraries())}
    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    async with AsyncExitStack() as stack:
        sides = []
        for name, environment in (("portable", {}), ("native", library)):
            opened = open_engine_side(
                model, Size(32, context=768), name=name, environment=environment
            )
            side = await stack.enter_async_context(opened)
            sides.append(side)
        for number in count_rounds("native build against portable build", rounds):
            filling = prompts.tokens(512)
            asked = [prompts.tokens(PROMPT) for _ in range(32)]
            for side in rotated(sides, number):
                first = await ask(side, filling, 2)
                found.add(f"{side.name} prefill of 512", 512 / first.first_cpu_s)
                for parallel in (1, 8, 32):
                    cpu, _ = decode_speed(await ask_all(side, asked[:parallel], 32))
                    found.add(f"{side.name} decode at {parallel}", cpu)
    figures = []
    for what in ("prefill of 512", "decode at 1", "decode at 8", "decode at 32"):
        for name in ("portable", "native"):
            value = found.median(f"{name} {what}")
            figures.append(tell(Figure(f"{what}, {name} build", value, "tokens/CPU-s")))
    return figures


async def chat(rounds: int) -> list[Figure]:
    """Eight requests through `Llama.create_chat_completion`, one after the other, and here."""
    model = random_model(HALF)
    found = Rounds()
    prompts = Prompts(HALF.vocabulary)
    library = await asyncio.to_thread(HighLevel, model)
    async with open_engine_side(model, Size(CHATS, context=256)) as engine:
        for _ in count_rounds("Llama.create_chat_completion", rounds):
            made, cpu_s, filled = library.run(CHATS)
            found.add("create_chat_completion", made / cpu_s)
            asked = [prompts.tokens(filled // CHATS) for _ in range(CHATS)]
            before = engine.cpu_s()
            await ask_all(engine, asked, CHAT_REPLY)
            found.add("engine, together", CHATS * CHAT_REPLY / (engine.cpu_s() - before))
            before = engine.cpu_s()
            for one in asked:
                await ask(engine, one, CHAT_REPLY)
            found.add("engine, one by one", CHATS * CHAT_REPLY / (engine.cpu_s() - before))
    return [
        tell(Figure(f"8 chats with their prompts, {name}", found.median(name), "tokens/CPU-s"))
        for name in ("create_chat_completion", "engine, one by one", "engine, together")
    ]


class HighLevel:
    """llama-cpp-python's own way, in this process: one request at a time."""

    def __init__(self, model: Path) -> None:
        # The library reads the environment when it loads.
        from adapters.llama.library import prepare_environment  # noqa: PLC0415

        prepare_environment()
        from llama_cpp import Llama  # noqa: PLC0415

        self._llama = Llama(
            str(model), n_ctx=256, n_threads=1, n_threads_batch=1, n_batch=512, n_ubatch=512,
            flash_attn=True, type_k=8, type_v=8, verbose=False,
        )  # fmt: skip
        self._asked = 0

    def run(self, chats: int) -> tuple[int, float, int]:
        """Return tokens made, CPU-seconds and tokens of the prompts."""
        made = filled = 0
        before = time.process_time()
        for _ in range(chats):
            self._asked += 1
            text = f"{self._asked:03} and now tell me what is new"
            answer = self._llama.create_chat_completion(
                [{"role": "user", "content": text}], max_tokens=CHAT_REPLY,
                temperature=0.8, top_k=40, top_p=1.0, min_p=0.0, seed=self._asked,
            )  # fmt: skip
            made += answer["usage"]["completion_tokens"]
            filled += answer["usage"]["prompt_tokens"]
        return made, time.process_time() - before, filled
