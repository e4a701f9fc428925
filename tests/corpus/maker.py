"""Makes proof bundles from a drawn plan, by the words of docs/spec/formats.md alone.

Every stage may be changed on its way (`Change`): before its bytes are hashed, signed or sealed, so
that what follows from it is consistent again and the falsehood lies exactly where it was put. No
verifier imports this, and nothing here imports a verifier.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account import Account
from eth_account.messages import encode_typed_data

from bot.crypto import merkle, vrf
from tests.corpus.plans import KEPT, Plan, key_of

RECEIPT_TYPE = "application/vnd.twinproof.receipt+json"
OUTCOME_TYPE = "application/vnd.twinproof.outcome+json"
SEAL_TYPE = "application/vnd.twinproof.seal+json"
OUTCOME_CODES = {"delivered": 1, "undelivered": 2, "withdrawn": 3, "refunded": 4}
FIELD_NAMES = (
    "slot",
    "conversation",
    "turn",
    "message",
    "spans",
    "context",
    "output",
    "reply",
    "event",
    "choice",
    "counts",
    "seed",
)
Json = Any
Change = Callable[[Json], Json]


@dataclass(frozen=True, slots=True)
class Case:
    """What a verifier is given."""

    bundle: bytes
    key: bytes | None
    policy: Json
    receipt_id: str | None = None


@dataclass(slots=True)
class Making:
    """A plan on its way to a bundle; `changes` are by the name of their stage."""

    plan: Plan
    changes: dict[str, Change] = field(default_factory=dict)

    def at(self, stage: str, value: Json) -> Json:
        """Return the stage's value as it is to be."""
        return self.changes[stage](value) if stage in self.changes else value


def canonical(value: Json) -> bytes:
    """Encode as RFC 8785 has it; all keys here are ASCII and there are no fractions."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def b64(data: bytes) -> str:
    """Encode base64 with padding."""
    return base64.b64encode(data).decode()


def tagged(tag: str, *parts: bytes | str) -> bytes:
    """Return H(tag, parts) of section 1."""
    data = f"twinproof/v1/{tag}".encode() + b"\0"
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        data += len(raw).to_bytes(4, "big") + raw
    return hashlib.sha256(data).digest()


@lru_cache(maxsize=64)
def private(seed: bytes) -> Ed25519PrivateKey:
    """Return the Ed25519 key of a seed."""
    return Ed25519PrivateKey.from_private_bytes(seed)


@lru_cache(maxsize=64)
def public(seed: bytes) -> bytes:
    """Return the public key of a seed."""
    return private(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def pae(kind: str, payload: bytes) -> bytes:
    """Return DSSE's bytes to be signed."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


def envelope(kind: str, payload: bytes, seed: bytes) -> Json:
    """Sign a payload."""
    signature = {"keyid": public(seed).hex(), "sig": b64(private(seed).sign(pae(kind, payload)))}
    return {"payload": b64(payload), "payloadType": kind, "signatures": [signature]}


def digest_of(signed: Json) -> bytes:
    """Return SHA-256(PAE) of an envelope."""
    payload = base64.b64decode(signed["payload"])
    return hashlib.sha256(pae(signed["payloadType"], payload)).digest()


def vkey(name: str, seed: bytes, kind: int = 1) -> str:
    """Write a note key; kind 4 is a witness's."""
    data = bytes([kind]) + public(seed)
    identity = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    return f"{name}+{identity.hex()}+{b64(data)}"


def note_line(name: str, seed: bytes, text: str) -> str:
    """Sign a note as a log does."""
    identity = hashlib.sha256(name.encode() + b"\n\x01" + public(seed)).digest()[:4]
    return f"— {name} {b64(identity + private(seed).sign(text.encode()))}\n"


def cosign_line(name: str, seed: bytes, text: str, time: int) -> str:
    """Sign a checkpoint as a witness does."""
    identity = hashlib.sha256(name.encode() + b"\n\x04" + public(seed)).digest()[:4]
    message = f"cosignature/v1\ntime {time}\n{text}".encode()
    signed = time.to_bytes(8, "big") + private(seed).sign(message)
    return f"— {name} {b64(identity + signed)}\n"


@lru_cache(maxsize=64)
def address(seed: bytes) -> str:
    """Return an account's EIP-55 address."""
    return str(Account.from_key(seed).address)


def twin_of(creator: str, slug: str) -> bytes:
    """Derive a twin's id."""
    return tagged("twin", bytes.fromhex(creator[2:]), slug)


@lru_cache(maxsize=4096)
def typed_signature(seed: bytes, kind: str, members: tuple[tuple[str, str, str], ...]) -> str:
    """Sign a struct in the domain of section 3; members are (type, name, value)."""
    message: dict[str, Json] = {
        name: bytes.fromhex(value) if type_ == "bytes32" else value
        for type_, name, value in members
    }
    types = {kind: [{"name": name, "type": type_} for type_, name, _ in members]}
    signable = encode_typed_data({"name": "Twinproof", "version": "1"}, types, message)
    return "0x" + bytes(Account.sign_message(signable, seed).signature).hex()


def sign_manifest(manifest: Json, seed: bytes) -> str:
    """Sign a manifest as its creator does."""
    price, split = manifest["price"], manifest["split"]
    amount = f"{price['nano'] // 10**9}.{price['nano'] % 10**9:09d}".rstrip("0").rstrip(".")
    shares = [
        f"{split[who] // 100}.{split[who] % 100:02d}" for who in ("creator_bp", "operator_bp")
    ]
    words = f"{amount} {price['token']} per reply, {price['free_daily']} a day free"
    members = (
        ("string", "name", manifest["name"]),
        ("bytes32", "twin", manifest["twin"]),
        ("bytes32", "persona", manifest["persona"]),
        ("bytes32", "model", manifest["model"]["gguf"]),
        ("bytes32", "manifest", hashlib.sha256(canonical(manifest)).hexdigest()),
        ("string", "price", words),
        ("string", "split", f"creator {shares[0]} %, operator {shares[1]} %"),
        ("address", "payout", manifest["payout"]),
        ("bytes32", "operatorKey", manifest["operator"]["signing_key"]),
        ("string", "logOrigin", manifest["log"]["origin"]),
        ("string", "validFrom", manifest["valid_from"]),
        ("string", "validUntil", manifest["valid_until"]),
    )
    return typed_signature(seed, "TwinManifest", members)


def sign_order(order: Json, name: str, seed: bytes) -> str:
    """Sign an order as its creator does."""
    members = (
        ("string", "action", order["action"]),
        ("string", "name", name),
        ("bytes32", "twin", order["twin"]),
        ("bytes32", "manifest", order["manifest"] or "00" * 32),
        ("bytes32", "order", hashlib.sha256(canonical(order)).hexdigest()),
        ("string", "logOrigin", order["log"]),
        ("string", "issued", order["issued"]),
        ("string", "expires", order["expires"]),
    )
    return typed_signature(seed, "TwinOrder", members)


def hkdf(key: bytes, info: str, size: int) -> bytes:
    """Derive at most 32 bytes by RFC 5869."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")[:size]


def salt_of(key: bytes, name: str) -> bytes:
    """Derive a field's salt."""
    return hkdf(key, f"twinproof/v1/salt/{name}", 16)


def field_leaf(key: bytes, name: str, value: Json) -> bytes:
    """Return the leaf hash of a salted field."""
    data = b"twinproof/v1/field\0" + name.encode() + b"\0" + salt_of(key, name) + canonical(value)
    return merkle.leaf_hash(data)


def make(plan: Plan, changes: dict[str, Change] | None = None) -> Case:
    """Carry a plan through all stages."""
    making = Making(plan, changes or {})
    manifest, signature = _manifest(making)
    persona = making.at("persona", plan.persona)
    proof = _proof(making)
    values = plan.fields | {"seed": {"vrf_proof": b64(proof)}}
    fields = making.at("fields", [[name, values[name]] for name in FIELD_NAMES])
    committed = merkle.root_of([field_leaf(plan.key, name, value) for name, value in fields])
    receipt = _receipt(making, manifest, committed, proof)
    signer = making.at("receipt_signer", plan.operator_seed)
    signed = making.at("receipt_envelope", envelope(RECEIPT_TYPE, canonical(receipt), signer))
    digest = digest_of(signed)
    openings = making.at("openings", _openings(plan, persona, fields))
    cipher = AESGCM(hkdf(plan.key, "twinproof/v1/seal", 32))
    sealed = making.at("sealed", cipher.encrypt(bytes(12), canonical(openings), digest))
    body = making.at("manifest_body", canonical(manifest))
    log = _log(making, receipt, digest, manifest)
    bundle = {
        "v": "twinproof-bundle/2",
        "receipt": signed,
        "manifest": {"body": b64(body), "signature": signature},
        **log,
        "sealed": None if sealed is None else b64(sealed),
    }
    data = making.at("bytes", canonical(making.at("bundle", bundle)))
    case = Case(data, plan.key if plan.opened else None, plan.policy)
    changed: Case = making.at("case", case)
    return changed


def _manifest(making: Making) -> tuple[Json, str]:
    plan = making.plan
    manifest = making.at("manifest", plan.manifest | {"persona": _persona_hash(plan.persona)})
    seed = making.at("creator", plan.creator_seed)
    return manifest, making.at("manifest_signature", sign_manifest(manifest, seed))


def _persona_hash(persona: Json) -> str:
    return hashlib.sha256(canonical(persona)).hexdigest()


def _proof(making: Making) -> bytes:
    """Return the VRF's proof of the slot."""
    plan = making.plan
    where = making.at("slot", plan.fields["slot"])
    twin = bytes.fromhex(plan.manifest["twin"])
    parts = [where[name] for name in ("platform", "bot", "chat", "thread", "message")]
    alpha = tagged("slot-input", twin, *parts)
    return _prove(making.at("vrf_seed", plan.vrf_seed), alpha)


def _receipt(making: Making, manifest: Json, committed: bytes, proof: bytes) -> Json:
    plan = making.plan
    tag = tagged("slot", vrf.proof_to_hash(proof))[:16]
    receipt = plan.receipt | {
        "manifest": hashlib.sha256(canonical(manifest)).hexdigest(),
        "seed": {"slot_tag": tag.hex(), "beacon": None},
        "fields": {"root": committed.hex(), "count": len(FIELD_NAMES)},
    }
    return making.at("receipt", receipt)


@lru_cache(maxsize=4096)
def _prove(seed: bytes, alpha: bytes) -> bytes:
    return vrf.prove(seed, alpha)


def _openings(plan: Plan, persona: Json, fields: Json) -> Json:
    opened = [
        {"name": name, "salt": b64(salt_of(plan.key, name)), "value": value}
        for name, value in fields
    ]
    return {"v": "twinproof-openings/2", "persona": persona, "fields": opened}


@dataclass(frozen=True, slots=True)
class _Tree:
    """The log's leaves, its root and the note that signs it."""

    leaves: list[bytes]
    note: str

    def place(self, leaf: bytes, index: int) -> dict[str, Json]:
        """Return a leaf and its proof as a bundle has them."""
        proof = merkle.inclusion_proof([merkle.leaf_hash(one) for one in self.leaves], index)
        hashes = "".join(f"{b64(one)}\n" for one in proof)
        text = f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{self.note}"
        return {"leaf": b64(leaf), "proof": text}


def _log(making: Making, receipt: Json, digest: bytes, manifest: Json) -> dict[str, Json]:
    """Return the bundle's members that the log gives."""
    plan = making.plan
    leaves = [b"\x03" + hashlib.sha256(b"%d" % n).digest() + bytes(8) for n in range(plan.size)]
    tag = bytes.fromhex(receipt["seed"]["slot_tag"])
    ends = bytes.fromhex(receipt["twin"])[:8] + bytes.fromhex(receipt["manifest"])[:8]
    attempt = receipt["attempt"].to_bytes(2, "big")
    rejected = bytes([making.at("rejected", plan.fields["reply"]["rejected"])])
    # What names the receipt in the log, beside its hash, which must not.
    names = {"hash": digest, "tag": tagged("receipt", digest)}
    cited = making.at("leaf_cites", names)["tag"]
    leaf = making.at("leaf", b"\x01" + cited + tag + attempt + rejected + ends)
    leaves[plan.index] = leaf
    outcome = _outcome(making, making.at("outcome_cites", names)["tag"])
    if outcome:
        leaves[plan.outcome_index] = outcome[1]
    order = _revocation(making, manifest)
    if order:
        leaves[plan.order_index] = order[2]
    leaves = making.at("leaves", leaves)
    tree = _Tree(leaves, _note(making, leaves))
    statement, revocation = None, None
    if outcome:
        statement = {"statement": outcome[0], **tree.place(outcome[1], plan.outcome_index)}
    if order:
        body = {"body": b64(canonical(order[0])), "signature": order[1]}
        revocation = {**body, **tree.place(order[2], plan.order_index)}
    return {
        "log": making.at("log", tree.place(leaf, plan.index)),
        "outcome": making.at("outcome", statement),
        "revocation": making.at("revocation", revocation),
        "anchor": making.at("anchor", _anchor(plan, leaves)),
        "seals": making.at("seals", _seals(plan)),
    }


def _note(making: Making, leaves: list[bytes]) -> str:
    plan = making.plan
    root = merkle.root_of([merkle.leaf_hash(one) for one in leaves])
    text = f"{plan.origin}\n{len(leaves)}\n{b64(root)}\n"
    text = making.at("checkpoint", text)
    seed = making.at("log_seed", plan.log_seed)
    name = text.split("\n", 1)[0]
    lines = note_line(name, seed, text)
    for number, (witness, witness_seed) in enumerate(plan.cosigners):
        lines += cosign_line(witness, witness_seed, text, 1_790_000_000 + number)
    return str(making.at("note", f"{text}\n{lines}"))


def _outcome(making: Making, cited: bytes) -> tuple[Json, bytes] | None:
    plan = making.plan
    if plan.outcome is None:
        return None
    body = {"v": "twinproof-outcome/2", "receipt": cited.hex(), "outcome": plan.outcome}
    body = making.at("outcome_body", body)
    seed = making.at("outcome_signer", plan.operator_seed)
    statement = envelope(OUTCOME_TYPE, canonical(body), seed)
    code = bytes([OUTCOME_CODES.get(body["outcome"], 9)])
    leaf = b"\x02" + digest_of(statement) + bytes.fromhex(body["receipt"]) + code
    return statement, making.at("outcome_leaf", leaf)


def _revocation(making: Making, manifest: Json) -> tuple[Json, str, bytes] | None:
    plan = making.plan
    if plan.revocation is None:
        return None
    cited = hashlib.sha256(canonical(manifest)).hexdigest()
    order = {
        "v": "twinproof-order/1",
        "twin": manifest["twin"],
        "action": "revoke",
        "number": 1,
        "manifest": cited if plan.revocation == "version" else None,
        "log": plan.origin,
        "issued": "2026-11-20T10:00:00Z",
        "expires": "2026-11-21T10:00:00Z",
    }
    order = making.at("order", order)
    seed = making.at("order_signer", plan.creator_seed)
    signature = sign_order(order, making.at("order_name", plan.manifest["name"]), seed)
    body = hashlib.sha256(canonical(order)).digest()
    leaf = making.at("order_leaf", b"\x05" + body + bytes.fromhex(order["twin"])[:8])
    return order, signature, leaf


def _anchor(plan: Plan, leaves: list[bytes]) -> Json:
    if plan.anchor_size is None:
        return None
    hashes = [merkle.leaf_hash(one) for one in leaves[: plan.anchor_size]]
    proof = merkle.inclusion_proof(hashes, plan.index)
    return {
        "chain": 8453,
        "contract": address(key_of("contract")),
        "epoch": 3,
        "size": plan.anchor_size,
        "root": merkle.root_of(hashes).hex(),
        "inclusion": [b64(one) for one in proof],
    }


def _seals(plan: Plan) -> list[Json]:
    """Return the seals that lead from the manifest's log to the one that signs."""
    found = []
    for (name, seed), (next_name, next_seed) in zip(plan.logs, plan.logs[1:], strict=False):
        body = {
            "v": "twinproof-seal/1",
            "log": vkey(name, seed),
            "size": 9,
            "root": hashlib.sha256(name.encode()).hexdigest(),
            "kept": KEPT,
            "successor": vkey(next_name, next_seed),
        }
        found.append(envelope(SEAL_TYPE, canonical(body), seed))
    return found
