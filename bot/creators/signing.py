"""The door for the signing page: look at a request, prepare what is signed, take the signature."""

from collections.abc import Sequence
from contextlib import suppress

from bot.creators.bodies import PreparedBody, SigningBodies
from bot.creators.requests import describe_request
from bot.creators.shelf import TwinShelf
from bot.creators.signatures import (
    WELL_KNOWN_CHAINS,
    check_signer,
    parse_wallet_address,
    parse_wallet_signature,
)
from bot.creators.standing import Standing, TwinState
from bot.crypto.eip712 import encode_address, encode_signature
from bot.crypto.hashing import sha256
from bot.domain.errors import LinkExpiredError, TransientError, UserError
from bot.domain.leaf import OrderLeaf, twin_prefix
from bot.domain.manifest import Manifest
from bot.domain.settlement import NO_PAYOUT
from bot.ports.clock import Clock
from bot.ports.creator_store import CreatorStore, SigningTicket
from bot.ports.signing import PreparedSignature, SigningDesk, SigningRequest
from bot.ports.stores import Store, StoredOrder
from bot.receipts.log import append_leaf
from bot.twins.publish import keep_manifest

_UNKNOWN = "There is no such signing link, or a newer one has replaced it: ask for a new one."
_EXPIRED = "This signing link has expired: ask for a new one. Nothing has changed."
_FOREIGN = "This is not what this page has shown: open the link again and sign what it shows then."
_OVERTAKEN = "Something else was signed for this twin meanwhile: ask for a new link."
NOBODY = encode_address(NO_PAYOUT)


class SigningRoom(SigningDesk):
    """Takes signatures; one at a time for each twin, so that none overtakes another."""

    def __init__(
        self,
        *,
        store: Store,
        creators: CreatorStore,
        shelf: TwinShelf,
        bodies: SigningBodies,
        clock: Clock,
        chains: Sequence[int] = (),
    ) -> None:
        self._store = store
        self._creators = creators
        self._shelf = shelf
        self._bodies = bodies
        self._clock = clock
        self._chains = tuple(dict.fromkeys((*chains, *WELL_KNOWN_CHAINS)))

    async def look(self, token: str) -> SigningRequest:
        """Return what a request is about."""
        ticket = await self._ticket(token)
        async with self._shelf.turn(ticket.slug):
            done = await self._shelf.settle(ticket)
        if not done:
            self._check_open(ticket)
        standing = await self._shelf.standing(ticket.slug)
        signed = None
        if standing is not None:
            signed = await self._creators.avatar_of(standing.newest.hash)
        return describe_request(ticket, standing, signed or b"", self._shelf.terms, done=done)

    async def prepare(self, token: str, *, signer: str, payout: str) -> PreparedSignature:
        """Return what an address would sign."""
        address = parse_wallet_address(signer, meaning="signing address")
        paid = payout.strip()
        paid = NOBODY if paid in {"", NOBODY} else parse_wallet_address(paid, meaning="payout")
        ticket = await self._ticket(token)
        async with self._shelf.turn(ticket.slug):
            ticket = await self._ticket(token)  # once more: another link may have replaced it
            self._check_open(ticket)
            if done := await self._shelf.settle(ticket):
                raise UserError(f"There is nothing left to sign here. {done}")
            standing = await self._shelf.standing(ticket.slug)
            _check_owner(standing, address)
            prepared = await self._bodies.prepare(ticket, standing, creator=address, payout=paid)
            if not await self._creators.note_prepared(ticket.token_hash, sha256(prepared.body)):
                raise UserError("Too many addresses were tried with this link: ask for a new one.")
        return PreparedSignature(
            body=prepared.body.decode(),
            typed_data=prepared.data.typed_data(),
            digest=f"0x{prepared.data.digest().hex()}",
        )

    async def submit(self, token: str, *, body: str, signature: str) -> str:
        """Take a signature; return a sentence that says what is in force now."""
        ticket = await self._ticket(token)
        async with self._shelf.turn(ticket.slug):
            ticket = await self._ticket(token)
            try:
                data = body.encode()
            except UnicodeEncodeError as error:
                raise UserError(_FOREIGN) from error
            digest = sha256(data)
            if digest in ticket.prepared and await self._shelf.found(ticket, digest):
                return await self._shelf.settle(ticket)
            if done := await self._shelf.settle(ticket):
                raise UserError(f"This link was used before. {done}")
            self._check_open(ticket)
            if digest not in ticket.prepared:
                raise UserError(_FOREIGN)
            return await self._take(ticket, data, parse_wallet_signature(signature))

    async def _take(self, ticket: SigningTicket, body: bytes, signature: bytes) -> str:
        standing = await self._shelf.standing(ticket.slug)
        prepared = self._bodies.parse(ticket, standing, body)
        _check_owner(standing, prepared.signer)
        check_signer(
            prepared.data,
            signature,
            expected=prepared.signer,
            owned=standing is not None,
            chains=self._chains,
        )
        self._bodies.check_time(prepared, self._clock.now())
        if isinstance(prepared.value, Manifest) and ticket.content is not None:
            if not self._shelf.serves(prepared.value):
                raise UserError("The service's terms have changed meanwhile: ask for a new link.")
            content = ticket.content
            await self._shelf.ready(prepared.value, content.persona, content.avatar)
        try:
            await self._keep(ticket, prepared, signature)
        except TransientError:
            # Perhaps it is there, and only the answer was lost: then it is in force, and said so.
            with suppress(TransientError):
                if done := await self._shelf.settle(ticket):
                    return done
            raise
        return await self._shelf.settle(ticket)

    async def _keep(self, ticket: SigningTicket, prepared: PreparedBody, signature: bytes) -> None:
        """Keep and log what was signed, in one transaction, if it is still the next."""
        value = prepared.value
        async with self._store.transaction() as tx:
            if isinstance(value, Manifest):
                newest = await tx.latest_manifest(value.twin)
                if value.previous != (None if newest is None else newest.manifest_hash):
                    raise UserError(_OVERTAKEN)
                if ticket.content is not None:
                    await keep_manifest(tx, value, ticket.content.persona, signature)
                return
            if value.number != len(await tx.orders_of(value.twin)) + 1:
                raise UserError(_OVERTAKEN)
            leaf = OrderLeaf(value.hash, twin_prefix(value.twin))
            await tx.add_order(
                StoredOrder(
                    order_hash=value.hash,
                    twin=value.twin,
                    number=value.number,
                    body=value.encode(),
                    signature=encode_signature(signature),
                    log_index=await append_leaf(tx, leaf.encode()),
                )
            )

    async def _ticket(self, token: str) -> SigningTicket:
        ticket = await self._creators.find_ticket(sha256(token.encode(errors="replace")))
        if ticket is None:
            raise UserError(_UNKNOWN)
        return ticket

    def _check_open(self, ticket: SigningTicket) -> None:
        if not ticket.done and self._clock.now() > ticket.expires_at:
            raise LinkExpiredError(_EXPIRED)


def _check_owner(standing: Standing | None, address: str) -> None:
    if standing is None:
        return
    if standing.state is TwinState.REVOKED:
        raise UserError(standing.reason)
    if standing.newest.creator != address:
        raise UserError(
            f"The twin belongs to {standing.newest.creator}: connect that wallet, not {address}."
        )
