"""Creators' work in memory, strict with its callers; its writes fail on demand."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain.errors import InvariantError, StoreBusyError
from bot.ports.creator_store import MAX_PREPARED, CreatorStore, Draft, SigningTicket, SpokenPause
from tests.fakes.store import APPLIES, KILLS, ProcessKilled, WriteFault


@dataclass(slots=True)
class CreatorTables:
    """What is durable."""

    drafts: dict[str, Draft] = field(default_factory=dict)
    tickets: dict[bytes, SigningTicket] = field(default_factory=dict)
    avatars: dict[bytes, bytes] = field(default_factory=dict)
    pauses: dict[str, SpokenPause] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryCreatorStore(CreatorStore):
    """Keeps everything in dictionaries.

    Attributes:
        faults: by the number of a write, from 1, what happens to it.
        writes: names of the writes so far, failed ones too.
    """

    tables: CreatorTables = field(default_factory=CreatorTables)
    faults: dict[int, WriteFault] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    dead: bool = False

    async def add_draft(self, draft: Draft, *, at_most: int) -> bool:
        """Keep a new draft."""
        if len(await self.slugs_of(draft.platform, draft.account)) >= at_most:
            return False
        if draft.slug in self.tables.drafts:
            raise InvariantError(f"the slug {draft.slug} is reserved already")
        with _Write(self, "add_draft") as tables:
            tables.drafts[draft.slug] = draft
        return True

    async def save_draft(self, draft: Draft) -> None:
        """Replace what a draft says."""
        old = self.tables.drafts.get(draft.slug)
        if old is None or (old.platform, old.account) != (draft.platform, draft.account):
            raise InvariantError(f"there is no draft {draft.slug} of this account")
        with _Write(self, "save_draft") as tables:
            tables.drafts[draft.slug] = draft

    async def find_draft(self, slug: str) -> Draft | None:
        """Return a draft."""
        self._check_alive()
        return self.tables.drafts.get(slug)

    async def slugs(self) -> list[str]:
        """Return every slug."""
        return sorted(self.tables.drafts)

    async def slugs_of(self, platform: str, account: str) -> list[str]:
        """Return the slugs of an account."""
        found = self.tables.drafts.values()
        return sorted(d.slug for d in found if (d.platform, d.account) == (platform, account))

    async def add_ticket(self, ticket: SigningTicket, *, forget_before: datetime) -> None:
        """Keep a request in place of the open one of the same slug and kind."""
        if (ticket.kind == "publish") != (ticket.content is not None):
            raise InvariantError("a publication has a content, and nothing else has one")
        with _Write(self, "add_ticket") as tables:
            for known in list(tables.tickets.values()):
                same = (known.slug, known.kind) == (ticket.slug, ticket.kind) and not known.done
                if same or known.expires_at < forget_before:
                    del tables.tickets[known.token_hash]
            tables.tickets[ticket.token_hash] = ticket

    async def find_ticket(self, token_hash: bytes) -> SigningTicket | None:
        """Return a request."""
        self._check_alive()
        return self.tables.tickets.get(token_hash)

    async def open_tickets(self) -> list[SigningTicket]:
        """Return the requests that are not closed."""
        found = [ticket for ticket in self.tables.tickets.values() if not ticket.done]
        return sorted(found, key=lambda ticket: (ticket.created_at, ticket.token_hash))

    async def note_prepared(self, token_hash: bytes, body_hash: bytes) -> bool:
        """Remember a body that is given out."""
        ticket = self.tables.tickets.get(token_hash)
        if ticket is None:
            raise InvariantError("a body was prepared for no request")
        if body_hash in ticket.prepared:
            return True
        if len(ticket.prepared) >= MAX_PREPARED:
            return False
        with _Write(self, "note_prepared") as tables:
            prepared = (*ticket.prepared, body_hash)
            tables.tickets[token_hash] = replace(ticket, prepared=prepared)
        return True

    async def close_ticket(
        self, token_hash: bytes, *, done: str, manifest: bytes | None = None
    ) -> None:
        """Close a request."""
        with _Write(self, "close_ticket") as tables:
            ticket = tables.tickets.get(token_hash)
            if ticket is None or ticket.done:
                return
            if manifest is not None and ticket.content is not None and ticket.content.avatar:
                tables.avatars.setdefault(manifest, ticket.content.avatar)
            tables.tickets[token_hash] = replace(ticket, done=done)

    async def avatar_of(self, manifest: bytes) -> bytes:
        """Return the picture of a manifest."""
        return self.tables.avatars.get(manifest, b"")

    async def speak_pause(self, pause: SpokenPause) -> None:
        """Keep a pause."""
        with _Write(self, "speak_pause") as tables:
            tables.pauses.setdefault(pause.slug, pause)

    async def end_pause(self, slug: str) -> None:
        """Forget a pause."""
        with _Write(self, "end_pause") as tables:
            tables.pauses.pop(slug, None)

    async def pause_of(self, slug: str) -> SpokenPause | None:
        """Return the pause of a slug."""
        self._check_alive()
        return self.tables.pauses.get(slug)

    def reopened(self) -> "MemoryCreatorStore":
        """Return a store over what is durable, as a new process finds it."""
        return MemoryCreatorStore(self.tables)

    def _check_alive(self) -> None:
        if self.dead:
            raise ProcessKilled


class _Write:
    """One write: on a copy, which replaces the tables unless the fault says otherwise."""

    def __init__(self, store: MemoryCreatorStore, name: str) -> None:
        store._check_alive()
        store.writes.append(name)
        self._store = store
        kept = store.tables
        self._tables = CreatorTables(
            dict(kept.drafts), dict(kept.tickets), dict(kept.avatars), dict(kept.pauses)
        )

    def __enter__(self) -> CreatorTables:
        return self._tables

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            return
        fault = self._store.faults.pop(len(self._store.writes), None)
        if fault is None or fault in APPLIES:
            self._store.tables = self._tables
        if fault in KILLS:
            self._store.dead = True
            raise ProcessKilled
        if fault is not None:
            raise StoreBusyError(fault.value)
