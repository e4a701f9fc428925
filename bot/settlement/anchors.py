"""The anchors of this book's own log: which final epoch covers a leaf, and the leaf's proof."""

from bot.crypto import merkle
from bot.crypto.errors import MismatchError
from bot.domain.settlement import Commitment
from bot.ports.anchors import Anchor, AnchorPlace, AnchorSource
from bot.ports.settlement import EpochStore
from bot.ports.stores import Store


class CommittedAnchors(AnchorSource):
    """Reads epochs and log of one book; asks no chain, so a node that is away changes nothing.

    An epoch is final in the book once it is as deep as was configured and past its veto. The place
    is the one that the book was pinned to, whatever the configuration says now.
    """

    def __init__(self, *, epochs: EpochStore, store: Store) -> None:
        self._epochs = epochs
        self._store = store

    async def anchor_of(self, leaf_index: int) -> Anchor | None:
        """See the port."""
        pinned = await self._epochs.pinned()
        commitment = await self._epochs.anchoring(leaf_index)
        if pinned is None or commitment is None:
            return None
        inclusion = await self._prove(leaf_index, commitment)
        if inclusion is None:
            return None
        return Anchor(
            place=AnchorPlace(pinned.chain_id, pinned.settlement),
            epoch=commitment.epoch,
            size=commitment.log_size,
            root=commitment.log_root,
            inclusion=inclusion,
        )

    async def _prove(self, index: int, commitment: Commitment) -> tuple[bytes, ...] | None:
        """Return the leaf's proof in the committed tree; None if this log is another one now.

        A log that continues a sealed one differs from it above the leaves that were kept: an anchor
        that nobody could verify is worse than none.
        """
        size = commitment.log_size
        leaf = (0, index)
        async with self._store.reading() as tx:
            if size > await tx.log_size():
                return None
            nodes = await tx.log_nodes([leaf, *merkle.inclusion_nodes(index, size)])
        proof = merkle.inclusion_from_nodes(index, size, nodes)
        try:
            merkle.verify_inclusion(
                leaf=nodes[leaf], index=index, size=size, proof=proof, root=commitment.log_root
            )
        except MismatchError:
            return None
        return tuple(proof)
