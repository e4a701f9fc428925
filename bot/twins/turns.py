"""One turn at a time in each conversation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ConversationTurns:
    """Locks by conversation; a lock is forgotten when nobody holds or awaits it.

    `_locks` is owned by the event loop: conversation -> (lock, holders and waiters).
    """

    def __init__(self) -> None:
        self._locks: dict[bytes, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, conversation: bytes) -> AsyncIterator[None]:
        """Hold the conversation's turn for the block."""
        lock, waiting = self._locks.get(conversation, (asyncio.Lock(), 0))
        self._locks[conversation] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            _, waiting = self._locks[conversation]
            if waiting > 1:
                self._locks[conversation] = (lock, waiting - 1)
            else:
                del self._locks[conversation]
