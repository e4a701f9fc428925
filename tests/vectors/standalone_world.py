"""Proofs made by hand for docs/verify_receipt.py: `cryptography`, a VRF prover, nothing of bot/.

So that nothing but the specification joins the maker and the verifier.
"""

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from docs import verify_receipt as vr

Json = dict[str, Any]
KEY, KEY_TEXT = bytes(range(32)), base64.urlsafe_b64encode(bytes(range(32))).decode()[:43]
OPERATOR, LOG, LOG2, WITNESS, WITNESS2 = (
    Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 6)
)
VRF_SECRET = bytes([9]) * 32
CREATOR = ec.derive_private_key(987654321, ec.SECP256K1())
H1, H2, H3 = ("a1" * 32, "b2" * 32, "c3" * 32)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def jcs(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def key_hash(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]


def vkey(name: str, key: Ed25519PrivateKey, kind: bytes = b"\x01") -> str:
    raw = kind + public(key)
    return f"{name}+{key_hash(name, raw).hex()}+{b64(raw)}"


def vrf_expand() -> tuple[int, bytes]:
    digest = bytearray(hashlib.sha512(VRF_SECRET).digest())
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    return int.from_bytes(digest[:32], "little"), bytes(digest[32:])


def vrf_prove(alpha: bytes) -> bytes:
    """RFC 9381 section 5.1."""
    x, prefix = vrf_expand()
    key = vr.e_encode(vr.e_sum((x, vr.E_BASE)))
    point = vr._hash_to_curve(key, alpha)
    gamma = vr.e_sum((x, point))
    digest = hashlib.sha512(prefix + vr.e_encode(point)).digest()
    k = int.from_bytes(digest, "little") % vr.L
    points = [point, gamma, vr.e_sum((k, vr.E_BASE)), vr.e_sum((k, point))]
    data = b"\x03\x02" + key + b"".join(map(vr.e_encode, points)) + b"\0"
    c = hashlib.sha512(data).digest()[:16]
    s = (k + int.from_bytes(c, "little") * x) % vr.L
    return vr.e_encode(gamma) + c + s.to_bytes(32, "little")


def address(key: ec.EllipticCurvePrivateKey) -> str:
    numbers = key.public_key().public_numbers()
    raw = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    return vr.checksummed("0x" + vr.keccak(raw)[12:].hex())


def creator_signs(digest: bytes) -> str:
    der = CREATOR.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    r, s = utils.decode_dss_signature(der)
    found = (
        "0x" + (r.to_bytes(32, "big") + min(s, vr.N - s).to_bytes(32, "big")).hex() + v
        for v in ("1b", "1c")
    )
    return next(it for it in found if vr.recover(digest, it) == address(CREATOR))


def envelope(kind: str, body: Json, key: Ed25519PrivateKey) -> Json:
    made = {"payload": b64(jcs(body)), "payloadType": f"application/vnd.twinproof.{kind}+json"}
    return made | {"signatures": [{"keyid": public(key).hex(), "sig": b64(key.sign(vr.pae(made)))}]}


def path(leaves: list[bytes], index: int) -> list[bytes]:
    """RFC 6962 section 2.1.1, over leaf hashes."""
    if len(leaves) == 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return [*path(leaves[:half], index), vr.tree_root(leaves[half:])]
    return [*path(leaves[half:], index - half), vr.tree_root(leaves[:half])]


# fmt: off
def manifest() -> Json:
    slug, creator = "mira", address(CREATOR)
    return {
        "v": "twinproof-manifest/2",
        "twin": vr.tagged("twin", bytes.fromhex(creator[2:]), slug).hex(),
        "slug": slug, "name": "Mira", "version": 1, "previous": None,
        "persona": vr.sha256(jcs(PERSONA)).hex(),
        "model": {"name": "small", "gguf": H1, "size_bytes": 5, "lora": None},
        "engine": {"library": "lib 1", "profile": "exact/1", "isa": "x86-64-v3"},
        "rendering": {"program": "typed-spans/1", "span_prefix": " ", "before_persona": [1],
                      "persona_to_fan": [2], "fan_to_twin": [3], "twin_to_fan": [4],
                      "window_tokens": 20},
        "sampler": {"algorithm": "gumbel-max/1", "temperature": "0.7", "top_k": 40, "top_p": "1",
                    "min_p": "0", "presence_penalty": "2", "frequency_penalty": "0",
                    "max_tokens": 4},
        "filter": {"policy": "stop-repeat/1", "stop_tokens": [0], "stop_strings": ["Fan:"],
                   "redraws": 2},
        "rules": ["crisis/1"], "knowledge": None,
        "price": {"nano": 2000001, "token": "TWIN", "free_daily": 3},
        "split": {"creator_bp": 8505, "operator_bp": 1495}, "creator": creator, "payout": creator,
        "operator": {"signing_key": public(OPERATOR).hex(),
                     "vrf_key": vr.e_encode(vr.e_sum((vrf_expand()[0], vr.E_BASE))).hex()},
        "log": {"origin": "log.example/1", "key": vkey("log.example/1", LOG)}, "beacon": None,
        "valid_from": "2026-11-01T00:00:00Z", "valid_until": "2027-11-01T00:00:00Z"}


def receipt() -> Json:
    return {
        "v": "twinproof-receipt/2", "type": "reply", "seq": 7, "attempt": 0,
        "numbering": "platform",
        "model": {"gguf": H1, "library": "lib 1", "build": H2, "profile": "exact/1",
                  "verdict": "exact"},
        "price": {"nano": 2000001, "token": "TWIN", "creator_nano": 1701000,
                  "operator_nano": 299001, "free_daily": 3},
        "rule": None, "rate_table": None, "payer": "sponsor", "registry_block": None,
        "operator": public(OPERATOR).hex(), "time": "2026-11-20T10:00:00Z"}


def fields() -> Json:
    return {
        "slot": {"bot": "7", "chat": "8", "message": "101", "platform": "discord", "thread": ""},
        "conversation": {"id": H3}, "turn": {"n": 3, "previous": H2},
        "message": {"parts": [{"id": "101", "text": "Hello"},
                              {"id": "102", "text": "you \u2028 \U0001f600"}]},
        "spans": [{"kind": "persona", "receipt": None, "tokens": [10, 11]},
                  {"kind": "fan", "receipt": H2, "tokens": [12]},
                  {"kind": "twin", "receipt": H2, "tokens": [13, 14]},
                  {"kind": "message", "receipt": None, "tokens": [15]}],
        "context": {"tokens": [1, 10, 11, 2, 12, 3, 13, 14, 4, 15, 3]},
        "output": {"tokens": [20, 21]},
        "reply": {"finish": "end", "rejected": 0, "text": "Hi \x1b[2J!"},
        "event": {"halt": None, "regenerate": None, "replaces": None},
        "choice": {"older": {"receipt": H3, "tokens": 10}, "start": 1},
        "counts": {"context": 11, "output": 2}}


PERSONA = {"v": "twinproof-persona/1", "name": "Mira", "role": "a singer", "facts": ["I sing."],
           "off_limits": [], "examples": []}
ORDER = {"v": "twinproof-order/1", "action": "revoke", "number": 1, "manifest": None,
         "log": "log.example/1", "issued": "2026-11-20T10:00:00Z",
         "expires": "2026-11-21T10:00:00Z"}
# fmt: on


class World:
    """What a proof is made of: edited before it is signed, made, and edited again as a bundle."""

    def __init__(self) -> None:
        self.manifest, self.receipt, self.fields = manifest(), receipt(), fields()
        self.persona, self.order = copy.deepcopy(PERSONA), copy.deepcopy(ORDER)
        self.outcome, self.seals = "delivered", list[Json]()
        self.leaf_rejected: int | None = None
        self.first_leaf = b"\x03first"
        self.log_key, self.witnesses = LOG, [("w1", WITNESS)]
        self.edit_bundle: Callable[[Json], object] = lambda _: None
        self.edit_note: Callable[[str], str] = lambda note: note

    def salt(self, name: str) -> bytes:
        return vr.derive(KEY, f"salt/{name}", 16)

    def leaf(self, name: str) -> bytes:
        value = jcs(self.fields[name])
        head = b"\0twinproof/v1/field\0" + name.encode() + b"\0"
        return vr.sha256(head, self.salt(name), value)

    def proof_of(self, leaves: list[bytes], index: int, origin: str) -> str:
        hashed = [vr.sha256(b"\0", leaf) for leaf in leaves]
        signed = f"{origin}\n{len(leaves)}\n{b64(vr.tree_root(hashed))}\n"
        line = "\u2014 {} {}\n".format
        named = key_hash(origin, b"\x01" + public(self.log_key))
        note = signed + "\n" + line(origin, b64(named + self.log_key.sign(signed.encode())))
        for name, key in self.witnesses:
            named = key_hash(name, b"\x04" + public(key)) + (1800000000).to_bytes(8, "big")
            cosigned = key.sign(f"cosignature/v1\ntime 1800000000\n{signed}".encode())
            note += line(name, b64(named + cosigned))
        rows = ["c2sp.org/tlog-proof@v1", f"index {index}", *map(b64, path(hashed, index))]
        return "\n".join(rows) + "\n\n" + self.edit_note(note)

    def bundle(self) -> Json:
        m, r, slot = self.manifest, self.receipt, self.fields["slot"]
        body = jcs(m)
        names = [slot[name] for name in ("platform", "bot", "chat", "thread", "message")]
        pi = vrf_prove(vr.tagged("slot-input", bytes.fromhex(m["twin"]), *names))
        gamma = vr.e_decode(pi[:32]) or vr.E_ZERO
        beta = hashlib.sha512(b"\x03\x03" + vr.e_encode(vr.e_sum((8, gamma))) + b"\0").digest()
        tag = vr.tagged("slot", beta)[:16]
        self.fields.setdefault("seed", {"vrf_proof": b64(pi)})
        root = vr.tree_root([self.leaf(name) for name in vr.FIELDS]).hex()
        defaults = {"twin": m["twin"], "manifest": vr.sha256(body).hex()}
        defaults |= {"seed": {"slot_tag": tag.hex(), "beacon": None}}
        r = defaults | {"fields": {"root": root, "count": 12}} | r
        signed = envelope("receipt", r, OPERATOR)
        digest = vr.sha256(vr.pae(signed))
        receipt_tag = vr.tagged("receipt", digest)
        slot_bytes = bytes.fromhex(r["seed"]["slot_tag"]) + r["attempt"].to_bytes(2, "big")
        slot_bytes += bytes([self.leaf_rejected or self.fields["reply"]["rejected"]])
        ids = bytes.fromhex(r["twin"])[:8] + bytes.fromhex(r["manifest"])[:8]
        statement = {"v": "twinproof-outcome/2", "receipt": receipt_tag.hex()}
        outcome = envelope("outcome", statement | {"outcome": self.outcome}, OPERATOR)
        code = bytes([vr.OUTCOMES.index(self.outcome) + 1])
        order = jcs({"twin": m["twin"]} | self.order)
        leaves = [
            self.first_leaf,
            b"\x01" + receipt_tag + slot_bytes + ids,
            b"\x02" + vr.sha256(vr.pae(outcome)) + receipt_tag + code,
            b"\x03other",
            b"\x05" + vr.sha256(order) + bytes.fromhex(m["twin"])[:8],
        ]
        origin = "log.example/2" if self.seals else m["log"]["origin"]
        proofs = [self.proof_of(leaves, index, origin) for index in range(5)]
        pairs = zip(leaves, proofs, strict=True)
        part = [{"leaf": b64(leaf), "proof": proof} for leaf, proof in pairs]
        opened = [
            {"name": n, "salt": b64(self.salt(n)), "value": self.fields[n]} for n in vr.FIELDS
        ]
        openings = {"v": "twinproof-openings/2", "persona": self.persona, "fields": opened}
        box = AESGCM(vr.derive(KEY, "seal", 32))
        order_signature = creator_signs(vr.order_digest(json.loads(order), order, m["name"]))
        made = {
            "v": "twinproof-bundle/2",
            "receipt": signed,
            "manifest": {
                "body": b64(body),
                "signature": creator_signs(vr.manifest_digest(m, body)),
            },
            "log": part[1],
            "outcome": {"statement": outcome} | part[2],
            "revocation": {"body": b64(order), "signature": order_signature} | part[4],
            "anchor": None,
            "seals": self.seals,
            "sealed": b64(box.encrypt(bytes(12), jcs(openings), digest)),
        }
        self.edit_bundle(made)
        return made


def policy(needed: int = 1, **changed: object) -> Json:
    made = {"v": "twinproof-policy/1", "creators": [address(CREATOR)], "needed": needed}
    made |= {"logs": [vkey("log.example/1", LOG)], "witnesses": [vkey("w1", WITNESS, b"\x04")]}
    return made | {"auditors": [], "anchors": [], "revoked": []} | changed
