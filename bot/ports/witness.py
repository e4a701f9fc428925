"""A witness of our own: what it must remember, and its door."""

from dataclasses import dataclass
from typing import Protocol

from bot.ports.transparency import WitnessAnswer


@dataclass(frozen=True, slots=True)
class SeenHead:
    """The newest head that a witness has promised for one origin: size, root and signed note."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two heads of one size that a log's key has signed: the log has shown two histories."""

    origin: str
    size: int
    kept: str
    offered: str


class WitnessState(Protocol):
    """What a witness must never forget. One process at a time holds it.

    StoreBusyError may leave it: then nothing was changed, or it was and the caller was not told;
    in both cases nothing may be signed.
    """

    async def latest(self, origin: str) -> SeenHead | None:
        """Return the head promised last for an origin."""
        ...

    async def advance(self, origin: str, *, expected: SeenHead | None, new: SeenHead) -> bool:
        """Put `new` in the place of `expected`: the one commit point, durable on return.

        Returns False, and changes nothing, if another head stands there.
        """
        ...

    async def keep_conflict(self, conflict: Conflict) -> None:
        """Keep evidence against a log; the first of an origin and size is enough."""
        ...

    async def heads(self) -> dict[str, SeenHead]:
        """Return the newest head of each origin."""
        ...

    async def conflicts(self) -> list[Conflict]:
        """Return the evidence, oldest first."""
        ...


class WitnessDesk(Protocol):
    """What the web surface of a witness calls."""

    async def add_checkpoint(self, body: bytes) -> WitnessAnswer:
        """Answer a request (c2sp.org/tlog-witness)."""
        ...

    async def head(self, origin_hash: bytes) -> str | None:
        """Return the newest head promised for an origin (its SHA-256), as the log signed it."""
        ...

    def introduction(self) -> str:
        """Return who this witness is and what it watches, as lines for a person."""
        ...
