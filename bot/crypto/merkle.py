"""Merkle trees by RFC 6962 section 2.1, and their storage as complete subtrees.

A *node* `(level, index)` is the hash of the complete subtree over the leaves
`[index · 2^level, (index + 1) · 2^level)`. Complete subtrees never change, so a store only ever
adds nodes. Planners (`…_nodes`) say which nodes a question needs; the matching `…_from_nodes`
answers it from a mapping that holds at least those.

Verification follows RFC 9162 sections 2.1.3.2 and 2.1.4.2, which give the algorithms that
RFC 6962 leaves open.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from bot.crypto.errors import FormatError, MismatchError

Node: TypeAlias = tuple[int, int]
"""(level, index) of a complete subtree; level 0 is the leaf hashes."""

HASH_BYTES = 32
MAX_PROOF_HASHES = 63  # a tree of 2^63 leaves; C2SP tlog-proof has the same bound
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf's data: SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def frontier_nodes(size: int) -> list[Node]:
    """List the maximal complete subtrees of a tree, left to right: what append and root need."""
    return _range_nodes(0, size)


def inclusion_nodes(index: int, size: int) -> list[Node]:
    """List the nodes that `inclusion_from_nodes` reads.

    Raises:
        FormatError: no leaf `index` in a tree of `size`.
    """
    return [node for span in _inclusion_ranges(index, size) for node in _range_nodes(*span)]


def consistency_nodes(old: int, new: int) -> list[Node]:
    """List the nodes that `consistency_from_nodes` reads.

    Raises:
        FormatError: not 1 ≤ `old` ≤ `new`.
    """
    return [node for span in _consistency_ranges(old, new) for node in _range_nodes(*span)]


def nodes_to_append(
    size: int, new_leaf: bytes, nodes: Mapping[Node, bytes]
) -> list[tuple[int, int, bytes]]:
    """Return the nodes (level, index, hash) that a leaf hash completes in a tree of `size`.

    `nodes` holds at least `frontier_nodes(size)`.
    """
    level, index, value = 0, size, new_leaf
    added = [(level, index, value)]
    while index % 2:
        value = node_hash(nodes[level, index - 1], value)
        level, index = level + 1, index // 2
        added.append((level, index, value))
    return added


def root_from_nodes(size: int, nodes: Mapping[Node, bytes]) -> bytes:
    """Return the root of a tree of `size` leaves from its frontier."""
    return _range_hash(0, size, nodes) if size else EMPTY_ROOT


def inclusion_from_nodes(index: int, size: int, nodes: Mapping[Node, bytes]) -> list[bytes]:
    """Return the inclusion proof PATH(index, D[size]), leaf to root (RFC 6962 section 2.1.1)."""
    return [_range_hash(*span, nodes) for span in _inclusion_ranges(index, size)]


def consistency_from_nodes(old: int, new: int, nodes: Mapping[Node, bytes]) -> list[bytes]:
    """Return the consistency proof PROOF(old, D[new]) (RFC 6962 section 2.1.2)."""
    return [_range_hash(*span, nodes) for span in _consistency_ranges(old, new)]


def tree_nodes(leaf_hashes: Sequence[bytes]) -> dict[Node, bytes]:
    """Build every complete subtree of a small tree in memory."""
    nodes: dict[Node, bytes] = {}
    for size, value in enumerate(leaf_hashes):
        nodes |= {(level, index): h for level, index, h in nodes_to_append(size, value, nodes)}
    return nodes


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes: MTH of RFC 6962 section 2.1."""
    return root_from_nodes(len(leaf_hashes), tree_nodes(leaf_hashes))


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Return the inclusion proof of one leaf of a small tree."""
    return inclusion_from_nodes(index, len(leaf_hashes), tree_nodes(leaf_hashes))


def consistency_proof(leaf_hashes: Sequence[bytes], old: int) -> list[bytes]:
    """Return the proof that a small tree extends its own first `old` leaves."""
    return consistency_from_nodes(old, len(leaf_hashes), tree_nodes(leaf_hashes))


def verify_inclusion(
    *, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that leaf hash `leaf` stands at `index` of the tree (RFC 9162 section 2.1.3.2).

    Raises:
        FormatError: the index is outside the tree, or a hash has another length.
        MismatchError: the proof does not lead to `root`.
    """
    _check_proof(proof)
    if not 0 <= index < size or len(leaf) != HASH_BYTES:
        raise FormatError("the leaf's index is outside the tree, or its hash is not 32 bytes")
    position, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise MismatchError("the inclusion proof is too long")
        if position % 2 or position == last:
            value = node_hash(sibling, value)
            while position % 2 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    if last != 0 or value != root:
        raise MismatchError("the inclusion proof does not lead to the root")


def verify_consistency(
    *, old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check that the tree of `new` leaves extends that of `old` (RFC 9162 section 2.1.4.2).

    Raises:
        FormatError: not 1 ≤ `old` ≤ `new`, or a hash has another length.
        MismatchError: the proof does not join the two roots.
    """
    _check_proof(proof)
    _check_sizes(old, new)
    if old == new:
        if proof or old_root != new_root:
            raise MismatchError("trees of one size must have one root and an empty proof")
        return
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise MismatchError("the consistency proof is empty")
    first, last = old - 1, new - 1
    while first % 2:
        first, last = first >> 1, last >> 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise MismatchError("the consistency proof is too long")
        if first % 2 or first == last:
            old_value, new_value = node_hash(sibling, old_value), node_hash(sibling, new_value)
            while first % 2 == 0 and first:
                first, last = first >> 1, last >> 1
        else:
            new_value = node_hash(new_value, sibling)
        first, last = first >> 1, last >> 1
    if last != 0 or old_value != old_root or new_value != new_root:
        raise MismatchError("the consistency proof does not join the roots")


def _check_proof(proof: Sequence[bytes]) -> None:
    if len(proof) > MAX_PROOF_HASHES:
        raise FormatError(f"a proof has at most {MAX_PROOF_HASHES} hashes")
    if any(len(value) != HASH_BYTES for value in proof):
        raise FormatError("a hash of the proof is not 32 bytes")


def _check_sizes(old: int, new: int) -> None:
    if not 1 <= old <= new:
        raise FormatError("consistency needs 1 ≤ old size ≤ new size")


def _inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    if not 0 <= index < size:
        raise FormatError("the leaf index is outside the tree")
    start, end, ranges = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def _consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    _check_sizes(old, new)
    start, end, ranges = 0, new, []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        ranges.append((start, end))
    return ranges[::-1]


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_nodes(start: int, end: int) -> list[Node]:
    """Cover leaves [start, end) with complete subtrees; `start` is aligned, as in RFC 6962."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def _range_hash(start: int, end: int, nodes: Mapping[Node, bytes]) -> bytes:
    value, *rest = (nodes[node] for node in reversed(_range_nodes(start, end)))
    for left in rest:
        value = node_hash(left, value)
    return value
