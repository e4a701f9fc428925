"""What has to be remembered about forgetting, apart from the store: so that no backup undoes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Says that somebody was forgotten.

    Attributes:
        digest: 32 bytes; a keyed hash of platform and person, which names nobody by itself.
        at: when they asked.
    """

    digest: bytes
    at: datetime


class Tombstones(Protocol):
    """A list that only grows, kept apart from the store and from its backups."""

    async def add(self, tombstone: Tombstone) -> None:
        """Add one; durable when the call returns.

        Raises:
            StoreBusyError: not written; nothing may be forgotten now.
        """
        ...

    async def all(self) -> list[Tombstone]:
        """Return all, oldest first.

        Raises:
            ConfigurationError: the list is damaged.
        """
        ...


class SavedProofs(Protocol):
    """Proof bundles that were saved as files on the operator's machine."""

    def remove(self, receipt_id: str) -> bool:
        """Delete a bundle; return whether there was one."""
        ...
