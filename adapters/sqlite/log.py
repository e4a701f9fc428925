"""The transparency log's tables: leaves, subtree hashes, signed heads."""

from collections.abc import Mapping, Sequence

from adapters.sqlite import rows
from adapters.sqlite.statements import Statements
from bot.domain.errors import InvariantError
from bot.ports.stores import NodeAddress, StoredCheckpoint

# A join, because SQLite searches the table for its rows, and would scan it for `IN (VALUES …)`.
NODES = (
    "WITH wanted(level, idx) AS (VALUES {marks}) "
    "SELECT level, idx, hash FROM wanted CROSS JOIN log_nodes USING (level, idx)"
)
SEALS = "SELECT envelope FROM seals ORDER BY log_index"


class LogTables(Statements):
    """The log's part of a transaction."""

    async def log_size(self) -> int:
        """Return the number of leaves."""
        return await self.integer("SELECT MAX(idx) + 1 FROM log_leaves")  # they have no holes

    async def log_nodes(self, addresses: Sequence[NodeAddress]) -> Mapping[NodeAddress, bytes]:
        """Return the hashes of complete subtrees, by (level, index)."""
        if not addresses:
            return {}
        marks = ", ".join(["(?, ?)"] * len(addresses))
        found = await self.few(
            NODES.format(marks=marks), *(number for address in addresses for number in address)
        )
        hashes = {(level, index): rows.blob(digest) for level, index, digest in found}
        for level, index in addresses:
            if (level, index) not in hashes:
                raise InvariantError(f"log node {level}/{index} is missing")
        return {address: hashes[address] for address in addresses}

    async def log_leaf(self, index: int) -> bytes:
        """Return a leaf's bytes."""
        row = await self.one("SELECT leaf FROM log_leaves WHERE idx = ?", index)
        if row is None:
            raise InvariantError(f"log leaf {index} is missing")
        return rows.blob(row[0])

    async def append_leaf(
        self, index: int, leaf: bytes, nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Add the leaf at the log's size, with the subtree hashes that it completes."""
        if index != await self.log_size():
            raise InvariantError(f"leaf {index} is not the log's next")
        await self.insert("log_leaves", {"idx": index, "leaf": leaf})
        await self.insert(
            "log_nodes",
            *({"level": level, "idx": at, "hash": digest} for level, at, digest in nodes),
        )

    async def latest_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest signed head."""
        row = await self.one("SELECT size, root, note FROM checkpoints ORDER BY size DESC LIMIT 1")
        return None if row is None else rows.read_checkpoint(row)

    async def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Keep a signed head; its size must be larger than the newest one's."""
        newest = await self.integer("SELECT MAX(size) FROM checkpoints")
        if checkpoint.size <= newest:
            raise InvariantError(f"checkpoint {checkpoint.size} does not follow {newest}")
        await self.insert(
            "checkpoints",
            {"size": checkpoint.size, "root": checkpoint.root, "note": checkpoint.note},
        )

    async def seals(self) -> Sequence[bytes]:
        """Return the envelopes of the seals in the log, oldest first."""
        return [rows.blob(row[0]) for row in await self.few(SEALS)]

    async def add_seal(self, index: int, envelope: bytes) -> None:
        """Keep the seal that the leaf of this index cites."""
        await self.insert("seals", {"log_index": index, "envelope": envelope})
