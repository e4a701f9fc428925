"""The contract of secrets, over the fake and over SQLite; and what encryption promises beside."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.secrets import SCHEMA, SqliteSecrets
from bot.domain.errors import ConfigurationError
from bot.ports.secrets import SecretStore
from tests.fakes.secrets import MemorySecrets

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
TOKEN = "12345:very-secret ✓"  # noqa: S105 - invented


def _bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "twinproof.db", schema=[SCHEMA])
    yield opened
    await opened.close()


@pytest.fixture(params=["memory", "sqlite"])
def secrets(request: pytest.FixtureRequest, database: Database) -> SecretStore:
    return MemorySecrets() if request.param == "memory" else SqliteSecrets(database, KEY)


async def test_secret_reads_back_and_is_replaced(secrets: SecretStore) -> None:
    assert await secrets.find("bot 1") is None

    await secrets.put("bot 1", "first")
    await secrets.put("bot 1", TOKEN)
    await secrets.put("bot 2", "")

    assert await secrets.find("bot 1") == TOKEN
    assert await secrets.find("bot 2") == ""


async def test_names_are_found_by_prefix_in_order(secrets: SecretStore) -> None:
    for name in ("b/2", "b%1", "b_", "a", "b/1", "é"):
        await secrets.put(name, "x")

    assert await secrets.names("b/") == ["b/1", "b/2"]
    assert await secrets.names("b%") == ["b%1"]
    assert await secrets.names("") == ["a", "b%1", "b/1", "b/2", "b_", "é"]


async def test_removed_secret_is_gone_and_may_be_removed_twice(secrets: SecretStore) -> None:
    await secrets.put("bot 1", TOKEN)

    await secrets.remove("bot 1")
    await secrets.remove("bot 1")

    assert await secrets.find("bot 1") is None
    assert await secrets.names("") == []


async def test_database_holds_neither_secret_nor_key(database: Database, tmp_path: Path) -> None:
    await SqliteSecrets(database, KEY).put("bot 1", TOKEN)

    stored = _bytes_in(tmp_path)

    assert TOKEN.encode() not in stored
    assert KEY not in stored


async def test_same_secret_is_never_encrypted_twice_alike(database: Database) -> None:
    secrets = SqliteSecrets(database, KEY)
    for name in ("a", "b"):
        await secrets.put(name, TOKEN)

    async with database.reading() as connection:
        rows = list(await connection.execute_fetchall("SELECT nonce, ciphertext FROM secrets"))

    assert len({row[0] for row in rows}) == 2
    assert len({row[1] for row in rows}) == 2
    assert {len(row[0]) for row in rows} == {12}


async def test_another_key_is_refused_and_says_what_to_do(database: Database) -> None:
    await SqliteSecrets(database, KEY).put("bot 1", TOKEN)

    with pytest.raises(ConfigurationError, match=r"restore the key secrets\.key") as refused:
        await SqliteSecrets(database, OTHER_KEY).find("bot 1")

    assert "very-secret" not in str(refused.value)


_COPY = "UPDATE secrets SET (nonce, ciphertext) = (SELECT nonce, ciphertext FROM secrets "


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("UPDATE secrets SET name = 'c' WHERE name = 'a'", "c"),
        (_COPY + "WHERE name = 'b') WHERE name = 'a'", "a"),
        ("UPDATE secrets SET ciphertext = x'00' WHERE name = 'a'", "a"),
        ("UPDATE secrets SET nonce = x'' WHERE name = 'a'", "a"),
    ],
    ids=["moved", "copied from another", "damaged", "without a nonce"],
)
async def test_moved_or_damaged_ciphertext_is_refused(
    database: Database, change: str, name: str
) -> None:
    secrets = SqliteSecrets(database, KEY)
    await secrets.put("a", "one")
    await secrets.put("b", "two")
    async with database.transaction() as connection:
        await connection.execute(change)

    with pytest.raises(ConfigurationError):
        await secrets.find(name)
