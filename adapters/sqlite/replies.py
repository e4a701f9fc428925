"""The store of replies, log and ledger over one SQLite file."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime

from adapters.sqlite import rows
from adapters.sqlite.credit import CreditTables
from adapters.sqlite.database import Database
from adapters.sqlite.disputes import DisputeTables
from adapters.sqlite.held import HeldTables
from adapters.sqlite.ledger import LedgerTables
from adapters.sqlite.log import LogTables
from adapters.sqlite.manifests import ManifestTables
from adapters.sqlite.rate_tables import RateTables
from adapters.sqlite.verdicts import VerdictTables
from bot.domain.errors import InvariantError
from bot.ports.chat import Surface
from bot.ports.stores import Intent, PastTurn, Store, StoredReply, StoreTransaction

_PAGE = 32
OF_MESSAGE = (
    "SELECT intent FROM message_parts "
    "WHERE platform = ? AND bot = ? AND chat = ? AND thread = ? AND message_id = ?"
)
# Of a turn with several attempts the last one.
LAST_ATTEMPT = (
    "NOT EXISTS (SELECT 1 FROM replies later WHERE later.conversation = replies.conversation "
    "AND later.turn = replies.turn AND later.attempt > replies.attempt)"
)
TURNS = (
    f"{rows.SELECT_TURN} WHERE conversation = ? AND turn < ? AND {LAST_ATTEMPT} "
    "ORDER BY turn DESC LIMIT ?"
)

CHAIN_BREAK = f"""
SELECT MAX(turn) FROM replies WHERE conversation = ? AND turn < ?
   AND (finish = 'fixed' OR outcome = 'withdrawn' OR reversal = 'withdrawn') AND {LAST_ATTEMPT}
"""  # noqa: S608 - literals of this module


class SqliteStore(Store):
    """Opens transactions on the one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[StoreTransaction]:
        """Begin a transaction that may write."""
        async with self._database.transaction() as connection:
            try:
                yield SqliteTransaction(connection)
            except sqlite3.IntegrityError as error:
                raise InvariantError(f"the store refused a write: {error}") from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreTransaction]:
        """Begin a transaction that only reads."""
        async with self._database.reading() as connection:
            yield SqliteTransaction(connection)


class SqliteTransaction(
    ManifestTables,
    LogTables,
    LedgerTables,
    VerdictTables,
    RateTables,
    CreditTables,
    HeldTables,
    DisputeTables,
    StoreTransaction,
):
    """The operations on an open connection; lives as long as its transaction."""

    async def add_intent(self, intent: Intent) -> None:
        """Keep an open intent, findable by each of its parts; its key must be new."""
        await self.insert("intents", rows.intent_values(intent))
        await self.insert("message_parts", *(_part_values(intent, p.id) for p in intent.parts))

    async def intents_of_message(self, surface: Surface, message_id: str) -> list[Intent]:
        """Return the intents that answer a platform message, of all twins, oldest first."""
        found = await self.few(
            f"{rows.SELECT_INTENT} WHERE key IN ({OF_MESSAGE}) ORDER BY rowid",
            *(surface.platform, surface.bot, surface.chat, surface.thread, message_id),
        )
        return [rows.read_intent(row) for row in found]

    async def attempts_of(self, slot_tag: bytes) -> list[Intent]:
        """Return every attempt at one slot, in whatever state, by attempt."""
        found = await self.few(
            f"{rows.SELECT_INTENT} WHERE slot_tag = ? ORDER BY attempt", slot_tag
        )
        return [rows.read_intent(row) for row in found]

    async def find_intent(self, key: str) -> Intent | None:
        """Return an intent in whatever state."""
        row = await self.one(f"{rows.SELECT_INTENT} WHERE key = ?", key)
        return None if row is None else rows.read_intent(row)

    async def open_intents(self) -> list[Intent]:
        """Return the intents that have neither reply nor void, oldest first."""
        found = await self.all(f"{rows.SELECT_INTENT} WHERE state = 'open' ORDER BY rowid")
        return [rows.read_intent(row) for row in found]

    async def open_intents_of(self, conversation: bytes) -> list[Intent]:
        """Return one conversation's open intents, oldest first."""
        found = await self.few(
            f"{rows.SELECT_INTENT} WHERE state = 'open' AND conversation = ? ORDER BY rowid",
            conversation,
        )
        return [rows.read_intent(row) for row in found]

    async def close_intent(
        self, key: str, state: str, *, void_statement: bytes | None = None
    ) -> None:
        """Move an open intent to `done` or `void`; anything else is an InvariantError."""
        await self.change_one(
            "UPDATE intents SET state = ?, void_statement = ? WHERE key = ? AND state = 'open'",
            *(state, void_statement, key),
        )

    async def count_intents(self, platform: str, fan: str, since: datetime) -> int:
        """Count a fan's messages since a time, over all twins; what was drawn again counts once."""
        return await self.integer(
            "SELECT COUNT(*) FROM intents "
            "WHERE platform = ? AND fan = ? AND created_at >= ? AND rejected = 0",
            *(platform, fan, since.isoformat()),
        )

    async def next_sequence(self, twin: bytes) -> int:
        """Return the sequence number that the twin's next receipt gets, from 1."""
        return 1 + await self.integer("SELECT MAX(seq) FROM replies WHERE twin = ?", twin)

    async def add_reply(self, reply: StoredReply) -> None:
        """Keep a reply; its twin and seq, and its intent, must be new."""
        await self.insert("replies", rows.reply_values(reply))

    async def find_reply(self, receipt_id: str) -> StoredReply | None:
        """Return a reply by its receipt id."""
        row = await self.one(f"{rows.SELECT_REPLY} WHERE receipt_id = ?", receipt_id)
        return None if row is None else rows.read_reply(row)

    async def find_tagged(self, receipt_tag: bytes) -> StoredReply | None:
        """Return a reply by its receipt's tag."""
        row = await self.one(f"{rows.SELECT_REPLY} WHERE receipt_tag = ?", receipt_tag)
        return None if row is None else rows.read_reply(row)

    async def reply_of(self, intent: str) -> StoredReply | None:
        """Return the reply that an intent led to."""
        row = await self.one(f"{rows.SELECT_REPLY} WHERE intent = ?", intent)
        return None if row is None else rows.read_reply(row)

    async def conversation(self, conversation: bytes) -> list[StoredReply]:
        """Return a conversation's replies in order, withdrawn ones too, last attempts only."""
        found = await self.all(
            f"{rows.SELECT_REPLY} WHERE conversation = ? AND {LAST_ATTEMPT} ORDER BY turn",
            conversation,
        )
        return [rows.read_reply(row) for row in found]

    async def recent_turns(
        self, conversation: bytes, *, before: int | None = None, tokens: int = 0
    ) -> list[PastTurn]:
        """Return a conversation's latest turns, newest first, however long it is."""
        bound = 2**62 if before is None else before
        if tokens == 0:
            return rows.read_turns(await self.few(TURNS, conversation, bound, 1))

        def read(raw: sqlite3.Connection) -> list[PastTurn]:
            turns: list[PastTurn] = []
            used, last = 0, bound
            while used <= tokens:
                found = raw.execute(TURNS, (conversation, last, _PAGE)).fetchall()
                page = rows.read_turns(found)
                turns += page
                used += sum(len(turn.fan_tokens) + len(turn.output_tokens) for turn in page)
                if len(page) < _PAGE:
                    break
                last = page[-1].turn
            return turns

        return await self.work(read)

    async def chain_start(self, conversation: bytes, *, before: int | None = None) -> int:
        """Return the number of the first turn that a context may quote."""
        bound = 2**62 if before is None else before
        return 1 + await self.integer(CHAIN_BREAK, conversation, bound)

    async def undelivered_replies(self) -> list[tuple[Intent, StoredReply]]:
        """Return the replies whose outcome is undecided, oldest first (the outbox)."""
        found = await self.all(f"{rows.SELECT_REPLY} WHERE outcome IS NULL ORDER BY log_index")
        pairs = []
        for reply in map(rows.read_reply, found):
            intent = await self.find_intent(reply.intent)
            if intent is None:
                raise InvariantError(f"reply {reply.receipt_id} has no intent")
            pairs.append((intent, reply))
        return pairs

    async def set_outcome(
        self, receipt_hash: bytes, *, outcome: str, statement: bytes, log_index: int
    ) -> None:
        """Decide the outcome of a reply, once."""
        await self.change_one(
            "UPDATE replies SET outcome = ?, outcome_statement = ?, outcome_index = ? "
            "WHERE receipt_hash = ? AND outcome IS NULL",
            *(outcome, statement, log_index, receipt_hash),
        )

    async def set_reversal(
        self, receipt_hash: bytes, *, outcome: str, statement: bytes, log_index: int
    ) -> None:
        """Withdraw or refund a reply that was delivered, once."""
        await self.change_one(
            "UPDATE replies SET reversal = ?, reversal_statement = ?, reversal_index = ? "
            "WHERE receipt_hash = ? AND outcome = 'delivered' AND reversal IS NULL",
            *(outcome, statement, log_index, receipt_hash),
        )

    async def set_refund(self, receipt_hash: bytes, *, statement: bytes, log_index: int) -> None:
        """Refund a reply that was delivered and then withdrawn, once."""
        await self.change_one(
            "UPDATE replies SET refund_statement = ?, refund_index = ? "
            "WHERE receipt_hash = ? AND reversal = 'withdrawn' AND refund_index IS NULL",
            *(statement, log_index, receipt_hash),
        )


def _part_values(intent: Intent, message_id: str) -> Mapping[str, object]:
    return {
        **asdict(intent.message.surface),
        "message_id": message_id,
        "twin": intent.twin,
        "intent": intent.key,
    }
