"""What must survive of creators' work: drafts, who owns them, signing requests, spoken pauses.

Contract: each method is one durable step: all of it is there when it returns, or none. Nothing in
here makes a twin answer: that needs a signed manifest in `bot.ports.stores`, which alone is the
truth about what was signed. StoreBusyError and InvariantError may leave it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.payment import FREE_DAILY
from bot.domain.persona import Persona
from bot.domain.terms import SamplerTerms

MAX_PREPARED = 32


@dataclass(frozen=True, slots=True)
class DraftContent:
    """What a version of a twin says, before anybody signs it.

    Attributes:
        price_nano: per reply, in 1e-9 of the settlement token.
        free_daily: replies that a fan gets free in 24 hours.
        avatar: PNG or JPEG bytes; empty for none.
    """

    persona: Persona
    sampler: SamplerTerms
    price_nano: int
    avatar: bytes = b""
    free_daily: int = FREE_DAILY


@dataclass(frozen=True, slots=True)
class Draft:
    """A twin that somebody works on.

    Attributes:
        slug: its name, reserved for ever.
        platform: with `account`, who may configure it; never changes.
        card: JSON of the character card that was imported last, for its unknown keys; or empty.
    """

    slug: str
    platform: str
    account: str
    content: DraftContent
    card: bytes = b""


@dataclass(frozen=True, slots=True)
class SigningTicket:
    """A request to sign one thing.

    Attributes:
        token_hash: SHA-256 of the link's token, which is kept nowhere.
        kind: `publish`, `pause`, `resume` or `revoke`.
        created_at: aware UTC, whole seconds; so is `expires_at`.
        content: what is to be published, frozen; None for orders.
        manifest: hash of the version that is to be revoked; None for the twin and other kinds.
        prepared: SHA-256 of each body that was given out to be signed, at most `MAX_PREPARED`.
        done: how it ended, a sentence; empty while it is open.
    """

    token_hash: bytes
    slug: str
    kind: str
    created_at: datetime
    expires_at: datetime
    content: DraftContent | None = field(default=None)
    manifest: bytes | None = None
    prepared: tuple[bytes, ...] = ()
    done: str = ""


@dataclass(frozen=True, slots=True)
class SpokenPause:
    """A pause on the account's word alone.

    Attributes:
        event: names it in the receipts of replies that it has cut.
    """

    slug: str
    event: str
    since: datetime


class CreatorStore(Protocol):
    """Keeps creators' work."""

    async def add_draft(self, draft: Draft, *, at_most: int) -> bool:
        """Keep a new draft; False, and nothing kept, if its owner has `at_most` already.

        A slug that is there is an InvariantError: the caller has looked.
        """
        ...

    async def save_draft(self, draft: Draft) -> None:
        """Replace what a draft says; its slug must be there, with the same owner."""
        ...

    async def find_draft(self, slug: str) -> Draft | None:
        """Return a draft."""
        ...

    async def slugs(self) -> list[str]:
        """Return every slug that is reserved, in order."""
        ...

    async def slugs_of(self, platform: str, account: str) -> list[str]:
        """Return the slugs of an account, in order."""
        ...

    async def add_ticket(self, ticket: SigningTicket, *, forget_before: datetime) -> None:
        """Keep a request in place of the open one of the same slug and kind.

        Closed and expired ones that expired before `forget_before` are deleted.
        """
        ...

    async def find_ticket(self, token_hash: bytes) -> SigningTicket | None:
        """Return a request, open or closed."""
        ...

    async def open_tickets(self) -> list[SigningTicket]:
        """Return the requests that are not closed, expired ones too, oldest first."""
        ...

    async def note_prepared(self, token_hash: bytes, body_hash: bytes) -> bool:
        """Remember a body that is given out; again is no change; False if there are too many."""
        ...

    async def close_ticket(
        self, token_hash: bytes, *, done: str, manifest: bytes | None = None
    ) -> None:
        """Close a request; its avatar becomes that of the manifest that it led to. Idempotent."""
        ...

    async def avatar_of(self, manifest: bytes) -> bytes:
        """Return the picture that was published with a manifest; empty if there is none."""
        ...

    async def speak_pause(self, pause: SpokenPause) -> None:
        """Keep a pause; an earlier one of the same slug stays as it is."""
        ...

    async def end_pause(self, slug: str) -> None:
        """Forget a pause, if there is one."""
        ...

    async def pause_of(self, slug: str) -> SpokenPause | None:
        """Return the pause of a slug, if there is one."""
        ...
