"""What a witness must never forget, in one SQLite file: a commit is the only commit point."""

from pathlib import Path
from typing import Self

from adapters.sqlite.database import Database
from adapters.sqlite.statements import Statements
from bot.ports.witness import Conflict, SeenHead, WitnessState

VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS heads (
  origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS conflicts (
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL, size INTEGER NOT NULL, kept TEXT NOT NULL,
  offered TEXT NOT NULL, UNIQUE (origin, size)
) STRICT;
CREATE TRIGGER IF NOT EXISTS heads_only_grow BEFORE UPDATE ON heads WHEN NEW.size < OLD.size
BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;
CREATE TRIGGER IF NOT EXISTS heads_stay BEFORE DELETE ON heads
BEGIN SELECT RAISE(ABORT, 'a witness never forgets'); END;
"""


class SqliteWitnessState(WitnessState):
    """The state of one witness."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open or create the file.

        Raises:
            ConfigurationError: it can't be used.
        """
        return cls(await Database.open(path, schema=(SCHEMA,), expected=VERSION))

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    async def latest(self, origin: str) -> SeenHead | None:
        """Return the head promised last for an origin."""
        async with self._database.reading() as connection:
            return await _latest(Statements(connection), origin)

    async def advance(self, origin: str, *, expected: SeenHead | None, new: SeenHead) -> bool:
        """Put `new` in the place of `expected`: compared and swapped in one transaction."""
        async with self._database.transaction() as connection:
            tables = Statements(connection)
            seen = await _latest(tables, origin)
            if seen != expected:
                return False
            await tables.change(
                "INSERT INTO heads (origin, size, root, note) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, "
                "note = excluded.note",
                *(origin, new.size, new.root, new.note),
            )
        return True

    async def keep_conflict(self, conflict: Conflict) -> None:
        """Keep evidence against a log; the first of an origin and size is enough."""
        async with self._database.transaction() as connection:
            await Statements(connection).change(
                "INSERT OR IGNORE INTO conflicts (origin, size, kept, offered) VALUES (?, ?, ?, ?)",
                *(conflict.origin, conflict.size, conflict.kept, conflict.offered),
            )

    async def heads(self) -> dict[str, SeenHead]:
        """Return the newest head of each origin."""
        async with self._database.reading() as connection:
            found = await Statements(connection).all(
                "SELECT origin, size, root, note FROM heads ORDER BY origin"
            )
        return {str(origin): SeenHead(*row) for origin, *row in found}  # type: ignore[arg-type]

    async def conflicts(self) -> list[Conflict]:
        """Return the evidence, oldest first."""
        async with self._database.reading() as connection:
            found = await Statements(connection).all(
                "SELECT origin, size, kept, offered FROM conflicts ORDER BY id"
            )
        return [Conflict(*row) for row in found]  # type: ignore[arg-type]


async def _latest(tables: Statements, origin: str) -> SeenHead | None:
    row = await tables.one("SELECT size, root, note FROM heads WHERE origin = ?", origin)
    return None if row is None else SeenHead(*row)  # type: ignore[arg-type]
