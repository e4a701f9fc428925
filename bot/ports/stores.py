"""What must survive: intents, replies, the log, the ledger, manifests.

Contract: everything written inside one `transaction()` is durable when the block ends, or none of
it is there; an exception in the block undoes it. Transactions are serialised: what is read in one
stays true until it ends. StoreBusyError and InvariantError may leave it.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.fields import Span
from bot.domain.ledger import LedgerTransaction
from bot.ports.chat import IncomingMessage

NodeAddress = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Intent:
    """A reply that was decided and not yet made: enough to make it again after a crash.

    Attributes:
        key: slot tag and attempt, `<hex>:<n>`; unique, so a message is answered once.
        conversation: 32 bytes.
        spans: what may enter the context, typed.
        context: the rendered token ids; the first `prefix_tokens` are the persona's.
        vrf_proof: 80 bytes.
        seed: 32 bytes.
        opening_key: 32 random bytes, the fan's.
        price_nano: held from the payer under this key.
        state: `open`, `done` (there is a reply) or `void`.
        void_statement: DSSE envelope bytes of the void that the log cites.
    """

    key: str
    slot_tag: bytes
    attempt: int
    twin: bytes
    manifest: bytes
    conversation: bytes
    message: IncomingMessage
    spans: tuple[Span, ...]
    context: tuple[int, ...]
    prefix_tokens: int
    vrf_proof: bytes
    seed: bytes
    opening_key: bytes
    price_nano: int
    created_at: datetime
    state: str = "open"
    void_statement: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A reply whose receipt is durable.

    Attributes:
        envelope: DSSE envelope bytes.
        sealed: the encrypted openings.
        log_index: leaf index of the receipt.
        outcome: `delivered`, `undelivered`, `withdrawn`, `refunded`, or None while undecided.
        outcome_statement: DSSE envelope bytes of the outcome.
    """

    receipt_hash: bytes
    receipt_id: str
    intent: str
    twin: bytes
    seq: int
    conversation: bytes
    turn: int
    fan_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]
    fan_text: str
    text: str
    finish: str
    price_nano: int
    creator_nano: int
    opening_key: bytes
    envelope: bytes
    sealed: bytes
    log_index: int
    outcome: str | None = None
    outcome_statement: bytes | None = None
    outcome_index: int | None = None


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A signed manifest and its persona, as canonical bytes."""

    manifest_hash: bytes
    twin: bytes
    body: bytes
    signature: str
    persona: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A signed head of the log."""

    size: int
    root: bytes
    note: str


class StoreTransaction(Protocol):
    """The operations inside one transaction."""

    async def add_manifest(self, manifest: StoredManifest) -> None:
        """Keep a signed manifest for ever."""
        ...

    async def find_manifest(self, manifest_hash: bytes) -> StoredManifest | None:
        """Return a manifest by its hash."""
        ...

    async def latest_manifest(self, twin: bytes) -> StoredManifest | None:
        """Return the manifest of a twin that was added last."""
        ...

    async def add_intent(self, intent: Intent) -> None:
        """Keep an open intent; its key must be new."""
        ...

    async def find_intent(self, key: str) -> Intent | None:
        """Return an intent in whatever state."""
        ...

    async def open_intents(self) -> list[Intent]:
        """Return the intents that have neither reply nor void, oldest first."""
        ...

    async def close_intent(
        self, key: str, state: str, *, void_statement: bytes | None = None
    ) -> None:
        """Move an open intent to `done` or `void`; anything else is an InvariantError.

        A void brings the signed statement that its leaf cites, and only a void does.
        """
        ...

    async def count_intents(self, platform: str, fan: str, since: datetime) -> int:
        """Count a fan's messages since a time, over all twins."""
        ...

    async def next_sequence(self, twin: bytes) -> int:
        """Return the sequence number that the twin's next receipt gets, from 1."""
        ...

    async def add_reply(self, reply: StoredReply) -> None:
        """Keep a reply; its twin and seq, and its intent, must be new."""
        ...

    async def find_reply(self, receipt_id: str) -> StoredReply | None:
        """Return a reply by its receipt id."""
        ...

    async def reply_of(self, intent: str) -> StoredReply | None:
        """Return the reply that an intent led to."""
        ...

    async def conversation(self, conversation: bytes) -> list[StoredReply]:
        """Return a conversation's replies in order, withdrawn ones too."""
        ...

    async def undelivered_replies(self) -> list[tuple[Intent, StoredReply]]:
        """Return the replies whose outcome is undecided, oldest first (the outbox)."""
        ...

    async def set_outcome(
        self, receipt_hash: bytes, *, outcome: str, statement: bytes, log_index: int
    ) -> None:
        """Decide the outcome of a reply, once."""
        ...

    async def log_size(self) -> int:
        """Return the number of leaves."""
        ...

    async def log_nodes(self, addresses: Sequence[NodeAddress]) -> Mapping[NodeAddress, bytes]:
        """Return the hashes of complete subtrees, by (level, index)."""
        ...

    async def log_leaf(self, index: int) -> bytes:
        """Return a leaf's bytes."""
        ...

    async def append_leaf(
        self, index: int, leaf: bytes, nodes: Sequence[tuple[int, int, bytes]]
    ) -> None:
        """Add the leaf at the log's size, with the subtree hashes that it completes."""
        ...

    async def latest_checkpoint(self) -> StoredCheckpoint | None:
        """Return the newest signed head."""
        ...

    async def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Keep a signed head; its size must be larger than the newest one's."""
        ...

    async def post(self, transaction: LedgerTransaction) -> bool:
        """Post a ledger transaction; return False if its key was posted before."""
        ...

    async def balance(self, account: str) -> int:
        """Return an account's balance in nano-units."""
        ...


class Store(Protocol):
    """Opens transactions."""

    def transaction(self) -> AbstractAsyncContextManager[StoreTransaction]:
        """Begin a transaction that may write."""
        ...

    def reading(self) -> AbstractAsyncContextManager[StoreTransaction]:
        """Begin a transaction that only reads."""
        ...
