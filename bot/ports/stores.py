"""What must survive: intents, replies, the log, the ledger, manifests.

Contract: everything written inside one `transaction()` is durable when the block ends, or none of
it is there; an exception in the block undoes it. Transactions are serialised: what is read in one
stays true until it ends. StoreBusyError and InvariantError may leave it.

Transactions that wait for each other are committed together. Each sees what those before it did,
`reading()` sees durable rows only, one that fails is undone alone, none has ended before the commit
they share, and if that fails each is told so. A block therefore waits for nothing that another
transaction's end brings about. Whoever is cancelled after their block may find it durable.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.fields import FROM_THE_FIRST, Choice, MessagePart, Span
from bot.domain.payment import NOBODY, Payment
from bot.ports.book import (
    LedgerPostings,
    LogTransaction,
    NodeAddress,
    SignedRecords,
    StoredCheckpoint,
    StoredManifest,
    StoredOrder,
)
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.credit_book import CreditRecords
from bot.ports.replies import OutcomeRecords, StoredReply
from bot.ports.verdicts import VerdictRecords

__all__ = [
    "Intent",
    "NodeAddress",
    "PastTurn",
    "Store",
    "StoreTransaction",
    "StoredCheckpoint",
    "StoredManifest",
    "StoredOrder",
    "StoredReply",
]


@dataclass(frozen=True, slots=True)
class Intent:
    """A reply that was decided and not yet made: enough to make it again after a crash.

    Attributes:
        key: slot tag and attempt, `<hex>:<n>`; unique, so a message is answered once.
        conversation: 32 bytes.
        message: the slot's message; its text is that of all parts, joined.
        parts: the platform messages that are answered together, the slot's first.
        spans: what may enter the context, typed.
        context: the rendered token ids; the first `prefix_tokens` are the persona's.
        vrf_proof: 80 bytes.
        seed: 32 bytes.
        opening_key: 32 random bytes, the fan's.
        price_nano: held from the payer under this key.
        payment: whose money it is; decided when the price is held.
        state: `open`, `done` (there is a reply) or `void`.
        void_statement: DSSE envelope bytes of the void that the log cites.
        regenerate: the platform's id of the fan's wish for another reply; None where nobody wished.
        replaces: receipt hash of the reply that this one is to stand in for.
        choice: what there was to choose the quoted turns from.
        rejected: how many attempts right before this one the filter has rejected.
        rule: id of the rule whose fixed answer this gets; None if a model answers.
        log_size: leaves of the log when the context was put together: what was withdrawn by then
            stands below it.

    Forgotten (`erased`): key, texts, tokens and platform ids are gone; slot tag, proof, seed,
    manifest, price and state stay, so that log and fees still add up.
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
    parts: tuple[MessagePart, ...]
    state: str = "open"
    void_statement: bytes | None = None
    regenerate: str | None = None
    replaces: bytes | None = None
    choice: Choice = FROM_THE_FIRST
    rejected: int = 0
    rule: str | None = None
    log_size: int = 0
    payment: Payment = NOBODY

    @property
    def erased(self) -> bool:
        """Whether its person was forgotten."""
        return not self.opening_key


@dataclass(frozen=True, slots=True)
class PastTurn:
    """What a later reply needs of a turn: the last attempt's tokens and receipt hash.

    Attributes:
        withdrawn: whether its message was taken back.
        fixed: whether it has a fixed answer. No context may reach past either.
    """

    turn: int
    receipt_hash: bytes
    fan_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]
    withdrawn: bool
    fixed: bool = False


class StoreTransaction(
    SignedRecords,
    LogTransaction,
    LedgerPostings,
    VerdictRecords,
    CreditRecords,
    OutcomeRecords,
    Protocol,
):
    """The operations inside one transaction."""

    async def add_intent(self, intent: Intent) -> None:
        """Keep an open intent, findable by each of its parts; its key must be new."""
        ...

    async def intents_of_message(self, surface: Surface, message_id: str) -> list[Intent]:
        """Return the intents that answer a platform message, of all twins, oldest first.

        Whatever their state; also where the message is a part after the first.
        """
        ...

    async def attempts_of(self, slot_tag: bytes) -> list[Intent]:
        """Return every attempt at one slot, in whatever state, by attempt."""
        ...

    async def find_intent(self, key: str) -> Intent | None:
        """Return an intent in whatever state."""
        ...

    async def open_intents(self) -> list[Intent]:
        """Return the intents that have neither reply nor void, oldest first."""
        ...

    async def open_intents_of(self, conversation: bytes) -> list[Intent]:
        """Return one conversation's open intents, oldest first."""
        ...

    async def close_intent(
        self, key: str, state: str, *, void_statement: bytes | None = None
    ) -> None:
        """Move an open intent to `done` or `void`; anything else is an InvariantError.

        A void brings the signed statement that its leaf cites, and only a void does.
        """
        ...

    async def count_intents(self, platform: str, fan: str, since: datetime) -> int:
        """Count a fan's messages since a time, over all twins; what was drawn again counts once."""
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

    async def find_tagged(self, receipt_tag: bytes) -> StoredReply | None:
        """Return a reply by its receipt's tag, which is all that the public log says of it."""
        ...

    async def reply_of(self, intent: str) -> StoredReply | None:
        """Return the reply that an intent led to."""
        ...

    async def conversation(self, conversation: bytes) -> list[StoredReply]:
        """Return a conversation's replies in order, withdrawn ones too; of a turn the last one."""
        ...

    async def recent_turns(
        self, conversation: bytes, *, before: int | None = None, tokens: int = 0
    ) -> list[PastTurn]:
        """Return a conversation's latest turns, newest first, however long it is.

        Args:
            conversation: 32 bytes.
            before: only turns below this one; None for all.
            tokens: go back until the turns together have more tokens than this, or there are no
                more; there may be some turns more than that, and there is at least one.
        """
        ...

    async def chain_start(self, conversation: bytes, *, before: int | None = None) -> int:
        """Return the number of the first turn that a context may quote.

        It follows the latest turn below `before` (None: of all) that was withdrawn or has a fixed
        answer; 1 where there is none.
        """
        ...

    async def undelivered_replies(self) -> list[tuple[Intent, StoredReply]]:
        """Return the replies whose outcome is undecided, oldest first (the outbox)."""
        ...


class Store(Protocol):
    """Opens transactions."""

    def transaction(self) -> AbstractAsyncContextManager[StoreTransaction]:
        """Begin a transaction that may write."""
        ...

    def reading(self) -> AbstractAsyncContextManager[StoreTransaction]:
        """Begin a transaction that only reads."""
        ...
