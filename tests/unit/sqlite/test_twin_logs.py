"""Twins' logs and what is held of them, over SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.earnings import SqliteEarnings
from adapters.sqlite.epochs import SCHEMA as EPOCHS_SCHEMA
from adapters.sqlite.fees import SqliteFees
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.crypto.hashing import sha256
from bot.domain.ledger import LedgerTransaction
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.domain.twin_log import TwinEntry, TwinLog
from bot.ports.stores import StoredReply
from bot.receipts.log import append_leaf
from tests.stage import CREATOR_NANO, MIRA, PRICE, Stage


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, EPOCHS_SCHEMA)
    opened = await Database.open(tmp_path / "book.db", schema=schema)
    yield opened
    await opened.close()


@pytest.fixture
async def stage(database: Database) -> Stage:
    opened = Stage(
        store=SqliteStore(database),
        reader=SqliteAuditReader(database),
        earnings=SqliteEarnings(database),
    )
    await opened.open((MIRA,))
    return opened


async def _bought(stage: Stage, database: Database, number: str) -> StoredReply:
    """Answer and deliver, and let it have been paid with bought credit."""
    reply = await stage.say(number=number)
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    async with database.transaction() as connection:
        await connection.execute(
            "UPDATE intents SET payer = 'paid', rate_table = ? WHERE key = ?",
            (bytes(32), reply.intent),
        )
    return reply


async def _reverse(stage: Stage, reply: StoredReply, outcome: Outcome) -> None:
    async with stage.store.transaction() as tx:
        index = await append_leaf(tx, bytes(66))
        await tx.set_reversal(
            reply.receipt_hash, outcome=outcome.word, statement=b"{}", log_index=index
        )


async def _mature(stage: Stage, reply: StoredReply) -> None:
    async with stage.store.transaction() as tx:
        await tx.post(LedgerTransaction(f"mature:{reply.intent}", "mature", ()))


async def test_bought_fees_are_held_until_they_mature_and_gone_once_refunded(
    stage: Stage, database: Database
) -> None:
    first, second, third = [await _bought(stage, database, f"m{n}") for n in range(3)]
    await stage.signer.publish(stage.store)
    (held,) = (await stage.earnings.freeze()).earnings
    await _mature(stage, first)
    await _reverse(stage, second, Outcome.REFUNDED)
    (waiting,) = (await stage.earnings.freeze()).earnings
    await stage.signer.publish(stage.store)
    await _reverse(stage, third, Outcome.WITHDRAWN)

    (after,) = (await stage.earnings.freeze()).earnings
    now = await stage.earnings.earned(after.twin)

    assert (held.cumulative_nano, held.held_nano, held.entries) == (0, 3 * CREATOR_NANO, 3)
    # The refund's leaf is past the head: it is still held, and no entry yet.
    assert (waiting.cumulative_nano, waiting.held_nano) == (CREATOR_NANO, 2 * CREATOR_NANO)
    assert (after.cumulative_nano, after.held_nano) == (CREATOR_NANO, CREATOR_NANO)
    assert (waiting.entries, after.entries) == (3, 4)
    assert now is not None
    assert (now.entries, now.held_nano) == (5, CREATOR_NANO)


async def test_entries_stand_in_the_order_of_the_outcome_leaves(
    stage: Stage, database: Database
) -> None:
    late = await stage.say(number="late")
    bought = await _bought(stage, database, "bought")
    await stage.delivery.record(late.receipt_id, Outcome.UNDELIVERED)
    await _reverse(stage, bought, Outcome.REFUNDED)

    log = await stage.earnings.twin_log(late.twin, 10**6)
    short = await stage.earnings.twin_log(late.twin, (bought.log_index + 2))

    words = [(entry.seq, entry.payer, entry.outcome) for entry in log.entries]
    assert words == [
        (2, Payer.PAID, Outcome.DELIVERED),
        (1, Payer.SPONSOR, Outcome.UNDELIVERED),
        (2, Payer.PAID, Outcome.REFUNDED),
    ]
    assert short.entries == log.entries[:1]
    assert TwinLog.parse(log.encode()).root() == log.root()
    assert (await stage.earnings.twin_log(bytes(32), 10**6)).entries == ()


async def _refund_withdrawn(stage: Stage, reply: StoredReply) -> None:
    async with stage.store.transaction() as tx:
        index = await append_leaf(tx, bytes(66))
        await tx.set_refund(reply.receipt_hash, statement=b"{}", log_index=index)


async def test_what_is_withdrawn_and_then_refunded_has_three_entries(
    stage: Stage, database: Database
) -> None:
    bought = await _bought(stage, database, "bought")
    await _reverse(stage, bought, Outcome.WITHDRAWN)
    await _refund_withdrawn(stage, bought)
    async with stage.store.transaction() as tx:
        await tx.post(LedgerTransaction(f"reverse:{bought.intent}", "reverse", ()))
    first = bought.log_index + 1

    logs = [await stage.earnings.twin_log(bought.twin, first + size) for size in range(4)]
    rows = (await SqliteFees(database).fees(bought.twin)).rows
    now = await stage.earnings.earned(bought.twin)

    words = [Outcome.DELIVERED, Outcome.WITHDRAWN, Outcome.REFUNDED]
    assert [[one.outcome for one in log.entries] for log in logs] == [
        words[:size] for size in range(4)
    ]
    assert [log.tally().earned_nano for log in logs] == [0, CREATOR_NANO, CREATOR_NANO, 0]
    assert TwinLog.parse(logs[3].encode()).root() == logs[3].root()
    assert [row.outcome for row in rows] == words
    assert [row.earned_nano for row in rows] == [CREATOR_NANO, 0, -CREATOR_NANO]
    keys = [f"end-hold:{bought.intent}", None, f"reverse:{bought.intent}"]
    assert [row.transaction_key for row in rows] == keys
    assert now is not None
    assert (now.held_nano, now.cumulative_nano) == (0, 0)


async def test_rows_of_a_statement_name_what_they_are_made_of(
    stage: Stage, database: Database
) -> None:
    reply = await stage.say(number="one")
    await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    bought = await _bought(stage, database, "two")
    await _reverse(stage, bought, Outcome.REFUNDED)

    found = await SqliteFees(database).fees(reply.twin)

    first, second, back = found.rows
    operator = PRICE - CREATOR_NANO
    assert (first.receipt_id, first.seq, first.index) == (reply.receipt_id, 1, 0)
    assert first.transaction_key == f"end-hold:{reply.intent}"
    assert first.transaction is not None
    assert (first.price_nano, first.earned_nano, first.operator_nano) == (
        PRICE,
        CREATOR_NANO,
        operator,
    )
    assert (second.earned_nano, back.earned_nano) == (CREATOR_NANO, -CREATOR_NANO)
    assert [row.epoch for row in found.rows] == [None] * 3
    assert [row.leaf for row in found.rows] == sorted(row.leaf for row in found.rows)


def test_ten_thousand_entries_have_a_root_and_a_sum() -> None:
    entries = [
        TwinEntry(n + 1, 1_700_000, Payer.PAID, Outcome.DELIVERED, sha256(b"%d" % n))
        for n in range(10_000)
    ]

    log = TwinLog(entries)
    root, tally = log.root(), log.tally()

    assert (len(root), tally.earned_nano) == (32, 10_000 * 1_700_000)
