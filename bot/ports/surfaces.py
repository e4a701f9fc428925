"""A chat platform as the service runs it: for as long as it can, beside the others."""

from typing import Protocol


class ChatSurface(Protocol):
    """One platform's side of the chat; it calls `ChatInbox` and knows nothing else of the core."""

    async def run(self) -> None:
        """Serve until `stop`, through all that passes by itself: lost connections, limits.

        Raises:
            ConfigurationError: the platform refuses what the operator configured.
        """
        ...

    async def stop(self) -> None:
        """Take no more messages, let running replies end for some seconds, close; idempotent."""
        ...
