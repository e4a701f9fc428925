"""What the store can tell about one person, and delete of them; and complaints about replies."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.ports.chat import Surface
from bot.ports.erasures import Tombstone
from bot.ports.people import Person
from bot.ports.stores import Intent, StoredReply

__all__ = ["Asked", "Erasure", "FanRecords", "Person", "PrivatePick", "Report"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One message of a person, and the reply if there is one.

    Attributes:
        position: goes up with each message; where the next page begins.
    """

    position: int
    intent: Intent
    reply: StoredReply | None


@dataclass(frozen=True, slots=True)
class PrivatePick:
    """The twin that a person has picked in a private chat."""

    surface: Surface
    twin: str


@dataclass(frozen=True, slots=True)
class Report:
    """A complaint about a reply.

    Attributes:
        twin: id of the twin, 32 bytes.
        slug: its name in commands.
        person: who complains.
        reason: in their words; perhaps empty.
    """

    receipt_id: str
    twin: bytes
    slug: str
    person: Person
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """A tombstone that has been applied to this store.

    Attributes:
        replies: how many replies it took.
        messages: how many messages of the last 24 hours before it; forgotten a day later.
        overwritten: whether the deleted bytes have been overwritten on disk, too.
    """

    tombstone: Tombstone
    replies: int
    messages: int
    overwritten: bool = True


class FanRecords(Protocol):
    """Everything that is stored about people, whichever part of the service has stored it.

    Every write is one transaction, durable when the call returns. StoreBusyError may leave each
    call; then nothing was written.
    """

    async def asked(self, person: Person, *, after: int = 0, limit: int = 100) -> list[Asked]:
        """Return a person's messages, oldest first, from behind a position."""
        ...

    async def unsettled(self, person: Person) -> list[Asked]:
        """Return those of their messages that are open, or whose reply has no outcome."""
        ...

    async def picks(self, person: Person) -> list[PrivatePick]:
        """Return what they have picked in private chats."""
        ...

    async def reports_by(self, person: Person) -> list[Report]:
        """Return a person's complaints, oldest first."""
        ...

    async def add_report(self, report: Report) -> bool:
        """Keep a complaint; False, and the earlier one stays, if they have reported it before."""
        ...

    async def reports(self) -> list[Report]:
        """Return all complaints, newest first."""
        ...

    async def reports_of(self, twin: bytes) -> int:
        """Return how many people have complained about a twin's replies."""
        ...

    async def people(self) -> list[Person]:
        """Return everybody of whom anything is stored."""
        ...

    async def knows(self, person: Person) -> bool:
        """Say whether anything is stored of a person."""
        ...

    async def erase(self, person: Person, tombstone: Tombstone) -> Erasure | None:
        """Delete what a person said, was told and is called, up to the tombstone's time.

        Conversations that began before that time go as a whole, because later turns quote earlier
        ones. Slot tags, proofs, seeds, manifests, prices, states, outcomes and times stay. Their
        account goes, and with it what is left on it, unless they have bought with it after that
        time, or it has paid a reply that stays: then they stayed, and the money is theirs, whatever
        kept the forgetting back. Of such an account goes what is older (prices that were agreed,
        what was said of forgotten replies); asking once more takes it, too. What was
        deleted is overwritten on disk when the call returns, unless the file is very large or
        another program reads it: then `sweep` does that.

        Returns:
            None, with nothing changed, while a message is open or a reply has no outcome.
        """
        ...

    async def mark(self, tombstones: list[Tombstone]) -> None:
        """Note tombstones of people of whom nothing is stored as applied."""
        ...

    async def sweep(self) -> None:
        """Finish earlier erasures; to be called at a start, before anybody waits.

        Deletes what a surface wrote down of a reply after its person was forgotten, and overwrites
        what could not be overwritten at once.
        """
        ...

    async def erasures(self) -> list[Erasure]:
        """Return the tombstones that were applied to this store."""
        ...
