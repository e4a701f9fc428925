"""Tiles, and proofs out of tiles, against RFC 6962 as its text writes it, up to 3,000 leaves."""

from functools import cache

from hypothesis import example, given
from hypothesis import strategies as st

from bot.crypto import merkle
from bot.crypto.tiles import Tile, nodes_of, tiles_of, width_at

MOST = 3000
LEAVES = [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(MOST)]
NODES = merkle.tree_nodes(LEAVES)
SIZES = st.integers(1, MOST)


@cache
def _mth(start: int, end: int) -> bytes:
    """MTH(D[start:end]) of RFC 6962 section 2.1, over leaf hashes."""
    if end - start == 1:
        return LEAVES[start]
    k = _split(end - start)
    return merkle.node_hash(_mth(start, start + k), _mth(start + k, end))


def _split(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def _subproof(m: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[start:end], b) of RFC 6962 section 2.1.2."""
    n = end - start
    if m == n:
        return [] if whole else [_mth(start, end)]
    k = _split(n)
    if m <= k:
        return [*_subproof(m, start, start + k, whole=whole), _mth(start + k, end)]
    return [*_subproof(m - k, start + k, end, whole=False), _mth(start, start + k)]


def _tile(tile: Tile) -> list[bytes]:
    """A tile's hashes as the log's database holds them: a run of nodes of one height."""
    return [NODES[8 * tile.level, tile.start + n] for n in range(tile.width)]


@given(SIZES, st.data())
@example(256, None)
@example(257, None)
@example(2048, None)
def test_each_hash_of_a_tile_is_that_of_the_definition(
    size: int, data: st.DataObject | None
) -> None:
    level = data.draw(st.integers(0, 1)) if data else 1
    count = size >> (8 * level)
    if count == 0:
        return
    index = data.draw(st.integers(0, (count - 1) // 256)) if data else 0
    tile = Tile(level, index, width_at(level, index, size))

    step = 256**level
    first = index * 256
    expected = [_mth((first + n) * step, (first + n + 1) * step) for n in range(tile.width)]
    assert _tile(tile) == expected


@given(SIZES, st.data())
def test_consistency_proofs_out_of_tiles_are_those_of_the_definition(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, new))
    needed = merkle.consistency_nodes(old, new)
    tiles = tiles_of(needed, new)

    nodes = nodes_of(needed, {(tile.level, tile.index): _tile(tile) for tile in tiles})
    proof = merkle.consistency_from_nodes(old, new, nodes)

    assert proof == _subproof(old, 0, new, whole=True)
    roots = {"old_root": _mth(0, old), "new_root": _mth(0, new)}
    merkle.verify_consistency(old=old, new=new, proof=proof, **roots)


@given(SIZES)
def test_a_tree_is_whole_in_its_tiles(size: int) -> None:
    needed = merkle.frontier_nodes(size)
    tiles = tiles_of(needed, size)

    nodes = nodes_of(needed, {(tile.level, tile.index): _tile(tile) for tile in tiles})

    assert merkle.root_from_nodes(size, nodes) == _mth(0, size)
    assert all(1 <= tile.width <= 256 for tile in tiles)
