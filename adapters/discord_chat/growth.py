"""A reply while it grows: the pieces of the core become edits, not more often than is allowed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from adapters.discord_chat.draft import Draft
from adapters.discord_chat.layout import Frame
from bot.domain.errors import BotError, TransientError
from bot.ports.chat import MergedInto, ReplyEvent, ReplyShown, TextPiece

EDIT_EVERY_S = 1.2
SETTLE_S = 0.2  # a reply that is complete that soon after its first words is posted once
TYPING_EVERY_S = 8.0


class Growth:
    """The text so far, and the task that shows it; the reader never waits for the platform."""

    def __init__(self, draft: Draft, frame: Frame) -> None:
        self._draft = draft
        self._frame = frame
        self._text = ""
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()

    def add(self, piece: str) -> None:
        """Take a piece."""
        self._text += piece
        self._changed.set()

    def end(self) -> None:
        """Let `run` return; a request to the platform that it makes is made to its end."""
        self._ended.set()
        self._changed.set()

    async def run(self) -> None:
        """Show that somebody is writing, then the text, not more often than is allowed."""
        with suppress(BotError):  # the final text is shown, or not, by its own rules
            is_settled = False
            while not self._ended.is_set():
                self._changed.clear()
                if self._text.strip() and not is_settled:
                    is_settled = True
                    await _wait(self._ended, SETTLE_S)
                elif self._text.strip():
                    await self._draft.show(self._frame.growing(self._text))
                    await _wait(self._ended, EDIT_EVERY_S)
                    await self._changed.wait()
                else:
                    await self._draft.sheet.working()
                    await _wait(self._changed, TYPING_EVERY_S)


async def grow(
    events: AsyncIterator[ReplyEvent], draft: Draft, frame: Frame
) -> ReplyShown | MergedInto:
    """Show a reply while the core makes it; return its end."""
    growth = Growth(draft, frame)
    shower = asyncio.create_task(growth.run())
    try:
        async for event in events:
            if not isinstance(event, TextPiece):
                return event
            growth.add(event.text)
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
        growth.end()
        await shower
    raise TransientError("The reply did not end.")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
