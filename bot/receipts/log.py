"""The transparency log: append a leaf, sign a head, prove inclusion.

One commit point: a leaf and the subtree hashes that it completes are written in the same
transaction as what it speaks of, and a head is signed only over leaves that are durable. A crash
between two heads loses nothing: the next head covers what was appended.
"""

from dataclasses import dataclass

from bot.crypto import merkle
from bot.crypto.signed_note import Checkpoint, sign_note
from bot.domain.errors import InvariantError
from bot.ports.stores import Store, StoredCheckpoint, StoreTransaction


async def append_leaf(tx: StoreTransaction, leaf: bytes) -> int:
    """Append a leaf's bytes inside the caller's transaction; return its index."""
    size = await tx.log_size()
    frontier = await tx.log_nodes(merkle.frontier_nodes(size))
    completed = merkle.nodes_to_append(size, merkle.leaf_hash(leaf), frontier)
    await tx.append_leaf(size, leaf, completed)
    return size


async def prove_inclusion(tx: StoreTransaction, *, index: int, size: int) -> list[bytes]:
    """Return the inclusion proof of a leaf in the tree of `size` leaves, leaf to root."""
    nodes = await tx.log_nodes(merkle.inclusion_nodes(index, size))
    return merkle.inclusion_from_nodes(index, size, nodes)


async def tree_root(tx: StoreTransaction, size: int) -> bytes:
    """Return the root over the first `size` leaves."""
    return merkle.root_from_nodes(size, await tx.log_nodes(merkle.frontier_nodes(size)))


@dataclass(frozen=True, slots=True)
class CheckpointSigner:
    """Signs heads of one log.

    Attributes:
        origin: the log's name, for ever.
        key: Ed25519 private key, 32 bytes.
    """

    origin: str
    key: bytes

    async def publish(self, store: Store) -> StoredCheckpoint | None:
        """Sign and keep a head over all leaves, if there are new ones; return the newest head.

        Two different heads of one size can't exist: the size is the table's key, and the root is
        computed from append-only rows.
        """
        async with store.transaction() as tx:
            newest = await tx.latest_checkpoint()
            size = await tx.log_size()
            if size == (newest.size if newest else 0):
                return newest
            if newest is not None and size < newest.size:
                raise InvariantError(
                    f"the log has {size} leaves, but a head of {newest.size} was signed"
                )
            root = await tree_root(tx, size)
            checkpoint = Checkpoint(origin=self.origin, size=size, root=root)
            note = sign_note(checkpoint.encode(), self.origin, self.key)
            stored = StoredCheckpoint(size=size, root=root, note=note)
            await tx.add_checkpoint(stored)
            return stored
