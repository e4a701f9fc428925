"""Vectors that no encoder of ours would write: values are changed in the JSON and then signed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256, sha512
from typing import Any

from nacl import bindings

from bot.crypto import dsse, ed25519, eip712, merkle, vrf
from bot.crypto.canonical import encode_canonical, parse_canonical
from bot.crypto.encoding import encode_b64
from bot.crypto.sealing import derive_salt, seal
from bot.domain.fields import Fields, Span, SpanKind, fields_root, fields_to_json
from bot.domain.ids import NUMBERING, derive_slot, derive_slot_tag
from bot.domain.leaf import ReplyLeaf, twin_prefix
from bot.domain.manifest import encode_manifest, signing_data
from bot.domain.persona import encode_persona
from bot.domain.receipt import PAYLOAD_TYPE, encode_receipt
from bot.generation.rendering import render
from bot.receipts.bundle import OPENINGS_VERSION, LogProof, ProofBundle, encode_bundle
from scripts.vector_parts import (
    CREATOR_KEY,
    FIELDS,
    LOG,
    LOG_KEY,
    MANIFEST,
    OPENING_KEY,
    OPERATOR_KEY,
    ORIGIN,
    PERSONA,
    RENDERING,
    SLOT,
    SPANS,
    VRF_KEY,
    Parts,
    Recipe,
    fixed_key,
    make_receipt,
)

Sign = Callable[[bytes, bytes], bytes]
MAX_SIZE = 2**53 - 1
LARGEST_SAMPLER = {
    "sampler.min_p": "1",
    "sampler.presence_penalty": "2.000000000",
    "sampler.frequency_penalty": "2",
    "sampler.temperature": "0.000000001",
}
IDENTITY = b"\x01" + bytes(31)
OTHER_SPELLING = b"\xee" + b"\xff" * 30 + b"\x7f"  # the identity, with y = p + 1
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
MIXED = bytes(bindings.crypto_core_ed25519_add(ed25519.public_key_of(OPERATOR_KEY), ORDER_8))


@dataclass(frozen=True, slots=True)
class Strict:
    """One bundle without outcome, alone in its log: what differs from the good one.

    Attributes:
        manifest: values by their path, as are `receipt`, `persona` and `values`, of the fields.
        sign: makes the receipt's signature.
        size: the log's; the receipt is leaf 0.
    """

    manifest: Parts = field(default_factory=dict)
    receipt: Parts = field(default_factory=dict)
    persona: Parts = field(default_factory=dict)
    fields: Fields = FIELDS
    values: Parts = field(default_factory=dict)
    leaf_attempt: int = 0
    origin: str = ORIGIN
    log_key: bytes = LOG.public_key
    sign: Sign = ed25519.sign
    size: int = 1


def make_strict(strict: Strict) -> bytes:
    """Sign, seal and log it."""
    persona = _changed(encode_persona(PERSONA), strict.persona)
    manifest = _manifest(strict, persona)
    slot = strict.fields.slot
    values = _set(dict(fields_to_json(strict.fields)), strict.values)
    proof = vrf.prove(VRF_KEY, derive_slot(MANIFEST.twin, slot))
    receipt = replace(
        make_receipt(Recipe()),
        manifest=sha256(manifest).digest(),
        numbering=NUMBERING.get(slot.platform, "platform"),
        fields_root=fields_root(OPENING_KEY, values),
        vrf_proof=proof,
        slot_tag=derive_slot_tag(vrf.proof_to_hash(proof)),
    )
    body = _changed(encode_receipt(receipt), strict.receipt)
    key = bytes.fromhex(strict.receipt.get("operator", receipt.operator.hex()))
    pae = dsse.encode_pae(PAYLOAD_TYPE, body)
    envelope = dsse.Envelope(PAYLOAD_TYPE, body, key, strict.sign(OPERATOR_KEY, pae))
    leaf = ReplyLeaf(
        envelope.digest, receipt.slot_tag, strict.leaf_attempt, twin_prefix(receipt.twin)
    ).encode()
    inclusion = (bytes(32),) * (strict.size - 1).bit_length()
    root = merkle.leaf_hash(leaf)
    for sibling in inclusion:
        root = merkle.node_hash(root, sibling)
    return encode_bundle(
        ProofBundle(
            receipt=envelope,
            manifest=manifest,
            manifest_signature=eip712.sign_digest(CREATOR_KEY, _digest(manifest)),
            log=LogProof(leaf, 0, inclusion),
            checkpoint=_checkpoint(strict, root),
            outcome=None,
            sealed=_sealed(envelope.digest, values, persona),
        )
    )


def with_high_s(signature: bytes) -> bytes:
    """Return a creator's signature in its other spelling."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = order - int.from_bytes(signature[32:64], "big")
    return signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])


def with_unused_bits(data: bytes) -> bytes:
    """Give the reply leaf's base64 another last character that decodes to the same bytes."""
    at = data.index(b"=", data.index(b'"leaf":'))
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    changed = alphabet[alphabet.index(data[at - 1]) + 1]
    return data[: at - 1] + bytes([changed]) + data[at:]


def good_strict() -> list[tuple[str, str, bytes]]:
    """Bundles at the edge of what is allowed."""
    anew = (SPANS[0], SPANS[-1])
    after = replace(FIELDS, turn=3, spans=anew, context=render(RENDERING, anew))
    return [
        ("good-after-withdrawn", "the previous turn was withdrawn: the context starts anew",
         make_strict(Strict(fields=after))),
        ("good-sampler", "min-p and both penalties at their largest, temperature at its smallest",
         make_strict(Strict(manifest=LARGEST_SAMPLER))),
        ("good-largest-log", "a log of 2^53 - 1 leaves", make_strict(Strict(size=MAX_SIZE))),
        ("good-web", "the operator numbers the messages", make_strict(
            Strict(fields=replace(FIELDS, slot=replace(SLOT, platform="web"))))),
    ]  # fmt: skip


def bad_strict() -> list[tuple[int, str, str, bytes]]:
    """Bundles just beyond it."""
    forged = Strict(receipt={"operator": IDENTITY.hex()}, sign=lambda _, __: IDENTITY + bytes(32))
    mixed = Strict(receipt={"operator": MIXED.hex()})
    cases: list[tuple[int, str, str, Strict]] = [
        (1, "attempt", "an attempt that does not fit its two bytes in the log",
         Strict(receipt={"attempt": 65_536})),
        (1, "fields-count", "a commitment to eight fields", Strict(receipt={"fields.count": 8})),
        (1, "year-zero", "valid from the year 0",
         Strict(manifest={"valid_from": "0000-01-01T00:00:00Z"})),
        (1, "name-lines", "the name goes on as if it were the price",
         Strict(manifest={"name": "Mira\n\nprice: 0 TWIN per reply"})),
        (1, "name-override", "the name holds a bidirectional override",
         Strict(manifest={"name": "Mira\u202eonaloS"})),
        (1, "name-blank", "the name is an ideographic space", Strict(manifest={"name": "\u3000"})),
        (1, "model-name", "the model's name holds an escape character",
         Strict(manifest={"model.name": "a\x1b[2Jb"})),
        (1, "library", "the library holds a zero-width space",
         Strict(manifest={"engine.library": "llama\u200b-cpp"})),
        (1, "library-new-format", "the library holds a formatting character of Unicode 15.0",
         Strict(manifest={"engine.library": "llama\U00013439cpp"})),
        (1, "origin-space", "the origin holds a no-break space",
         Strict(origin="log.example\u00a0x")),
        (1, "origin-tab", "the origin holds a tab", Strict(origin="log.example\tx")),
        (1, "origin-control", "the origin holds control characters", Strict(origin="log\x07\x00x")),
        (1, "origin-letter", "the origin holds a Cyrillic letter",
         Strict(origin="l\u043eg.example")),
        (1, "origin-long", "an origin of 129 characters", Strict(origin="x" * 129)),
        (1, "min-p", "candidates that are more probable than the best one",
         Strict(manifest={"sampler.min_p": "1.000000001"})),
        (1, "min-p-sign", "a negative min-p", Strict(manifest={"sampler.min_p": "-0.1"})),
        (1, "presence-penalty", "a presence penalty above 2",
         Strict(manifest={"sampler.presence_penalty": "2.000000001"})),
        (1, "frequency-penalty", "a frequency penalty that is a number and not a decimal string",
         Strict(manifest={"sampler.frequency_penalty": 0})),
        (1, "sampler-key", "a setting of the sampler that version 1 does not know",
         Strict(manifest={"sampler.repeat_penalty": "1"})),
        (1, "small-order-signing-key", "a signing key under which anybody can sign anything",
         replace(forged, manifest={"operator.signing_key": IDENTITY.hex()})),
        (1, "small-order-log-key", "a log key under which anybody can sign anything",
         Strict(log_key=IDENTITY)),
        (1, "small-order-vrf-key", "a VRF key of order 8",
         Strict(manifest={"operator.vrf_key": ORDER_8.hex()})),
        (1, "mixed-order-signing-key", "a signing key with a part of order 8",
         replace(mixed, manifest={"operator.signing_key": MIXED.hex()})),
        (1, "key-spelling", "a log key in a spelling that is not canonical",
         Strict(log_key=OTHER_SPELLING)),
        (2, "torsion", "a signature that only the equation with cofactor accepts",
         Strict(sign=_sign_with_torsion)),
        (5, "persona-name", "the persona's name holds a bidirectional override",
         Strict(persona={"name": "Mira\u202eonaloS"})),
        (6, "platform", "a platform that version 1 does not know", _on_platform("matrix")),
        (6, "platform-case", "a platform in another case, to pass for one that numbers",
         _on_platform("Web")),
        (7, "not-previous", "the last pair is of another turn than the previous one",
         Strict(fields=_with_history(turn=3, cited="receipt of turn 2"))),
        (7, "invented-history", "two pairs that end with a turn of another conversation",
         Strict(fields=_with_history(turn=4, cited="receipt of turn 1", then="elsewhere"))),
        (8, "leaf-attempt", "the leaf speaks of another attempt", Strict(leaf_attempt=1)),
        (8, "size", "a log of 2^53 leaves", Strict(size=MAX_SIZE + 1)),
    ]  # fmt: skip
    return [(step, name, about, make_strict(strict)) for step, name, about, strict in cases]


def _on_platform(platform: str) -> Strict:
    slot = replace(SLOT, platform=platform)
    return Strict(fields=replace(FIELDS, slot=slot))


def _with_history(*, turn: int, cited: str, then: str | None = None) -> Fields:
    """Cite other turns than the previous one, which is `receipt of turn 1` of `FIELDS`."""
    pairs: list[Span] = []
    for name in (cited, then):
        if name is not None:
            receipt = fixed_key(name)
            pairs += [Span(SpanKind.FAN, (30, 31), receipt), Span(SpanKind.TWIN, (40,), receipt)]
    spans = (SPANS[0], *pairs, SPANS[-1])
    return replace(FIELDS, turn=turn, spans=spans, context=render(RENDERING, spans))


def _changed(data: bytes, changes: Parts) -> bytes:
    """Set values, named like `a.b`, in canonical JSON."""
    value: Any = parse_canonical(data)
    return encode_canonical(_set(value, changes))


def _set(value: Parts, changes: Parts) -> Parts:
    for path, new in changes.items():
        *parents, last = path.split(".")
        inner: Any = value
        for parent in parents:
            inner = inner[parent]
        inner[last] = new
    return value


def _manifest(strict: Strict, persona: bytes) -> bytes:
    log = {"origin": strict.origin, "key": _vkey(strict)}
    changes = {"persona": sha256(persona).hexdigest(), "log": log, **strict.manifest}
    return _changed(encode_manifest(MANIFEST), changes)


def _vkey(strict: Strict) -> str:
    typed = b"\x01" + strict.log_key
    return f"{strict.origin}+{_key_hash(strict).hex()}+{encode_b64(typed)}"


def _key_hash(strict: Strict) -> bytes:
    return sha256(strict.origin.encode() + b"\n\x01" + strict.log_key).digest()[:4]


def _checkpoint(strict: Strict, root: bytes) -> str:
    text = f"{strict.origin}\n{strict.size}\n{encode_b64(root)}\n"
    own = strict.log_key == LOG.public_key
    signature = ed25519.sign(LOG_KEY, text.encode()) if own else IDENTITY + bytes(32)
    return f"{text}\n\u2014 {strict.origin} {encode_b64(_key_hash(strict) + signature)}\n"


def _digest(manifest: bytes) -> bytes:
    value: Any = parse_canonical(manifest)
    return replace(
        signing_data(MANIFEST),
        manifest=sha256(manifest).digest(),
        name=value["name"],
        persona=bytes.fromhex(value["persona"]),
        operator_key=bytes.fromhex(value["operator"]["signing_key"]),
        log_origin=value["log"]["origin"],
        valid_from=value["valid_from"],
    ).digest()


def _sealed(receipt_hash: bytes, values: Parts, persona: bytes) -> bytes:
    opened = [
        {"name": name, "salt": encode_b64(derive_salt(OPENING_KEY, name)), "value": value}
        for name, value in values.items()
    ]
    plain = {"v": OPENINGS_VERSION, "persona": parse_canonical(persona), "fields": opened}
    return seal(OPENING_KEY, receipt_hash, encode_canonical(plain))


def _sign_with_torsion(private_key: bytes, message: bytes) -> bytes:
    """Sign with a point of order 8 added to R, as only the key's owner can."""
    expanded = sha512(private_key).digest()
    nonce = bindings.crypto_core_ed25519_scalar_reduce(sha512(expanded[32:] + message).digest())
    base = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce)
    point = bytes(bindings.crypto_core_ed25519_add(base, ORDER_8))
    public = ed25519.public_key_of(private_key)
    hashed = bindings.crypto_core_ed25519_scalar_reduce(sha512(point + public + message).digest())
    clamped = bytes([expanded[0] & 248]) + expanded[1:31] + bytes([expanded[31] & 127 | 64])
    secret = bindings.crypto_core_ed25519_scalar_reduce(clamped + bytes(32))
    product = bindings.crypto_core_ed25519_scalar_mul(hashed, secret)
    return point + bytes(bindings.crypto_core_ed25519_scalar_add(nonce, product))
