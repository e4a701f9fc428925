"""The rate limiter, on a loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from telegram.error import RetryAfter

from adapters.telegram_chat.limiter import FIRST, FIRST_AGAIN, ChatRateLimiter, Window
from adapters.telegram_chat.mapping import PreviewSkippedError
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.signs import DRAFTS_AT_ONCE, FEW, Signs

T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop in which time passes only when everybody waits for it."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return the loop's own time in seconds."""
        return self.now


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.now += timeout or 0.0
        return super().select(0)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run on a jumping loop."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)


@dataclass(slots=True)
class Platform:
    """Notes when each call arrives; `floods` are waits that it demands from a chat."""

    limiter: ChatRateLimiter = field(default_factory=lambda: ChatRateLimiter(Pace()))
    calls: list[tuple[float, str, object]] = field(default_factory=list)
    floods: dict[object, list[int]] = field(default_factory=dict)

    async def send(
        self, chat: int, endpoint: str = "sendMessage", first: int | None = None
    ) -> None:
        """Make a call through the limiter; `first` is for previews."""

        async def arrive() -> bool:
            self.calls.append((asyncio.get_running_loop().time() - 1000.0, endpoint, chat))
            if self.floods.get(chat):
                raise RetryAfter(self.floods[chat].pop(0))
            return True

        await self.limiter.process_request(arrive, (), {}, endpoint, {"chat_id": chat}, first)

    async def sign(self, chat: int) -> float:
        """Show a first sign as a preview does; return when it was there."""
        first = FIRST
        while True:
            try:
                await self.send(chat, "sendMessageDraft", first)
            except PreviewSkippedError as skipped:
                await asyncio.sleep(skipped.retry_after_s)
                first = FIRST_AGAIN
            else:
                return asyncio.get_running_loop().time() - 1000.0

    def times(self, chat: int) -> list[float]:
        """Return when calls for a chat arrived."""
        return [at for at, _, where in self.calls if where == chat]


def test_a_window_lets_so_many_in_and_then_makes_wait() -> None:
    window = Window(2, 10.0)
    window.add(0.0)
    assert window.delay(1.0) == 0
    window.add(1.0)

    assert window.delay(4.0) == 6
    assert window.delay(10.0) == 0
    assert window.delay(10.0, reserve=1) == 1
    assert window.delay(10.0, reserve=1) == 1


def test_a_private_chat_gets_one_message_a_second_in_order() -> None:
    platform = Platform()

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(platform.send(5))

    run(work())

    assert platform.times(5) == [0.0, 1.0, 2.0, 3.0]


def test_a_group_gets_twenty_messages_a_minute() -> None:
    platform = Platform()

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(41):
                tasks.create_task(platform.send(-5))

    run(work())

    times = platform.times(-5)
    assert all(later - first >= 60.0 for first, later in zip(times, times[20:], strict=False))
    assert times[-1] == pytest.approx(120.0)


def test_a_bot_sends_thirty_messages_a_second() -> None:
    platform = Platform()

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            for chat in range(1, 101):
                tasks.create_task(platform.send(chat))

    run(work())

    times = [at for at, _, _ in platform.calls]
    assert all(later - first >= 1.0 for first, later in zip(times, times[30:], strict=False))
    assert times[-1] == pytest.approx(3.3, abs=0.1)


def test_previews_leave_room_for_messages_and_yield_to_them() -> None:
    platform = Platform()
    skipped = []

    async def preview(chat: int) -> None:
        try:
            await platform.send(chat, "sendMessageDraft")
        except PreviewSkippedError:
            skipped.append(chat)

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            for chat in range(1, 61):
                tasks.create_task(preview(chat))
        async with asyncio.TaskGroup() as tasks:
            for chat in range(101, 111):
                tasks.create_task(platform.send(chat))

    run(work())

    drafts = [at for at, endpoint, _ in platform.calls if endpoint == "sendMessageDraft"]
    messages = [at for at, endpoint, _ in platform.calls if endpoint == "sendMessage"]
    assert len(drafts) == 20
    assert len(skipped) == 40
    assert messages[0] == 0.0
    assert messages[-1] == pytest.approx(0.3)


def test_first_signs_come_before_the_later_drafts_of_others_and_in_their_order() -> None:
    platform = Platform()
    there: list[float] = []
    renewed: list[float] = []
    told: list[float] = []
    begun = 0.0

    async def renew(chat: int) -> None:
        for _ in range(80):
            try:
                await platform.send(chat, "sendMessageDraft")
                renewed.append(asyncio.get_running_loop().time() - 1000.0)
            except PreviewSkippedError as skipped:
                told.append(skipped.retry_after_s)
            await asyncio.sleep(0.05)

    async def work() -> None:
        nonlocal there, begun
        async with asyncio.TaskGroup() as tasks:
            for chat in range(1, 41):
                tasks.create_task(renew(chat))
            await asyncio.sleep(0.5)
            begun = asyncio.get_running_loop().time() - 1000.0
            signs = [tasks.create_task(platform.sign(chat)) for chat in range(101, 141)]
        there = [sign.result() for sign in signs]

    run(work())

    assert not any(told)  # there is nothing to wait for
    assert there == sorted(there)
    assert there[-1] - begun < 3.0  # 40 of them at 20 a second, the window being full at first
    assert not [at for at in renewed if begun <= at < there[-1]]
    assert [at for at in renewed if at > there[-1]]
    times = sorted([*there, *renewed])
    assert all(later - first >= 0.999 for first, later in zip(times, times[20:], strict=False))


def test_later_drafts_are_few_at_once_and_none_in_a_rush() -> None:
    signs = Signs()
    limiter = ChatRateLimiter(Pace(bot_per_s=10**6), signs)
    release = asyncio.Event()
    shown, skipped = [], []

    async def arrive() -> bool:
        await release.wait()
        return True

    async def draft(chat: int, first: int | None = None) -> None:
        data = {"chat_id": chat}
        try:
            await limiter.process_request(arrive, (), {}, "sendMessageDraft", data, first)
            shown.append(chat)
        except PreviewSkippedError:
            skipped.append(chat)

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            for chat in range(1, DRAFTS_AT_ONCE + 11):
                tasks.create_task(draft(chat))
            await asyncio.sleep(1)
            assert len(skipped) == 10
            tasks.create_task(draft(100, FIRST))
            await asyncio.sleep(1)
            release.set()
        assert shown[-1] == 100
        for number in range(FEW + 1):
            signs.expect(("7001", str(number), "1"))
        await draft(200)
        await draft(201, FIRST)
        signs.seen(("7001", "0", "1"))
        await draft(202)

    run(work())

    assert skipped[10:] == [200]
    assert shown[-2:] == [201, 202]


def test_a_flood_wait_belongs_to_one_chat() -> None:
    platform = Platform(floods={5: [30]})

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            for chat in (5, 5, 6):
                tasks.create_task(platform.send(chat))

    run(work())

    assert platform.times(6)[0] < 0.1
    first, second, third = platform.times(5)
    assert first == 0.0
    assert second >= 30.0
    assert third >= second + 1.0


def test_a_flood_wait_for_a_preview_is_told_and_stops_previews_only() -> None:
    platform = Platform(floods={5: [30]})

    async def work() -> None:
        with pytest.raises(RetryAfter):
            await platform.send(5, "sendChatAction")
        with pytest.raises(PreviewSkippedError):
            await platform.send(5, "sendMessageDraft")
        await platform.send(5)

    run(work())

    assert platform.times(5) == [0.0, 0.0]


def test_endless_floods_end() -> None:
    platform = Platform(floods={5: [1] * 100})

    async def work() -> None:
        with pytest.raises(RetryAfter):
            await platform.send(5)

    run(work())

    assert len(platform.calls) == 10


def test_calls_without_a_chat_never_wait() -> None:
    platform = Platform()

    async def work() -> None:
        async def answer() -> bool:
            return True

        for _ in range(100):
            await platform.limiter.process_request(
                answer, (), {}, "answerCallbackQuery", {"callback_query_id": "1"}, None
            )
        assert asyncio.get_running_loop().time() == 1000.0

    run(work())


def test_idle_chats_are_forgotten() -> None:
    platform = Platform(ChatRateLimiter(Pace(bot_per_s=100_000)))

    async def work() -> None:
        for chat in range(1, 5000):
            await platform.send(chat)
            await asyncio.sleep(0.01)

    run(work())

    assert len(platform.limiter._chats) < 2100
