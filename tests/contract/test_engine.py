"""The engine's contract: the fake, a process around a fake model, the shipped starter model."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from adapters.llama.process import EngineProcess
from bot.domain.errors import (
    EngineCrashedError,
    EngineOverloadedError,
    InvariantError,
    MessageTooLongError,
)
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import (
    Caller,
    Generated,
    GenerationRequest,
    InferenceEngine,
    Queued,
    ReplayRequest,
    TextDelta,
)
from bot.wiring.engine import STARTER
from tests.fakes.engine import MemoryEngine

pytestmark = pytest.mark.asyncio(loop_scope="module")

COMMAND = (sys.executable, "-m", "bot.wiring.engine_process", str(STARTER), "1", "")
FAKE_CHILD = """
from adapters.llama.child import Ready, serve_pipe
from bot.inference.engine import Engine
from tests.fakes.model import FakeModel
from tests.fakes.states import MemoryStates
serve_pipe(lambda: Ready(Engine(model=FakeModel(), states=MemoryStates())))
"""
ABORTING_CHILD = f"""
import sys
from pathlib import Path
from adapters.llama.child import Ready, serve_pipe
from adapters.llama.library import prepare_environment
from bot.wiring.engine_process import NO_OPTIONS, build_engine
prepare_environment()

def build():
    import llama_cpp
    from adapters.llama.model import LlamaModel
    decode = LlamaModel.decode

    def broken(self, feeds):
        if any(len(feed.tokens) == 13 for feed in feeds):
            llama_cpp.llama_memory_seq_cp(self._memory, 0, 1, 3, 5)  # a partial copy
        return decode(self, feeds)

    LlamaModel.decode = broken
    return Ready(*build_engine(Path({str(STARTER)!r}), threads=1, options=NO_OPTIONS))

sys.exit(serve_pipe(build))
"""
PARALLEL = 8  # of an engine with one thread
HOT = SamplerPolicy(temperature=2.0, top_k=40, top_p=1.0, max_tokens=24)
FAKE_REQUEST = GenerationRequest(tuple(b"hello"), 0, bytes(range(32)), HOT, (), ())


@pytest_asyncio.fixture(
    loop_scope="module",
    scope="module",
    params=["memory", "process of a fake", pytest.param("process", marks=pytest.mark.slow)],
)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[InferenceEngine]:
    opened: InferenceEngine = MemoryEngine()
    if request.param == "process of a fake":
        opened = EngineProcess(command=(sys.executable, "-c", FAKE_CHILD), max_queued=64)
    elif request.param == "process":
        opened = EngineProcess(command=COMMAND, max_queued=64)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def request_(engine: InferenceEngine) -> GenerationRequest:
    """A request that runs to its length: nothing ends it."""
    prefix = await engine.tokenize("<|system|> You are a test.<|end|><|user|>", special=True)
    rest = await engine.tokenize(" hello<|end|><|assistant|>", special=True)
    return GenerationRequest(
        context=prefix + rest,
        prefix_tokens=len(prefix),
        seed=bytes(range(32)),
        sampler=HOT,
        stop_tokens=(),
        stop_strings=(),
    )


def _long(request: GenerationRequest, room: int) -> GenerationRequest:
    """The longest generation that fits."""
    tokens = room - len(request.context)
    return replace(request, sampler=replace(HOT, max_tokens=min(tokens, 700)))


async def _run(engine: InferenceEngine, request: GenerationRequest) -> tuple[str, Generated]:
    events = [event async for event in engine.generate(request)]
    last = events.pop()
    assert isinstance(last, Generated)
    assert all(isinstance(event, TextDelta | Queued) for event in events)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), last


def _claim(request: GenerationRequest, made: Generated) -> ReplayRequest:
    return ReplayRequest(request, made.tokens, made.finish, made.text, ())


async def test_info_names_what_the_core_needs(engine: InferenceEngine) -> None:
    info = await engine.info()

    assert "add_generation_prompt" in info.chat_template
    assert info.end_tokens
    assert all(0 <= token < info.vocabulary for token in info.end_tokens)
    assert info.context_tokens > 200


@pytest.mark.parametrize("text", ["", "hello there", "é 🐙\n\n  x", "\x00 \x7f", "a" * 3000])
async def test_tokens_are_in_the_vocabulary_and_the_same_each_time(
    engine: InferenceEngine, text: str
) -> None:
    info = await engine.info()

    tokens = await engine.tokenize(text)

    assert all(0 <= token < info.vocabulary for token in tokens)
    assert bool(tokens) == bool(text)
    assert await engine.tokenize(text) == tokens


async def test_only_special_reading_makes_control_tokens(engine: InferenceEngine) -> None:
    info = await engine.info()

    special = await engine.tokenize("<|end|>", special=True)
    plain = await engine.tokenize("<|end|>")

    assert set(special) <= set(info.end_tokens)
    assert not set(plain) & set(info.end_tokens)


async def test_pieces_join_to_the_text_and_the_result_comes_last(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    text, made = await _run(engine, request_)

    assert text == made.text
    assert made.finish == "length"
    assert len(made.tokens) == HOT.max_tokens


async def test_same_request_gives_the_same_whatever_came_between(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    first = await _run(engine, request_)
    await _run(engine, replace(request_, context=request_.context[:-3], seed=bytes(32)))
    await engine.prepare_prefix(request_.context[: request_.prefix_tokens])

    assert await _run(engine, request_) == first


async def test_other_seed_gives_another_reply(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    _, made = await _run(engine, request_)
    _, other = await _run(engine, replace(request_, seed=bytes(32)))

    assert other.tokens != made.tokens


async def test_concurrent_requests_each_get_their_own_reply(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    requests = [replace(request_, seed=bytes([n]) * 32) for n in range(3)]
    alone = [await _run(engine, request) for request in requests]

    together = await asyncio.gather(*(_run(engine, request) for request in requests))

    assert together == alone


async def test_many_at_once_with_conversations_each_get_their_own_reply(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    requests = [
        replace(request_, seed=bytes([n]) * 32, sampler=replace(HOT, max_tokens=3 + n % 9))
        for n in range(30)
    ]
    alone = [await _run(engine, request) for request in requests]

    async def one(number: int) -> tuple[str, Generated]:
        caller = Caller(f"fan {number}", f"twin {number % 3}", f"talk {number % 7}")
        events = [event async for event in engine.generate(requests[number], caller=caller)]
        last = events.pop()
        assert isinstance(last, Generated)
        return "".join(event.text for event in events if isinstance(event, TextDelta)), last

    assert await asyncio.gather(*map(one, range(30))) == alone


async def test_forgotten_conversation_goes_on_with_the_same_bits(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    caller = Caller("ana", "mira", "a talk")
    first = [event async for event in engine.generate(request_, caller=caller)]
    await engine.forget("a talk")
    await engine.forget("never heard of")

    again = [event async for event in engine.generate(request_, caller=caller)]

    assert again[-1] == first[-1]


async def test_request_of_tokens_that_there_are_not_fails_alone(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    bad = replace(request_, context=(*request_.context, 2**31 - 1), prefix_tokens=0)

    if not isinstance(engine, MemoryEngine):
        with pytest.raises(InvariantError, match="vocabulary"):
            await _run(engine, bad)
    assert await _run(engine, request_)


async def test_own_reply_replays_exactly(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    _, made = await _run(engine, request_)
    text = "hello 🐙"
    claim = replace(_claim(request_, made), texts=((text, await engine.tokenize(text)),))

    outcome = await engine.replay(claim)

    assert outcome.exact
    assert [token.recomputed for token in outcome.tokens] == list(made.tokens)


async def test_changed_token_is_found_at_its_position(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    _, made = await _run(engine, request_)
    forged = (*made.tokens[:5], made.tokens[5] ^ 1, *made.tokens[6:])

    outcome = await engine.replay(replace(_claim(request_, made), tokens=forged))

    assert next(token.position for token in outcome.tokens if not token.same) == 5


async def test_replay_of_tokens_outside_the_vocabulary_is_false(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    _, made = await _run(engine, request_)

    outcome = await engine.replay(replace(_claim(request_, made), tokens=(2**31 - 1,)))

    assert not outcome.exact
    assert await _run(engine, request_)


async def test_context_without_room_for_the_reply_is_refused(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    info = await engine.info()
    long = replace(request_, context=request_.context * (info.context_tokens // 8))

    with pytest.raises(MessageTooLongError, match="tokens too long"):
        await _run(engine, long)
    with pytest.raises(MessageTooLongError, match="tokens too long"):
        await engine.prepare_prefix(request_.context[:1] * info.context_tokens)
    assert await _run(engine, request_)


async def test_closed_iterator_cancels_and_the_next_request_runs(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    expected = await _run(engine, request_)
    info = await engine.info()

    events = engine.generate(_long(request_, info.context_tokens))
    assert isinstance(events, AsyncGenerator)
    await anext(events)
    await events.aclose()

    assert await _run(engine, request_) == expected


async def _run_halted(
    engine: InferenceEngine, request: GenerationRequest, *, after: int
) -> tuple[str, Generated]:
    """Run a request and halt it after so many pieces."""
    halt, shown, made = asyncio.Event(), "", None
    if not after:
        halt.set()
    async for event in engine.generate(request, halt):
        assert made is None
        if isinstance(event, Generated):
            made = event
            continue
        if isinstance(event, Queued):
            continue
        shown += event.text
        after -= 1
        if after == 0:
            halt.set()
    assert made is not None
    return shown, made


@pytest.mark.parametrize("after", [1, 4])
async def test_halted_generation_gives_what_was_made_and_its_exact_text(
    engine: InferenceEngine, request_: GenerationRequest, after: int
) -> None:
    long = _long(request_, (await engine.info()).context_tokens)
    _, whole = await _run(engine, replace(long, sampler=replace(HOT, max_tokens=200)))

    shown, made = await _run_halted(engine, long, after=after)

    assert made.finish == "halted"
    assert 1 <= len(made.tokens) < long.sampler.max_tokens
    common = min(len(made.tokens), len(whole.tokens))
    assert made.tokens[:common] == whole.tokens[:common]
    assert shown == made.text
    claim = replace(_claim(long, made), finish="stopped")
    assert (await engine.replay(claim)).exact


async def test_generation_halted_before_it_begins_makes_nothing(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    assert await _run_halted(engine, request_, after=0) == ("", Generated((), "", "halted"))
    assert (await _run(engine, request_))[1].finish == "length"


async def test_halt_that_is_never_asked_for_changes_nothing(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    assert await _run_halted(engine, request_, after=-1) == await _run(engine, request_)


async def test_halted_request_leaves_the_queue_at_once(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    long = _long(request_, (await engine.info()).context_tokens)
    crowd = [engine.generate(long) for _ in range(PARALLEL)]
    if isinstance(engine, MemoryEngine):
        engine.pause = asyncio.Event()  # the first one ends only when it is told to
        crowd = crowd[:1]
    running = [asyncio.ensure_future(anext(one)) for one in crowd]
    if not isinstance(engine, MemoryEngine):
        await asyncio.gather(*running)
    halt = asyncio.Event()
    queued = asyncio.create_task(_collect(engine, request_, halt))
    await asyncio.sleep(0.01)
    behind = asyncio.create_task(_run(engine, request_))
    await asyncio.sleep(0.01)

    halt.set()
    async with asyncio.timeout(5):
        events = await queued

    assert [event for event in events if not isinstance(event, Queued)] == [
        Generated((), "", "halted")
    ]
    assert not behind.done()
    if isinstance(engine, MemoryEngine) and engine.pause is not None:
        engine.pause.set()
        engine.pause = None
    await asyncio.gather(*running)
    for one in crowd:
        assert isinstance(one, AsyncGenerator)
        await one.aclose()
    assert (await behind)[1].finish == "length"


async def test_cancelled_at_any_moment_nobody_else_notices(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    requests = [replace(request_, seed=bytes([n]) * 32) for n in range(12)]
    alone = [await _run(engine, request) for request in requests]

    async def leave(number: int) -> None:
        events = engine.generate(requests[number], caller=Caller(str(number), "t", f"c{number}"))
        assert isinstance(events, AsyncGenerator)
        for _ in range(number // 2):
            # A reader who falls behind gets several tokens in one event, or the end at once.
            if await anext(events, None) is None:
                break
        await events.aclose()

    tasks = [
        asyncio.ensure_future(leave(n) if n % 2 else _run(engine, requests[n])) for n in range(12)
    ]
    results = await asyncio.gather(*tasks)

    assert results[::2] == alone[::2]


async def _collect(
    engine: InferenceEngine, request: GenerationRequest, halt: asyncio.Event
) -> list[object]:
    return [event async for event in engine.generate(request, halt)]


async def test_tokens_are_told_while_a_generation_runs(
    engine: InferenceEngine, request_: GenerationRequest
) -> None:
    events = engine.generate(_long(request_, (await engine.info()).context_tokens))
    assert isinstance(events, AsyncGenerator)
    await anext(events)

    async with asyncio.timeout(5):
        assert await engine.tokenize("hello")
    await events.aclose()


async def test_full_queue_is_refused_and_empties_again() -> None:
    engine = MemoryEngine(max_queued=2, pause=asyncio.Event())
    tasks = [asyncio.create_task(_run(engine, FAKE_REQUEST)) for _ in range(2)]
    await asyncio.sleep(0.01)

    with pytest.raises(EngineOverloadedError) as refused:
        await _run(engine, FAKE_REQUEST)
    assert refused.value.retry_after_s > 0
    assert engine.pause is not None
    engine.pause.set()
    assert len(await asyncio.gather(*tasks)) == 2


async def test_fake_engine_crashes_in_the_middle_when_told() -> None:
    engine = MemoryEngine(crashes=[3, None])
    seen = []

    async def watch() -> None:
        async for event in engine.generate(FAKE_REQUEST):
            seen.append(event)  # noqa: PERF401 - the events before the crash count

    with pytest.raises(EngineCrashedError):
        await watch()
    assert len(seen) == 3
    assert await _run(engine, FAKE_REQUEST)


# The real process alone: its deaths and its bounds.


@pytest_asyncio.fixture(loop_scope="module")
async def process() -> AsyncIterator[EngineProcess]:
    engine = EngineProcess(command=COMMAND, max_queued=2)
    await engine.start()
    yield engine
    await engine.close()


async def _process_request(engine: EngineProcess) -> GenerationRequest:
    context = await engine.tokenize("<|user|> hello<|end|><|assistant|>", special=True)
    request = GenerationRequest(context, 0, bytes(range(32)), HOT, (), ())
    return _long(request, (await engine.info()).context_tokens)


def _pid(engine: EngineProcess) -> int:
    assert engine._process is not None
    return engine._process.pid


@pytest.mark.slow
async def test_killed_process_fails_the_reply_and_the_next_request_starts_another(
    process: EngineProcess,
) -> None:
    request = await _process_request(process)
    short = replace(request, sampler=HOT)
    expected = await _run(process, short)
    await process.prepare_prefix(request.context[:2])
    first = _pid(process)

    async def watch() -> None:
        async for _ in process.generate(request):
            os.kill(first, signal.SIGKILL)

    with pytest.raises(EngineCrashedError, match="nothing was charged"):
        await watch()

    assert await _run(process, short) == expected
    assert _pid(process) != first


@pytest.mark.slow
async def test_assertion_inside_the_library_fails_who_runs_and_another_starts() -> None:
    engine = EngineProcess(command=(sys.executable, "-c", ABORTING_CHILD))
    request = await _process_request(engine)
    short = replace(request, sampler=HOT)
    expected = await _run(engine, short)
    running = [asyncio.create_task(_run(engine, request)) for _ in range(3)]
    await asyncio.sleep(0.05)

    with capture_logs() as logs, pytest.raises(EngineCrashedError, match="nothing was charged"):
        await _run(engine, replace(short, context=tuple(range(40, 53))))

    results = await asyncio.gather(*running, return_exceptions=True)
    assert [type(result) for result in results] == [EngineCrashedError] * 3
    (death,) = [line for line in logs if line["event"] == "engine died"]
    assert "GGML_ASSERT" in death["why"]
    assert await _run(engine, short) == expected
    await engine.close()


@pytest.mark.slow
async def test_killed_process_fails_everyone_who_waits(process: EngineProcess) -> None:
    request = await _process_request(process)
    tasks = [asyncio.create_task(_run(process, request)) for _ in range(2)]
    await asyncio.sleep(0.1)

    with pytest.raises(EngineOverloadedError):
        await process.tokenize("one too many")
    os.kill(_pid(process), signal.SIGKILL)
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(result) for result in results] == [EngineCrashedError] * 2
    assert await process.tokenize("alive")


@pytest.mark.slow
async def test_closed_engine_ends_what_runs_and_refuses_what_comes(
    process: EngineProcess,
) -> None:
    request = await _process_request(process)
    running = asyncio.create_task(_run(process, request))
    await asyncio.sleep(0.1)

    await process.close()

    (result,) = await asyncio.gather(running, return_exceptions=True)
    assert isinstance(result, tuple | EngineCrashedError)
    with pytest.raises(EngineCrashedError, match="shutting down"):
        await process.tokenize("too late")
