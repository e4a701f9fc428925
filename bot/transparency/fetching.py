"""Leaves and bodies of a log, tile by tile, and the tree that leaves make."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.crypto import merkle
from bot.crypto.errors import FormatError
from bot.crypto.tiles import TILE_WIDTH, Tile, parse_bundle, width_at
from bot.domain.errors import TransientError
from bot.ports.monitor import Position, RemoteLog
from bot.transparency.published import BODY_PREFIX_BYTES

STEP_TILES = 16


@dataclass(frozen=True, slots=True)
class Step:
    """The next leaves on the way to a head.

    Attributes:
        start: index of the first leaf that is new.
        tiles: which hold them; the first may hold some that were read before.
    """

    start: int
    tiles: tuple[Tile, ...]

    @classmethod
    def after(cls, read: int, size: int) -> "Step":
        """Return the step after so many leaves, on the way to so many."""
        first = read // TILE_WIDTH
        last = min((size - 1) // TILE_WIDTH, first + STEP_TILES - 1)
        tiles = tuple(Tile(0, n, width_at(0, n, size)) for n in range(first, last + 1))
        return cls(read, tiles)

    @property
    def skip(self) -> int:
        """How many leaves of the first tile were read before."""
        return self.start - self.tiles[0].start


async def fetch_leaves(remote: RemoteLog, step: Step) -> list[bytes]:
    """Fetch a step's leaves; nothing where a bundle of them can't be read.

    Raises:
        TransientError: the log can't be reached, or lacks some.
    """
    found = await asyncio.gather(*(remote.entries(tile) for tile in step.tiles))
    leaves: list[bytes] = []
    for tile, data in zip(step.tiles, found, strict=True):
        if data is None:
            raise TransientError(f"the log does not serve the leaves {tile.position}")
        try:
            leaves += parse_bundle(data, tile.width)
        except FormatError:
            return []
    return leaves[step.skip :]


async def fetch_bodies(remote: RemoteLog, step: Step) -> list[bytes]:
    """Fetch what a step's leaves cite; empty where the log does not publish it."""
    found = await asyncio.gather(*(remote.bodies(tile) for tile in step.tiles))
    bodies: list[bytes] = []
    for tile, data in zip(step.tiles, found, strict=True):
        try:
            bodies += parse_bundle(data or b"", tile.width, prefix_bytes=BODY_PREFIX_BYTES)
        except FormatError:
            bodies += [b""] * tile.width
    return bodies[step.skip :]


@dataclass(frozen=True, slots=True)
class Grown:
    """A tree after more leaves: its size and frontier, and the subtrees that became complete."""

    size: int
    frontier: tuple[bytes, ...]
    completed: tuple[tuple[int, int, bytes], ...]

    @property
    def root(self) -> bytes:
        """The root over all leaves."""
        nodes = dict(zip(merkle.frontier_nodes(self.size), self.frontier, strict=True))
        return merkle.root_from_nodes(self.size, nodes)


def grow(position: Position, leaves: Sequence[bytes]) -> Grown:
    """Append leaves to what was read."""
    nodes = dict(zip(merkle.frontier_nodes(position.size), position.frontier, strict=True))
    size = position.size
    completed = []
    for leaf in leaves:
        for level, index, digest in merkle.nodes_to_append(size, merkle.leaf_hash(leaf), nodes):
            nodes[level, index] = digest
            completed.append((level, index, digest))
        size += 1
    frontier = tuple(nodes[node] for node in merkle.frontier_nodes(size))
    return Grown(size, frontier, tuple(completed))
