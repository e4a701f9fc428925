"""What a fan sees while a reply grows: drafts in private chats, "typing" everywhere else.

A preview is worth nothing once the reply is there: a reply that is whole at once gets none, and no
preview is ever queued, sent twice, or turned into an edit. `__aexit__` returns only when none is on
its way any more.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

import structlog
from telegram import MessageEntity
from telegram.constants import ChatAction
from telegram.error import TelegramError
from telegram.ext import ExtBot

from adapters.telegram_chat.events import Spot
from adapters.telegram_chat.layout import compose_preview
from adapters.telegram_chat.limiter import FIRST, FIRST_AGAIN
from adapters.telegram_chat.mapping import FailureKind, classify, locate
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.signs import Key, Signs

TYPING_S = 4.5  # the platform shows the action for 5 seconds
DRAFT_S = 20.0  # and a draft for 30
FAILURES = 3
CLOSE_S = 5.0
_log = structlog.get_logger("telegram")


class Preview:
    """The preview of one reply; `feed` takes its words, one task shows them."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        spot: Spot,
        draft_id: int,
        name: str,
        pace: Pace,
        begun: asyncio.Event,
        signs: Signs,
        key: Key,
    ) -> None:
        self._bot = bot
        self._spot = spot
        self._draft_id = draft_id
        self._name = name
        self._pace = pace
        self._begun = begun
        self._signs = signs
        self._key = key
        self._first: int | None = FIRST
        self._text = ""
        self._is_gone = False
        self._failures = 0
        self._drafts = spot.is_private
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is None:
            return
        self._over.set()
        try:
            await asyncio.wait({self._task}, timeout=CLOSE_S)
        finally:
            self._task.cancel()
        over = self._task.done() and not self._task.cancelled()
        broken = self._task.exception() if over else None
        if broken is not None:
            _log.error("telegram.preview_failed", bot=self._bot.id, error=locate(broken))

    def feed(self, text: str) -> None:
        """Append a piece of the reply."""
        self._text += text

    def renew(self) -> None:
        """Show the preview anew: a message of ours has taken it away."""
        self._is_gone = True

    async def _run(self) -> None:
        """Show and renew; not before the replies before this one are there."""
        if self._begun.is_set():
            if not self._signs.is_rush:
                await self._pause(self._pace.sign_s)
            await self._keep_showing()
            return
        self._signs.seen(self._key)  # they see the replies before this one
        over = asyncio.create_task(self._over.wait())
        begun = asyncio.create_task(self._begun.wait())
        try:
            await asyncio.wait({over, begun}, return_when=asyncio.FIRST_COMPLETED)
            await self._keep_showing()
        finally:
            over.cancel()
            begun.cancel()

    async def _keep_showing(self) -> None:
        shown, shown_at, wait = None, 0.0, 0.0
        loop = asyncio.get_running_loop()
        while not self._over.is_set():
            if self._is_gone:
                shown, self._is_gone = None, False
            text = self._text.rstrip() if self._drafts else ""
            lasts = DRAFT_S if self._drafts else TYPING_S
            if text != shown or loop.time() - shown_at >= lasts:
                wait = await self._show(text)
                shown, shown_at = (text, loop.time()) if wait <= 0 else (None, 0.0)
            shortest = 0.0 if self._first == FIRST_AGAIN else self._pace.preview_s
            await self._pause(max(shortest, wait))

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the reply is there before."""
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            return

    async def _show(self, text: str) -> float:
        """Show once; return how long to pause after a failure, else 0."""
        try:
            if self._drafts:
                await self._draft(text)
            else:
                await self._bot.send_chat_action(
                    self._spot.chat,
                    ChatAction.TYPING,
                    message_thread_id=self._spot.thread,
                    rate_limit_args=self._first,
                )
            self._first = None
        except TelegramError as error:
            failure = classify(error)
            if failure.kind is FailureKind.SKIPPED:
                return self._come_again(failure.retry_after_s)
            if failure.kind is FailureKind.FLOOD:
                return failure.retry_after_s
            if not self._drafts:
                return TYPING_S
            self._failures += 1
            self._drafts = self._failures < FAILURES
            return self._pace.preview_s
        finally:
            self._signs.seen(self._key)  # or as good as: what follows is paced
        return 0.0

    def _come_again(self, retry_after_s: float) -> float:
        """Return how long to wait after a preview that was left out."""
        if self._first is None or retry_after_s <= 0:
            return self._pace.preview_s
        self._first = FIRST_AGAIN
        return retry_after_s

    async def _draft(self, text: str) -> None:
        piece = compose_preview(self._name, text) if text else None
        entities: list[MessageEntity] | None = piece.entities if piece else None
        await self._bot.send_message_draft(
            self._spot.chat,
            self._draft_id,
            piece.text if piece else None,
            message_thread_id=self._spot.thread,
            entities=entities,
            rate_limit_args=self._first,
        )
