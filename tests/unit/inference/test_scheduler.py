"""Who begins next, what a step evaluates, how long it will take."""

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from bot.inference.request import PrefixWork
from bot.inference.scheduler import OVERTAKEN_LIMIT, SKIPPED_LIMIT, Queue, Running, plan
from bot.inference.waits import WaitEstimate
from bot.ports.inference import Caller


@dataclass
class _Asked:
    """A request of some length."""

    number: int
    caller: Caller
    tokens: tuple[int, ...] = (1, 2, 3)
    rows_from: int = 2
    prefix_tokens: int = 0
    background: bool = False
    finished: bool = False


@dataclass
class _Line:
    """A queue that requests are put into in order."""

    queue: Queue = field(default_factory=lambda: Queue(limit=1000))
    count: int = 0

    def ask(self, fan: str, twin: str, length: int = 3) -> int:
        self.count += 1
        caller = Caller(fan, twin)
        self.queue.add(_Asked(self.count, caller, tokens=tuple(range(length))), float(self.count))
        return self.count

    def next(self) -> int:
        chosen = self.queue.order()[0]
        self.queue.begin(chosen)
        return chosen.work.number


def test_a_twin_with_many_fans_does_not_keep_another_twins_only_fan_waiting() -> None:
    line = _Line()
    for fan in range(20):
        line.ask(f"fan {fan}", "popular")
    line.next()
    alone = line.ask("somebody", "quiet")

    assert line.next() == alone


def test_a_fan_who_asks_often_does_not_keep_other_fans_of_the_twin_waiting() -> None:
    line = _Line()
    for _ in range(20):
        line.ask("busy", "mira")
    line.next()
    other = line.ask("patient", "mira")

    assert line.next() == other


def test_the_shortest_of_those_whose_turn_it_is_comes_first() -> None:
    line = _Line()
    long, short = line.ask("a", "mira", 500), line.ask("b", "mira", 5)

    assert [line.next(), line.next()] == [short, long]


def test_prefixes_wait_for_fans_but_not_for_ever() -> None:
    line = _Line()
    line.queue.add(PrefixWork(0, (1, 2)), 0.0)
    order = []
    for fan in range(20):
        line.ask(f"fan {fan}", "mira")
        order.append(line.next())

    assert order.index(0) == OVERTAKEN_LIMIT


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 40)), max_size=60))
def test_no_request_is_overtaken_more_often_than_the_limit(
    asked: list[tuple[int, int, int]],
) -> None:
    line = _Line()
    overtaken: Counter[int] = Counter()
    waiting: set[int] = set()
    for index, (fan, twin, length) in enumerate(asked):
        waiting.add(line.ask(str(fan), str(twin), length))
        if index % 2:
            begun = line.next()
            waiting.remove(begun)
            overtaken.update(number for number in waiting if number < begun)
    while len(line.queue):
        begun = line.next()
        waiting.remove(begun)
        overtaken.update(number for number in waiting if number < begun)

    # Several reach the limit together; each of them then waits for those before it alone.
    assert max(overtaken.values(), default=0) <= OVERTAKEN_LIMIT


@given(
    st.lists(st.tuples(st.integers(0, 900), st.booleans()), max_size=32),
    st.integers(32, 512),
    st.integers(1, 200),
)
def test_a_step_fits_the_batch_and_every_reply_gets_its_token(
    left: list[tuple[int, bool]], batch: int, chunk: int
) -> None:
    running = [
        Running(_Asked(number, Caller(), tuple(range(size)), background=background), number, 0, 0.0)
        for number, (size, background) in enumerate(left)
    ]

    chosen = plan(running, batch=batch, chunk=chunk)

    counts = {one.work.number: count for one, count in chosen}
    assert sum(counts.values()) <= batch
    assert all(1 <= count <= left[number][0] for number, count in counts.items())
    assert all(counts[n] == 1 for n, (size, _) in enumerate(left) if size == 1)
    assert [one.sequence for one, _ in chosen] == sorted(one.sequence for one, _ in chosen)
    filling = [n for n, (size, _) in enumerate(left) if size > 1]
    decoding = any(size == 1 for size, _ in left)
    if decoding or len(filling) > 1:
        assert sum(counts.get(n, 0) for n in filling) <= chunk
    if filling and len(counts) - len([n for n in filling if n in counts]) < batch:
        assert any(n in counts for n in filling)


def test_a_long_context_is_not_put_off_for_ever_by_short_ones() -> None:
    long = Running(_Asked(1, Caller(), tuple(range(900))), 0, 0, 0.0)
    steps = 0
    while not long.filled:
        short = Running(_Asked(2, Caller(), tuple(range(16))), 1, 0, 0.0)
        for one, count in plan([long, short], batch=64, chunk=16):
            one.filled += count
        steps += 1

    assert steps == SKIPPED_LIMIT + 1


def test_lone_long_context_is_filled_by_whole_batches() -> None:
    alone = Running(_Asked(1, Caller(), tuple(range(900))), 0, 0, 0.0)

    assert [count for _, count in plan([alone], batch=512, chunk=64)] == [512]


@given(st.floats(0.1, 20.0), st.integers(1, 32), st.integers(0, 100))
def test_estimate_is_right_once_requests_take_the_same_time(
    seconds: float, places: int, ahead: int
) -> None:
    estimate = WaitEstimate(places)
    for _ in range(40):
        estimate.finished(seconds)

    # With all places taken at even distances, one gets free every seconds / places.
    true = (ahead + 1) * seconds / places
    assert abs(estimate.wait_s(ahead) - true) <= 0.02 * true


def test_estimate_follows_replies_that_get_slower() -> None:
    estimate = WaitEstimate(4)
    for _ in range(20):
        estimate.finished(1.0)
    before = estimate.wait_s(3)
    for _ in range(20):
        estimate.finished(3.0)

    assert before == 1.0
    assert 2.9 < estimate.wait_s(3) <= 3.0
