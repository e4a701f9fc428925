"""Serve bundles: join what is stored of one reply with proofs under one signed head of the log."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.crypto.dsse import Envelope, parse_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.eip712 import parse_signature, recover_signer
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.crypto.tlog_proof import format_proof
from bot.domain.errors import InvariantError
from bot.domain.manifest import Manifest, parse_manifest
from bot.domain.order import OrderAction, order_data, parse_order
from bot.ports.anchors import AnchorSource
from bot.ports.book import StoredOrder
from bot.ports.proofs import ProofSource
from bot.ports.stores import Store, StoredManifest, StoredReply, StoreTransaction
from bot.ports.transparency import PublicLog
from bot.receipts.bundle import (
    LogProof,
    OutcomeProof,
    ProofBundle,
    RevocationProof,
    encode_bundle,
)
from bot.receipts.log import CheckpointSigner, prove_inclusion


@dataclass(frozen=True, slots=True)
class _Head:
    """The head under which a bundle's proofs stand, with all its signature lines."""

    size: int
    note: str


class StoredProofs(ProofSource):
    """Reads what anybody may have; never an opening key.

    Args:
        store: of replies and log.
        signer: of the log's heads.
        public: which head is shown, with what witnesses have signed of it; without it the newest
            head is, as the log alone has signed it.
        anchors: what of the log stands on a chain; None: nothing does.
        seals: of the logs that this one continues, oldest first.
        signs: whether a head may be signed where none covers a reply.
    """

    def __init__(
        self,
        *,
        store: Store,
        signer: CheckpointSigner,
        public: PublicLog | None = None,
        anchors: AnchorSource | None = None,
        seals: Sequence[Envelope] = (),
        signs: bool = True,
    ) -> None:
        self._store = store
        self._signer = signer
        self._log = VerifierKey(signer.origin, public_key_of(signer.key))
        self._public = public
        self._anchors = anchors
        self._seals = tuple(seals)
        self._signs = signs

    async def bundle(self, receipt_id: str) -> bytes | None:
        """Return a receipt's bundle; a head is signed if none covers it."""
        async with self._store.reading() as tx:
            reply = await tx.find_reply(receipt_id)
        if reply is None or reply.erased:
            return None
        head = await self._head(reply.log_index)
        if head is None:
            return None
        anchor = None if self._anchors is None else await self._anchors.anchor_of(reply.log_index)
        async with self._store.reading() as tx:
            reply = await tx.find_reply(receipt_id)
            if reply is None or reply.erased:
                return None
            manifest = await _manifest_of(tx, reply)
            return encode_bundle(
                ProofBundle(
                    receipt=parse_envelope(reply.envelope),
                    manifest=manifest.body,
                    manifest_signature=parse_signature(manifest.signature),
                    log=await _proof(tx, reply.log_index, head),
                    outcome=await _outcome(tx, reply, head),
                    revocation=await _revocation(tx, parse_manifest(manifest.body), head),
                    anchor=anchor,
                    seals=self._seals_for(manifest),
                    sealed=reply.sealed,
                )
            )

    async def is_pending(self, receipt_id: str) -> bool:
        """Return whether a reply that was not erased waits for a checkpoint only."""
        async with self._store.reading() as tx:
            reply = await tx.find_reply(receipt_id)
        return reply is not None and not reply.erased

    async def checkpoint(self) -> str | None:
        """Return the newest signed checkpoint; None before the first one."""
        async with self._store.reading() as tx:
            head = await tx.latest_checkpoint()
        return None if head is None else head.note

    async def _head(self, index: int) -> _Head | None:
        """Return the head that is shown if it covers a leaf, and else a new one over all leaves."""
        if self._public is not None:
            note = await self._public.head_for(index)
            size = 0 if note is None else Checkpoint.parse(open_note(note, self._log).text).size
            if note is not None and index < size:
                return _Head(size, note)
        head = await self._signer.publish(self._store) if self._signs else None
        return None if head is None else _Head(head.size, head.note)

    def _seals_for(self, manifest: StoredManifest) -> tuple[Envelope, ...]:
        """Return the seals that lead from the log which a manifest names to this one."""
        if not self._seals:
            return ()
        named = parse_manifest(manifest.body).log.public_key
        if named == self._log.public_key:
            return ()
        sealed = [seal.key for seal in self._seals]
        if named not in sealed:
            raise InvariantError("a manifest names a log that no seal leads from")
        return self._seals[sealed.index(named) :]


async def _manifest_of(tx: StoreTransaction, reply: StoredReply) -> StoredManifest:
    intent = await tx.find_intent(reply.intent)
    if intent is None:
        raise InvariantError(f"reply {reply.receipt_id} has no intent")
    manifest = await tx.find_manifest(intent.manifest)
    if manifest is None:
        raise InvariantError(f"reply {reply.receipt_id} names an unknown manifest")
    return manifest


async def _proof(tx: StoreTransaction, index: int, head: _Head) -> LogProof:
    inclusion = await prove_inclusion(tx, index=index, size=head.size)
    return LogProof(await tx.log_leaf(index), format_proof(index, inclusion, head.note))


async def _outcome(tx: StoreTransaction, reply: StoredReply, head: _Head) -> OutcomeProof | None:
    """Return the proof of the latest outcome that the head covers; one may be younger than it."""
    for said in reversed(reply.outcomes):
        if said.log_index < head.size:
            proof = await _proof(tx, said.log_index, head)
            return OutcomeProof(parse_envelope(said.statement), proof)
    return None


async def _revocation(
    tx: StoreTransaction, manifest: Manifest, head: _Head
) -> RevocationProof | None:
    """Return the proof of the first order that revoked a manifest, or its twin."""
    for stored in await tx.orders_of(manifest.twin):
        if stored.log_index < head.size and revokes(stored, manifest):
            place = await _proof(tx, stored.log_index, head)
            return RevocationProof(stored.body, parse_signature(stored.signature), place)
    return None


def revokes(stored: StoredOrder, manifest: Manifest) -> bool:
    """Return whether an order revokes a manifest, as its bundle can show.

    The wallet's signature covers the display name of a version: an order that was signed under
    another name of the twin can't be checked with this manifest alone.
    """
    order = parse_order(stored.body)
    if order.action is not OrderAction.REVOKE or order.manifest not in {None, manifest.hash}:
        return False
    digest = order_data(order, manifest.name).digest()
    return recover_signer(digest, parse_signature(stored.signature)) == manifest.creator
