"""Vectors that no encoder of ours would write: values are changed in the JSON and then signed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from nacl import bindings

from bot.crypto import dsse, ed25519, eip712, merkle, vrf
from bot.crypto.canonical import encode_canonical, parse_canonical
from bot.crypto.encoding import encode_b64
from bot.crypto.sealing import derive_salt, seal
from bot.crypto.tlog_proof import format_proof
from bot.domain.field_values import fields_root, fields_to_json
from bot.domain.fields import Fields
from bot.domain.ids import NUMBERING, derive_slot, derive_slot_tag, receipt_tag_of
from bot.domain.leaf import ReplyLeaf, manifest_prefix, twin_prefix
from bot.domain.manifest import encode_manifest, price_words, signing_data, split_words
from bot.domain.persona import encode_persona
from bot.domain.receipt import PAYLOAD_TYPE, encode_receipt
from bot.receipts.bundle import LogProof, ProofBundle, encode_bundle
from bot.receipts.openings import VERSION as OPENINGS_VERSION
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
    VRF_KEY,
    Parts,
    Recipe,
    counted,
    make_receipt,
)

Sign = Callable[[bytes, bytes], bytes]
MISSING = object()
"""Stands for a member that is left out."""
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
        manifest: values by their path, as are `receipt`, `persona` and `values`, of the fields;
            `MISSING` leaves one out.
        sign: makes the receipt's signature.
        leaf_rejected: what the leaf says of rejected attempts, where the field says another.
        leaf_manifest: the leaf's word on the manifest, where it is another one.
        size: the log's; the receipt is leaf 0.
        bundle: values of the bundle, by their path.
    """

    manifest: Parts = field(default_factory=dict)
    receipt: Parts = field(default_factory=dict)
    persona: Parts = field(default_factory=dict)
    fields: Fields = FIELDS
    values: Parts = field(default_factory=dict)
    leaf_attempt: int = 0
    leaf_rejected: int | None = None
    leaf_manifest: bytes | None = None
    origin: str = ORIGIN
    log_key: bytes = LOG.public_key
    sign: Sign = ed25519.sign
    size: int = 1
    bundle: Parts = field(default_factory=dict)


def make_strict(strict: Strict) -> bytes:
    """Sign, seal and log it."""
    persona = _changed(encode_persona(PERSONA), strict.persona)
    manifest = _manifest(strict, persona)
    slot = strict.fields.slot
    proof = vrf.prove(VRF_KEY, derive_slot(MANIFEST.twin, slot))
    opened = replace(counted(strict.fields), vrf_proof=proof)
    values = _set(dict(fields_to_json(opened)), strict.values)
    rejected = strict.leaf_rejected
    receipt = replace(
        make_receipt(Recipe()),
        manifest=sha256(manifest).digest(),
        numbering=NUMBERING.get(slot.platform, "platform"),
        fields_root=fields_root(OPENING_KEY, values),
        slot_tag=derive_slot_tag(vrf.proof_to_hash(proof)),
    )
    body = _changed(encode_receipt(receipt), strict.receipt)
    key = bytes.fromhex(strict.receipt.get("operator", receipt.operator.hex()))
    pae = dsse.encode_pae(PAYLOAD_TYPE, body)
    envelope = dsse.Envelope(PAYLOAD_TYPE, body, key, strict.sign(OPERATOR_KEY, pae))
    leaf = ReplyLeaf(
        receipt_tag_of(envelope.digest),
        receipt.slot_tag,
        strict.leaf_attempt,
        strict.fields.rejected if rejected is None else rejected,
        twin_prefix(receipt.twin),
        strict.leaf_manifest or manifest_prefix(receipt.manifest),
    ).encode()
    inclusion = (bytes(32),) * (strict.size - 1).bit_length()
    root = merkle.leaf_hash(leaf)
    for sibling in inclusion:
        root = merkle.node_hash(root, sibling)
    bundle = ProofBundle(
        receipt=envelope,
        manifest=manifest,
        manifest_signature=eip712.sign_digest(CREATOR_KEY, _digest(manifest)),
        log=LogProof(leaf, format_proof(0, inclusion, _checkpoint(strict, root))),
        sealed=_sealed(envelope.digest, values, persona),
    )
    return _changed(encode_bundle(bundle), strict.bundle)


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
        if new is MISSING:
            del inner[last]
        else:
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
    price = value["price"]
    free_daily = price.get("free_daily", MANIFEST.free_daily)
    return replace(
        signing_data(MANIFEST),
        price=price_words(price["nano"], price["token"], free_daily),
        split=split_words(value["split"]["creator_bp"]),
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
