"""Steps 5 and 6 of a verification: what the key opens, and that nobody chose the seed."""

from bot.crypto import vrf
from bot.domain.errors import VerificationError
from bot.domain.field_values import fields_root, fields_to_json
from bot.domain.fields import Fields
from bot.domain.ids import derive_seed, derive_slot, derive_slot_tag
from bot.domain.manifest import Manifest
from bot.domain.receipt import Receipt
from bot.receipts.bundle import ProofBundle
from bot.receipts.openings import Openings, open_openings
from bot.receipts.steps import evidence, require
from bot.receipts.verified import Drawn


def check_openings(
    bundle: ProofBundle, receipt: Receipt, manifest: Manifest, key: bytes
) -> Openings:
    """Step 5: the sealed part opens to what receipt and manifest committed to.

    Raises:
        VerificationError: step 5, it does not.
        MalformedProofError: step 5, what it opens to is not what the format says.
    """
    if bundle.sealed is None:
        raise VerificationError(5, "the bundle is public: there is nothing to open")
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


def check_seed(receipt: Receipt, manifest: Manifest, fields: Fields) -> Drawn:
    """Step 6: the seed follows from the message's own identifiers.

    Raises:
        VerificationError: step 6, it does not.
        MalformedProofError: step 6, slot or platform have no known form, or the proof has none.
    """
    with evidence(6):
        fields.slot.check()
        numbering = fields.slot.numbering
        slot = derive_slot(receipt.twin, fields.slot)
        beta = vrf.verify(manifest.vrf_key, slot, fields.vrf_proof)
    require(
        step=6,
        that=derive_slot_tag(beta) == receipt.slot_tag,
        otherwise="the slot tag does not follow from the VRF's output",
    )
    first = receipt.attempt - fields.rejected
    require(
        step=6,
        that=first >= 0,
        otherwise=f"attempt {receipt.attempt} can't follow {fields.rejected} rejected ones",
    )
    require(
        step=6,
        that=(fields.event.regenerate is not None) == (first > 0),
        otherwise="a fan's wish belongs to every attempt above 0 that follows no rejected one, "
        "and to no other",
    )
    require(
        step=6,
        that=numbering == receipt.numbering,
        otherwise="the receipt is wrong about who numbers the messages",
    )
    *rejected, seed = (
        derive_seed(beta, receipt.manifest, attempt)
        for attempt in range(first, receipt.attempt + 1)
    )
    return Drawn(seed, tuple(rejected))
