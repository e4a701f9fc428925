"""Log, ledger and what creators have signed, inside one transaction (`bot.ports.stores`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.ledger import LedgerTransaction

NodeAddress = tuple[int, int]


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A signed manifest and its persona, as canonical bytes."""

    manifest_hash: bytes
    twin: bytes
    body: bytes
    signature: str
    persona: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A creator's signed order about a twin; `body` is canonical JSON, `number` counts from 1."""

    order_hash: bytes
    twin: bytes
    number: int
    body: bytes
    signature: str
    log_index: int


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A signed head of the log."""

    size: int
    root: bytes
    note: str


@dataclass(frozen=True, slots=True)
class StoredRates:
    """A rate table of the operator's that stands in the log.

    Attributes:
        log_index: of the leaf that cites it.
        name: SHA-256 of its PAE.
        envelope: DSSE envelope bytes.
    """

    log_index: int
    name: bytes
    envelope: bytes


class SignedRecords(Protocol):
    """The creators' part of a transaction: manifests and orders."""

    async def add_manifest(self, manifest: StoredManifest) -> None:
        """Keep a signed manifest for ever."""
        ...

    async def find_manifest(self, manifest_hash: bytes) -> StoredManifest | None:
        """Return a manifest by its hash."""
        ...

    async def latest_manifest(self, twin: bytes) -> StoredManifest | None:
        """Return the manifest of a twin that was added last."""
        ...

    async def manifests_of(self, twin: bytes) -> list[StoredManifest]:
        """Return every manifest of a twin, oldest first."""
        ...

    async def published_twins(self) -> list[bytes]:
        """Return the ids of all twins that have a manifest, in the order of their first one."""
        ...

    async def add_order(self, order: StoredOrder) -> None:
        """Keep a signed order for ever; its number must be the twin's next."""
        ...

    async def orders_of(self, twin: bytes) -> list[StoredOrder]:
        """Return a twin's orders by number."""
        ...


class LogTransaction(Protocol):
    """The transparency log's part of a transaction."""

    async def log_size(self) -> int:
        """Return the number of leaves."""
        ...

    async def log_nodes(self, addresses: Sequence[NodeAddress]) -> Mapping[NodeAddress, bytes]:
        """Return the hashes of complete subtrees, by (level, index)."""
        ...

    async def log_leaf(self, index: int) -> bytes:
        """Return a leaf's bytes."""
        ...

    async def append_leaf(
        self, index: int, leaf: bytes, nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Add the leaf at the log's size, with the subtree hashes that it completes."""
        ...

    async def latest_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest signed head."""
        ...

    async def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Keep a signed head; its size must be larger than the newest one's."""
        ...

    async def seals(self) -> Sequence[bytes]:
        """Return the envelopes of the seals in the log, oldest first."""
        ...

    async def add_seal(self, index: int, envelope: bytes) -> None:
        """Keep the seal that the leaf of this index cites."""
        ...

    async def add_rates(self, rates: StoredRates) -> None:
        """Keep a rate table for ever; its leaf must be there, and its name new.

        Raises:
            InvariantError: it is not.
        """
        ...

    async def rate_tables(self) -> Sequence[StoredRates]:
        """Return every rate table, oldest first."""
        ...


class LedgerPostings(Protocol):
    """The ledger's part of a transaction."""

    async def post(self, transaction: LedgerTransaction) -> bool:
        """Post a ledger transaction; return False if its key was posted before.

        Raises:
            InvariantError: an account would be overdrawn that is of no debit class.
        """
        ...

    async def posted(self, key: str) -> LedgerTransaction | None:
        """Return the ledger transaction of a key."""
        ...

    async def balance(self, account: str) -> int:
        """Return an account's balance in nano-units."""
        ...
