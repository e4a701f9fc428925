"""The log as others see it: what is read of it, what is served of it, who witnesses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.crypto.cosignature import WitnessKey
from bot.crypto.tiles import Tile
from bot.ports.book import NodeAddress, StoredCheckpoint


@dataclass(frozen=True, slots=True)
class StoredCosignature:
    """A cosignature as it is kept: the witness's key (32 bytes), the head's size, the line."""

    witness: bytes
    size: int
    time: int
    line: str


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A signed head and the cosignatures that are kept of it."""

    head: StoredCheckpoint
    cosignatures: tuple[StoredCosignature, ...]


class LogReader(Protocol):
    """Reads ranges of the service's own log, beside whoever writes to it.

    Every method sees what was durable when it began. StoreBusyError and InvariantError may leave
    it. Rows that exist never change, so answers may be kept.
    """

    async def newest(self, at_most: int) -> Sequence[CheckpointRow]:
        """Return the newest signed heads, newest first."""
        ...

    async def witnessed(self, at_most: int) -> Sequence[CheckpointRow]:
        """Return the newest signed heads of which there is a cosignature, newest first."""
        ...

    async def hashes(self, level: int, start: int, count: int) -> Sequence[bytes]:
        """Return the hashes of up to `count` complete subtrees of height `level`, from `start`."""
        ...

    async def nodes(self, addresses: Sequence[NodeAddress]) -> Mapping[NodeAddress, bytes]:
        """Return the hashes of complete subtrees, by (level, index); all of them must exist."""
        ...

    async def leaves(self, start: int, count: int) -> Sequence[bytes]:
        """Return the bytes of up to `count` leaves from an index."""
        ...

    async def bodies(self, start: int, count: int) -> Sequence[bytes]:
        """Return what is kept of what each of up to `count` leaves cites.

        Of an outcome, a void or a seal the signed envelope; of a manifest or an order canonical
        JSON `{"body":b64,"signature":str}`; of anything else nothing, which is empty bytes.
        """
        ...

    async def body(self, digest: bytes) -> bytes | None:
        """Return a manifest or an order by its hash, in the same form."""
        ...

    async def seals(self) -> Sequence[bytes]:
        """Return the envelopes of the seals in the log, in its order."""
        ...


class PublicLog(Protocol):
    """What anybody may fetch of the log (docs/spec/log.md). Inbound: the web surface calls it.

    Nothing that no signed head covers is given out.
    """

    async def checkpoint(self) -> str | None:
        """Return the head to show, with its cosignatures; None before the first one."""
        ...

    async def head_for(self, index: int) -> str | None:
        """Return the head under which to prove a leaf, with its cosignatures.

        The newest one that covers it and meets the service's own policy, else the newest that
        covers it; None while none does. It has at most 16 signature lines.
        """
        ...

    async def tile(self, tile: Tile) -> bytes | None:
        """Return a tile's hashes, joined; None where the tree has not that many."""
        ...

    async def entries(self, tile: Tile) -> bytes | None:
        """Return a bundle of leaves; None where the tree has not that many."""
        ...

    async def bodies(self, tile: Tile) -> bytes | None:
        """Return a bundle of what leaves cite; None where the tree has not that many leaves."""
        ...

    async def body(self, digest: bytes) -> bytes | None:
        """Return a manifest or an order by its hash."""
        ...

    async def seals(self) -> bytes:
        """Return the seals of the logs that this one continues, as a JSON array."""
        ...


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """What a witness answered: an HTTP status and a body."""

    status: int
    body: bytes


class WitnessPeer(Protocol):
    """A witness that somebody else runs; it may be slow, dead or lying.

    `ask` takes a bounded time, and may be repeated: a witness that has cosigned a head does it
    again.
    """

    @property
    def key(self) -> WitnessKey:
        """Whose cosignatures count."""
        ...

    async def ask(self, submission: bytes) -> WitnessAnswer:
        """Offer a head (`bot.crypto.add_checkpoint`).

        Raises:
            TransientError: no answer in time, or one that is too long.
        """
        ...

    async def head(self, origin: str) -> str | None:
        """Return the newest head that it knows of a log, as that has signed it; None without one.

        Not every witness tells. Raises TransientError.
        """
        ...


class CosignatureStore(Protocol):
    """Keeps what witnesses have signed; durable on return."""

    async def add(self, cosignature: StoredCosignature) -> None:
        """Keep a cosignature; of one witness and size the latest. Old ones may be let go."""
        ...

    async def latest(self, witness: bytes) -> StoredCosignature | None:
        """Return a witness's cosignature of the largest head."""
        ...
