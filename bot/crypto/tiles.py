"""Tiles of a log (c2sp.org/tlog-tiles): addresses, widths, bundles, subtree hashes out of them.

A *tile* `(level, index)` is up to 256 consecutive hashes of the tree's height `8 · level`: each
is a node of `bot.crypto.merkle`. At level 0 they are leaf hashes. A tile with fewer than 256 is
partial; what it holds never changes, a later one only holds more.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.crypto.canonical import MAX_INTEGER
from bot.crypto.errors import FormatError
from bot.crypto.merkle import HASH_BYTES, Node, root_of

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_TILE_LEVEL = 63
MAX_ENTRY_BYTES = 0xFFFF
_INDEX = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}", re.ASCII)
_MAX_INDEX_LENGTH = 32
_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile as it is asked for; `width` hashes of it, 256 if it is full.

    Raises:
        FormatError: level, index or width is out of range.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        inside = 0 <= self.level <= MAX_TILE_LEVEL and 0 <= self.index <= MAX_INTEGER
        if not (inside and 1 <= self.width <= TILE_WIDTH):
            raise FormatError("a tile has a level of 0 to 63 and 1 to 256 hashes")

    @property
    def is_full(self) -> bool:
        """Whether it can't grow any more."""
        return self.width == TILE_WIDTH

    @property
    def start(self) -> int:
        """The index, within its level, of the tile's first hash."""
        return self.index * TILE_WIDTH

    @property
    def position(self) -> str:
        """The end of its path: `<N>` or `<N>.p/<W>`."""
        suffix = "" if self.is_full else f".p/{self.width}"
        return encode_index(self.index) + suffix


def encode_index(index: int) -> str:
    """Write an index in path elements of three digits, all but the last after an `x`."""
    parts = [f"{index % 1000:03}"]
    while index >= 1000:  # noqa: PLR2004 - three digits
        index //= 1000
        parts.append(f"x{index % 1000:03}")
    return "/".join(reversed(parts))


def parse_tile(level: str, position: str) -> Tile:
    """Parse the level and the position of a tile's path.

    Raises:
        FormatError: not the one spelling of a level, an index and a width.
    """
    number, separator, width = position.partition(".p/")
    if len(number) > _MAX_INDEX_LENGTH or not _INDEX.fullmatch(number):
        raise FormatError("a tile's index is written as path elements of three digits")
    index = int(number.replace("x", "").replace("/", ""))
    if encode_index(index) != number:
        raise FormatError("a tile's index has leading zeroes")
    if not _NUMBER.fullmatch(level) or (separator and not _NUMBER.fullmatch(width)):
        raise FormatError("a tile's level and width are decimal numbers without leading zeroes")
    if separator and int(width) >= TILE_WIDTH:
        raise FormatError("a partial tile has at most 255 hashes")
    return Tile(int(level), index, int(width) if separator else TILE_WIDTH)


def width_at(level: int, index: int, size: int) -> int:
    """Return how many hashes a tile has in a tree of `size` leaves; 0 if it does not exist yet."""
    complete = size >> (TILE_HEIGHT * level)
    return max(0, min(TILE_WIDTH, complete - index * TILE_WIDTH))


def tiles_of(nodes: Iterable[Node], size: int) -> list[Tile]:
    """List the tiles of a tree of `size` leaves in which these nodes can be found."""
    wanted = sorted({_place(node)[:2] for node in nodes})
    return [Tile(level, index, width_at(level, index, size)) for level, index in wanted]


def nodes_of(
    nodes: Iterable[Node], tiles: Mapping[tuple[int, int], Sequence[bytes]]
) -> dict[Node, bytes]:
    """Read nodes out of tiles by (level, index): a hash of a tile, or the root over some of them.

    Raises:
        FormatError: a tile is missing, or too narrow.
    """
    found = {}
    for node in nodes:
        level, index, first, count = _place(node)
        hashes = tiles.get((level, index), ())[first : first + count]
        if len(hashes) != count:
            raise FormatError(f"tile {level}/{encode_index(index)} does not hold a needed hash")
        found[node] = root_of(hashes)
    return found


def _place(node: Node) -> tuple[int, int, int, int]:
    """Return a node's tile, and which of its hashes the node is the root of: first and count."""
    height, index = node
    level, above = divmod(height, TILE_HEIGHT)
    first = index << above
    return level, first // TILE_WIDTH, first % TILE_WIDTH, 1 << above


def parse_hashes(data: bytes, width: int) -> list[bytes]:
    """Split a tile into its hashes.

    Raises:
        FormatError: it has not exactly `width` of them.
    """
    if len(data) != width * HASH_BYTES:
        raise FormatError(f"a tile of {width} hashes has {len(data)} bytes")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def encode_bundle(items: Sequence[bytes], *, prefix_bytes: int = 2) -> bytes:
    """Join entries, each after its length as a big-endian number of `prefix_bytes`."""
    return b"".join(len(item).to_bytes(prefix_bytes, "big") + item for item in items)


def parse_bundle(data: bytes, count: int, *, prefix_bytes: int = 2) -> list[bytes]:
    """Split a bundle into exactly `count` entries, every byte consumed.

    Raises:
        FormatError: it ends early, or has more.
    """
    items, at = [], 0
    for _ in range(count):
        begin = at + prefix_bytes
        end = begin + int.from_bytes(data[at:begin], "big")
        if begin > len(data) or end > len(data):
            raise FormatError(f"the bundle ends before its {count} entries do")
        items.append(data[begin:end])
        at = end
    if at != len(data):
        raise FormatError(f"the bundle has bytes after its {count} entries")
    return items
