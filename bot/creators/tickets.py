"""Signing links: a request is frozen, its token goes to the creator and is kept by nobody else."""

from datetime import timedelta

from bot.creators.shelf import TwinShelf
from bot.crypto.encoding import encode_b64url
from bot.crypto.hashing import sha256
from bot.ports.clock import Clock, Entropy
from bot.ports.creator_store import CreatorStore, DraftContent, SigningTicket
from bot.ports.creators import SigningLink

WORKS_FOR = timedelta(minutes=30)
REMEMBERED_FOR = timedelta(days=30)
TOKEN_BYTES = 32


class SigningLinks:
    """Makes links to the signing page."""

    def __init__(
        self,
        *,
        creators: CreatorStore,
        shelf: TwinShelf,
        clock: Clock,
        entropy: Entropy,
        base_url: str,
    ) -> None:
        self._creators = creators
        self._shelf = shelf
        self._clock = clock
        self._entropy = entropy
        self._base_url = base_url

    async def issue(
        self,
        slug: str,
        kind: str,
        summary: tuple[str, ...],
        *,
        content: DraftContent | None = None,
        manifest: bytes | None = None,
    ) -> SigningLink:
        """Keep a request in place of the open one of the same twin and kind; return its link."""
        async with self._shelf.turn(slug):  # not while the request that it replaces is signed
            await self.settle(slug, kind)
            now = self._clock.now().replace(microsecond=0)
            token = encode_b64url(self._entropy.random_bytes(TOKEN_BYTES))
            ticket = SigningTicket(
                token_hash=sha256(token.encode()),
                slug=slug,
                kind=kind,
                created_at=now,
                expires_at=now + WORKS_FOR,
                content=content,
                manifest=manifest,
            )
            await self._creators.add_ticket(ticket, forget_before=now - REMEMBERED_FOR)
        return SigningLink(f"{self._base_url}/sign/{token}", tuple(summary), ticket.expires_at)

    async def settle(self, slug: str, kind: str | None = None) -> None:
        """Close a twin's requests that were signed, although nobody was told so."""
        for ticket in await self._creators.open_tickets():
            if ticket.slug == slug and kind in {None, ticket.kind}:
                await self._shelf.settle(ticket)

    async def withdraw(self, slug: str, kind: str, why: str) -> None:
        """Close a twin's open request, which nobody needs any more."""
        async with self._shelf.turn(slug):
            for ticket in await self._creators.open_tickets():
                if (ticket.slug, ticket.kind) == (slug, kind):
                    await self._creators.close_ticket(ticket.token_hash, done=why)
