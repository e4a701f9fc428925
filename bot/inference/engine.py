"""The engine's loop, free of tensors and processes: admit, evaluate, sample, filter, deliver.

`step` is the whole story: refuse who waited in vain, let the next ones begin, decide which tokens
are evaluated, decode them together, and hand every row of logits to the request that wanted it.
The same steps make a reply and recompute it, so that a replay checks the very code that generates.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from bot.domain.errors import InvariantError, MessageTooLongError
from bot.generation.sampling import choose_tokens
from bot.inference.limits import Limits
from bot.inference.replay import ReplayWork
from bot.inference.request import PrefixWork, ReplyWork, Work
from bot.inference.scheduler import Queue, Running, Waiting, plan
from bot.inference.sequences import Sequences
from bot.inference.waits import WaitEstimate, overloaded
from bot.ports.inference import (
    ANYONE,
    Caller,
    Generated,
    GenerationEvent,
    GenerationRequest,
    ModelInfo,
    Queued,
    ReplayOutcome,
    ReplayRequest,
)
from bot.ports.runner import (
    BatchEngine,
    Failed,
    Feed,
    Logits,
    ModelRunner,
    Prepared,
    StateStore,
    StepEvent,
)

Event = tuple[int, StepEvent]


class Engine(BatchEngine):
    """Runs many requests on one model; owned by one thread."""

    def __init__(
        self,
        *,
        model: ModelRunner,
        states: StateStore,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Divide the model's sequences; what is not running or a prefix keeps conversations."""
        self._model = model
        self._states = states
        self._clock = clock
        self._limits = limits or Limits()
        parallel, prefixes = self._limits.parallel, self._limits.prefixes
        self._sequences = Sequences(model, states, parallel=parallel, prefixes=prefixes)
        self._queue = Queue(limit=self._limits.waiting)
        self._running: list[Running] = []
        self._waits = WaitEstimate(parallel)
        self._events: list[Event] = []

    def info(self) -> ModelInfo:
        """Return what the loaded model says of itself."""
        return self._model.info()

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        return self._model.tokenize(text, special=special)

    @property
    def idle(self) -> bool:
        """Whether a step would find nothing to do."""
        return not (self._running or self._queue or self._events)

    def generate(self, number: int, request: GenerationRequest, caller: Caller = ANYONE) -> None:
        """Accept a reply to make.

        Raises:
            MessageTooLongError: context and output do not fit the model.
            EngineOverloadedError: the queue is full.
            InvariantError: there is no context.
        """
        if not request.context:
            raise InvariantError("a reply needs a context")
        self._check_room(len(request.context) + request.sampler.max_tokens)
        if self._queue.full:
            raise overloaded(self._waits.wait_s(len(self._queue)))
        self._queue.add(ReplyWork(number, request, caller, self._model.piece), self._clock())

    def prepare(self, number: int, tokens: tuple[int, ...]) -> None:
        """Accept a persona prefix to compute and keep; nothing is done if it is on disk.

        Raises:
            MessageTooLongError: it does not fit the model.
        """
        self._check_room(len(tokens) + 1)
        if not tokens or self._states.has_prefix(tokens):
            self._events.append((number, Prepared()))
            return
        self._queue.add(PrefixWork(number, tokens), self._clock())

    def replay(self, number: int, request: ReplayRequest) -> None:
        """Accept a claimed reply to recompute; many are packed into the same decodes.

        Raises:
            MessageTooLongError: it does not fit the model.
        """
        self._check_room(len(request.request.context) + request.request.sampler.max_tokens)
        work = ReplayWork(number, request, info=self._model.info())
        if work.hopeless is not None:
            self._events.append((number, work.hopeless))
            return
        self._queue.add(work, self._clock())

    def cancel(self, number: int) -> None:
        """Drop a request; nothing more is said of it."""
        self._queue.remove(number)
        self._events = [event for event in self._events if event[0] != number]
        for one in self._running:
            if one.work.number == number:
                self._leave(one, keep=False)
                return

    def halt(self, number: int) -> None:
        """End a reply after the token at hand, or now if it has not begun."""
        waiting = self._queue.remove(number)
        if waiting is not None:
            self._events.append((number, Generated((), "", "halted")))
        for one in self._running:
            if one.work.number == number and isinstance(one.work, ReplyWork):
                one.work.halted = True

    def forget(self, conversation: str) -> None:
        """Destroy what is kept of a conversation, in memory and on disk."""
        if not conversation:
            return
        self._sequences.forget(conversation)
        begun, waiting = [one.work for one in self._running], self._queue.order()
        for work in [*begun, *(one.work for one in waiting)]:
            if work.caller.conversation == conversation:
                work.caller = replace(work.caller, conversation="")

    def step(self) -> list[Event]:
        """Move on by one decode and return what came of it."""
        now = self._clock()
        for late in self._queue.expired(now):
            error = overloaded(self._waits.wait_s(len(self._queue)))
            self._events.append((late.work.number, Failed(error)))
        self._end_halted()
        self._admit(now)
        self._tell_waiting(now)
        chosen = plan(self._running, batch=self._model.capacity.batch, chunk=self._limits.chunk)
        if chosen:
            self._evaluate(chosen)
        events, self._events = self._events, []
        return events

    def run(
        self, request: GenerationRequest, halted: Callable[[], bool] = lambda: False
    ) -> Iterator[GenerationEvent]:
        """Make one reply alone and yield its events; for tools and tests."""
        self.generate(0, request)
        while not self.idle:
            if halted():
                self.halt(0)
            for _, event in self.step():
                if isinstance(event, Failed):
                    raise event.error
                if not isinstance(event, Prepared | ReplayOutcome):
                    yield event

    def recompute(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute one claimed reply alone; for tools and tests."""
        self.replay(0, request)
        while True:
            for _, event in self.step():
                if isinstance(event, ReplayOutcome):
                    return event

    # Beginning.

    def _admit(self, now: float) -> None:
        while self._queue and not self._sequences.full:
            # Whose turn it is changes with every one that begins.
            if not any(self._begins(one, now) for one in self._queue.order()):
                return

    def _begins(self, waiting: Waiting, now: float) -> bool:
        """Let a request begin, unless what it needs will be at hand a little later."""
        work = waiting.work
        if self._sibling_fills(work):
            return False
        place = self._sequences.begin(work, may_wait=bool(self._running))
        if place is None:  # what it needs is loaded after the next decode
            return False
        self._queue.begin(waiting)
        self._running.append(Running(work, *place, began=now))
        return True

    def _sibling_fills(self, work: Work) -> bool:
        """Return whether a running request is computing the persona prefix that this one needs."""
        size = work.prefix_tokens
        filling = [one for one in self._running if one.filled < size and one.left > 1]
        prefix = list(work.tokens[:size]) if filling else []
        return any(list(one.work.tokens[:size]) == prefix for one in filling)

    def _tell_waiting(self, now: float) -> None:
        for ahead, one in enumerate(self._queue.order() if self._queue else ()):
            if one.hears_now(now) and isinstance(one.work, ReplyWork):
                told = Queued(ahead, self._waits.wait_s(ahead))
                self._events.append((one.work.number, told))

    # Evaluating.

    def _evaluate(self, chosen: list[tuple[Running, int]]) -> None:
        feeds = []
        for one, count in chosen:
            end = one.filled + count
            rows = max(0, end - max(one.filled, one.work.rows_from))
            tokens = tuple(one.work.tokens[one.filled : end])
            feeds.append(Feed(one.sequence, one.filled, tokens, rows))
        logits = self._sequences.decode(feeds)
        first = 0
        replies: list[tuple[Running, int]] = []
        for (one, _), feed in zip(chosen, feeds, strict=True):
            one.filled += len(feed.tokens)
            if isinstance(one.work, ReplayWork) and feed.rows:
                start = one.filled - feed.rows
                one.work.rows(start, logits[first : first + feed.rows])
            elif isinstance(one.work, ReplyWork) and feed.rows:
                replies.append((one, first))
                if one.filled == len(one.work.request.context):
                    prefix = one.work.request.context[: one.work.prefix_tokens]
                    self._sequences.warm(one.sequence, prefix)
            first += feed.rows
        self._sample(replies, logits)
        self._finish([one for one, _ in chosen if one.done])

    def _sample(self, replies: list[tuple[Running, int]], logits: Logits) -> None:
        """Draw the next token of every reply that has reached its end."""
        if not replies:
            return
        works = [one.work for one, _ in replies]
        draws = [work.draw() for work in works if isinstance(work, ReplyWork)]
        rows = logits if len(replies) == len(logits) else logits[[row for _, row in replies]]
        for (one, _), token in zip(replies, choose_tokens(rows, draws), strict=True):
            if isinstance(one.work, ReplyWork) and (shown := one.work.take(token)):
                self._events.append((one.work.number, shown))

    def _end_halted(self) -> None:
        halted = [o for o in self._running if isinstance(o.work, ReplyWork) and o.work.halted]
        self._finish(halted)

    # Ending.

    def _finish(self, ended: list[Running]) -> None:
        """Say what came of requests and give their sequences free.

        All is said and saved before the first sequence moves: a moved one can't be saved at once.
        """
        for one in ended:
            self._settle(one)
        for one in ended:
            self._leave(one, keep=True)

    def _settle(self, one: Running) -> None:
        work = one.work
        if isinstance(work, ReplyWork):
            self._events += [(work.number, event) for event in work.end()]
            self._waits.finished(self._clock() - one.began)
        elif isinstance(work, ReplayWork):
            outcome = work.outcome(self._model.piece, self._model.tokenize)
            self._events.append((work.number, outcome))
        elif isinstance(work, PrefixWork):
            self._sequences.keep_prefix(one.sequence, work.tokens)
            self._events.append((work.number, Prepared()))

    def _leave(self, one: Running, *, keep: bool) -> None:
        """Let a request's state rest, or drop it; the last running request takes its place."""
        conversation = one.work.caller.conversation if keep else ""
        last = self._running[-1]
        self._sequences.end(one.sequence, conversation)
        self._running.remove(one)
        if last is not one:
            last.sequence = one.sequence
            self._running.sort(key=lambda other: other.sequence)

    def _check_room(self, needed: int) -> None:
        room = self._model.capacity.cells
        if needed > room:
            raise MessageTooLongError(
                f"This conversation is {needed - room} tokens too long for the model: "
                "please send a shorter message."
            )
