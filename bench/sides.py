"""The two sides of a comparison: this engine's process and llama-server, asked the same way.

Both get token ids, sample with temperature 0.8 and top-k 40, ignore the end token and stream each
token; both are child processes, whose CPU-seconds the kernel counts.
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from adapters.llama.process import EngineProcess
from bot.generation.sampling import SamplerPolicy
from bot.inference.limits import Limits
from bot.ports.inference import Caller, Generated, GenerationRequest, TextDelta
from scripts.build_llama_server import llama_server, server_libraries

TEMPERATURE, TOP_K = 0.8, 40
TICKS = os.sysconf("SC_CLK_TCK")
START_TIMEOUT_S = 120.0
Tokens = tuple[int, ...]


@dataclass(slots=True)
class Timeline:
    """When the pieces of one reply came.

    Attributes:
        arrivals: (seconds of the clock, CPU-seconds of the process) of each piece.
    """

    began_s: float
    began_cpu_s: float
    arrivals: list[tuple[float, float]] = field(default_factory=list)

    @property
    def first_s(self) -> float:
        """Wall time to the first piece."""
        return self.arrivals[0][0] - self.began_s

    @property
    def first_cpu_s(self) -> float:
        """CPU time that the process used until then."""
        return self.arrivals[0][1] - self.began_cpu_s


def begin(side: "Side") -> Timeline:
    """Return a timeline that begins now."""
    return Timeline(time.monotonic(), side.cpu_s())


class Side(Protocol):
    """One of the programs that are compared."""

    name: str

    def cpu_s(self) -> float:
        """Return the CPU-seconds that its process has used."""
        ...

    async def publish(self, persona: Tokens) -> None:
        """Do with a persona what the program does before the first fan comes, if it does."""
        ...

    def generate(self, prompt: Tokens, tokens: int, persona: int = 0) -> AsyncIterator[None]:
        """Yield once for each piece of a reply.

        Args:
            prompt: token ids.
            tokens: how many to generate.
            persona: how many ids at the beginning are a persona's.
        """
        ...


async def ask(
    side: Side, prompt: Tokens, tokens: int, persona: int = 0, *, timeline: Timeline | None = None
) -> Timeline:
    """Generate a reply and note when its pieces came, in `timeline` if there is one."""
    if timeline is None:
        timeline = begin(side)
    async for _ in side.generate(prompt, tokens, persona):
        timeline.arrivals.append((time.monotonic(), side.cpu_s()))
    return timeline


async def ask_all(
    side: Side, prompts: Sequence[Tokens], tokens: int, persona: int = 0
) -> list[Timeline]:
    """Generate replies to all prompts at once."""
    return await asyncio.gather(*(ask(side, prompt, tokens, persona) for prompt in prompts))


def process_cpu_s(process: int) -> float:
    """Return the CPU-seconds that a process and its threads have used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass(slots=True)
class EngineSide(Side):
    """This engine in its own process."""

    engine: EngineProcess
    process: int
    name: str
    _seed: int = 0

    def cpu_s(self) -> float:
        """Return the CPU-seconds that its process has used."""
        return process_cpu_s(self.process)

    async def publish(self, persona: Tokens) -> None:
        """Prefill the persona and keep it."""
        await self.engine.prepare_prefix(persona)

    async def generate(self, prompt: Tokens, tokens: int, persona: int = 0) -> AsyncIterator[None]:
        """Yield once for each piece of a reply."""
        self._seed += 1
        request = make_request(prompt, tokens, persona=persona, seed=self._seed)
        caller = Caller(fan=str(self._seed), twin=str(hash(prompt[:persona])))
        async for event in self.engine.generate(request, caller=caller):
            if isinstance(event, TextDelta):
                yield
            elif isinstance(event, Generated) and len(event.tokens) != tokens:
                raise RuntimeError("the engine made another number of tokens")


def make_request(
    prompt: Tokens, tokens: int, *, persona: int = 0, seed: int = 0
) -> GenerationRequest:
    """Return a request that ends after exactly so many tokens."""
    return GenerationRequest(
        context=prompt,
        prefix_tokens=persona,
        seed=seed.to_bytes(32, "big"),
        sampler=SamplerPolicy(TEMPERATURE, TOP_K, 1.0, tokens),
        stop_tokens=(),
        stop_strings=(),
    )


@dataclass(frozen=True, slots=True)
class Size:
    """How large a side is made.

    Attributes:
        parallel: replies that are written at once.
        context: tokens of each.
        threads: for prompts and for generation.
    """

    parallel: int
    context: int
    threads: int = 1


@asynccontextmanager
async def open_engine_side(
    model: Path,
    size: Size,
    *,
    name: str = "engine",
    chunk: int = Limits().chunk,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[EngineSide]:
    """Start the engine; the states that it saves last as long as the block.

    Args:
        model: a GGUF.
        size: of the engine.
        name: of this side.
        chunk: tokens of new contexts that a step evaluates beside running replies.
        environment: more variables for the process.
    """
    with tempfile.TemporaryDirectory() as states:
        command = ["env", *(f"{key}={value}" for key, value in (environment or {}).items())]
        command += [sys.executable, "-m", "bench.worker"]
        command += ["--model", str(model), "--states", states]
        command += ["--parallel", str(size.parallel), "--context", str(size.context)]
        command += ["--threads", str(size.threads), "--chunk", str(chunk)]
        engine = EngineProcess(command=command)
        try:
            before = children()
            await engine.start()
            (process,) = children() - before
            yield EngineSide(engine, process, name)
        finally:
            await engine.close()


def children() -> frozenset[int]:
    """Return the ids of this process's child processes."""
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return frozenset(map(int, path.read_text().split()))


@dataclass(slots=True)
class ServerSide(Side):
    """llama-server of the same source package, on the same libraries."""

    name: str
    address: str
    session: aiohttp.ClientSession
    process: int

    def cpu_s(self) -> float:
        """Return the CPU-seconds that its process has used."""
        return process_cpu_s(self.process)

    async def publish(self, persona: Tokens) -> None:
        """Answer one fan, so that a slot holds the persona: the most that it can do."""
        await ask(self, persona, 1)

    async def generate(self, prompt: Tokens, tokens: int, persona: int = 0) -> AsyncIterator[None]:
        """Yield once for each piece of a reply."""
        del persona  # it finds common prefixes by itself
        body = {
            "prompt": prompt,
            "n_predict": tokens,
            "temperature": TEMPERATURE,
            "top_k": TOP_K,
            "samplers": ["top_k", "temperature"],
            "ignore_eos": True,
            "stream": True,
            "cache_prompt": True,
        }
        async with self.session.post(f"{self.address}/completion", json=body) as response:
            response.raise_for_status()
            async for line in response.content:
                if not line.startswith(b"data: "):
                    continue
                event: dict[str, Any] = json.loads(line[6:])
                if event.get("stop"):
                    if event["tokens_predicted"] != tokens:
                        raise RuntimeError("llama-server made another number of tokens")
                    return
                yield


@asynccontextmanager
async def open_server_side(
    model: Path,
    size: Size,
    *,
    name: str,
    unified: bool = True,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[ServerSide]:
    """Start llama-server with the engine's own cache types and wait until it answers.

    Args:
        model: a GGUF.
        size: of the server; a slot for each reply.
        name: of this side.
        unified: one cache for all slots (`-kvu`) or one for each (`-no-kvu`).
        environment: more variables for the process.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [str(llama_server()), "-m", str(model), "--host", "127.0.0.1", "--port", str(port)]
    command += ["-np", str(size.parallel), "-c", str(size.parallel * size.context)]
    command += ["-kvu" if unified else "-no-kvu", "-fa", "on", "-ctk", "q8_0", "-ctv", "q8_0"]
    command += ["-t", str(size.threads), "-tb", str(size.threads)]
    command += ["-b", "512", "-ub", "512", "--no-ui"]
    path = ":".join(map(str, server_libraries()))
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "LD_LIBRARY_PATH": path, **(environment or {})},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    # The server is known to drop kept connections now and then.
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            side = ServerSide(name, f"http://127.0.0.1:{port}", session, process.pid)
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await _healthy(side):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
            yield side
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _healthy(side: ServerSide) -> bool:
    try:
        async with side.session.get(f"{side.address}/health") as response:
            return response.ok
    except aiohttp.ClientError:
        return False
