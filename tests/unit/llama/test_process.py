"""Engine processes that start badly or die badly, with tiny programs in the engine's place."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.llama import wire
from adapters.llama.mailbox import Mailbox
from adapters.llama.process import EngineProcess
from adapters.llama.state_file import StateKey
from adapters.llama.states import DiskStates
from bot.domain.errors import (
    BotError,
    ConfigurationError,
    EngineCrashedError,
    EngineOverloadedError,
    InvariantError,
    MessageTooLongError,
)
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import (
    Caller,
    Generated,
    GenerationEvent,
    GenerationRequest,
    ModelInfo,
    Queued,
    ReplayedToken,
    ReplayOutcome,
    ReplayRequest,
    TextDelta,
)
from bot.ports.runner import Failed, Prepared, StepEvent

READY = 'print(\'{"id": 0, "event": "ready"}\', flush=True); '
FAKE = """
import sys
from adapters.llama.child import Ready, serve_pipe
from bot.inference.engine import Engine
from bot.inference.limits import Limits
from tests.fakes.model import FakeModel
from tests.fakes.states import MemoryStates

class Odd(FakeModel):
    def decode(self, feeds):
        for feed in feeds:
            if 66 in feed.tokens:  # a context with a B
                {broken}
        return super().decode(feeds)

limits = Limits(parallel=2, prefixes=1, waiting=3)
engine = Engine(model=Odd(context_tokens=10**6), states=MemoryStates(), limits=limits)
sys.exit(serve_pipe(lambda: Ready(engine, "all is well")))
"""
ABORT = "import os; os.write(2, b'ggml.c:7: GGML_ASSERT(x) failed\\n'); os.abort()"
QUOTES_A_FAN = "raise ValueError('the fan said: swordfish')"
REFUSES = "from bot.domain.errors import EngineCrashedError as E; raise E('status -3')"
POLICY = SamplerPolicy(0.2, 40, 0.95, 8, min_p=0.1, presence_penalty=0.5, frequency_penalty=0.25)
REQUEST = GenerationRequest((97, 98), 1, bytes(32), POLICY, (256,), ("\nFan:", "é🐙"))
ENDLESS = replace(REQUEST, sampler=SamplerPolicy(1.0, 40, 1.0, 900_000), stop_tokens=())
BAD = replace(REQUEST, context=(97, 66))


def _engine(program: str, *, max_queued: int = 32) -> EngineProcess:
    return EngineProcess(command=(sys.executable, "-c", program), max_queued=max_queued)


def _fake(broken: str = "pass") -> EngineProcess:
    return _engine(FAKE.replace("{broken}", broken))


async def _run(engine: EngineProcess, request: GenerationRequest) -> GenerationEvent:
    return [event async for event in engine.generate(request)][-1]


async def _exhaust(events: AsyncIterator[GenerationEvent]) -> None:
    async for _ in events:
        pass


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
    with pytest.raises(EngineCrashedError, match="shutting down"):
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


async def test_what_the_process_says_of_itself_is_kept() -> None:
    engine = _fake()
    await engine.start()

    assert engine.remark == "all is well"
    await engine.close()


# Deaths.


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (ABORT, "GGML_ASSERT(x) failed"),
        (REFUSES, "EngineCrashedError at <string>:13 status -3"),
        (QUOTES_A_FAN, "ValueError at <string>:"),
        ("import os; os.kill(os.getpid(), 9)", ""),
    ],
    ids=["abort", "refused batch", "bug", "killed"],
)
async def test_death_fails_all_that_runs_and_the_log_says_why_without_a_word_of_a_fan(
    broken: str, why: str
) -> None:
    engine = _fake(broken)
    first = engine.generate(ENDLESS)
    assert isinstance(first, AsyncGenerator)
    await anext(first)

    with capture_logs() as logs:
        with pytest.raises(EngineCrashedError, match="nothing was charged"):
            await _run(engine, BAD)
        with pytest.raises(EngineCrashedError, match="nothing was charged"):
            await _exhaust(first)

    (death,) = [line for line in logs if line["event"] == "engine died"]
    assert why in death["why"]
    assert "Fatal Python error" not in death["why"]
    assert "swordfish" not in str(logs)
    assert death["code"] != 0
    made = await _run(engine, REQUEST)
    assert isinstance(made, Generated)
    await engine.close()


@dataclass
class _Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


async def test_process_that_keeps_dying_is_left_alone_for_a_while() -> None:
    clock = _Clock()
    program = FAKE.replace("{broken}", "import os; os._exit(9)")
    engine = EngineProcess(command=(sys.executable, "-c", program), clock=clock)
    for _ in range(3):
        with pytest.raises(EngineCrashedError, match="nothing was charged"):
            await _run(engine, BAD)

    with pytest.raises(EngineCrashedError, match="pauses: please try again in 5 seconds") as found:
        await _run(engine, REQUEST)
    assert found.value.retry_after_s == 5
    clock.now += 5.5

    assert isinstance(await _run(engine, REQUEST), Generated)
    await engine.close()


async def test_model_that_is_gone_at_a_restart_is_a_crash_to_a_fan() -> None:
    gone = _refusal("ConfigurationError", "the model is missing")
    engine = _fake("import os; os._exit(9)")
    with pytest.raises(EngineCrashedError):
        await _run(engine, BAD)

    engine._command = (sys.executable, "-c", gone)

    with pytest.raises(EngineCrashedError, match=r"can't start again: .* is missing"):
        await _run(engine, REQUEST)
    await engine.close()


async def test_many_requests_of_a_process_that_can_not_start_start_few() -> None:
    engine = _fake("import os; os._exit(9)")
    with pytest.raises(EngineCrashedError):
        await _run(engine, BAD)
    engine._command = (sys.executable, "-c", "raise SystemExit(1)")

    results = await asyncio.gather(
        *(_run(engine, REQUEST) for _ in range(20)), return_exceptions=True
    )

    assert all(isinstance(result, EngineCrashedError) for result in results)
    assert sum("pauses" in str(result) for result in results) >= 18
    await engine.close()


async def test_killed_process_leaves_no_core_file_to_read() -> None:
    engine = _fake()
    await engine.start()
    assert engine._process is not None
    limits = await asyncio.to_thread(_limits_of, engine._process.pid)

    assert limits.split()[4:6] == ["0", "0"]
    await engine.close()


def _limits_of(pid: int) -> str:
    lines = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    return next(line for line in lines if line.startswith("Max core file size"))


# Cancelling, halting, bounds.


async def test_closed_iterator_stops_a_generation_that_would_never_end() -> None:
    engine = _fake()
    for _ in range(5):  # more than can run at once
        events = engine.generate(ENDLESS)
        assert isinstance(events, AsyncGenerator)
        await anext(events)
        await events.aclose()

    async with asyncio.timeout(5):
        assert await engine.tokenize("a") == (97,)
        await engine.prepare_prefix((1, 2))
    await engine.close()


async def test_waiting_requests_leave_the_queue_when_they_are_ended() -> None:
    engine = _fake()
    running = [engine.generate(ENDLESS) for _ in range(2)]
    for one in running:
        await anext(one)
    halt = asyncio.Event()
    waiting = engine.generate(REQUEST, halt)
    assert isinstance(await anext(waiting), Queued)
    cancelled = asyncio.create_task(_run(engine, REQUEST))
    await asyncio.sleep(0.05)

    cancelled.cancel()
    halt.set()
    async with asyncio.timeout(5):
        assert [event async for event in waiting][-1] == Generated((), "", "halted")

    for one in running:
        assert isinstance(one, AsyncGenerator)
        await one.aclose()
    async with asyncio.timeout(5):
        assert isinstance(await _run(engine, REQUEST), Generated)
    await engine.close()


async def test_ten_thousand_requests_at_once_are_answered_or_refused() -> None:
    engine = _fake()
    results = await asyncio.gather(
        *(_run(engine, REQUEST) for _ in range(10_000)), return_exceptions=True
    )

    made = [one for one in results if isinstance(one, Generated)]
    refused = [one for one in results if isinstance(one, EngineOverloadedError)]
    assert len(made) + len(refused) == 10_000
    assert len(made) >= 3
    assert all(one.retry_after_s >= 1 for one in refused)
    assert engine._waiting == {}
    assert isinstance(await _run(engine, REQUEST), Generated)
    await engine.close()


async def test_forgetting_is_never_refused_for_being_busy() -> None:
    engine = _engine(FAKE.replace("{broken}", "pass"), max_queued=1)
    running = engine.generate(ENDLESS)
    assert isinstance(running, AsyncGenerator)
    await anext(running)

    with pytest.raises(EngineOverloadedError):
        await engine.tokenize("a")
    async with asyncio.timeout(5):
        await engine.forget("somebody")
    await running.aclose()
    await engine.close()


async def test_one_bad_request_fails_alone() -> None:
    engine = _fake()
    running = engine.generate(ENDLESS)
    assert isinstance(running, AsyncGenerator)
    await anext(running)

    for context in ((97, 260), (-1,)):
        with pytest.raises(InvariantError, match="vocabulary"):
            await _run(engine, replace(REQUEST, context=context))
    with pytest.raises(InvariantError, match="vocabulary"):
        await engine.prepare_prefix((97, 10**6))
    with pytest.raises(InvariantError, match="can't be read"):
        await engine.tokenize("\ud800")
    with pytest.raises(InvariantError, match="unknown operation"):
        await engine._ask("dance")
    with pytest.raises(MessageTooLongError):
        await _run(engine, replace(REQUEST, context=(97,) * 10**6))

    assert isinstance(await anext(running), TextDelta)
    await running.aclose()
    await engine.close()


async def test_parent_that_is_killed_takes_the_engine_with_it() -> None:
    program = FAKE.replace("{broken}", "pass")
    script = (
        "import asyncio, sys\nfrom adapters.llama.process import EngineProcess\n"
        "async def main():\n"
        f"    engine = EngineProcess(command=(sys.executable, '-c', {program!r}))\n"
        "    await engine.start()\n    print(engine._process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\nasyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())

    parent.kill()
    await parent.wait()

    async with asyncio.timeout(5):
        while _alive(pid):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] != "Z"


async def test_event_of_nobody_is_passed_over() -> None:
    answer = json.dumps({"id": 1, "event": "done", "value": [5]})
    stray = json.dumps({"id": 99, "event": "done", "value": [6]})
    engine = _engine(READY + f"input(); print({stray!r}); print({answer!r}, flush=True); input()")

    assert await engine.tokenize("x") == (5,)
    await engine.close()


async def test_reader_that_is_slow_finds_texts_joined_and_the_last_word_on_the_queue() -> None:
    box = Mailbox()
    for number in range(3):
        box.put({"id": 1, "event": "queued", "ahead": 3 - number, "wait_s": 1.0})
    for word in ("on ", "and ", "on"):
        box.put({"id": 1, "event": "delta", "text": word})
    box.put({"id": 1, "event": "done", "value": None})

    assert (await box.take())["ahead"] == 1
    assert (await box.take())["text"] == "on and on"
    assert (await box.take())["event"] == "done"


# The wire.


def _through_json(message: object) -> wire.Message:
    parsed: wire.Message = json.loads(json.dumps(message))
    return parsed


def test_requests_and_results_survive_the_pipe() -> None:
    replay = ReplayRequest(REQUEST, (4, 5), "end", "é", (("text", (6,)),), (7, 8))
    outcome = ReplayOutcome(
        (
            ReplayedToken(0, None, 3, "", same=True),
            ReplayedToken(1, 4, 3, "é", same=False, margin=0.25, room=float("inf")),
        ),
        tokenisation_same=True,
        finish_same=False,
        text_same=True,
        engine_exact=False,
    )
    info = ModelInfo("m", "{{ t }}", (3,), 1024, 4096, profile_exact=True)
    made = Generated((1, 2), "🐙", "stop")
    caller = Caller("ana", "mira", "c1", 12.5)

    assert wire.parse_request(_through_json(wire.encode_request(REQUEST))) == REQUEST
    assert wire.parse_replay(_through_json(wire.encode_replay(replay))) == replay
    assert wire.parse_outcome(_through_json(wire.encode_outcome(outcome))) == outcome
    assert wire.parse_info(_through_json(asdict(info))) == info
    assert wire.parse_generated(_through_json(wire.encode_generated(made))) == made
    assert wire.parse_caller(_through_json(wire.encode_caller(caller))) == caller  # type: ignore[arg-type]


def _errors() -> Iterator[BotError]:
    yield ConfigurationError("no model")
    yield MessageTooLongError("too long")
    yield InvariantError("a bug")
    yield EngineOverloadedError("full", retry_after_s=7.5)
    yield EngineCrashedError("dead", retry_after_s=2.0)


@pytest.mark.parametrize("error", list(_errors()), ids=lambda error: type(error).__name__)
def test_errors_survive_the_pipe(error: BotError) -> None:
    again = wire.parse_error(_through_json(wire.encode_error(1, error)))

    assert (type(again), str(again)) == (type(error), str(error))
    assert getattr(again, "retry_after_s", None) == getattr(error, "retry_after_s", None)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (TextDelta("é"), {"id": 3, "event": "delta", "text": "é"}),
        (Queued(2, 1.26), {"id": 3, "event": "queued", "ahead": 2, "wait_s": 1.3}),
        (Prepared(), {"id": 3, "event": "done", "value": None}),
    ],
)
def test_event_of_a_step_is_one_small_line(event: StepEvent, message: wire.Message) -> None:
    line = wire.encode_line(wire.encode_event(3, event))

    assert json.loads(line) == message
    assert line.count(b"\n") == 1
    assert len(line) < 70


def test_failed_request_carries_its_error() -> None:
    message = wire.encode_event(3, Failed(EngineOverloadedError("full", retry_after_s=4.0)))

    assert isinstance(wire.parse_error(_through_json(message)), EngineOverloadedError)


async def test_engine_that_hangs_while_it_starts_does_not_hold_up_the_end() -> None:
    engine = _engine("import time; time.sleep(600)")
    asking = asyncio.create_task(engine.info())
    await asyncio.sleep(0.3)

    async with asyncio.timeout(5):
        await engine.close()

    with pytest.raises(EngineCrashedError, match="shutting down"):
        await asking


@pytest.mark.parametrize("said", ["nonsense", "[1]", "{}"])
async def test_engine_that_says_what_cannot_be_read_is_ended_and_the_request_fails(
    said: str,
) -> None:
    engine = _engine(READY + f"input(); print({said!r}, flush=True); input(); input()")

    with capture_logs() as logs, pytest.raises(EngineCrashedError):
        async with asyncio.timeout(10):
            await engine.info()

    assert any("can't be read" in line["event"] for line in logs)
    await engine.close()


async def test_program_that_is_not_there_is_an_error_of_ours_and_counts_as_a_death() -> None:
    engine = EngineProcess(command=("/nonexistent/python",))

    for _ in range(3):
        with pytest.raises(EngineCrashedError, match="can't be started"):
            await engine.info()
    with pytest.raises(EngineCrashedError, match="pauses"):
        await engine.info()


async def test_what_a_process_that_is_down_left_on_disk_is_forgotten_without_it(
    tmp_path: Path,
) -> None:
    key = StateKey(model="ab" * 32, build="c" * 64)
    states = DiskStates(tmp_path, key, budget_bytes=10**6)
    states.put_conversation("secret", (1, 2), b"state")
    states.put_conversation("other", (1, 2), b"state")
    engine = EngineProcess(command=("/nonexistent/python",), states=tmp_path)

    await engine.forget("secret")

    fresh = DiskStates(tmp_path, key, budget_bytes=10**6)
    assert fresh.tokens_of("secret") == ()
    assert fresh.tokens_of("other") == (1, 2)
