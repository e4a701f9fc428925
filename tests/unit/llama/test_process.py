"""Engine processes that start badly or die badly, with tiny programs in the engine's place."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict

import pytest

from adapters.llama import wire
from adapters.llama.process import EngineProcess
from bot.domain.errors import ConfigurationError, EngineCrashedError
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import (
    Generated,
    GenerationRequest,
    ModelInfo,
    ReplayedToken,
    ReplayOutcome,
    ReplayRequest,
    TextDelta,
)

READY = 'print(\'{"id": 0, "event": "ready"}\', flush=True); '
ENDLESS = """
from adapters.llama.child import serve_pipe
from bot.inference.engine import Engine
from bot.ports.inference import TextDelta
from tests.fakes.model import FakeModel

class Endless(Engine):
    def generate(self, request, halted):
        while not halted():
            yield TextDelta("on and ")

serve_pipe(lambda: Endless(model=FakeModel()))
"""
REQUEST = GenerationRequest(
    (1, 2), 1, bytes(32), SamplerPolicy(0.2, 40, 0.95, 8), (3,), ("\nFan:", "é🐙")
)


def _engine(program: str) -> EngineProcess:
    return EngineProcess(command=(sys.executable, "-c", program))


def _refusal(kind: str, text: str) -> str:
    message = json.dumps({"id": 0, "event": "error", "kind": kind, "text": text})
    return f"print({message!r}, flush=True); import time; time.sleep(60)"


@pytest.mark.parametrize(
    ("program", "error", "words"),
    [
        ("", EngineCrashedError, "while it loaded"),
        ("raise SystemExit(3)", EngineCrashedError, "while it loaded"),
        ("print('Segmentation fault', flush=True)", EngineCrashedError, "while it loaded"),
        (_refusal("ConfigurationError", "no model"), ConfigurationError, "no model"),
        (_refusal("SystemExit", "odd"), EngineCrashedError, "odd"),
    ],
    ids=["silent", "exit", "babble", "refusal", "unknown"],
)
async def test_start_that_fails_says_why_and_leaves_no_process(
    program: str, error: type[Exception], words: str
) -> None:
    engine = _engine(program)

    with pytest.raises(error, match=words):
        await engine.start()
    await engine.close()


async def test_start_that_is_cancelled_leaves_no_process() -> None:
    engine = _engine("import time; time.sleep(60)")
    starting = asyncio.create_task(engine.start())
    await asyncio.sleep(0.2)

    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await engine.close()

    assert starting.cancelled()


async def test_engine_closed_while_it_starts_leaves_no_process() -> None:
    engine = _engine("import time; time.sleep(0.3); " + READY + "input()")
    starting = asyncio.create_task(engine.start())
    await asyncio.sleep(0.1)

    await engine.close()
    await starting

    assert engine._process is None
    with pytest.raises(EngineCrashedError, match="shutting down"):
        await engine.start()


async def test_process_that_dies_on_its_first_request_fails_it() -> None:
    engine = _engine(READY + "input(); raise SystemExit(1)")

    with pytest.raises(EngineCrashedError, match="nothing was charged"):
        await engine.info()
    await engine.close()


async def test_process_that_ignores_its_closed_pipe_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.llama.process.CLOSE_TIMEOUT_S", 0.1)
    engine = _engine(READY + "import time; time.sleep(60)")
    await engine.start()

    await engine.close()

    with pytest.raises(EngineCrashedError, match="shutting down"):
        await engine.start()


async def test_closed_iterator_stops_a_generation_that_would_never_end() -> None:
    engine = _engine(ENDLESS)
    events = engine.generate(REQUEST)
    assert isinstance(events, AsyncGenerator)
    first = await anext(events)

    await events.aclose()

    assert first == TextDelta("on and ")
    assert await engine.tokenize("a") == (97,)
    await engine.close()


async def test_waiting_requests_leave_the_queue_when_they_are_ended() -> None:
    engine = _engine(ENDLESS)
    first = engine.generate(REQUEST)
    assert isinstance(first, AsyncGenerator)
    await anext(first)
    halt = asyncio.Event()
    waiting = engine.generate(REQUEST, halt)
    cancelled = engine.generate(REQUEST)
    assert isinstance(cancelled, AsyncGenerator)
    tasks = [asyncio.ensure_future(anext(events)) for events in (waiting, cancelled)]
    await asyncio.sleep(0.05)

    tasks[1].cancel()
    halt.set()
    async with asyncio.timeout(5):
        assert await tasks[0] == Generated((), "", "halted")

    await first.aclose()
    async with asyncio.timeout(5):
        assert await engine.tokenize("a") == (97,)
        await engine.prepare_prefix((1, 2))  # its turn comes: nothing endless is left
    await engine.close()


async def test_event_of_nobody_is_passed_over() -> None:
    answer = json.dumps({"id": 1, "event": "done", "value": [5]})
    stray = json.dumps({"id": 99, "event": "done", "value": [6]})
    engine = _engine(READY + f"input(); print({stray!r}); print({answer!r}, flush=True); input()")

    assert await engine.tokenize("x") == (5,)
    await engine.close()


def _through_json(message: object) -> wire.Message:
    parsed: wire.Message = json.loads(json.dumps(message))
    return parsed


def test_requests_and_results_survive_the_pipe() -> None:
    replay = ReplayRequest(REQUEST, (4, 5), "end", "é", (("text", (6,)),))
    outcome = ReplayOutcome(
        (ReplayedToken(0, None, 3, "", same=True),),
        tokenisation_same=True,
        finish_same=False,
        text_same=True,
    )
    info = ModelInfo("m", "{{ t }}", (3,), 1024, 4096, profile_exact=True)
    made = Generated((1, 2), "🐙", "stop")

    assert wire.parse_request(_through_json(wire.encode_request(REQUEST))) == REQUEST
    assert wire.parse_replay(_through_json(wire.encode_replay(replay))) == replay
    assert wire.parse_outcome(_through_json(asdict(outcome))) == outcome
    assert wire.parse_info(_through_json(asdict(info))) == info
    assert wire.parse_generated(_through_json(wire.encode_generated(made))) == made
