"""Secrets that the service was given while it runs, such as tokens of managed bots."""

from typing import Protocol


class SecretStore(Protocol):
    """Keeps short secrets encrypted; the key lies apart from what is encrypted.

    Every write is durable when the call returns. StoreBusyError may leave each call; then nothing
    was changed.
    """

    async def put(self, name: str, secret: str) -> None:
        """Keep a secret under a name, in place of an earlier one."""
        ...

    async def find(self, name: str) -> str | None:
        """Return a secret; None if there is none of that name.

        Raises:
            ConfigurationError: it was encrypted with another key, or is damaged.
        """
        ...

    async def names(self, prefix: str) -> list[str]:
        """Return the names that begin with a prefix, in order."""
        ...

    async def remove(self, name: str) -> None:
        """Forget a secret; idempotent."""
        ...
