"""Offline verification of one reply, in the steps of docs/spec/formats.md section 11.

 1. Bundle: canonical, known version, every byte consumed.
 2. Receipt signature: by the operator that the receipt and the manifest name.
 3. Manifest: the one that the receipt cites, signed by its creator.
 4. Terms: what the receipt says is what the creator signed, within the validity.
 5. Openings (needs the key): the sealed part is what the receipt committed to.
 6. Seed (needs the key): derived from the platform's own message id, by the operator's VRF.
 7. Context (needs the key): a rule's fixed answer; or the typed spans render to the context, are
    all that could be quoted, and the output fits.
 8. Log: the receipt is in the log whose key the manifest names, or in the one that continues it.
 9. Outcome and revocation, if there are any: signed, and under the same checkpoint.
10. Trust policy: creator, log, witnesses and revocations are as the verifier was told.

Nothing here reads a clock, a file or the network. What remains the caller's duty is L2, to ask a
chain (`bot.receipts.anchor`), and L3, to run the model on the context and compare
(`bot.twins.replay`).
"""

from collections.abc import Callable

from bot.crypto.dsse import verify_envelope
from bot.crypto.eip712 import recover_signer
from bot.crypto.hashing import sha256
from bot.domain.manifest import Manifest, parse_manifest, signing_data
from bot.domain.payment import Payer, split_fee
from bot.domain.receipt import PAYLOAD_TYPE, Receipt, parse_receipt
from bot.receipts.bundle import ProofBundle, parse_bundle
from bot.receipts.context import check_context
from bot.receipts.logged import check_log, check_outcome, check_revocation
from bot.receipts.opened import check_openings, check_seed
from bot.receipts.openings import Openings
from bot.receipts.steps import evidence, require
from bot.receipts.trust import TrustPolicy
from bot.receipts.verified import Drawn, Logged, StepResult, VerifiedReceipt, outcome_result

CheckShown = Callable[[Receipt, Manifest], StepResult]
__all__ = ["StepResult", "TrustPolicy", "VerifiedReceipt", "verify_bundle", "verify_parts"]


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
    bundle = parse_bundle(bundle_bytes)
    return verify_parts(
        bundle, size=len(bundle_bytes), key=key, policy=policy, receipt_id=receipt_id
    )


def verify_parts(
    bundle: ProofBundle,
    *,
    size: int,
    key: bytes | None,
    policy: TrustPolicy | None,
    receipt_id: str | None = None,
    shown: CheckShown | None = None,
) -> VerifiedReceipt:
    """Verify a bundle that was parsed; as `verify_bundle`.

    Args:
        bundle: parsed.
        size: of what was parsed, in bytes.
        key: as `verify_bundle`, as are `policy` and `receipt_id`.
        policy: as there.
        receipt_id: as there.
        shown: what stands in the place of step 5 where chosen fields are shown without the key.
    """
    receipt, manifest = _parse_bodies(bundle, receipt_id)
    steps = [
        StepResult(1, f"Canonical, version 2, all {size} bytes accounted for."),
        _check_receipt_signature(bundle, receipt, manifest),
        _check_manifest(bundle, receipt, manifest),
        _check_terms(receipt, manifest),
    ]
    openings, drawn = None, None
    if key is None:
        steps += [StepResult(n, "Left out: no key was given.", done=False) for n in (5, 6, 7)]
        if shown is not None:
            steps[4] = shown(receipt, manifest)
    else:
        openings, drawn, found = _check_opened(bundle, receipt, manifest, key)
        steps += found
    rejected = None if openings is None else openings.fields.rejected
    logged = check_log(bundle, receipt, manifest, policy, rejected=rejected)
    steps.append(_log_result(logged))
    outcome = check_outcome(bundle, receipt, logged)
    revocation = check_revocation(bundle, manifest, logged)
    steps += [outcome_result(outcome, revocation), _check_policy(manifest, logged, policy)]
    return VerifiedReceipt(
        receipt=receipt,
        receipt_hash=bundle.receipt.digest,
        receipt_id=bundle.receipt_id,
        manifest=manifest,
        logged=logged,
        openings=openings,
        drawn=drawn,
        outcome=outcome,
        revocation=revocation,
        anchor=bundle.anchor,
        steps=tuple(steps),
        trust="self-consistent" if policy is None else "policy",
    )


def _parse_bodies(bundle: ProofBundle, receipt_id: str | None) -> tuple[Receipt, Manifest]:
    """Step 1: receipt and manifest parse to the last byte, as the bundle did."""
    with evidence(1):
        receipt, manifest = parse_receipt(bundle.receipt.payload), parse_manifest(bundle.manifest)
    require(
        step=1,
        that=receipt_id in {None, bundle.receipt_id},
        otherwise="the bundle is of another receipt than the link names",
    )
    return receipt, manifest


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
    price, payment, fixed = receipt.price, receipt.payment, receipt.rule is not None
    nano = 0 if fixed else manifest.price_nano
    terms = {
        "time": manifest.valid_from <= receipt.time <= manifest.valid_until,
        "twin": receipt.twin == manifest.twin,
        "model": receipt.model.gguf == manifest.model.gguf,
        "library": receipt.model.library == manifest.library,
        "rule": not fixed or receipt.rule in manifest.rules,
        "attempt": not fixed or receipt.attempt == 0,
        "payer": (payment.payer is Payer.FREE) == (nano == 0),
        "rate table": (payment.payer is Payer.PAID) == (payment.rate_table is not None),
        "price": (price.nano, price.token, price.free_daily)
        == (nano, manifest.price_token, manifest.free_daily),
        "split": (price.creator_nano, price.operator_nano)
        == split_fee(payment.payer, nano, manifest.creator_bp),
    }
    for name, kept in terms.items():
        require(step=4, that=kept, otherwise=f"the receipt's {name} is not as the creator signed")
    return StepResult(4, "Time, twin, model, library, payer, price and split are as signed.")


def _check_opened(
    bundle: ProofBundle, receipt: Receipt, manifest: Manifest, key: bytes
) -> tuple[Openings, Drawn, list[StepResult]]:
    """Steps 5 to 7: what the key opens, the seed, the context."""
    openings = check_openings(bundle, receipt, manifest, key)
    drawn = check_seed(receipt, manifest, openings.fields)
    return (
        openings,
        drawn,
        [
            StepResult(5, "The key opens persona and conversation as committed."),
            StepResult(6, "The seed follows from the message's own identifiers."),
            check_context(receipt, manifest, openings.fields),
        ],
    )


def _log_result(logged: Logged) -> StepResult:
    """Say what step 8 found."""
    sentence = f"Leaf {logged.index} of {logged.checkpoint.size} in the log {logged.log.name}"
    if logged.seals:
        sentence += f", which continues {logged.seals[0].log.name}"
    names = [one.witness.name for one in logged.cosigned.cosignatures]
    witnessed = (
        f"cosigned by {', '.join(names)}" if names else "no witness of yours has cosigned it"
    )
    return StepResult(8, f"{sentence}; {witnessed}.")


def _check_policy(manifest: Manifest, logged: Logged, policy: TrustPolicy | None) -> StepResult:
    """Step 10: the verifier's own knowledge of creator, log, witnesses and lost keys."""
    if policy is None:
        return StepResult(10, "Left out: no trust policy was given.", done=False)
    require(
        step=10,
        that=manifest.creator in policy.creators,
        otherwise=f"your policy does not name the creator {manifest.creator}",
    )
    require(
        step=10,
        that=not policy.logs.isdisjoint({manifest.log.encode(), logged.log.encode()}),
        otherwise=f"your policy does not name this key of the log {logged.log.name}",
    )
    revoked = policy.revokes(manifest.hash, logged.bounds, logged.index)
    require(
        step=10,
        that=revoked is None,
        otherwise="your policy says that what this manifest signed at this place in the log "
        "does not count",
    )
    cosigned = logged.cosigned
    require(
        step=10,
        that=cosigned.is_met,
        otherwise=f"{len(cosigned.cosignatures)} of your witnesses have cosigned the checkpoint, "
        f"and your policy asks for {cosigned.needed}",
    )
    return StepResult(10, "Creator and log are those that you were given.")
