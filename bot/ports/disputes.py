"""What must survive of disputes, and of questions about payments: part of a store's transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.ports.credit import DisputeState
from bot.ports.people import Person


@dataclass(frozen=True, slots=True)
class StoredDispute:
    """A fan's dispute about one reply.

    Attributes:
        account: the fan's pseudonym.
        reason: in the fan's words; empty once they are forgotten.
        sentence: what was found, for the fan.
        nano: what was given back.
        at: when it was begun.
        decided_at: None while it is checked.
    """

    receipt_id: str
    account: str
    reason: str
    state: DisputeState
    sentence: str
    nano: int
    at: datetime
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SupportNote:
    """A question about a payment, in a fan's words."""

    person: Person
    text: str
    at: datetime


class DisputeRecords(Protocol):
    """The part of a store's transaction that keeps disputes and questions."""

    async def add_dispute(self, dispute: StoredDispute) -> None:
        """Keep a new dispute; its receipt must have none."""
        ...

    async def find_dispute(self, receipt_id: str) -> StoredDispute | None:
        """Return the dispute about a reply."""
        ...

    async def disputes_of(self, account: str) -> list[StoredDispute]:
        """Return an account's disputes, newest first."""
        ...

    async def all_disputes(self) -> list[StoredDispute]:
        """Return every dispute, newest first."""
        ...

    async def open_disputes(self) -> list[StoredDispute]:
        """Return the disputes that are still checked, oldest first."""
        ...

    async def decide_dispute(
        self, receipt_id: str, state: DisputeState, sentence: str, *, nano: int, at: datetime
    ) -> None:
        """Decide a dispute that is checked; a second time is an InvariantError."""
        ...

    async def add_note(self, note: SupportNote) -> None:
        """Keep a question."""
        ...

    async def notes(self) -> list[SupportNote]:
        """Return all questions, newest first."""
        ...

    async def notes_by(self, person: Person) -> list[SupportNote]:
        """Return a person's questions, oldest first."""
        ...
