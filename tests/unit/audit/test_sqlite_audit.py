"""The audit over a database file that somebody has edited."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.earnings import SqliteEarnings
from adapters.sqlite.epochs import SCHEMA as EPOCHS_SCHEMA
from adapters.sqlite.epochs import SqliteEpochStore
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.crypto import eip712
from bot.domain.leaf import OrderLeaf, twin_prefix
from bot.domain.manifest import Manifest
from bot.domain.order import order_data
from bot.domain.statements import Outcome
from bot.ports.stores import StoredOrder
from bot.receipts.log import append_leaf
from scripts.vector_events import ORDER
from tests.stage import LOG, Stage, StageCreators

SCHEMA = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, EPOCHS_SCHEMA)
TABLES = (
    *("manifests", "orders", "log_leaves", "log_nodes", "checkpoints"),
    *("ledger_transactions", "postings"),
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    database = await Database.open(tmp_path / "book.db", schema=SCHEMA)
    opened = Stage(
        store=SqliteStore(database),
        reader=SqliteAuditReader(database),
        epochs=SqliteEpochStore(database),
        earnings=SqliteEarnings(database),
    )
    twin = await opened.open()
    await _pause(opened, twin.manifest)
    replies = [await opened.say(number=f"m{number}") for number in range(2)]
    for reply in replies:
        await opened.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    again = await opened.again(replies[-1].receipt_id)
    await opened.delivery.record(again.receipt_id, Outcome.DELIVERED)
    await opened.delivery.record(again.receipt_id, Outcome.WITHDRAWN)
    await opened.signer.publish(opened.store)
    yield opened
    await database.close()


async def _pause(stage: Stage, manifest: Manifest) -> None:
    order = replace(ORDER, twin=manifest.twin, log=LOG.name)
    key = StageCreators().signing_key(manifest.slug)
    signature = eip712.sign_digest(key, order_data(order, manifest.name).digest())
    async with stage.store.transaction() as tx:
        await tx.add_order(
            StoredOrder(
                order_hash=order.hash,
                twin=order.twin,
                number=order.number,
                body=order.encode(),
                signature=eip712.encode_signature(signature),
                log_index=await append_leaf(
                    tx, OrderLeaf(order.hash, twin_prefix(order.twin)).encode()
                ),
            )
        )


def _edit(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path / "book.db")
    for (trigger,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        connection.execute(f"DROP TRIGGER {trigger}")
    try:
        assert connection.execute(sql).rowcount > 0
        connection.commit()
    finally:
        connection.close()


async def test_honest_database_passes(stage: Stage) -> None:
    findings = await stage.audit()

    assert findings.wrong == []
    assert (findings.checked["orders"], findings.checked["outcomes"]) == (1, 4)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE postings SET nano = nano + 1 WHERE account LIKE 'creator:%'",
        "UPDATE balances SET nano = nano + 1",
        "DELETE FROM postings WHERE account LIKE 'fees:%'",
        "DELETE FROM log_nodes WHERE level = 0 AND idx = 1",
        "DELETE FROM log_leaves WHERE idx = 2",
        "UPDATE replies SET seq = seq + 5",
        "UPDATE replies SET output_tokens = '[1]'",
        "UPDATE replies SET output_tokens = 'no json'",
        "UPDATE replies SET outcome = 'withdrawn' WHERE reversal IS NULL",
        "UPDATE intents SET created_at = 'yesterday'",
        "UPDATE intents SET spans = '[[\"poem\", [], null]]'",
        "UPDATE intents SET spans = '[[\"fan\", [], null]]'",
        "UPDATE intents SET spans = '[7]'",
        "UPDATE checkpoints SET note = ''",
        "UPDATE manifests SET signature = 'none'",
        "UPDATE orders SET signature = 'none'",
        "UPDATE orders SET number = 2",
        "DELETE FROM orders",
        "UPDATE replies SET attempt = attempt + 5",
        "UPDATE replies SET halt = 'stop'",
        "UPDATE replies SET reversal = 'refunded' WHERE reversal IS NOT NULL",
        "UPDATE replies SET reversal_index = NULL WHERE reversal IS NOT NULL",
        "UPDATE intents SET parts = 'no json'",
        "UPDATE intents SET parts = '[]'",
        "UPDATE intents SET regenerate = 'another wish' WHERE regenerate IS NOT NULL",
        "UPDATE intents SET replaces = x'00' WHERE replaces IS NOT NULL",
    ],
)
async def test_edited_database_is_found_and_never_crashes_the_audit(
    stage: Stage, tmp_path: Path, sql: str
) -> None:
    _edit(tmp_path, sql)

    assert (await stage.audit()).wrong


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("verb", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
async def test_append_only_tables_refuse_changes(
    stage: Stage, tmp_path: Path, table: str, verb: str
) -> None:
    del stage
    connection = sqlite3.connect(tmp_path / "book.db")
    column = connection.execute(f"PRAGMA table_info({table})").fetchone()[1]

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(verb.format(table, column))
    connection.close()
