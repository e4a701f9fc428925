"""The store in memory: all or nothing, one transaction at a time, and strict with its callers.

A breach of the port's contract by the code under test raises `ContractBreach`, which is an
AssertionError and no BotError, so that nothing catches it on its way to the test.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from functools import partial

from bot.domain.errors import InvariantError, StoreBusyError
from bot.domain.ids import receipt_tag_of
from bot.domain.ledger import LedgerTransaction, may_be_negative, may_be_positive
from bot.domain.payment import Payer
from bot.ports.audit import AuditReader, StoredRecords, StoredSeal
from bot.ports.book import StoredRates
from bot.ports.chat import Surface
from bot.ports.stores import (
    Intent,
    NodeAddress,
    PastTurn,
    Store,
    StoredCheckpoint,
    StoredManifest,
    StoredOrder,
    StoredReply,
    StoreTransaction,
)
from bot.ports.verdicts import StoredVerdict
from tests.fakes.credit_book import CreditTables, MemoryCreditRecords


class ContractBreach(AssertionError):  # noqa: N818 - a breach is no error of the store's
    """The code under test used the port in a way that its contract forbids."""


class ProcessKilled(BaseException):
    """The process is gone; only a new store over the same tables can go on."""


class WriteFault(Enum):
    """What happens to one commit."""

    LOST = "lost: nothing is stored, and the caller is told so"
    APPLIED = "applied but errored: everything is stored, and the caller is told otherwise"
    KILLED_BEFORE = "the process dies before the commit"
    KILLED_AFTER = "the process dies after the commit"


KILLS = (WriteFault.KILLED_BEFORE, WriteFault.KILLED_AFTER)
APPLIES = (WriteFault.APPLIED, WriteFault.KILLED_AFTER)


@dataclass(slots=True)
class Tables:
    """What is durable; the values in it are frozen."""

    manifests: list[StoredManifest] = field(default_factory=list)
    intents: dict[str, Intent] = field(default_factory=dict)
    replies: dict[bytes, StoredReply] = field(default_factory=dict)
    leaves: list[bytes] = field(default_factory=list)
    nodes: dict[NodeAddress, bytes] = field(default_factory=dict)
    checkpoints: list[StoredCheckpoint] = field(default_factory=list)
    ledger: list[LedgerTransaction] = field(default_factory=list)
    balances: dict[str, int] = field(default_factory=dict)
    orders: list[StoredOrder] = field(default_factory=list)
    seals: dict[int, bytes] = field(default_factory=dict)
    verdicts: list[StoredVerdict] = field(default_factory=list)
    rates: list[StoredRates] = field(default_factory=list)
    credit: CreditTables = field(default_factory=CreditTables)

    def copy(self) -> "Tables":
        """Return tables that can be changed without changing these."""
        return Tables(
            list(self.manifests),
            dict(self.intents),
            dict(self.replies),
            list(self.leaves),
            dict(self.nodes),
            list(self.checkpoints),
            list(self.ledger),
            dict(self.balances),
            list(self.orders),
            dict(self.seals),
            list(self.verdicts),
            list(self.rates),
            credit=self.credit.copy(),
        )


@dataclass(slots=True)
class _Group:
    """Transactions that are committed together, and the tables as they leave them."""

    tables: Tables
    members: int = 0
    fault: WriteFault | None = None
    error: Callable[[], BaseException] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class MemoryStore(Store, AuditReader):
    """Opens transactions on tables in memory.

    Attributes:
        tables: what is durable.
        faults: by the number of a writing transaction, from 1, what happens to its commit.
        writes: writing transactions so far.
    """

    tables: Tables = field(default_factory=Tables)
    faults: dict[int, WriteFault] = field(default_factory=dict)
    writes: int = 0
    _dead: bool = False
    _group: "_Group | None" = None
    _arriving: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _owner: asyncio.Task[object] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[StoreTransaction]:
        """Begin a transaction that may write.

        As the port says, those that wait for each other are committed together: none of them ends
        before that, and a fault of one's write is a fault of all.
        """
        self._arriving += 1
        try:
            async with self._hold(arriving=True):
                group = self._group = self._group or _Group(self.tables)
                opened = MemoryTransaction(group.tables.copy(), writable=True)
                try:
                    yield opened
                except BaseException:
                    if not self._arriving:
                        self._end(group)
                    raise
                finally:
                    opened.is_open = False
                group.tables = opened.tables
                group.members += 1
                self.writes += 1
                group.fault = group.fault or self.faults.pop(self.writes, None)
                if not self._arriving:
                    self._end(group)
        except asyncio.CancelledError:
            if not self._arriving and self._group is not None and self._owner is None:
                self._end(self._group)  # the last one that would have joined does not come
            raise
        await group.ended.wait()
        if group.error is not None:
            raise group.error()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreTransaction]:
        """Begin a transaction that only reads what is durable."""
        async with self._hold():
            opened = MemoryTransaction(self.tables, writable=False)
            try:
                yield opened
            finally:
                opened.is_open = False

    @asynccontextmanager
    async def _hold(self, *, arriving: bool = False) -> AsyncIterator[None]:
        me = asyncio.current_task()
        try:
            if self._owner is me:
                raise ContractBreach("a transaction within a transaction waits for ever")
            await self._lock.acquire()
        finally:
            self._arriving -= arriving
        try:
            if self._dead:
                raise ProcessKilled
            self._owner = me
            yield
        finally:
            self._owner = None
            self._lock.release()

    def _end(self, group: "_Group") -> None:
        """Commit a group, or not, as its fault says."""
        self._group = None
        fault = group.fault
        if fault is None or fault in APPLIES:
            self.tables = group.tables
        if fault in KILLS:
            self._dead = True
            group.error = ProcessKilled
        elif fault is not None:
            group.error = partial(StoreBusyError, fault.value)
        group.ended.set()

    def reopened(self) -> "MemoryStore":
        """Return a store over what is durable, as a new process finds it."""
        return MemoryStore(tables=self.tables.copy())

    async def read_all(self) -> StoredRecords:
        """Return everything, for the audit."""
        tables = self.tables
        return StoredRecords(
            leaves=tuple(tables.leaves),
            nodes=dict(tables.nodes),
            checkpoints=tuple(tables.checkpoints),
            manifests=tuple(tables.manifests),
            intents=tuple(tables.intents.values()),
            replies=tuple(sorted(tables.replies.values(), key=lambda r: (r.twin, r.seq))),
            ledger=tuple(tables.ledger),
            balances=dict(tables.balances),
            orders=tuple(tables.orders),
            verdicts=tuple(tables.verdicts),
            rates=tuple(tables.rates),
            seals=tuple(StoredSeal(*one) for one in sorted(tables.seals.items())),
            purchases=tuple(
                (one, tables.credit.refunds.get(key))
                for key, one in tables.credit.purchases.items()
            ),
            held=tuple(fee for _, fee in tables.credit.held),
            disputes=tuple(tables.credit.disputes),
            accounts=tuple(tables.credit.accounts),
        )


class MemoryTransaction(MemoryCreditRecords, StoreTransaction):
    """The operations on a copy of the tables; `is_open` while its block runs."""

    def __init__(self, tables: Tables, *, writable: bool) -> None:
        self.is_open = True
        self._tables = tables
        self._writable = writable

    @property
    def tables(self) -> Tables:
        """The tables as this transaction leaves them."""
        return self._tables

    async def _read(self) -> Tables:
        if not self.is_open:
            raise ContractBreach("a closed transaction was used")
        await asyncio.sleep(0)
        return self._tables

    async def _write(self) -> Tables:
        if not self._writable:
            raise ContractBreach("a reading transaction was used to write")
        return await self._read()

    async def _credit(self) -> CreditTables:
        return (await self._read()).credit

    async def _change_credit(self) -> CreditTables:
        return (await self._write()).credit

    async def _ledger(self) -> Sequence[LedgerTransaction]:
        return (await self._read()).ledger

    async def _intents(self) -> Collection[Intent]:
        return (await self._read()).intents.values()

    async def add_manifest(self, manifest: StoredManifest) -> None:
        """Keep a signed manifest for ever."""
        tables = await self._write()
        _refuse_known(
            "manifest", manifest.manifest_hash, (m.manifest_hash for m in tables.manifests)
        )
        _refuse_known("manifest at", manifest.log_index, (m.log_index for m in tables.manifests))
        tables.manifests.append(manifest)

    async def find_manifest(self, manifest_hash: bytes) -> StoredManifest | None:
        """Return a manifest by its hash."""
        found = (await self._read()).manifests
        return next((m for m in found if m.manifest_hash == manifest_hash), None)

    async def latest_manifest(self, twin: bytes) -> StoredManifest | None:
        """Return the manifest of a twin that was added last."""
        found = [m for m in (await self._read()).manifests if m.twin == twin]
        return max(found, key=lambda m: m.log_index, default=None)

    async def manifests_of(self, twin: bytes) -> list[StoredManifest]:
        """Return every manifest of a twin, oldest first."""
        found = [m for m in (await self._read()).manifests if m.twin == twin]
        return sorted(found, key=lambda m: m.log_index)

    async def published_twins(self) -> list[bytes]:
        """Return the ids of all twins that have a manifest, in the order of their first one."""
        found = sorted((await self._read()).manifests, key=lambda m: m.log_index)
        return list(dict.fromkeys(m.twin for m in found))

    async def add_order(self, order: StoredOrder) -> None:
        """Keep a signed order for ever; its number must be the twin's next."""
        tables = await self._write()
        _refuse_known("order", order.order_hash, (o.order_hash for o in tables.orders))
        _refuse_known("order at", order.log_index, (o.log_index for o in tables.orders))
        if order.number != 1 + len([o for o in tables.orders if o.twin == order.twin]):
            raise InvariantError("an order's number is not the twin's next")
        tables.orders.append(order)

    async def orders_of(self, twin: bytes) -> list[StoredOrder]:
        """Return a twin's orders by number."""
        found = [o for o in (await self._read()).orders if o.twin == twin]
        return sorted(found, key=lambda o: o.number)

    async def add_intent(self, intent: Intent) -> None:
        """Keep an open intent, findable by each of its parts; its key must be new."""
        tables = await self._write()
        _refuse_known("intent", intent.key, tables.intents)
        slots = ((i.slot_tag, i.attempt) for i in tables.intents.values())
        _refuse_known("attempt", (intent.slot_tag, intent.attempt), slots)
        if (intent.regenerate is None) != (intent.replaces is None):
            raise InvariantError("a wish for another reply names the reply that it replaces")
        payment = intent.payment
        if (payment.payer is Payer.FREE) != (intent.price_nano == 0):
            raise InvariantError("nobody pays exactly what costs nothing")
        if (payment.payer is Payer.PAID) != (payment.rate_table is not None):
            raise InvariantError("exactly what bought credit pays names a rate table")
        if len({part.id for part in intent.parts}) != len(intent.parts):
            raise InvariantError("an intent has a part twice")
        if intent.manifest not in {m.manifest_hash for m in tables.manifests}:
            raise InvariantError("an intent names an unknown manifest")
        tables.intents[intent.key] = intent

    async def find_intent(self, key: str) -> Intent | None:
        """Return an intent in whatever state."""
        return (await self._read()).intents.get(key)

    async def open_intents(self) -> list[Intent]:
        """Return the intents that have neither reply nor void, oldest first."""
        return [i for i in (await self._read()).intents.values() if i.state == "open"]

    async def open_intents_of(self, conversation: bytes) -> list[Intent]:
        """Return one conversation's open intents, oldest first."""
        return [i for i in await self.open_intents() if i.conversation == conversation]

    async def intents_of_message(self, surface: Surface, message_id: str) -> list[Intent]:
        """Return the intents that answer a platform message, of all twins, oldest first."""
        return [
            intent
            for intent in (await self._read()).intents.values()
            if intent.message.surface == surface
            and message_id in {part.id for part in intent.parts}
        ]

    async def attempts_of(self, slot_tag: bytes) -> list[Intent]:
        """Return every attempt at one slot, in whatever state, by attempt."""
        found = [i for i in (await self._read()).intents.values() if i.slot_tag == slot_tag]
        return sorted(found, key=lambda i: i.attempt)

    async def close_intent(
        self, key: str, state: str, *, void_statement: bytes | None = None
    ) -> None:
        """Move an open intent to `done` or `void`."""
        tables = await self._write()
        intent = tables.intents.get(key)
        if intent is None or intent.state != "open" or state not in {"done", "void"}:
            raise InvariantError(f"intent {key} can't become {state}")
        if (state == "void") != (void_statement is not None):
            raise InvariantError("a void has a statement, and nothing else has one")
        tables.intents[key] = replace(intent, state=state, void_statement=void_statement)

    async def count_intents(self, platform: str, fan: str, since: datetime) -> int:
        """Count a fan's messages since a time, over all twins; what was drawn again counts once."""
        return sum(
            (i.message.surface.platform, i.message.fan) == (platform, fan)
            and i.created_at >= since
            and not i.rejected
            for i in (await self._read()).intents.values()
        )

    async def next_sequence(self, twin: bytes) -> int:
        """Return the sequence number that the twin's next receipt gets, from 1."""
        replies = (await self._read()).replies.values()
        return 1 + max((r.seq for r in replies if r.twin == twin), default=0)

    async def add_reply(self, reply: StoredReply) -> None:
        """Keep a reply; its twin and seq, and its intent, must be new."""
        tables = await self._write()
        known = tables.replies.values()
        if reply.intent not in tables.intents:
            raise InvariantError("a reply names an unknown intent")
        _refuse_known("receipt", reply.receipt_hash, tables.replies)
        _refuse_known("receipt id", reply.receipt_id, (r.receipt_id for r in known))
        _refuse_known("reply to", reply.intent, (r.intent for r in known))
        _refuse_known("place", (reply.twin, reply.seq), ((r.twin, r.seq) for r in known))
        turn = (reply.conversation, reply.turn, reply.attempt)
        _refuse_known("turn", turn, ((r.conversation, r.turn, r.attempt) for r in known))
        _refuse_known("leaf", reply.log_index, (r.log_index for r in known))
        tables.replies[reply.receipt_hash] = reply

    async def find_reply(self, receipt_id: str) -> StoredReply | None:
        """Return a reply by its receipt id."""
        found = (await self._read()).replies.values()
        return next((r for r in found if r.receipt_id == receipt_id), None)

    async def find_tagged(self, receipt_tag: bytes) -> StoredReply | None:
        """Return a reply by its receipt's tag, which is all that the public log says of it."""
        found = (await self._read()).replies.values()
        return next((r for r in found if receipt_tag_of(r.receipt_hash) == receipt_tag), None)

    async def reply_of(self, intent: str) -> StoredReply | None:
        """Return the reply that an intent led to."""
        found = (await self._read()).replies.values()
        return next((r for r in found if r.intent == intent), None)

    async def conversation(self, conversation: bytes) -> list[StoredReply]:
        """Return a conversation's replies in order, withdrawn ones too, last attempts only."""
        found = [r for r in (await self._read()).replies.values() if r.conversation == conversation]
        last = {r.turn: r for r in sorted(found, key=lambda r: r.attempt)}
        return [last[turn] for turn in sorted(last)]

    async def recent_turns(
        self, conversation: bytes, *, before: int | None = None, tokens: int = 0
    ) -> list[PastTurn]:
        """Return a conversation's latest turns, newest first."""
        turns: list[PastTurn] = []
        used = 0
        for reply in reversed(await self.conversation(conversation)):
            if used > tokens or (turns and not tokens):
                break
            if before is None or reply.turn < before:
                turn = PastTurn(
                    turn=reply.turn,
                    receipt_hash=reply.receipt_hash,
                    fan_tokens=reply.fan_tokens,
                    output_tokens=reply.output_tokens,
                    withdrawn=reply.withdrawn,
                    fixed=reply.finish == "fixed",
                )
                turns.append(turn)
                used += len(turn.fan_tokens) + len(turn.output_tokens)
        return turns

    async def chain_start(self, conversation: bytes, *, before: int | None = None) -> int:
        """Return the number of the first turn that a context may quote."""
        breaks = [
            reply.turn
            for reply in await self.conversation(conversation)
            if (before is None or reply.turn < before)
            and (reply.withdrawn or reply.finish == "fixed")
        ]
        return 1 + max(breaks, default=0)

    async def undelivered_replies(self) -> list[tuple[Intent, StoredReply]]:
        """Return the replies whose outcome is undecided, oldest first."""
        tables = await self._read()
        found = [r for r in tables.replies.values() if r.outcome is None]
        return [(tables.intents[r.intent], r) for r in sorted(found, key=lambda r: r.log_index)]

    async def set_outcome(
        self, receipt_hash: bytes, *, outcome: str, statement: bytes, log_index: int
    ) -> None:
        """Decide the outcome of a reply, once."""
        tables = await self._write()
        reply = tables.replies.get(receipt_hash)
        if reply is None or reply.outcome is not None:
            raise InvariantError("an outcome was decided twice, or of nothing")
        tables.replies[receipt_hash] = replace(
            reply, outcome=outcome, outcome_statement=statement, outcome_index=log_index
        )

    async def set_reversal(
        self, receipt_hash: bytes, *, outcome: str, statement: bytes, log_index: int
    ) -> None:
        """Withdraw or refund a reply that was delivered, once."""
        tables = await self._write()
        reply = tables.replies.get(receipt_hash)
        if reply is None or reply.outcome != "delivered" or reply.reversal is not None:
            raise InvariantError("a reply was reversed twice, or was never delivered")
        if outcome not in {"withdrawn", "refunded"}:
            raise InvariantError(f"a reply can't be reversed by {outcome}")
        tables.replies[receipt_hash] = replace(
            reply, reversal=outcome, reversal_statement=statement, reversal_index=log_index
        )

    async def set_refund(self, receipt_hash: bytes, *, statement: bytes, log_index: int) -> None:
        """Refund a reply that was delivered and then withdrawn, once."""
        tables = await self._write()
        reply = tables.replies.get(receipt_hash)
        if reply is None or reply.reversal != "withdrawn" or reply.refund_index is not None:
            raise InvariantError("a reply was refunded twice, or had not been withdrawn")
        tables.replies[receipt_hash] = replace(
            reply, refund_statement=statement, refund_index=log_index
        )

    async def log_size(self) -> int:
        """Return the number of leaves."""
        return len((await self._read()).leaves)

    async def log_nodes(self, addresses: Sequence[NodeAddress]) -> Mapping[NodeAddress, bytes]:
        """Return the hashes of complete subtrees, by (level, index)."""
        nodes = (await self._read()).nodes
        missing = [address for address in addresses if tuple(address) not in nodes]
        if missing:
            raise InvariantError(f"log nodes are missing: {missing}")
        return {address: nodes[address] for address in addresses}

    async def log_leaf(self, index: int) -> bytes:
        """Return a leaf's bytes."""
        leaves = (await self._read()).leaves
        if not 0 <= index < len(leaves):
            raise InvariantError(f"log leaf {index} is missing")
        return leaves[index]

    async def append_leaf(
        self, index: int, leaf: bytes, nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Add the leaf at the log's size, with the subtree hashes that it completes."""
        tables = await self._write()
        if index != len(tables.leaves):
            raise InvariantError(f"leaf {index} is not the log's next")
        tables.leaves.append(leaf)
        for level, position, digest in nodes:
            _refuse_known("log node", (level, position), tables.nodes)
            tables.nodes[level, position] = digest

    async def latest_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest signed head."""
        found = (await self._read()).checkpoints
        return found[-1] if found else None

    async def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Keep a signed head; its size must be larger than the newest one's."""
        tables = await self._write()
        if checkpoint.size <= (tables.checkpoints[-1].size if tables.checkpoints else 0):
            raise InvariantError("a head does not follow the newest one")
        tables.checkpoints.append(checkpoint)

    async def seals(self) -> Sequence[bytes]:
        """Return the envelopes of the seals in the log, oldest first."""
        return [envelope for _, envelope in sorted((await self._read()).seals.items())]

    async def add_seal(self, index: int, envelope: bytes) -> None:
        """Keep the seal that the leaf of this index cites."""
        tables = await self._write()
        if not 0 <= index < len(tables.leaves):
            raise InvariantError("a seal has a leaf")
        _refuse_known("seal", index, tables.seals)
        tables.seals[index] = envelope

    async def add_rates(self, rates: StoredRates) -> None:
        """Keep a rate table for ever."""
        tables = await self._write()
        if not 0 <= rates.log_index < len(tables.leaves):
            raise InvariantError("a rate table has a leaf")
        _refuse_known("rate table", rates.name, [one.name for one in tables.rates])
        tables.rates.append(rates)

    async def rate_tables(self) -> Sequence[StoredRates]:
        """Return every rate table, oldest first."""
        return tuple((await self._read()).rates)

    async def add_verdict(self, verdict: StoredVerdict) -> None:
        """Keep a verdict for ever."""
        tables = await self._write()
        if not 0 <= verdict.log_index < len(tables.leaves):
            raise InvariantError("a verdict has a leaf")
        _refuse_known("verdict", verdict.log_index, [v.log_index for v in tables.verdicts])
        of = (verdict.receipt, verdict.auditor)
        _refuse_known("verdict", of, [(v.receipt, v.auditor) for v in tables.verdicts])
        tables.verdicts.append(verdict)

    async def verdicts_of(self, receipt: bytes) -> Sequence[StoredVerdict]:
        """Return the verdicts on a receipt, in the order of the log."""
        return [one for one in (await self._read()).verdicts if one.receipt == receipt]

    async def post(self, transaction: LedgerTransaction) -> bool:
        """Post a ledger transaction; return False if its key was posted before."""
        tables = await self._write()
        if any(known.key == transaction.key for known in tables.ledger):
            return False
        accounts = [posting.account for posting in transaction.postings]
        if len(set(accounts)) != len(accounts):
            raise InvariantError("an account stands twice in a ledger transaction")
        for one in transaction.postings:
            left = await self.balance(one.account) + one.nano
            if one.nano and left < 0 and not may_be_negative(one.account):
                raise InvariantError("an account is overdrawn")
            if left > 0 and not may_be_positive(one.account):
                raise InvariantError("more is set off than is owed")
        tables.ledger.append(transaction)
        for posting in transaction.postings:
            tables.balances[posting.account] = await self.balance(posting.account) + posting.nano
        return True

    async def posted(self, key: str) -> LedgerTransaction | None:
        """Return the ledger transaction of a key; its postings by account."""
        found = next((one for one in (await self._read()).ledger if one.key == key), None)
        if found is None:
            return None
        return replace(found, postings=tuple(sorted(found.postings, key=lambda one: one.account)))

    async def balance(self, account: str) -> int:
        """Return an account's balance in nano-units."""
        return (await self._read()).balances.get(account, 0)


def _refuse_known(kind: str, value: object, known: Iterable[object]) -> None:
    if value in set(known):
        raise InvariantError(f"{kind} {value!r} is there already")
