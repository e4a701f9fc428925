"""Replies as they are kept, and what is said of them afterwards."""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.statements import Outcome


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """One word on what became of a reply, as it was stated and logged.

    Attributes:
        statement: DSSE envelope bytes.
        log_index: of its leaf.
    """

    word: str
    statement: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A reply whose receipt is durable.

    Attributes:
        envelope: DSSE envelope bytes.
        sealed: the encrypted openings.
        log_index: leaf index of the receipt.
        outcome: `delivered`, `undelivered`, `withdrawn`, `refunded`, or None while undecided.
        outcome_statement: DSSE envelope bytes of the outcome.
        attempt: which draw at its slot this is, from 0; all of a message have the same `turn`.
        halt: id of what halted it (field `event.halt`); None where the model ended by itself.
        rejected: how many attempts right before this one the filter has rejected.
        reversal: `withdrawn` or `refunded` after `delivered`, with its own statement and leaf.
        refund_statement: DSSE envelope bytes of `refunded` after `delivered` and `withdrawn`.

    Forgotten (`erased`): the opening key, texts, tokens and the sealed part are empty, and the
    conversation is the receipt's own hash.
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
    attempt: int = 0
    halt: str | None = None
    reversal: str | None = None
    reversal_statement: bytes | None = None
    reversal_index: int | None = None
    rejected: int = 0
    refund_statement: bytes | None = None
    refund_index: int | None = None

    @property
    def outcomes(self) -> tuple[StoredOutcome, ...]:
        """What was said of it, in order; half of an outcome, which only damage leaves, is none."""
        late = None if self.refund_index is None else Outcome.REFUNDED.word
        said = (
            (self.outcome, self.outcome_statement, self.outcome_index),
            (self.reversal, self.reversal_statement, self.reversal_index),
            (late, self.refund_statement, self.refund_index),
        )
        return tuple(
            StoredOutcome(word, statement, index)
            for word, statement, index in said
            if word is not None and statement is not None and index is not None
        )

    @property
    def taken_back(self) -> bool:
        """Whether a platform has taken back what had paid it after it was delivered."""
        return self.reversal == Outcome.REFUNDED.word or self.refund_index is not None

    @property
    def withdrawn(self) -> bool:
        """Whether it has left the twin's memory because its message was taken back."""
        return Outcome.WITHDRAWN.word in {self.outcome, self.reversal}

    @property
    def erased(self) -> bool:
        """Whether its person was forgotten."""
        return not self.opening_key


class OutcomeRecords(Protocol):
    """The part of a transaction that says what became of a reply; nothing is ever said anew.

    Each of these is an InvariantError where its word may not follow what was said before.
    """

    async def set_outcome(
        self, receipt_hash: bytes, *, outcome: str, statement: bytes, log_index: int
    ) -> None:
        """Decide the outcome of a reply, once."""
        ...

    async def set_reversal(
        self, receipt_hash: bytes, *, outcome: str, statement: bytes, log_index: int
    ) -> None:
        """Withdraw or refund a reply that was delivered, once."""
        ...

    async def set_refund(self, receipt_hash: bytes, *, statement: bytes, log_index: int) -> None:
        """Refund a reply that was delivered and then withdrawn, once."""
        ...
