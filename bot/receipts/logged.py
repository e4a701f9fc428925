"""Steps 8 and 9 of a verification: the log, what continues it, and what it says of the reply."""

from collections.abc import Sequence

from bot.crypto.dsse import Envelope, verify_envelope
from bot.crypto.eip712 import recover_signer
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import leaf_hash, verify_inclusion
from bot.crypto.signed_note import Checkpoint, Note, VerifierKey, open_note
from bot.crypto.tlog_proof import TlogProof, parse_proof
from bot.domain.ids import receipt_tag_of
from bot.domain.leaf import OrderLeaf, OutcomeLeaf, ReplyLeaf, manifest_prefix, twin_prefix
from bot.domain.manifest import Manifest
from bot.domain.order import OrderAction, order_data, parse_order
from bot.domain.receipt import Receipt
from bot.domain.statements import OUTCOME_TYPE, SEAL_TYPE, OutcomeStatement, SealStatement
from bot.domain.terms import MAX_REDRAWS
from bot.domain.witnesses import Cosigned
from bot.receipts.anchor import check_placement
from bot.receipts.bundle import LogProof, ProofBundle
from bot.receipts.steps import evidence
from bot.receipts.trust import NO_WITNESSES, TrustPolicy
from bot.receipts.verified import Logged, Revocation


def check_log(
    bundle: ProofBundle,
    receipt: Receipt,
    manifest: Manifest,
    policy: TrustPolicy | None,
    *,
    rejected: int | None,
) -> Logged:
    """Step 8: the receipt is a leaf of the log that the creator signed for, or of its successor.

    Args:
        bundle: parsed.
        receipt: its receipt.
        manifest: its manifest.
        policy: whom the verifier trusts.
        rejected: how many attempts right before it were rejected; None if no key told.

    Raises:
        VerificationError: step 8, it is not, or a witness's line or the anchor is false.
        MalformedProofError: step 8, a proof, a seal or the checkpoint is none.
    """
    with evidence(8):
        _check_leaf(bundle, receipt, rejected)
        proof = parse_proof(bundle.log.proof)
        seals = _read_seals(manifest.log, bundle.seals)
        log = seals[-1].successor if seals else manifest.log
        note = open_note(proof.checkpoint, log)
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != log.name:
            raise MismatchError("the checkpoint is of another log")
        if seals and proof.index == seals[-1].kept:
            raise MismatchError("the leaf stands where the seal of the log before has to stand")
        _check_inclusion(bundle.log.leaf, proof, checkpoint)
        if bundle.anchor is not None:
            check_placement(
                bundle.anchor,
                leaf=leaf_hash(bundle.log.leaf),
                index=proof.index,
                head_size=checkpoint.size,
                head_root=checkpoint.root,
            )
        cosigned = _count_witnesses(note, policy)
    return Logged(log, proof.index, checkpoint, proof.checkpoint, seals, cosigned)


def _check_leaf(bundle: ProofBundle, receipt: Receipt, rejected: int | None) -> None:
    """Check the reply's leaf; where no key has opened the count, it may be any that is allowed."""
    counts = range(MAX_REDRAWS + 1) if rejected is None else (rejected,)
    tag = receipt_tag_of(bundle.receipt.digest)
    twin, manifest = twin_prefix(receipt.twin), manifest_prefix(receipt.manifest)
    leaves = (
        ReplyLeaf(tag, receipt.slot_tag, receipt.attempt, count, twin, manifest) for count in counts
    )
    if bundle.log.leaf not in {leaf.encode() for leaf in leaves}:
        raise MismatchError("the log's leaf is not of this receipt")


def _read_seals(first: VerifierKey, envelopes: Sequence[Envelope]) -> tuple[SealStatement, ...]:
    """Follow the seals from the manifest's log; each is signed by the log that it seals."""
    logs, seals = [first], []
    for envelope in envelopes:
        verify_envelope(envelope, payload_type=SEAL_TYPE, key=logs[-1].public_key)
        seal = SealStatement.parse(envelope.payload)
        if seal.log != logs[-1]:
            raise MismatchError("a seal is of another log than the one before it leads to")
        if any(
            log.name == seal.successor.name or log.public_key == seal.successor.public_key
            for log in logs
        ):
            raise MismatchError("the seals lead back to a log that was sealed")
        logs.append(seal.successor)
        seals.append(seal)
    return tuple(seals)


def _count_witnesses(note: Note, policy: TrustPolicy | None) -> Cosigned:
    """Check the lines of the witnesses that the policy names; others are passed over."""
    witnesses = NO_WITNESSES if policy is None else policy.witnesses
    lines = [(line.name, line.key_hash) for line in note.others]
    for witness in witnesses.witnesses:
        if lines.count((witness.name, witness.key_hash)) > 1:
            raise MismatchError(f"{witness.name} has cosigned the checkpoint twice")
    cosigned = witnesses.count(note)
    if cosigned.false:
        raise MismatchError(cosigned.false[0])
    return cosigned


def check_outcome(bundle: ProofBundle, receipt: Receipt, logged: Logged) -> OutcomeStatement | None:
    """Step 9: the outcome is signed by the operator and stands under the same checkpoint.

    Raises:
        VerificationError: step 9, it is not, or does not.
        MalformedProofError: step 9, statement or proof is none.
    """
    if bundle.outcome is None:
        return None
    envelope = bundle.outcome.statement
    with evidence(9):
        verify_envelope(envelope, payload_type=OUTCOME_TYPE, key=receipt.operator)
        statement = OutcomeStatement.parse(envelope.payload)
        if statement.receipt != receipt_tag_of(bundle.receipt.digest):
            raise MismatchError("the outcome is of another receipt")
        leaf = OutcomeLeaf(envelope.digest, statement.receipt, statement.outcome)
        index = _check_place(bundle.outcome.log, leaf.encode(), logged, "outcome")
        if index < logged.index:
            raise MismatchError("the outcome stands in the log before its reply")
    return statement


def check_revocation(bundle: ProofBundle, manifest: Manifest, logged: Logged) -> Revocation | None:
    """Step 9: the order is the creator's revocation of this twin, or of this version of it.

    Raises:
        VerificationError: step 9, it is not.
        MalformedProofError: step 9, order or proof is none.
    """
    if bundle.revocation is None:
        return None
    with evidence(9):
        order = parse_order(bundle.revocation.body)
        if order.action is not OrderAction.REVOKE:
            raise MismatchError(f"the order does not revoke: it says {order.action}")
        if order.twin != manifest.twin or order.manifest not in {None, manifest.hash}:
            raise MismatchError("the order revokes another twin, or another version of it")
        if order.log not in logged.origins[-2:]:
            raise MismatchError(f"the order is for the log {order.log}")
        digest = order_data(order, manifest.name).digest()
        signer = recover_signer(digest, bundle.revocation.signature)
        if signer != manifest.creator:
            raise MismatchError(f"the order is signed by {signer}, not by the twin's creator")
        leaf = OrderLeaf(order.hash, twin_prefix(order.twin)).encode()
        index = _check_place(bundle.revocation.log, leaf, logged, "order")
    return Revocation(order, index, is_later=logged.index < index)


def _check_place(place: LogProof, leaf: bytes, logged: Logged, name: str) -> int:
    """Check that a leaf stands under the reply's own checkpoint; return its index."""
    if place.leaf != leaf:
        raise MismatchError(f"the log's leaf is not of this {name}")
    proof = parse_proof(place.proof)
    if proof.checkpoint != logged.note:
        raise MismatchError(f"the {name} is proved under another checkpoint than the reply")
    _check_inclusion(leaf, proof, logged.checkpoint)
    return proof.index


def _check_inclusion(leaf: bytes, proof: TlogProof, checkpoint: Checkpoint) -> None:
    if not 0 <= proof.index < checkpoint.size:
        raise FormatError("the leaf's index is not below the checkpoint's size")
    verify_inclusion(
        leaf=leaf_hash(leaf),
        index=proof.index,
        size=checkpoint.size,
        proof=proof.inclusion,
        root=checkpoint.root,
    )
