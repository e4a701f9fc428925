"""How fast we speak: per chat, per bot, and previews only where messages leave room.

The library's own limiter lets previews eat the messages' budget and lets one chat's flood wait stop
every other chat. This one keeps Telegram's published limits (1 message a second in a chat, 20 a
minute in a group, 30 a second for a bot) in sliding windows; a wait belongs to one chat. Of the
previews, a fan's first sign of life goes before the later drafts of all others.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from telegram.error import RetryAfter
from telegram.ext import BaseRateLimiter

from adapters.telegram_chat.mapping import PreviewSkippedError, seconds_of
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.signs import Signs

FIRST, FIRST_AGAIN = 1, 2  # of a fan's previews; the second for one that was left out, and waited
PREVIEWS = frozenset({"sendMessageDraft", "sendChatAction"})
MESSAGES = ("send", "edit", "forward", "copy")
FLOOD_TRIES = 10
_CHATS_KEPT = 2048
_Answer = bool | dict[str, Any] | list[dict[str, Any]]


class Window:
    """At most `limit` events in any `period_s`."""

    def __init__(self, limit: int, period_s: float) -> None:
        self._limit = limit
        self._period_s = period_s
        self._times: deque[float] = deque()

    def delay(self, now: float, *, reserve: int = 0) -> float:
        """Return how long an event has to wait; 0 if there is room beside a reserve."""
        while self._times and self._times[0] <= now - self._period_s:
            self._times.popleft()
        over = len(self._times) - (self._limit - reserve)
        return 0.0 if over < 0 else self._times[over] + self._period_s - now

    def add(self, now: float) -> None:
        """Count an event."""
        self._times.append(now)


@dataclass(slots=True)
class _Chat:
    """One chat's turn; who holds `turn` is next in this chat."""

    windows: tuple[Window, ...]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    blocked_until: float = 0.0
    previews_blocked_until: float = 0.0

    def delay(self, now: float) -> float:
        return max(self.blocked_until - now, *(window.delay(now) for window in self.windows), 0.0)

    def is_idle(self, now: float) -> bool:
        return not self.turn.locked() and self.delay(now) <= 0 and now > self.previews_blocked_until


class ChatRateLimiter(BaseRateLimiter[int]):
    """The limiter of one bot.

    `_bot_turn` is held only while a message waits for the bot's own window, never during a chat's
    wait; `_waiting` counts those messages, and previews yield to them. `_signs_until` is when the
    last of the first signs that were left out has its turn.
    """

    def __init__(self, pace: Pace, signs: Signs | None = None) -> None:
        self._pace = pace
        self._signs = signs or Signs()
        self._signs_until = 0.0
        self._bot = Window(pace.bot_per_s, 1.0)
        self._gap = Window(1, 1.0 / pace.bot_per_s)  # evenly, so that jitter makes no crowd there
        self._bot_turn = asyncio.Lock()
        self._waiting = 0
        self._chats: dict[str, _Chat] = {}

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def process_request(  # noqa: PLR0917 - the library's signature
        self,
        callback: Callable[..., Coroutine[Any, Any, _Answer]],
        args: Any,  # noqa: ANN401 - the library's signature
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: int | None,
    ) -> _Answer:
        """Make a call when its turn has come; `rate_limit_args` is for previews (`FIRST`).

        Raises:
            PreviewSkippedError: a preview for which there is no room now.
            RetryAfter: the platform still says so after many waits, or it was a preview.
        """
        chat_id = data.get("chat_id")
        if chat_id is None or not endpoint.startswith(MESSAGES):
            return await callback(*args, **kwargs)
        chat = self._chat(str(chat_id))
        if endpoint in PREVIEWS:
            self._check_room(chat, rate_limit_args)
            return await self._preview(chat, callback(*args, **kwargs))
        for _ in range(FLOOD_TRIES - 1):
            await self._turn(chat)
            try:
                return await callback(*args, **kwargs)
            except RetryAfter as flood:
                chat.blocked_until = _now() + seconds_of(flood)
        await self._turn(chat)
        return await callback(*args, **kwargs)

    def _check_room(self, chat: _Chat, first: int | None) -> None:
        """Take a preview's place in the bot's window; none waits here.

        Raises:
            PreviewSkippedError: there is none now; a first sign is told when to come again.
        """
        now = _now()
        if now < max(chat.previews_blocked_until, chat.blocked_until):
            raise PreviewSkippedError
        full = self._waiting > 0 or self._bot.delay(now, reserve=self._pace.reserve) > 0
        if first is None:
            full = full or now < self._signs_until or self._signs.is_crowded
        elif first == FIRST:
            full = full or now < self._signs_until  # behind those who wait already
        if not full:
            self._bot.add(now)
            return
        raise PreviewSkippedError(0.0 if first is None else self._next_turn(now, first))

    def _next_turn(self, now: float, first: int) -> float:
        """Return how long a first sign shall wait until it is tried again, one after the other."""
        room = max(1, self._pace.bot_per_s - self._pace.reserve)
        gap = 1.02 / room  # a little longer: who comes too early loses their turn
        delay = self._bot.delay(now, reserve=self._pace.reserve)
        if first == FIRST_AGAIN:  # a message went before
            return max(delay, gap)
        self._signs_until = max(self._signs_until, now + delay) + gap
        return self._signs_until - now

    async def _preview(self, chat: _Chat, call: Coroutine[Any, Any, _Answer]) -> _Answer:
        try:
            with self._signs:
                return await call
        except RetryAfter as flood:
            chat.previews_blocked_until = _now() + seconds_of(flood)
            raise

    async def _turn(self, chat: _Chat) -> None:
        """Wait for the chat's turn, then for the bot's; count the message in both."""
        async with chat.turn:
            while (wait := chat.delay(_now())) > 0:  # noqa: ASYNC110 - waits for a time
                await asyncio.sleep(wait)
            self._waiting += 1
            try:
                async with self._bot_turn:
                    while (wait := self._bot_delay()) > 0:  # noqa: ASYNC110 - the same
                        await asyncio.sleep(wait)
                    now = _now()
                    for window in (self._bot, self._gap, *chat.windows):
                        window.add(now)
            finally:
                self._waiting -= 1

    def _bot_delay(self) -> float:
        now = _now()
        return max(self._bot.delay(now), self._gap.delay(now))

    def _chat(self, chat_id: str) -> _Chat:
        known = self._chats.get(chat_id)
        if known is not None:
            return known
        if len(self._chats) >= _CHATS_KEPT:
            now = _now()
            self._chats = {k: chat for k, chat in self._chats.items() if not chat.is_idle(now)}
        windows = [Window(1, self._pace.chat_s)]
        if chat_id.startswith("-"):  # groups and supergroups have negative ids
            windows.append(Window(self._pace.group_per_minute, 60.0))
        chat = self._chats[chat_id] = _Chat(tuple(windows))
        return chat


def _now() -> float:
    return asyncio.get_running_loop().time()
