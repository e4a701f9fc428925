"""Many requests at once on one model: each gets what it would get alone."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.errors import EngineOverloadedError, InvariantError
from bot.generation.sampling import SamplerPolicy
from bot.inference.engine import Engine
from bot.inference.limits import Limits
from bot.ports.inference import Caller, Generated, GenerationRequest, Queued, TextDelta
from bot.ports.runner import Failed, Prepared
from tests.fakes.model import END, FakeModel
from tests.fakes.states import MemoryStates

PERSONAS = [tuple(f"You are twin number {n}. {'la ' * n * 9}".encode()) for n in range(4)]
SAMPLER = SamplerPolicy(temperature=1.0, top_k=40, top_p=0.95, max_tokens=12)


def _request(twin: int, message: str, *, seed: int = 0, longest: int = 12) -> GenerationRequest:
    prefix = PERSONAS[twin]
    return GenerationRequest(
        context=(*prefix, *message.encode()),
        prefix_tokens=len(prefix),
        seed=bytes([seed]) * 32,
        sampler=replace(SAMPLER, max_tokens=longest),
        stop_tokens=(END,),
        stop_strings=(),
    )


def _alone(request: GenerationRequest) -> Generated:
    *_, last = Engine(model=FakeModel(), states=MemoryStates()).run(request)
    assert isinstance(last, Generated)
    return last


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """An engine with what came out of it."""

    model: FakeModel
    states: MemoryStates = field(default_factory=MemoryStates)
    limits: Limits = field(default_factory=lambda: Limits(parallel=3, prefixes=2, chunk=16))
    clock: Clock = field(default_factory=Clock)
    said: dict[int, list[object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(
            model=self.model, states=self.states, limits=self.limits, clock=self.clock
        )

    def step(self) -> None:
        self.clock.now += 0.1
        for number, event in self.engine.step():
            self.said.setdefault(number, []).append(event)

    def drain(self, limit: int = 5000) -> None:
        for _ in range(limit):
            if self.engine.idle:
                return
            self.step()
        raise AssertionError("the engine never came to rest")

    def result(self, number: int) -> object:
        last = self.said[number][-1]
        shown = [one.text for one in self.said[number] if isinstance(one, TextDelta)]
        if isinstance(last, Generated):
            assert "".join(shown) == last.text
        return last


ACTIONS = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 23), st.text("abc ", min_size=1, max_size=40)),
    st.tuples(st.just("ask"), st.integers(0, 23), st.just("hello")),
    st.tuples(st.just("turn"), st.integers(0, 5), st.just("")),
    st.tuples(st.just("step"), st.integers(1, 6), st.just("")),
    st.tuples(st.just("cancel"), st.integers(0, 30), st.just("")),
    st.tuples(st.just("halt"), st.integers(0, 30), st.just("")),
    st.tuples(st.just("forget"), st.integers(0, 5), st.just("")),
    st.tuples(st.just("prepare"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("spoil"), st.integers(0, 1), st.just("")),
)


@dataclass
class Life(Bench):
    """An engine that is used at random."""

    requests: dict[int, GenerationRequest] = field(default_factory=dict)
    last: dict[int, tuple[int, ...]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    halted: set[int] = field(default_factory=set)

    def _accept(self, fan: int, request: GenerationRequest) -> None:
        number = len(self.requests) + 1
        self.requests[number] = request
        self.last[fan] = request.context
        self.engine.generate(number, request, Caller(str(fan), "", f"c{fan}"))

    def ask(self, which: int, text: str) -> None:
        fan, twin = divmod(which, 4)
        longest = 1 + len(self.requests) * 5 % 12
        self._accept(fan, _request(twin, text, seed=len(self.requests) % 250, longest=longest))

    def turn(self, fan: int, _: str) -> None:
        if 0 < len(self.last.get(fan, ())) < 300:
            longer = (*self.last[fan], *b" and then?")
            self._accept(fan, replace(_request(0, ""), context=longer))

    def steps(self, count: int, _: str) -> None:
        for _number in range(count):
            self.step()

    def cancel(self, number: int, _: str) -> None:
        if not any(_is_end(event) for event in self.said.get(number, ())):
            self.gone |= {number} & self.requests.keys()
        self.engine.cancel(number)

    def halt(self, number: int, _: str) -> None:
        self.halted.add(number)
        self.engine.halt(number)

    def forget(self, fan: int, _: str) -> None:
        self.engine.forget(f"c{fan}")
        assert f"c{fan}" not in self.states.conversations

    def prepare(self, twin: int, _: str) -> None:
        self.engine.prepare(-1 - twin, PERSONAS[twin])

    def spoil(self, loses: int, _: str) -> None:
        self.states.loses = self.model.refuses_states = bool(loses)

    def check(self) -> None:
        for asked, request in self.requests.items():
            ends = sum(map(_is_end, self.said.get(asked, ())))
            assert ends == (asked not in self.gone)
            if asked in self.gone:
                continue
            made = self.result(asked)
            assert isinstance(made, Generated)
            whole = _alone(request)
            if made.finish == "halted":
                assert asked in self.halted
                assert made.tokens == whole.tokens[: len(made.tokens)]
            else:
                assert made == whole


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS, max_size=40), st.sampled_from([(3, 2, 7), (1, 1, 4), (5, 1, 8)]))
def test_every_reply_is_the_one_it_would_be_alone(
    actions: list[tuple[str, int, str]], shape: tuple[int, int, int]
) -> None:
    parallel, prefixes, sequences = shape
    life = Life(
        FakeModel(sequences=sequences, context_tokens=400),
        limits=Limits(parallel=parallel, prefixes=prefixes, chunk=16),
    )
    does = {"step": life.steps}
    for name, which, text in actions:
        does.get(name, getattr(life, name))(which, text)

    life.drain()
    life.check()


def _is_end(event: object) -> bool:
    return isinstance(event, Generated | Prepared | Failed)


def test_queue_that_is_full_refuses_with_an_estimate() -> None:
    bench = Bench(FakeModel(), limits=Limits(parallel=1, prefixes=1, chunk=16, waiting=3))
    for number in range(3):
        bench.engine.generate(number, _request(0, "hello"))

    with pytest.raises(EngineOverloadedError, match="try again in about") as caught:
        bench.engine.generate(9, _request(0, "hello"))

    assert caught.value.retry_after_s is not None
    bench.drain()
    bench.engine.generate(9, _request(0, "hello"))


def test_ten_thousand_requests_at_once_are_answered_or_refused_and_nothing_is_left() -> None:
    bench = Bench(FakeModel(), limits=Limits(parallel=4, prefixes=2, chunk=64, waiting=64))
    refused = 0
    for number in range(10_000):
        try:
            bench.engine.generate(number, _request(number % 4, "hi", longest=2))
        except EngineOverloadedError:
            refused += 1
    bench.drain()

    assert refused == 10_000 - 64
    assert sum(isinstance(e[-1], Generated) for e in bench.said.values()) == 64
    assert not any(bench.model.held.get(n) for n in range(bench.model.sequences - 2))


def test_who_waits_hears_how_many_come_before() -> None:
    bench = Bench(FakeModel(), limits=Limits(parallel=1, prefixes=1, chunk=64))
    for number in range(4):
        bench.engine.generate(number, _request(0, "hello"), Caller(str(number), "a"))
    bench.step()

    told = {n: e[0] for n, e in bench.said.items() if isinstance(e[0], Queued)}
    assert {n: one.ahead for n, one in told.items()} == {1: 0, 2: 1, 3: 2}
    assert told[1].wait_s < told[2].wait_s < told[3].wait_s


def test_request_that_waited_longer_than_its_patience_is_refused() -> None:
    bench = Bench(FakeModel(), limits=Limits(parallel=1, prefixes=1, chunk=64))
    bench.engine.generate(1, replace(_request(0, "x", longest=12), stop_tokens=()))
    bench.engine.generate(2, _request(0, "y"), Caller(patience_s=0.5))
    bench.drain()

    assert isinstance(bench.result(1), Generated)
    failed = bench.result(2)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EngineOverloadedError)


def test_published_persona_is_never_evaluated_again() -> None:
    bench = Bench(FakeModel())
    bench.engine.prepare(1, PERSONAS[3])
    bench.drain()
    before = bench.model.evaluated
    for number in range(2, 8):
        bench.engine.generate(number, _request(3, f"fan {number}", longest=1))
    bench.drain()

    assert bench.model.evaluated - before == 6 * len("fan 2")


def test_persona_on_disk_is_loaded_by_a_fresh_engine() -> None:
    states = MemoryStates()
    first = Bench(FakeModel(), states=states)
    first.engine.prepare(1, PERSONAS[2])
    first.drain()
    second = Bench(FakeModel(), states=states)
    second.engine.prepare(1, PERSONAS[2])
    second.engine.generate(2, _request(2, "hello", longest=1))
    second.drain()

    assert second.said[1] == [Prepared()]
    assert second.model.evaluated == len("hello")


def test_unpublished_persona_of_a_burst_is_evaluated_once() -> None:
    bench = Bench(FakeModel(), limits=Limits(parallel=8, prefixes=2, chunk=16))
    for number in range(8):
        bench.engine.generate(number, _request(3, f"fan {number}", longest=1))
    bench.drain()

    assert bench.model.evaluated == len(PERSONAS[3]) + 8 * len("fan 0")


def test_conversation_goes_on_from_what_rests_and_from_disk_after_eviction() -> None:
    bench = Bench(
        FakeModel(sequences=6), limits=Limits(parallel=2, prefixes=1, chunk=64)
    )  # two conversations rest
    asked = _request(0, "first", longest=1)
    longer = replace(asked, context=(*asked.context, *b"x second"))
    bench.engine.generate(1, asked, Caller("a", "0", "conversation a"))
    bench.drain()
    bench.engine.generate(2, longer, Caller("a", "0", "conversation a"))
    bench.drain()
    rested = bench.model.evaluated - len(asked.context)
    for number in range(3, 9):
        bench.engine.generate(number, _request(1, "other", longest=1), Caller("", "", str(number)))
        bench.drain()
    before = bench.model.evaluated
    again = replace(longer, context=(*longer.context, *b"y third"))
    bench.engine.generate(9, again, Caller("a", "0", "conversation a"))
    bench.drain()

    assert rested == len(b"x second")
    assert "conversation a" in bench.states.conversations
    assert bench.model.evaluated - before == len(b"y third")


def test_a_waiting_request_does_not_bring_a_forgotten_conversation_back() -> None:
    bench = Bench(FakeModel(sequences=6), limits=Limits(parallel=1, prefixes=1, chunk=64))
    caller = Caller("a", "0", "secret")
    bench.engine.generate(1, _request(0, "other"), Caller("b", "1", "other"))
    bench.engine.generate(2, _request(0, "my secret"), caller)
    bench.step()
    bench.engine.forget("secret")
    bench.drain()
    for number in range(3, 12):
        bench.engine.generate(number, _request(1, "x", longest=1), Caller("", "", str(number)))
        bench.drain()

    assert "secret" not in bench.states.conversations
    assert "other" in bench.states.conversations


def test_reply_without_a_context_is_refused() -> None:
    bench = Bench(FakeModel())

    with pytest.raises(InvariantError, match="context"):
        bench.engine.generate(1, replace(_request(0, "x"), context=(), prefix_tokens=0))

    assert bench.engine.idle


def test_what_nobody_waits_for_does_not_fill_the_queue() -> None:
    bench = Bench(FakeModel(), limits=Limits(parallel=1, prefixes=1, chunk=64, waiting=2))
    for number in range(5):
        bench.engine.prepare(number, tuple(b"persona %d" % number))

    bench.engine.generate(9, _request(0, "hello"))
    bench.drain()

    assert isinstance(bench.result(9), Generated)


def test_running_replies_get_a_token_in_every_step_while_a_long_persona_is_filled() -> None:
    bench = Bench(FakeModel(), limits=Limits(parallel=4, prefixes=1, chunk=16))
    endless = replace(_request(0, "a", longest=60), stop_tokens=())
    bench.engine.generate(1, endless, Caller("a", "a"))
    for _ in range(6):
        bench.step()
    bench.engine.prepare(2, tuple(b"z" * 600))
    before = bench.model.evaluations
    while bench.said.get(2) != [Prepared()]:
        bench.step()
    steps = bench.model.evaluations - before

    assert steps >= 600 // 16
    made = bench.said[1]
    assert steps >= 38
    assert len(made) > 0
    bench.drain()
    assert bench.result(1) == _alone(endless)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_nobody_is_overtaken_for_ever(askers: list[tuple[int, int]]) -> None:
    bench = Bench(FakeModel(), limits=Limits(parallel=1, prefixes=1, chunk=64))
    victim = _request(0, "the long message of somebody patient", longest=1)
    bench.engine.generate(0, victim, Caller("victim", "0"))
    bench.engine.generate(1, _request(0, "b", longest=1), Caller("busy", "0"))
    for number, (fan, twin) in enumerate(askers, start=2):
        bench.engine.generate(number, _request(twin, "s", longest=1), Caller(str(fan), str(twin)))
        bench.step()
    bench.drain()

    order = [n for n, events in bench.said.items() if isinstance(events[-1], Generated)]
    ended = sorted(order, key=lambda n: list(bench.said).index(n))
    assert ended.index(0) <= 10
