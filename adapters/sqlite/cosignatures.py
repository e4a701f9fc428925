"""What witnesses have signed of our own log, in the service's database."""

from adapters.sqlite.database import Database
from adapters.sqlite.statements import Statements
from bot.ports.transparency import CosignatureStore, StoredCosignature

SCHEMA = """
CREATE TABLE IF NOT EXISTS cosignatures (
  witness BLOB NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL, line TEXT NOT NULL,
  PRIMARY KEY (witness, size)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cosignatures_size ON cosignatures(size);
"""
KEPT = 1024  # heads of each witness: some hours of them; older heads are contained in these
_PRUNE = (
    "DELETE FROM cosignatures WHERE witness = ?1 AND size <= "
    "(SELECT size FROM cosignatures WHERE witness = ?1 ORDER BY size DESC LIMIT 1 OFFSET ?2)"
)


class SqliteCosignatures(CosignatureStore):
    """Keeps cosignatures beside the heads that they are of."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, cosignature: StoredCosignature) -> None:
        """Keep a cosignature; of one witness and size the latest."""
        one = cosignature
        async with self._database.transaction() as connection:
            tables = Statements(connection)
            await tables.change(
                "INSERT INTO cosignatures (witness, size, time, line) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (witness, size) DO UPDATE SET time = excluded.time, "
                "line = excluded.line WHERE excluded.time >= time",
                *(one.witness, one.size, one.time, one.line),
            )
            await tables.change(_PRUNE, one.witness, KEPT)

    async def latest(self, witness: bytes) -> StoredCosignature | None:
        """Return a witness's cosignature of the largest head."""
        async with self._database.reading() as connection:
            row = await Statements(connection).one(
                "SELECT witness, size, time, line FROM cosignatures WHERE witness = ? "
                "ORDER BY size DESC LIMIT 1",
                witness,
            )
        return None if row is None else StoredCosignature(*row)  # type: ignore[arg-type]
