"""One reply of a real size with its whole proof, for measurements: fixed keys, no model, no store.

The log has a million leaves. Of its tree only the path to the reply exists: the hashes beside it
are made up, which costs a verifier and weighs as much as real ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

from adapters.files.personas import load_persona
from bot.crypto import dsse, ed25519, eip712, merkle, vrf
from bot.crypto.cosignature import WitnessKey, cosign
from bot.crypto.encoding import encode_b64url
from bot.crypto.signed_note import Checkpoint, VerifierKey, sign_note
from bot.crypto.tlog_proof import format_proof
from bot.domain.fields import Span, SpanKind
from bot.domain.ids import derive_twin_id
from bot.domain.manifest import Manifest, encode_manifest, signing_data
from bot.domain.statements import Outcome
from bot.domain.terms import FilterTerms, ModelTerms, RenderingProgram, SamplerTerms
from bot.domain.witnesses import WitnessPolicy
from bot.generation.rendering import persona_prefix, render
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.clock import Entropy
from bot.ports.inference import Generated
from bot.ports.stores import Intent
from bot.receipts.bundle import LogProof, OutcomeProof, ProofBundle
from bot.receipts.issue import IssuedReceipt, Issuer, Place
from bot.receipts.trust import TrustPolicy
from bot.twins.intents import draw_intent
from bot.twins.roster import LiveTwin
from bot.wiring.engine import ROOT

SIZE, INDEX = 2**20, 654_321
WITNESSES = 3
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def fixed(name: str) -> bytes:
    """Return 32 fixed bytes, public and worthless."""
    return sha256(b"twinproof bench key: " + name.encode()).digest()


class FixedEntropy(Entropy):
    """The same bytes in every run."""

    def random_bytes(self, size: int) -> bytes:
        """Return `size` bytes."""
        return fixed("entropy")[:size]


SIGNING, VRF, CREATOR, LOG_KEY = (fixed(name) for name in ("signing", "vrf", "creator", "log"))
LOG = VerifierKey("log.twinproof.example/2026", ed25519.public_key_of(LOG_KEY))
PERSONA = load_persona(ROOT / "personas" / "mira.toml").persona
PERSONA_TOKENS = tuple(range(300, 534))  # as many as the shipped model has for it
ADDRESS = eip712.address_of(CREATOR)
MANIFEST = Manifest(
    twin=derive_twin_id(eip712.parse_address(ADDRESS), "mira"),
    slug="mira",
    name=PERSONA.name,
    version=2,
    previous=fixed("first version"),
    persona=PERSONA.hash,
    model=ModelTerms("starter Q8_0", fixed("gguf"), 5_706_080),
    library="llama-cpp-python 0.3.36",
    rendering=RenderingProgram(" ", (1, 7), (2, 8), (2, 9), (2, 8), window_tokens=1024),
    sampler=SamplerTerms("0.8", 40, "0.95", 256),
    filter=FilterTerms(stop_tokens=(2,), stop_strings=("\nFan:",)),
    rules=("crisis/1",),
    price_nano=2_000_001,
    price_token="TWIN",  # noqa: S106 - a currency
    free_daily=100,
    creator_bp=8500,
    creator=ADDRESS,
    payout=eip712.address_of(fixed("payout")),
    signing_key=ed25519.public_key_of(SIGNING),
    vrf_key=vrf.public_key_of(VRF),
    log=LOG,
    valid_from=datetime(2026, 11, 1, tzinfo=UTC),
    valid_until=datetime(2027, 11, 1, tzinfo=UTC),
)
LIVE = LiveTwin(MANIFEST, MANIFEST.hash, PERSONA, PERSONA_TOKENS)
ISSUER = Issuer(signing_key=SIGNING, build=fixed("build"), verdict="exact")
PREVIOUS = fixed("receipt of turn 1")
SPANS = (
    Span(SpanKind.PERSONA, PERSONA_TOKENS),
    Span(SpanKind.FAN, tuple(range(600, 620)), PREVIOUS),
    Span(SpanKind.TWIN, tuple(range(700, 760)), PREVIOUS),
    Span(SpanKind.MESSAGE, tuple(range(800, 820))),
)
CONTEXT = render(MANIFEST.rendering, SPANS)
REPLY = Generated(tuple(range(900, 1000)), "We sailed to the island and back. " * 8, "end")
MESSAGE = "What did you do on the boat yesterday, and who was with you?"
KEYS = [(f"witness{n}.example/w", fixed(f"witness {n}")) for n in range(WITNESSES)]
WITNESS_KEYS = [WitnessKey(name, ed25519.public_key_of(key)).encode() for name, key in KEYS]
POLICY = TrustPolicy(
    creators=frozenset({ADDRESS}),
    logs=frozenset({LOG.encode()}),
    witnesses=WitnessPolicy.parse(WITNESS_KEYS),
)
POLICY_JSON = {
    "v": "twinproof-policy/1",
    "creators": [ADDRESS],
    "logs": [LOG.encode()],
    "witnesses": WITNESS_KEYS,
    "needed": WITNESSES,
    "auditors": [],
    "anchors": [],
    "revoked": [],
}
KEY = f"#k={encode_b64url(fixed('entropy'))}"


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle and what opens it.

    Attributes:
        bundle: with sealed openings and its outcome.
        issue: makes the receipt of another message, from the platform's id of it.
    """

    bundle: ProofBundle
    key: bytes
    issue: Callable[[int], IssuedReceipt]

    @property
    def delivered(self) -> ProofBundle:
        """What anybody may have."""
        return replace(self.bundle, sealed=None)

    @property
    def public(self) -> ProofBundle:
        """Receipt and log proof alone."""
        return replace(self.delivered, outcome=None)


def make_intent(number: int) -> Intent:
    """Derive slot, proof and seed of a message, as the service does."""
    surface = Surface(platform="discord", bot="901", chat="17", thread="")
    identifier = str(112_233_445_566_778_899 + number)
    message = IncomingMessage("mira", surface, "ana", identifier, MESSAGE)
    return draw_intent(message, LIVE, vrf_key=VRF, moment=NOW, entropy=FixedEntropy())


def issue(number: int) -> IssuedReceipt:
    """Make the receipt of a message."""
    prefix = len(persona_prefix(MANIFEST.rendering, PERSONA_TOKENS))
    drafted = make_intent(number)
    intent = replace(drafted, spans=SPANS, context=CONTEXT, prefix_tokens=prefix)
    place = Place(seq=41, turn=2, previous=PREVIOUS)
    return ISSUER.issue(intent, REPLY, manifest=MANIFEST, persona=PERSONA, place=place, moment=NOW)


def make_bundle() -> Made:
    """Issue, log and cosign one reply and its outcome."""
    issued = issue(0)
    stated = ISSUER.state_outcome(issued.receipt_hash, Outcome.DELIVERED)
    # The outcome's leaf stands right behind the reply's; a node covers both.
    reply, outcome = merkle.leaf_hash(issued.leaf), merkle.leaf_hash(stated.leaf)
    index = INDEX & ~1
    path = [fixed(f"subtree {level}") for level in range(1, SIZE.bit_length() - 1)]
    root, position = merkle.node_hash(reply, outcome), index >> 1
    for sibling in path:
        left, right = (sibling, root) if position & 1 else (root, sibling)
        root, position = merkle.node_hash(left, right), position >> 1
    text = Checkpoint(LOG.name, SIZE, root).encode()
    lines = [cosign(text, name, key, 1_795_000_000).line for name, key in KEYS]
    note = sign_note(text, LOG.name, LOG_KEY) + "".join(lines)
    bundle = ProofBundle(
        receipt=dsse.parse_envelope(issued.envelope),
        manifest=encode_manifest(MANIFEST),
        manifest_signature=eip712.sign_digest(CREATOR, signing_data(MANIFEST).digest()),
        log=LogProof(issued.leaf, format_proof(index, [outcome, *path], note)),
        outcome=OutcomeProof(
            dsse.parse_envelope(stated.envelope),
            LogProof(stated.leaf, format_proof(index + 1, [reply, *path], note)),
        ),
        sealed=issued.sealed,
    )
    return Made(bundle, fixed("entropy"), issue)
