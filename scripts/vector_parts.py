"""A whole service in miniature with fixed keys: whatever a recipe says is signed and logged.

The vectors are made of it, and tests that need a bundle with one thing changed use it too.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from bot.crypto import dsse, ed25519, eip712, merkle, signed_note, vrf
from bot.domain.field_values import fields_root, fields_to_json
from bot.domain.fields import FROM_THE_FIRST, Counts, Fields, Finish, MessagePart
from bot.domain.ids import (
    SlotInput,
    derive_slot,
    derive_slot_tag,
    derive_twin_id,
    receipt_tag_of,
)
from bot.domain.leaf import (
    ManifestLeaf,
    OutcomeLeaf,
    ReplyLeaf,
    VoidLeaf,
    manifest_prefix,
    twin_prefix,
)
from bot.domain.manifest import Manifest, encode_manifest, signing_data
from bot.domain.order import TwinOrder, order_data
from bot.domain.payment import NOBODY, Payer, Payment, split_fee
from bot.domain.persona import Example, Persona
from bot.domain.receipt import PAYLOAD_TYPE, Receipt, ReceiptModel, ReceiptPrice, encode_receipt
from bot.domain.statements import OUTCOME_TYPE, Outcome, OutcomeStatement, VoidReason
from bot.domain.terms import FilterTerms, ModelTerms, RenderingProgram, SamplerTerms
from bot.generation.rendering import CommittedTurn, fit_window, render
from bot.receipts.bundle import OutcomeProof, ProofBundle, RevocationProof
from bot.receipts.openings import seal_openings
from scripts.vector_log import MadeLog, cosignature, fixed_key, order_leaf, reply_leaf

ORIGIN = "log.twinproof.example/vectors"
SLUG = "mira"
REPLY_INDEX, OUTCOME_INDEX, LAST_INDEX = 3, 5, 6

OPERATOR_KEY, OTHER_OPERATOR_KEY = fixed_key("operator"), fixed_key("other operator")
VRF_KEY, OTHER_VRF_KEY = fixed_key("vrf"), fixed_key("other vrf")
LOG_KEY, OTHER_LOG_KEY = fixed_key("log"), fixed_key("other log")
CREATOR_KEY, OTHER_CREATOR_KEY = fixed_key("creator"), fixed_key("other creator")
OPENING_KEY, OTHER_OPENING_KEY = fixed_key("opening"), fixed_key("other opening")
CREATOR = eip712.address_of(CREATOR_KEY)
LOG = signed_note.VerifierKey(ORIGIN, ed25519.public_key_of(LOG_KEY))
OTHER_LOG = signed_note.VerifierKey(ORIGIN, ed25519.public_key_of(OTHER_LOG_KEY))
TWIN = derive_twin_id(eip712.parse_address(CREATOR), SLUG)
POLICY = {
    "v": "twinproof-policy/1",
    "creators": [CREATOR],
    "logs": [LOG.encode()],
    "witnesses": [],
    "needed": 0,
    "auditors": [],
    "anchors": [],
    "revoked": [],
}

PERSONA = Persona(
    name="Mira Solano",
    role="a street-food cook in Valencia",
    facts=("I run a night-market stall called La Chispa.", "My grandmother Rosa taught me."),
    off_limits=("politics", "other cooks' private lives"),
    examples=(Example(fan="¿qué tal?", twin="Hungry, as always 🐙"),),
)
RENDERING = RenderingProgram(
    span_prefix=" ",
    before_persona=(1, 7),
    persona_to_fan=(2, 8),
    fan_to_twin=(2, 9),
    twin_to_fan=(2, 8),
    window_tokens=64,
)
MANIFEST = Manifest(
    twin=TWIN,
    slug=SLUG,
    name=PERSONA.name,
    version=2,
    previous=fixed_key("manifest of version 1"),
    persona=PERSONA.hash,
    model=ModelTerms("vectors-0.1 Q8_0", fixed_key("gguf"), 123_456_789),
    library="llama-cpp-python 0.3.36",
    rendering=RENDERING,
    sampler=SamplerTerms(
        temperature="0.7",
        top_k=40,
        top_p="0.95",
        max_tokens=8,
        min_p="0.02",
        presence_penalty="0.2",
        frequency_penalty="0",
    ),
    filter=FilterTerms(stop_tokens=(2,), stop_strings=("\nFan:", "\nYou are "), redraws=2),
    rules=("crisis/1",),
    price_nano=2_000_001,
    price_token="TWIN",  # noqa: S106 - a currency
    free_daily=100,
    creator_bp=8500,
    creator=CREATOR,
    payout=eip712.address_of(fixed_key("payout")),
    signing_key=ed25519.public_key_of(OPERATOR_KEY),
    vrf_key=vrf.public_key_of(VRF_KEY),
    log=LOG,
    valid_from=datetime(2026, 11, 1, tzinfo=UTC),
    valid_until=datetime(2027, 11, 1, tzinfo=UTC),
)
SLOT = SlotInput(platform="discord", bot="901", chat="17", thread="", message="112233445566778899")
SPANS = fit_window(
    RENDERING,
    persona=tuple(range(100, 120)),
    turns=[CommittedTurn((30, 31), (40, 41, 42), fixed_key("receipt of turn 1"))],
    message=(50, 51, 52),
)


def counted(fields: Fields) -> Fields:
    """Return fields whose counts are the lengths of their context and output."""
    return replace(fields, counts=Counts(len(fields.context), len(fields.output)))


FIELDS = counted(
    Fields(
        slot=SLOT,
        conversation=fixed_key("conversation"),
        turn=2,
        previous=fixed_key("receipt of turn 1"),
        parts=(
            MessagePart(
                SLOT.message, 'So… what do I eat in València? "Paella"\n\u2028or \ufb33 🍚?'
            ),
        ),
        spans=SPANS,
        context=render(RENDERING, SPANS),
        output=(60, 61, 62, 63),
        finish=Finish.END,
        text="Rice. Always rice 🍚",
        choice=FROM_THE_FIRST,
        counts=Counts(0, 0),
        vrf_proof=vrf.prove(VRF_KEY, derive_slot(TWIN, SLOT)),
    )
)
SPONSORED = Payment(Payer.SPONSOR)
Parts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One bundle: what is changed before signing, and who signs.

    Attributes:
        payment: whose money it is; of a reply that costs nothing it is nobody's.
        other_leaves: leaves of the log by their index.
        log: name of the log that signs the checkpoint; `log_key` is its key.
        seals: envelopes of the seals that lead to it.
        witnesses: names of those who cosign; the key is `fixed_key` of the name.
        lines: further signature lines.
        order: the revocation in the bundle, with `order_index` in the log.
        anchor: size of the tree that a chain has committed.
    """

    manifest: Manifest = MANIFEST
    creator_key: bytes = CREATOR_KEY
    operator_key: bytes = OPERATOR_KEY
    vrf_key: bytes = VRF_KEY
    log: str = ORIGIN
    log_key: bytes = LOG_KEY
    outcome_key: bytes = OPERATOR_KEY
    persona: Persona = PERSONA
    fields: Fields = FIELDS
    proved_slot: SlotInput = SLOT
    payment: Payment = SPONSORED
    receipt: Parts = field(default_factory=dict)
    outcome: Outcome = Outcome.DELIVERED
    outcome_leaf: Outcome = Outcome.DELIVERED
    outcome_index: int = OUTCOME_INDEX
    logged: bool = True
    other_leaves: dict[int, bytes] = field(default_factory=dict)
    seals: tuple[dsse.Envelope, ...] = ()
    witnesses: tuple[str, ...] = ()
    lines: str = ""
    order: TwinOrder | None = None
    order_key: bytes = CREATOR_KEY
    order_index: int = LAST_INDEX
    anchor: int | None = None


def make_bundle(recipe: Recipe) -> ProofBundle:
    """Sign, seal and log everything that a recipe says."""
    receipt = replace(make_receipt(recipe), **recipe.receipt)
    envelope = dsse.sign_envelope(PAYLOAD_TYPE, encode_receipt(receipt), recipe.operator_key)
    tag = receipt_tag_of(envelope.digest)
    reply = reply_leaf(envelope, receipt, recipe.fields.rejected)
    statement = dsse.sign_envelope(
        OUTCOME_TYPE,
        OutcomeStatement(tag, recipe.outcome).encode(),
        recipe.outcome_key,
    )
    outcome = OutcomeLeaf(statement.digest, tag, recipe.outcome_leaf).encode()
    leaves = _other_leaves(recipe.manifest)
    for index, leaf in recipe.other_leaves.items():
        leaves[index] = leaf
    if recipe.logged:
        leaves[REPLY_INDEX] = reply
    leaves[recipe.outcome_index] = outcome
    if recipe.order is not None:
        leaves[recipe.order_index] = order_leaf(recipe.order)
    log = MadeLog(leaves, _note(recipe, leaves))
    digest = signing_data(recipe.manifest).digest()
    return ProofBundle(
        receipt=envelope,
        manifest=encode_manifest(recipe.manifest),
        manifest_signature=eip712.sign_digest(recipe.creator_key, digest),
        log=log.prove(REPLY_INDEX, reply),
        outcome=OutcomeProof(statement, log.prove(recipe.outcome_index, outcome)),
        revocation=_revocation(recipe, log),
        anchor=None if recipe.anchor is None else log.anchor(REPLY_INDEX, recipe.anchor),
        seals=recipe.seals,
        sealed=seal_openings(
            OPENING_KEY, envelope.digest, persona=recipe.persona, fields=_opened(recipe)
        ),
    )


def make_receipt(recipe: Recipe) -> Receipt:
    """Build the receipt that a recipe says, before its own changes to it."""
    manifest = recipe.manifest
    payment = recipe.payment if manifest.price_nano else NOBODY
    return Receipt(
        twin=manifest.twin,
        manifest=manifest.hash,
        seq=41,
        attempt=0,
        numbering=recipe.fields.slot.numbering,
        model=ReceiptModel(manifest.model.gguf, manifest.library, fixed_key("build"), "exact"),
        slot_tag=derive_slot_tag(vrf.proof_to_hash(_proof(recipe))),
        fields_root=fields_root(OPENING_KEY, fields_to_json(_opened(recipe))),
        price=price_of(manifest, payment.payer),
        operator=ed25519.public_key_of(recipe.operator_key),
        time=datetime(2026, 11, 20, 10, tzinfo=UTC),
        payment=payment,
    )


def price_of(manifest: Manifest, payer: Payer) -> ReceiptPrice:
    """Return what a reply costs that this payer pays."""
    nano = 0 if payer is Payer.FREE else manifest.price_nano
    split = split_fee(payer, nano, manifest.creator_bp)
    return ReceiptPrice(nano, manifest.price_token, *split, manifest.free_daily)


def _proof(recipe: Recipe) -> bytes:
    return vrf.prove(recipe.vrf_key, derive_slot(recipe.manifest.twin, recipe.proved_slot))


def _opened(recipe: Recipe) -> Fields:
    return replace(counted(recipe.fields), vrf_proof=_proof(recipe))


def _note(recipe: Recipe, leaves: list[bytes]) -> str:
    root = merkle.root_of([merkle.leaf_hash(leaf) for leaf in leaves])
    text = signed_note.Checkpoint(recipe.log, len(leaves), root).encode()
    cosigned = "".join(cosignature(text, name) for name in recipe.witnesses)
    return signed_note.sign_note(text, recipe.log, recipe.log_key) + cosigned + recipe.lines


def _revocation(recipe: Recipe, log: MadeLog) -> RevocationProof | None:
    order = recipe.order
    if order is None:
        return None
    digest = order_data(order, recipe.manifest.name).digest()
    place = log.prove(recipe.order_index, order_leaf(order))
    return RevocationProof(order.encode(), eip712.sign_digest(recipe.order_key, digest), place)


def _other_leaves(manifest: Manifest) -> list[bytes]:
    """Fill a log of seven leaves with what else may stand in it."""
    void = VoidLeaf(fixed_key("void"), fixed_key("slot tag")[:16], 0, VoidReason.FAILED).encode()
    leaves = [ManifestLeaf(manifest.hash, twin_prefix(manifest.twin)).encode(), void]
    for number in range(5):
        receipt = fixed_key(f"receipt {number}")
        twin, version = twin_prefix(manifest.twin), manifest_prefix(manifest.hash)
        leaves.append(ReplyLeaf(receipt, receipt[:16], 0, 0, twin, version).encode())
    return leaves
