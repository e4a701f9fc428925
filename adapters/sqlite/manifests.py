"""The tables of what creators have signed: manifests and orders."""

from adapters.sqlite import rows
from adapters.sqlite.statements import Statements
from bot.domain.errors import InvariantError
from bot.ports.stores import StoredManifest, StoredOrder


class ManifestTables(Statements):
    """The creators' part of a transaction."""

    async def add_manifest(self, manifest: StoredManifest) -> None:
        """Keep a signed manifest for ever."""
        await self.insert("manifests", rows.manifest_values(manifest))

    async def find_manifest(self, manifest_hash: bytes) -> StoredManifest | None:
        """Return a manifest by its hash."""
        row = await self.one(f"{rows.SELECT_MANIFEST} WHERE hash = ?", manifest_hash)
        return None if row is None else rows.read_manifest(row)

    async def latest_manifest(self, twin: bytes) -> StoredManifest | None:
        """Return the manifest of a twin that was added last."""
        row = await self.one(
            f"{rows.SELECT_MANIFEST} WHERE twin = ? ORDER BY log_index DESC LIMIT 1", twin
        )
        return None if row is None else rows.read_manifest(row)

    async def manifests_of(self, twin: bytes) -> list[StoredManifest]:
        """Return every manifest of a twin, oldest first."""
        found = await self.all(f"{rows.SELECT_MANIFEST} WHERE twin = ? ORDER BY log_index", twin)
        return [rows.read_manifest(row) for row in found]

    async def published_twins(self) -> list[bytes]:
        """Return the ids of all twins that have a manifest, in the order of their first one."""
        return await self.blobs("SELECT twin FROM manifests GROUP BY twin ORDER BY MIN(log_index)")

    async def add_order(self, order: StoredOrder) -> None:
        """Keep a signed order for ever; its number must be the twin's next."""
        last = await self.integer("SELECT MAX(number) FROM orders WHERE twin = ?", order.twin)
        if order.number != last + 1:
            raise InvariantError(f"order {order.number} does not follow the twin's {last}")
        await self.insert("orders", rows.order_values(order))

    async def orders_of(self, twin: bytes) -> list[StoredOrder]:
        """Return a twin's orders by number."""
        found = await self.all(f"{rows.SELECT_ORDER} WHERE twin = ? ORDER BY number", twin)
        return [rows.read_order(row) for row in found]
