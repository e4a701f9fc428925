"""Secrets in the database, encrypted: AES-256-GCM under a key that lies elsewhere.

The nonce is 96 random bits for each write; the name is authenticated with the secret, so that no
ciphertext can stand in for another one.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.sqlite.database import Database
from adapters.sqlite.statements import Statements
from bot.domain.errors import ConfigurationError
from bot.ports.secrets import SecretStore

SCHEMA = """
CREATE TABLE IF NOT EXISTS secrets (
  name TEXT PRIMARY KEY, nonce BLOB NOT NULL, ciphertext BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
NONCE_BYTES = 12
_DOMAIN = b"twinproof/v1/secret\x00"


class SqliteSecrets(SecretStore):
    """One row for each secret; the key (32 bytes) comes from the keys folder."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._cipher = AESGCM(key)

    async def put(self, name: str, secret: str) -> None:
        """Keep a secret under a name, in place of an earlier one."""
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = self._cipher.encrypt(nonce, secret.encode(), _bound_to(name))
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)", (name, nonce, ciphertext)
            )

    async def find(self, name: str) -> str | None:
        """Return a secret; None if there is none of that name."""
        async with self._database.reading() as connection:
            cursor = await connection.execute(
                "SELECT nonce, ciphertext FROM secrets WHERE name = ?", (name,)
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        try:
            return self._cipher.decrypt(row[0], row[1], _bound_to(name)).decode()
        except (InvalidTag, ValueError) as error:
            raise ConfigurationError(
                f"The secret {name!r} can't be opened: restore the key secrets.key that belongs to "
                "this database, or give the secret once more."
            ) from error

    async def names(self, prefix: str) -> list[str]:
        """Return the names that begin with a prefix, in order."""
        async with self._database.reading() as connection:
            found = await Statements(connection).all("SELECT name FROM secrets ORDER BY name")
        return [name for (name,) in found if isinstance(name, str) and name.startswith(prefix)]

    async def remove(self, name: str) -> None:
        """Forget a secret; idempotent."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM secrets WHERE name = ?", (name,))


def _bound_to(name: str) -> bytes:
    return _DOMAIN + name.encode()
