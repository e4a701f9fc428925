"""What of the log anybody may fetch: the checkpoint, tiles, leaves, and the bodies that they cite.

Nothing is given out that no signed head covers: when a leaf was appended shows no finer than heads
are signed. Full tiles never change, so the last used ones stay in memory.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.crypto.signed_note import VerifierKey, open_note
from bot.crypto.tiles import TILE_HEIGHT, Tile, encode_bundle
from bot.domain.errors import InvariantError
from bot.domain.witnesses import WitnessPolicy
from bot.ports.transparency import CheckpointRow, LogReader, PublicLog

BODY_PREFIX_BYTES = 4
HEADS_LOOKED_AT = 16
HEADS_SEARCHED = 256  # of those that are cosigned at all, for a proof
MAX_LINES = 16
MAX_KEPT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Key:
    kind: str
    level: int
    index: int


class PublishedLog(PublicLog):
    """Serves the service's own log.

    Args:
        reader: of the log; beside the writer.
        log: the log's key.
        policy: the head that is shown is the newest one that satisfies it, as long as that is among
            the last `HEADS_LOOKED_AT`: witnesses that are away don't stop the log.
        kept: how many first leaves are those of a sealed log that this one continues; heads over no
            more than these were signed by that one.
    """

    def __init__(
        self, *, reader: LogReader, log: VerifierKey, policy: WitnessPolicy, kept: int = 0
    ) -> None:
        self._reader = reader
        self._log = log
        self._policy = policy
        self._first = kept
        self._kept: OrderedDict[_Key, bytes] = OrderedDict()  # owned by `_keep`, as is the next
        self._kept_bytes = 0
        self._size = 0  # of the newest signed head that was seen; it never shrinks
        self._shown = (
            0  # size of the head that was shown last: a smaller one would look like a loss
        )

    async def checkpoint(self) -> str | None:
        """Return the head to show, with its cosignatures."""
        rows = await self._heads(HEADS_LOOKED_AT if self._policy.needed else 1)
        if not rows:
            return None
        self._size = max(self._size, rows[0].head.size)
        row = next(
            (row for row in rows if row.head.size >= self._shown and self._is_met(row)), rows[0]
        )
        self._shown = row.head.size
        return with_cosignatures(row)

    async def head_for(self, index: int) -> str | None:
        """Return the head under which to prove a leaf, with its cosignatures."""
        heads = await self._heads(1)
        if not heads or heads[0].head.size <= index:
            return None
        newest = heads[0]
        if self._policy.needed:
            kept = await self._reader.witnessed(HEADS_SEARCHED)
            rows = [row for row in kept if row.head.size > max(index, self._first)]
            newest = next((row for row in rows if self._is_met(row)), newest)
        return self._with_lines(newest)

    def _with_lines(self, row: CheckpointRow) -> str:
        """Return a head's note with the cosignatures that a proof may have: the policy's first."""
        named = {one.public_key for one in self._policy.witnesses}
        lines = sorted(row.cosignatures, key=lambda one: one.witness not in named)
        return row.head.note + "".join(one.line for one in lines[: MAX_LINES - 1])

    async def _heads(self, at_most: int) -> list[CheckpointRow]:
        """Return the newest heads that this log has signed, newest first."""
        rows = await self._reader.newest(at_most)
        return [row for row in rows if row.head.size > self._first]

    def _is_met(self, row: CheckpointRow) -> bool:
        return self._policy.count(open_note(with_cosignatures(row), self._log)).is_met

    async def tile(self, tile: Tile) -> bytes | None:
        """Return a tile's hashes, joined."""

        async def read() -> Sequence[bytes]:
            return await self._reader.hashes(TILE_HEIGHT * tile.level, tile.start, tile.width)

        return await self._joined("hashes", tile, read, b"".join)

    async def entries(self, tile: Tile) -> bytes | None:
        """Return a bundle of leaves."""

        async def read() -> Sequence[bytes]:
            return await self._reader.leaves(tile.start, tile.width)

        return await self._joined("entries", tile, read, encode_bundle)

    async def bodies(self, tile: Tile) -> bytes | None:
        """Return a bundle of what leaves cite: no statement names a time or a person."""

        async def read() -> Sequence[bytes]:
            return await self._reader.bodies(tile.start, tile.width)

        def join(bodies: Sequence[bytes]) -> bytes:
            return encode_bundle(bodies, prefix_bytes=BODY_PREFIX_BYTES)

        return await self._joined("bodies", tile, read, join)

    async def body(self, digest: bytes) -> bytes | None:
        """Return a manifest or an order by its hash."""
        return await self._reader.body(digest)

    async def seals(self) -> bytes:
        """Return the seals of the logs that this one continues, as a JSON array."""
        return b"[%b]" % b",".join(await self._reader.seals())

    async def _joined(
        self,
        kind: str,
        tile: Tile,
        read: Callable[[], Awaitable[Sequence[bytes]]],
        join: Callable[[Sequence[bytes]], bytes],
    ) -> bytes | None:
        key = _Key(kind, tile.level, tile.index)
        kept = self._kept.get(key)
        if kept is not None and tile.is_full:
            self._kept.move_to_end(key)
            return kept
        if not await self._is_signed(tile):
            return None
        items = await read()
        if len(items) != tile.width:
            raise InvariantError(f"a signed head covers {kind} that are not in the log")
        data = join(items)
        if tile.is_full:
            self._keep(key, data)
        return data

    def _keep(self, key: _Key, data: bytes) -> None:
        """Keep what will never change; what was not used for longest goes."""
        if key in self._kept:  # somebody else has read it meanwhile
            return
        self._kept[key] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > MAX_KEPT_BYTES:
            _, gone = self._kept.popitem(last=False)
            self._kept_bytes -= len(gone)

    async def _is_signed(self, tile: Tile) -> bool:
        """Say whether a signed head covers all of a tile; look for a newer head if not."""
        end = (tile.start + tile.width) << (TILE_HEIGHT * tile.level)
        if end > self._size:
            rows = await self._heads(1)
            self._size = max(self._size, rows[0].head.size if rows else 0)
        return end <= self._size


def with_cosignatures(row: CheckpointRow) -> str:
    """Return a head's note with the cosignatures that are kept of it."""
    return row.head.note + "".join(one.line for one in row.cosignatures)
