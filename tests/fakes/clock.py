"""A clock that is set, and entropy that counts: the outside of `bot.ports.clock` under control."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.crypto.hashing import sha256
from bot.domain.errors import InvariantError
from bot.ports.clock import Clock, Entropy

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


@dataclass(slots=True)
class SetClock(Clock):
    """Stands still until it is moved; never backwards."""

    moment: datetime = START

    def now(self) -> datetime:
        """Return the moment that was set."""
        return self.moment

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        if by < timedelta(0):
            raise InvariantError("the port: a clock does not go backwards")
        self.moment += by


@dataclass(slots=True)
class CountingEntropy(Entropy):
    """Different bytes for each call, the same in every run; `given` counts the calls."""

    name: str = "entropy"
    given: int = field(default=0)

    def random_bytes(self, size: int) -> bytes:
        """Return `size` bytes that depend on how often they were asked for."""
        if size < 1:
            raise InvariantError("the port: at least one byte is asked for")
        self.given += 1
        blocks = -(-size // 32)
        seed = f"{self.name} {self.given}".encode()
        return b"".join(sha256(seed + bytes([n])) for n in range(blocks))[:size]
