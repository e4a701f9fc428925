"""A whole service in miniature with fixed keys: whatever a recipe says is signed and logged.

The vectors are made of it, and tests that need a bundle with one thing changed use it too.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from bot.crypto import dsse, ed25519, eip712, merkle, signed_note, vrf
from bot.domain.fields import Fields, Finish, MessagePart, fields_root, fields_to_json
from bot.domain.ids import SlotInput, derive_slot, derive_slot_tag, derive_twin_id
from bot.domain.leaf import (
    OUTCOME_TYPE,
    ManifestLeaf,
    Outcome,
    OutcomeLeaf,
    OutcomeStatement,
    ReplyLeaf,
    VoidLeaf,
    twin_prefix,
)
from bot.domain.manifest import Manifest, encode_manifest, signing_data
from bot.domain.money import split_price
from bot.domain.persona import Example, Persona
from bot.domain.receipt import PAYLOAD_TYPE, Receipt, ReceiptModel, ReceiptPrice, encode_receipt
from bot.domain.terms import FilterTerms, ModelTerms, RenderingProgram, SamplerTerms
from bot.generation.rendering import CommittedTurn, fit_window, render
from bot.receipts.bundle import LogProof, OutcomeProof, ProofBundle, seal_openings

ORIGIN = "log.twinproof.example/vectors"
SLUG = "mira"
REPLY_INDEX, OUTCOME_INDEX = 3, 5


def fixed_key(name: str) -> bytes:
    """Return 32 fixed bytes: a key for tests, public and worthless."""
    return sha256(b"twinproof test key: " + name.encode()).digest()


OPERATOR_KEY, OTHER_OPERATOR_KEY = fixed_key("operator"), fixed_key("other operator")
VRF_KEY, OTHER_VRF_KEY = fixed_key("vrf"), fixed_key("other vrf")
LOG_KEY, OTHER_LOG_KEY = fixed_key("log"), fixed_key("other log")
CREATOR_KEY, OTHER_CREATOR_KEY = fixed_key("creator"), fixed_key("other creator")
OPENING_KEY, OTHER_OPENING_KEY = fixed_key("opening"), fixed_key("other opening")
CREATOR = eip712.address_of(CREATOR_KEY)
LOG = signed_note.VerifierKey(ORIGIN, ed25519.public_key_of(LOG_KEY))
OTHER_LOG = signed_note.VerifierKey(ORIGIN, ed25519.public_key_of(OTHER_LOG_KEY))
TWIN = derive_twin_id(eip712.parse_address(CREATOR), SLUG)
POLICY = {"creators": [CREATOR], "logs": [LOG.encode()]}

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
    filter=FilterTerms(stop_tokens=(2,), stop_strings=("\nFan:", "\nYou are ")),
    price_nano=2_000_001,
    price_token="TWIN",  # noqa: S106 - a currency
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
FIELDS = Fields(
    slot=SLOT,
    conversation=fixed_key("conversation"),
    turn=2,
    previous=fixed_key("receipt of turn 1"),
    parts=(
        MessagePart(SLOT.message, 'So… what do I eat in València? "Paella"\n\u2028or \ufb33 🍚?'),
    ),
    spans=SPANS,
    context=render(RENDERING, SPANS),
    output=(60, 61, 62, 63),
    finish=Finish.END,
    text="Rice. Always rice 🍚",
)
Parts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """One bundle: what is changed before signing, and who signs.

    `other_leaves` are leaves of the log by their index.
    """

    manifest: Manifest = MANIFEST
    creator_key: bytes = CREATOR_KEY
    operator_key: bytes = OPERATOR_KEY
    vrf_key: bytes = VRF_KEY
    log_key: bytes = LOG_KEY
    outcome_key: bytes = OPERATOR_KEY
    persona: Persona = PERSONA
    fields: Fields = FIELDS
    proved_slot: SlotInput = SLOT
    receipt: Parts = field(default_factory=dict)
    outcome: Outcome = Outcome.DELIVERED
    outcome_leaf: Outcome = Outcome.DELIVERED
    logged: bool = True
    other_leaves: dict[int, bytes] = field(default_factory=dict)


def make_bundle(recipe: Recipe) -> ProofBundle:
    """Sign, seal and log everything that a recipe says."""
    receipt = replace(make_receipt(recipe), **recipe.receipt)
    envelope = dsse.sign_envelope(PAYLOAD_TYPE, encode_receipt(receipt), recipe.operator_key)
    reply = ReplyLeaf(envelope.digest, receipt.slot_tag, receipt.attempt, twin_prefix(receipt.twin))
    time = datetime(2026, 11, 20, 10, 0, 2, tzinfo=UTC)
    statement = dsse.sign_envelope(
        OUTCOME_TYPE,
        OutcomeStatement(envelope.digest, recipe.outcome, time).encode(),
        recipe.outcome_key,
    )
    outcome = OutcomeLeaf(statement.digest, envelope.digest, recipe.outcome_leaf)
    leaves = _other_leaves(recipe.manifest)
    for index, leaf in recipe.other_leaves.items():
        leaves[index] = leaf
    if recipe.logged:
        leaves[REPLY_INDEX] = reply.encode()
    leaves[OUTCOME_INDEX] = outcome.encode()
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    checkpoint = signed_note.Checkpoint(ORIGIN, len(leaves), merkle.root_of(hashes))

    def prove(index: int, leaf: bytes) -> LogProof:
        return LogProof(leaf, index, tuple(merkle.inclusion_proof(hashes, index)))

    digest = signing_data(recipe.manifest).digest()
    return ProofBundle(
        receipt=envelope,
        manifest=encode_manifest(recipe.manifest),
        manifest_signature=eip712.sign_digest(recipe.creator_key, digest),
        log=prove(REPLY_INDEX, reply.encode()),
        checkpoint=signed_note.sign_note(checkpoint.encode(), ORIGIN, recipe.log_key),
        outcome=OutcomeProof(statement, prove(OUTCOME_INDEX, outcome.encode())),
        sealed=seal_openings(
            OPENING_KEY, envelope.digest, persona=recipe.persona, fields=recipe.fields
        ),
    )


def make_receipt(recipe: Recipe) -> Receipt:
    """Build the receipt that a recipe says, before its own changes to it."""
    manifest = recipe.manifest
    proof = vrf.prove(recipe.vrf_key, derive_slot(manifest.twin, recipe.proved_slot))
    split = split_price(manifest.price_nano, manifest.creator_bp)
    return Receipt(
        twin=manifest.twin,
        manifest=manifest.hash,
        seq=41,
        attempt=0,
        numbering=recipe.fields.slot.numbering,
        model=ReceiptModel(manifest.model.gguf, manifest.library, fixed_key("build"), "exact"),
        vrf_proof=proof,
        slot_tag=derive_slot_tag(vrf.proof_to_hash(proof)),
        fields_root=fields_root(OPENING_KEY, fields_to_json(recipe.fields)),
        price=ReceiptPrice(manifest.price_nano, manifest.price_token, *split),
        operator=ed25519.public_key_of(recipe.operator_key),
        time=datetime(2026, 11, 20, 10, tzinfo=UTC),
    )


def _other_leaves(manifest: Manifest) -> list[bytes]:
    """Fill a log of seven leaves with what else may stand in it."""
    void = VoidLeaf(fixed_key("void"), fixed_key("slot tag")[:16], 0).encode()
    leaves = [ManifestLeaf(manifest.hash, twin_prefix(manifest.twin)).encode(), void]
    for number in range(5):
        receipt = fixed_key(f"receipt {number}")
        leaves.append(ReplyLeaf(receipt, receipt[:16], 0, twin_prefix(manifest.twin)).encode())
    return leaves
