"""Offline verification of one reply, in the steps of docs/spec/formats.md section 11.

 1. Bundle: canonical, known version, every byte consumed.
 2. Receipt signature: by the operator that the receipt and the manifest name.
 3. Manifest: the one that the receipt cites, signed by its creator.
 4. Terms: what the receipt says is what the creator signed, within the validity.
 5. Openings (needs the key): the sealed part is what the receipt committed to.
 6. Seed (needs the key): derived from the platform's own message id, by the operator's VRF.
 7. Context (needs the key): the typed spans render to the context, and the output fits.
 8. Log: the receipt is in the log whose key the manifest names.
 9. Outcome, if there is one: signed and in the same log.
10. Trust policy: creator and log are those that the verifier was given.

Nothing here reads a clock, a file or the network. What remains the caller's duty is L3: to run
the model on the context and compare (`bot.twins.replay`).
"""

from bot.crypto import vrf
from bot.crypto.dsse import verify_envelope
from bot.crypto.eip712 import recover_signer
from bot.crypto.errors import MismatchError
from bot.crypto.hashing import sha256
from bot.crypto.merkle import leaf_hash, verify_inclusion
from bot.crypto.signed_note import Checkpoint, open_note
from bot.domain.fields import Fields, fields_root, fields_to_json
from bot.domain.ids import derive_seed, derive_slot, derive_slot_tag
from bot.domain.leaf import OUTCOME_TYPE, OutcomeLeaf, OutcomeStatement, ReplyLeaf, twin_prefix
from bot.domain.manifest import Manifest, parse_manifest, signing_data
from bot.domain.money import split_price
from bot.domain.receipt import PAYLOAD_TYPE, Receipt, parse_receipt
from bot.receipts.bundle import LogProof, Openings, ProofBundle, open_openings, parse_bundle
from bot.receipts.context import check_context
from bot.receipts.steps import evidence, require
from bot.receipts.trust import TrustPolicy
from bot.receipts.verified import StepResult, VerifiedReceipt, outcome_result, unproved_claims

__all__ = ["StepResult", "TrustPolicy", "VerifiedReceipt", "verify_bundle"]


def verify_bundle(
    bundle_bytes: bytes,
    *,
    key: bytes | None,
    policy: TrustPolicy | None,
    receipt_id: str | None = None,
) -> VerifiedReceipt:
    """Verify a bundle offline.

    Args:
        bundle_bytes: a bundle as the host gave it; nothing in it is trusted.
        key: the fan's opening key, 32 bytes; without it steps 5 to 7 are left out.
        policy: whom the verifier trusts; without it the result is self-consistent only.
        receipt_id: what the link names; the bundle must be of this receipt.

    Raises:
        VerificationError: the evidence is false; carries the number of the first false step.
        MalformedProofError: the bytes are not what the format says, at that step.
    """
    bundle, receipt, manifest = _parse_parts(bundle_bytes, receipt_id)
    steps = [
        StepResult(1, f"Canonical, version 1, all {len(bundle_bytes)} bytes accounted for."),
        _check_receipt_signature(bundle, receipt, manifest),
        _check_manifest(bundle, receipt, manifest),
        _check_terms(receipt, manifest),
    ]
    openings, seed = None, None
    if key is None:
        steps += [StepResult(n, "Left out: no key was given.", done=False) for n in (5, 6, 7)]
    else:
        openings = _open(bundle, receipt, manifest, key)
        steps.append(StepResult(5, "The key opens persona and conversation as committed."))
        seed = _derive_checked_seed(receipt, manifest, openings.fields)
        steps.append(StepResult(6, "The seed follows from the message's own identifiers."))
        steps.append(check_context(manifest, openings.fields))
    checkpoint = _check_log(bundle, receipt, manifest)
    where = f"Leaf {bundle.log.index} of {checkpoint.size} in the log {checkpoint.origin}"
    steps.append(StepResult(8, f"{where}; no witness has cosigned it."))
    outcome = _read_outcome(bundle, receipt, checkpoint)
    steps += [outcome_result(outcome), _check_policy(manifest, policy)]
    return VerifiedReceipt(
        receipt=receipt,
        receipt_hash=bundle.receipt.digest,
        receipt_id=bundle.receipt_id,
        manifest=manifest,
        checkpoint=checkpoint,
        openings=openings,
        seed=seed,
        outcome=outcome,
        steps=tuple(steps),
        levels=("L0", "L1-unwitnessed"),
        trust="self-consistent" if policy is None else "policy",
        unproved=unproved_claims(receipt, manifest, openings, outcome, policy),
    )


def _parse_parts(data: bytes, receipt_id: str | None) -> tuple[ProofBundle, Receipt, Manifest]:
    """Step 1: bundle, receipt and manifest parse to the last byte."""
    bundle = parse_bundle(data)
    with evidence(1):
        receipt, manifest = parse_receipt(bundle.receipt.payload), parse_manifest(bundle.manifest)
    require(
        step=1,
        that=receipt_id in {None, bundle.receipt_id},
        otherwise="the bundle is of another receipt than the link names",
    )
    return bundle, receipt, manifest


def _check_receipt_signature(
    bundle: ProofBundle, receipt: Receipt, manifest: Manifest
) -> StepResult:
    """Step 2: the receipt is signed by the operator, whom the manifest names as well."""
    with evidence(2):
        verify_envelope(bundle.receipt, payload_type=PAYLOAD_TYPE, key=receipt.operator)
    require(
        step=2,
        that=manifest.signing_key == receipt.operator,
        otherwise="the creator's manifest names another operator key",
    )
    return StepResult(2, f"Signed by operator key {receipt.operator.hex()}.")


def _check_manifest(bundle: ProofBundle, receipt: Receipt, manifest: Manifest) -> StepResult:
    """Step 3: the manifest is the cited one, and its creator signed it."""
    require(
        step=3,
        that=sha256(bundle.manifest) == receipt.manifest,
        otherwise="the receipt cites another manifest",
    )
    require(
        step=3,
        that=manifest.twin == manifest.derived_twin,
        otherwise="the twin's id does not derive from creator and slug",
    )
    with evidence(3):
        signer = recover_signer(signing_data(manifest).digest(), bundle.manifest_signature)
    require(
        step=3,
        that=signer == manifest.creator,
        otherwise=f"the manifest is signed by {signer}, not by its creator {manifest.creator}",
    )
    title = f"version {manifest.version} of {manifest.slug}"
    return StepResult(3, f"The manifest is {title}, signed by {manifest.creator}.")


def _check_terms(receipt: Receipt, manifest: Manifest) -> StepResult:
    """Step 4: the receipt keeps to the signed terms."""
    price = receipt.price
    terms = {
        "time": manifest.valid_from <= receipt.time <= manifest.valid_until,
        "twin": receipt.twin == manifest.twin,
        "model": receipt.model.gguf == manifest.model.gguf,
        "library": receipt.model.library == manifest.library,
        "price": (price.nano, price.token) == (manifest.price_nano, manifest.price_token),
        "split": (price.creator_nano, price.operator_nano)
        == split_price(manifest.price_nano, manifest.creator_bp),
    }
    for name, kept in terms.items():
        require(step=4, that=kept, otherwise=f"the receipt's {name} is not as the creator signed")
    return StepResult(4, "Time, twin, model, library, price and split are as signed.")


def _open(bundle: ProofBundle, receipt: Receipt, manifest: Manifest, key: bytes) -> Openings:
    """Step 5: the sealed part opens to what receipt and manifest committed to."""
    openings = open_openings(key, bundle.receipt.digest, bundle.sealed)
    require(
        step=5,
        that=fields_root(key, fields_to_json(openings.fields)) == receipt.fields_root,
        otherwise="the opened fields are not those that the receipt committed to",
    )
    require(
        step=5,
        that=openings.persona.hash == manifest.persona,
        otherwise="the opened persona is not the one that the creator signed",
    )
    return openings


def _derive_checked_seed(receipt: Receipt, manifest: Manifest, fields: Fields) -> bytes:
    """Step 6: nobody chose the seed."""
    with evidence(6):
        numbering = fields.slot.numbering
        slot = derive_slot(receipt.twin, fields.slot)
        beta = vrf.verify(manifest.vrf_key, slot, receipt.vrf_proof)
    require(
        step=6,
        that=derive_slot_tag(beta) == receipt.slot_tag,
        otherwise="the slot tag does not follow from the VRF's output",
    )
    require(
        step=6,
        that=(fields.event.regenerate is not None) == (receipt.attempt > 0),
        otherwise="a fan's wish belongs to every attempt above 0, and to no other",
    )
    require(
        step=6,
        that=numbering == receipt.numbering,
        otherwise="the receipt is wrong about who numbers the messages",
    )
    return derive_seed(beta, receipt.manifest, receipt.attempt)


def _check_log(bundle: ProofBundle, receipt: Receipt, manifest: Manifest) -> Checkpoint:
    """Step 8: the receipt is a leaf of the log that the creator signed for."""
    digest, twin = bundle.receipt.digest, twin_prefix(receipt.twin)
    leaf = ReplyLeaf(digest, receipt.slot_tag, receipt.attempt, twin)
    require(
        step=8,
        that=bundle.log.leaf == leaf.encode(),
        otherwise="the log's leaf is not of this receipt",
    )
    with evidence(8):
        note = open_note(bundle.checkpoint, manifest.log)
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin != manifest.log.name:
            raise MismatchError("the checkpoint is of another log")
        if note.others:
            raise MismatchError("version 1 knows no witness: the checkpoint has a foreign line")
        _check_inclusion(bundle.log, checkpoint)
    return checkpoint


def _read_outcome(
    bundle: ProofBundle, receipt: Receipt, checkpoint: Checkpoint
) -> OutcomeStatement | None:
    """Step 9: the outcome is signed by the operator and in the same log."""
    if bundle.outcome is None:
        return None
    envelope, log = bundle.outcome.statement, bundle.outcome.log
    with evidence(9):
        verify_envelope(envelope, payload_type=OUTCOME_TYPE, key=receipt.operator)
        statement = OutcomeStatement.parse(envelope.payload)
        if statement.receipt != bundle.receipt.digest:
            raise MismatchError("the outcome is of another receipt")
        leaf = OutcomeLeaf(envelope.digest, statement.receipt, statement.outcome)
        if log.leaf != leaf.encode():
            raise MismatchError("the log's leaf is not of this outcome")
        _check_inclusion(log, checkpoint)
    return statement


def _check_policy(manifest: Manifest, policy: TrustPolicy | None) -> StepResult:
    """Step 10: the verifier's own knowledge of creator and log."""
    if policy is None:
        return StepResult(10, "Left out: no trust policy was given.", done=False)
    require(
        step=10,
        that=manifest.creator in policy.creators,
        otherwise=f"your policy does not name the creator {manifest.creator}",
    )
    require(
        step=10,
        that=manifest.log.encode() in policy.logs,
        otherwise=f"your policy does not name this key of the log {manifest.log.name}",
    )
    return StepResult(10, "Creator and log are those that you were given.")


def _check_inclusion(proof: LogProof, checkpoint: Checkpoint) -> None:
    verify_inclusion(
        leaf=leaf_hash(proof.leaf),
        index=proof.index,
        size=checkpoint.size,
        proof=proof.inclusion,
        root=checkpoint.root,
    )
