"""A conversation of thousands of turns costs an answer no more than one of fifty."""

from pathlib import Path

import pytest

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from adapters.sqlite.log import NODES
from adapters.sqlite.replies import LAST_ATTEMPT, OF_MESSAGE, SqliteStore, SqliteTransaction
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.ports.stores import PastTurn
from tests.stored_values import CONVERSATION, MANIFEST, make_intent, make_reply

WINDOW = 400
_OF_A_MESSAGE = OF_MESSAGE.replace("?", "''")


async def _database(path: Path, turns: int) -> Database:
    database = await Database.open(path / "b.db", schema=(REPLIES_SCHEMA, APPEND_ONLY_SCHEMA))
    async with SqliteStore(database).transaction() as tx:
        await tx.add_manifest(MANIFEST)
        for number in range(1, turns + 1):
            intent = make_intent(number)
            await tx.add_intent(intent)
            reply = make_reply(intent, seq=number, turn=number, sealed=bytes(20_000))
            await tx.add_reply(reply)
            await tx.close_intent(intent.key, "done")
    return database


async def _read_rows(database: Database, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many rows of turns are read for one answer."""
    read = 0
    real = rows.read_turns

    def count(found: list[rows.Row]) -> list[PastTurn]:
        nonlocal read
        read += len(found)
        return real(found)

    monkeypatch.setattr(rows, "read_turns", count)
    async with SqliteStore(database).reading() as tx:
        await tx.recent_turns(CONVERSATION, tokens=WINDOW)
        await tx.recent_turns(CONVERSATION)
    monkeypatch.setattr(rows, "read_turns", real)
    return read


async def test_rows_read_are_bounded_by_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {}
    for turns in (150, 2_000):
        folder = tmp_path / str(turns)
        folder.mkdir()
        database = await _database(folder, turns)
        counts[turns] = await _read_rows(database, monkeypatch)
        await database.close()

    assert counts[150] == counts[2_000] <= WINDOW // 4 + 34  # four tokens a turn, one page more


@pytest.mark.parametrize(
    "query",
    [
        f"{rows.SELECT_TURN} WHERE conversation = x'00' AND turn < 9 AND {LAST_ATTEMPT}",
        f"{rows.SELECT_INTENT} WHERE key IN ({_OF_A_MESSAGE}) ORDER BY rowid",
        f"{rows.SELECT_INTENT} WHERE state = 'open' AND conversation = x'00' ORDER BY rowid",
        f"{rows.SELECT_INTENT} WHERE slot_tag = x'00' ORDER BY attempt",
        "SELECT MAX(idx) + 1 FROM log_leaves",
        "SELECT MAX(seq) FROM replies WHERE twin = x'00'",
        NODES.format(marks="(1, 2), (3, 4)"),
    ],
)
async def test_queries_of_an_answer_search_and_never_scan(tmp_path: Path, query: str) -> None:
    database = await _database(tmp_path, 3)

    async with database.reading() as connection:
        tx = SqliteTransaction(connection)
        plan = [str(row[3]) for row in await tx.all(f"EXPLAIN QUERY PLAN {query}")]
    await database.close()

    assert any(step.startswith("SEARCH") for step in plan)
    assert not any("SCAN replies" in step or "SCAN intents" in step for step in plan)
    assert not any("SCAN log_nodes" in step for step in plan)
