"""Anchors: which commitment on a chain covers a leaf of the log, and what a chain says of it.

The operator's side finds anchors in its own records (`AnchorSource`); a viewer asks a node of
their own choosing (`AnchorLookup`). docs/spec/formats.md sections 9 and 11.4.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AnchorPlace:
    """A settlement contract: the chain's id and the contract's 20-byte address."""

    chain: int
    contract: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a bundle claims: that an epoch on a chain names a tree with this reply's leaf.

    Attributes:
        place: chain and contract.
        epoch: the epoch that was committed.
        size: leaves of the tree that it names.
        root: 32 bytes, the tree's root.
        inclusion: proof of the reply's leaf in that tree, leaf to root.
    """

    place: AnchorPlace
    epoch: int
    size: int
    root: bytes
    inclusion: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CommittedHead:
    """One `EpochCommitted` of the epoch that was asked for: root, size, and its block's number."""

    root: bytes
    size: int
    block: int


@dataclass(frozen=True, slots=True)
class AnchorAnswers:
    """What one node says; nothing of it is believed beyond that.

    Attributes:
        chain: the node's chain id.
        commits: every commitment of the epoch by the contract, as far as the node knows.
        vetoes: how often the epoch was vetoed.
        newest: number of the newest block.
        finalized: number of the newest finalized block; None where the chain names none.
    """

    chain: int
    commits: tuple[CommittedHead, ...]
    vetoes: int
    newest: int
    finalized: int | None


class AnchorLookup(Protocol):
    """One node that a viewer has chosen."""

    @property
    def name(self) -> str:
        """How a person tells this node from another one; holds no secret."""
        ...

    async def ask(self, place: AnchorPlace, epoch: int) -> AnchorAnswers:
        """Ask for everything that `check_anchor` judges; of another chain only its id.

        Raises:
            ChainUnavailableError: no answer, or one that is no answer to the question.
        """
        ...


class AnchorSource(Protocol):
    """The operator's own record of what was committed."""

    async def anchor_of(self, leaf_index: int) -> Anchor | None:
        """Return the oldest final commitment that covers a leaf, with the leaf's proof.

        None while there is none, or where the chain is none that others can ask. An anchor that
        was returned once stays true.
        """
        ...
