"""What a monitor asks of the world: a log somewhere, and a memory of what was seen in it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.crypto.merkle import Node
from bot.crypto.tiles import Tile


class RemoteLog(Protocol):
    """A log behind an address; nothing that it says is trusted.

    Every method raises TransientError when the host can't be reached or answers too much, and
    returns None where it has nothing at the address.
    """

    async def checkpoint(self) -> str | None:
        """Fetch the newest checkpoint."""
        ...

    async def tile(self, tile: Tile) -> bytes | None:
        """Fetch a tile of hashes, or the full one where the partial one is gone."""
        ...

    async def entries(self, tile: Tile) -> bytes | None:
        """Fetch a bundle of leaves."""
        ...

    async def bodies(self, tile: Tile) -> bytes | None:
        """Fetch a bundle of what leaves cite."""
        ...

    async def seals(self) -> bytes | None:
        """Fetch the seals of the logs that this one continues."""
        ...


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was followed.

    Attributes:
        head: the newest signed head that was accepted, as a note.
        size: leaves that were read; at most the head's size, less only in the middle of a long way.
        frontier: hashes of the maximal complete subtrees over those leaves, left to right.
    """

    head: str
    size: int
    frontier: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SeenAttempt:
    """An attempt at one slot, and how it ended.

    Attributes:
        index: of the leaf that ended it.
        receipt: None if it was voided.
        twin: the first 8 bytes of its id; empty of a void, whose leaf does not say.
        void: code of the void's reason; None of a reply.
    """

    attempt: int
    index: int
    receipt: bytes | None
    twin: bytes
    void: int | None = None


@dataclass(frozen=True, slots=True)
class SeenReply:
    """A reply, its outcome codes so far, and the leaf of the order that stood against it, if any.

    Attributes:
        manifest: the first 8 bytes of its manifest's hash.
        against: leaf index of a pause or revocation that was in force when the reply was logged.
    """

    index: int
    twin: bytes
    manifest: bytes
    outcomes: tuple[int, ...] = ()
    against: int | None = None


@dataclass(frozen=True, slots=True)
class SeenTwin:
    """A twin by the first 8 bytes of its id.

    Attributes:
        twin: 32 bytes; empty while no manifest could be read.
        creator: EIP-55 address.
        names: display names in its manifests so far: an order is signed under one of them.
        orders: how many orders so far.
        stopped_by: leaf index of the pause or revocation in force; None while it is live.
        revoked: whether the whole twin was revoked, for good.
    """

    twin: bytes
    creator: str
    names: tuple[str, ...]
    orders: int = 0
    stopped_by: int | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class SeenVersion:
    """A version of a twin, as its manifest says.

    Attributes:
        manifest: the first 8 bytes of the manifest's hash.
        operator: Ed25519 key that signs its receipts and statements.
        redraws: how many attempts in a row may be rejected.
        revoked_by: leaf index of the order that revoked this version alone.
    """

    manifest: bytes
    operator: bytes
    redraws: int
    revoked_by: int | None = None


@dataclass(frozen=True, slots=True)
class SeenRates:
    """The newest rate table.

    Attributes:
        index: of its leaf.
        operator: Ed25519 key that has signed it.
    """

    index: int
    operator: bytes


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """What a monitor found.

    Attributes:
        kind: a word for machines.
        sentence: for people.
        index: of the leaf that it is about.
        evidence: signed notes that show it to others; empty where the log itself does.
    """

    kind: str
    sentence: str
    index: int | None = None
    evidence: str = ""


class MonitorTransaction(Protocol):
    """Reads and writes inside one transaction."""

    async def position(self) -> Position | None:
        """Return how far the log was followed; None at the beginning."""
        ...

    async def move(self, position: Position) -> None:
        """Keep how far it was followed."""
        ...

    async def attempts(self, slot_tag: bytes) -> Sequence[SeenAttempt]:
        """Return what was seen of a slot, in the order of the log."""
        ...

    async def add_attempt(self, slot_tag: bytes, attempt: SeenAttempt) -> None:
        """Keep an attempt."""
        ...

    async def reply(self, receipt: bytes) -> SeenReply | None:
        """Return a reply by its receipt hash."""
        ...

    async def keep_reply(self, receipt: bytes, reply: SeenReply) -> None:
        """Keep a reply, or what has become of it."""
        ...

    async def twin(self, prefix: bytes) -> SeenTwin | None:
        """Return a twin by the first 8 bytes of its id."""
        ...

    async def keep_twin(self, prefix: bytes, twin: SeenTwin) -> None:
        """Keep a twin, or what has become of it."""
        ...

    async def versions(self, prefix: bytes) -> Sequence[SeenVersion]:
        """Return a twin's versions, in the order of their first manifest leaf."""
        ...

    async def keep_version(self, prefix: bytes, version: SeenVersion) -> None:
        """Keep a version of a twin, or what has become of it."""
        ...

    async def rates(self) -> SeenRates | None:
        """Return the newest rate table; None where there was none."""
        ...

    async def keep_rates(self, rates: SeenRates) -> None:
        """Keep a rate table as the newest one."""
        ...

    async def add_nodes(self, nodes: Sequence[tuple[int, int, bytes]]) -> None:
        """Keep hashes of complete subtrees, each once: level, index, hash."""
        ...

    async def nodes(self, addresses: Sequence[Node]) -> Mapping[Node, bytes]:
        """Return kept hashes by (level, index); all of them must be there."""
        ...

    async def seals(self) -> Sequence[bytes]:
        """Return the envelopes of the seals that were followed, oldest first."""
        ...

    async def start_over(self, seals: Sequence[bytes]) -> None:
        """Forget all leaves, and keep these seals; findings stay.

        The leaves of a log that continues another one are read from the first one on.
        """
        ...

    async def count(self, kind: str, number: int = 1) -> None:
        """Add to the number of leaves of a kind."""
        ...

    async def counts(self) -> dict[str, int]:
        """Return the number of leaves of each kind."""
        ...

    async def add_finding(self, finding: StoredFinding) -> bool:
        """Keep a finding for good; return False if it was known."""
        ...

    async def findings(self) -> list[StoredFinding]:
        """Return all findings, oldest first."""
        ...


class MonitorState(Protocol):
    """A monitor's memory of one log.

    Contract: all that is written inside one `transaction()` is durable when the block ends, or
    none of it is there. StoreBusyError and InvariantError may leave it.
    """

    def transaction(self) -> AbstractAsyncContextManager[MonitorTransaction]:
        """Begin a transaction."""
        ...
