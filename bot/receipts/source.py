"""Serve bundles: join what is stored of one reply with proofs under the newest head of the log."""

from bot.crypto.dsse import parse_envelope
from bot.crypto.eip712 import parse_signature
from bot.domain.errors import InvariantError
from bot.ports.proofs import ProofSource
from bot.ports.stores import Store, StoredCheckpoint, StoredReply, StoreTransaction
from bot.receipts.bundle import LogProof, OutcomeProof, ProofBundle, encode_bundle
from bot.receipts.log import CheckpointSigner, prove_inclusion


class StoredProofs(ProofSource):
    """Reads what anybody may have; never an opening key."""

    def __init__(self, *, store: Store, signer: CheckpointSigner) -> None:
        self._store = store
        self._signer = signer

    async def bundle(self, receipt_id: str) -> bytes | None:
        """Return a receipt's bundle under the newest head; a head is signed if none covers it."""
        async with self._store.reading() as tx:
            reply = await tx.find_reply(receipt_id)
        if reply is None or reply.erased:
            return None
        head = await self._signer.publish(self._store)
        if head is None:
            return None
        async with self._store.reading() as tx:
            reply = await tx.find_reply(receipt_id)
            if reply is None or reply.erased:
                return None
            return encode_bundle(await _join(tx, reply, head))

    async def checkpoint(self) -> str | None:
        """Return the newest signed checkpoint; None before the first one."""
        async with self._store.reading() as tx:
            head = await tx.latest_checkpoint()
        return None if head is None else head.note


async def _join(tx: StoreTransaction, reply: StoredReply, head: StoredCheckpoint) -> ProofBundle:
    receipt = parse_envelope(reply.envelope)
    manifest_hash = await _manifest_hash(tx, reply)
    manifest = await tx.find_manifest(manifest_hash)
    if manifest is None:
        raise InvariantError(f"reply {reply.receipt_id} names an unknown manifest")
    return ProofBundle(
        receipt=receipt,
        manifest=manifest.body,
        manifest_signature=parse_signature(manifest.signature),
        log=await _proof(tx, reply.log_index, head.size),
        checkpoint=head.note,
        outcome=await _outcome(tx, reply, head.size),
        sealed=reply.sealed,
    )


async def _manifest_hash(tx: StoreTransaction, reply: StoredReply) -> bytes:
    intent = await tx.find_intent(reply.intent)
    if intent is None:
        raise InvariantError(f"reply {reply.receipt_id} has no intent")
    return intent.manifest


async def _proof(tx: StoreTransaction, index: int, size: int) -> LogProof:
    inclusion = await prove_inclusion(tx, index=index, size=size)
    return LogProof(leaf=await tx.log_leaf(index), index=index, inclusion=tuple(inclusion))


async def _outcome(tx: StoreTransaction, reply: StoredReply, size: int) -> OutcomeProof | None:
    """Return the proof of the latest outcome that the head covers; one may be younger than it."""
    outcomes = (
        (reply.reversal_statement, reply.reversal_index),
        (reply.outcome_statement, reply.outcome_index),
    )
    for statement, index in outcomes:
        if statement is not None and index is not None and index < size:
            return OutcomeProof(parse_envelope(statement), await _proof(tx, index, size))
    return None
