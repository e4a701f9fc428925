"""Time and randomness, as the core asks for them."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The present moment; never goes backwards by more than the system's clock does."""

    def now(self) -> datetime:
        """Return the present as an aware UTC time."""
        ...


class Entropy(Protocol):
    """Unpredictable bytes from the operating system."""

    def random_bytes(self, size: int) -> bytes:
        """Return `size` bytes fit for keys."""
        ...
