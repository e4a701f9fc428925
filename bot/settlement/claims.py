"""The claim tree, exactly as contracts/settlement.vy checks it.

`leaf = keccak(keccak(abi.encode(bytes32 twin, address payout, uint256 cumulative, bytes32
audit)))`; a node is keccak of its children in ascending order; the odd node of a level is carried
up unchanged. Hashing a leaf twice keeps it apart from nodes, whose input is 64 bytes. The order of
a pair does not matter, so a proof is a plain list of siblings, lowest first.
"""

from collections.abc import Sequence

from bot.crypto.hashing import keccak256
from bot.domain.errors import InvariantError
from bot.domain.settlement import ClaimChunk, ClaimLeaf, Earnings, Epoch

CHUNK_LEAVES = 64
"""Leaves of one `claim_chunk`; a power of two, so that a run of them is a subtree."""

EMPTY_ROOT = bytes(32)
"""The fee root of an epoch without leaves."""

_CHUNK_LEVELS = 6


def audit_hash(entries: int, twin_log_root: bytes) -> bytes:
    """Return `keccak(abi.encode(uint256 entries, bytes32 twin_log_root))`.

    It binds a claim to the outcomes that it pays for, so that a creator can recount alone.
    """
    return keccak256(_word(entries) + twin_log_root)


def to_leaf(earnings: Earnings) -> ClaimLeaf:
    """Return the claim that a twin's earnings amount to."""
    return ClaimLeaf(
        twin=earnings.twin,
        payout=earnings.payout,
        cumulative_units=earnings.cumulative_units,
        audit=audit_hash(earnings.entries, earnings.twin_log_root),
    )


def hash_leaf(leaf: ClaimLeaf) -> bytes:
    """Hash one claim to its leaf."""
    payout = leaf.payout.rjust(32, b"\x00")
    encoded = leaf.twin + payout + _word(leaf.cumulative_units) + leaf.audit
    return keccak256(keccak256(encoded))


def claim_order(earnings: Sequence[Earnings]) -> tuple[Earnings, ...]:
    """Order earnings as leaves: payable ones first, so that chunks hold little else; then by twin.

    Raises:
        InvariantError: a twin appears twice.
    """
    if len({item.twin for item in earnings}) != len(earnings):
        raise InvariantError("a twin has two claims in one epoch")
    return tuple(sorted(earnings, key=lambda item: (not item.is_payable, item.twin)))


class ClaimTree:
    """The tree over an epoch's leaves; built once, immutable."""

    def __init__(self, leaves: Sequence[ClaimLeaf]) -> None:
        self._leaves = tuple(leaves)
        self._levels = [[hash_leaf(leaf) for leaf in self._leaves]]
        while len(self._levels[-1]) > 1:
            self._levels.append(_next_level(self._levels[-1]))

    @classmethod
    def of_epoch(cls, epoch: Epoch) -> "ClaimTree":
        """Build the tree of a stored epoch."""
        return cls([to_leaf(earnings) for earnings in epoch.earnings])

    @property
    def root(self) -> bytes:
        """The fee root; `EMPTY_ROOT` when there are no leaves."""
        return self._levels[-1][0] if self._leaves else EMPTY_ROOT

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings of one leaf, lowest first.

        Raises:
            IndexError: there is no such leaf.
        """
        if not 0 <= index < len(self._leaves):
            raise IndexError(f"no leaf {index}")
        return self._climb(index, from_level=0)

    def chunk(self, epoch: int, index: int) -> ClaimChunk:
        """Return the `index`-th run of 64 leaves (the last one may be shorter) with its proof.

        Raises:
            IndexError: there is no such run.
        """
        leaves = self._leaves[index * CHUNK_LEAVES : (index + 1) * CHUNK_LEAVES]
        if index < 0 or not leaves:
            raise IndexError(f"no chunk {index}")
        # A run shorter than 64 folds in fewer levels and is then carried up to level 6 unchanged.
        proof = self._climb(index, from_level=_CHUNK_LEVELS)
        return ClaimChunk(epoch=epoch, index=index, leaves=leaves, proof=proof)

    def _climb(self, position: int, *, from_level: int) -> tuple[bytes, ...]:
        siblings = []
        for level in self._levels[from_level:-1]:
            if position ^ 1 < len(level):
                siblings.append(level[position ^ 1])
            position //= 2
        return tuple(siblings)


def fold_proof(node: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that a node and its siblings lead to."""
    for sibling in proof:
        node = _hash_pair(node, sibling)
    return node


def fold_chunk(chunk: ClaimChunk) -> bytes:
    """Return the root that a chunk's leaves and proof lead to, as the contract computes it."""
    level = [hash_leaf(leaf) for leaf in chunk.leaves]
    while len(level) > 1:
        level = _next_level(level)
    return fold_proof(level[0], chunk.proof)


def _next_level(level: Sequence[bytes]) -> list[bytes]:
    nodes = [_hash_pair(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return nodes if len(level) % 2 == 0 else [*nodes, level[-1]]


def _hash_pair(a: bytes, b: bytes) -> bytes:
    return keccak256(a + b if a < b else b + a)


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")
