"""What the engine process has said to one request and its reader has not taken yet."""

import asyncio
from collections import deque

from adapters.llama.wire import Message


class Mailbox:
    """Events of one request; owned by the event loop.

    A reader that is slower than the model finds texts joined and only the last word on the queue,
    so what waits here never grows with time.
    """

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._came = asyncio.Event()

    def put(self, message: Message) -> None:
        """Add an event, joined to the one before where both are of a kind."""
        last = self._messages[-1] if self._messages else {"event": ""}
        if message["event"] == last["event"] == "delta":
            last["text"] += message["text"]
        elif message["event"] == last["event"] == "queued":
            self._messages[-1] = message
        else:
            self._messages.append(message)
        self._came.set()

    async def take(self) -> Message:
        """Wait for the next event."""
        while not self._messages:
            self._came.clear()
            await self._came.wait()
        return self._messages.popleft()
