"""Draws plans of proof bundles that are true: every value as docs/spec/formats.md wants it."""

import base64
import hashlib
import random
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_account import Account

from bot.crypto import vrf

Json = Any
CRISIS_TEXT = (
    "I'm an AI, and what you wrote worries me. Please talk to a person now. If you are in danger, "
    "call your local emergency number (112 in Europe, 911 in the US and Canada, 999 in the UK). In "
    "the US and Canada you can call or text 988 at any hour; findahelpline.com lists free, "
    "confidential lines in other countries. You don't have to go through this alone."
)
CRISIS = (
    "I want to die",
    "thinking about suicide lately",
    "I DON\u2019T WANT TO LIVE!",
    "self-harm",
)
TALK = (
    'so what do you bake today café ünder 東京 🍚 rye 3.5 % tea:	"quoted" back\\slash myself '
    "\u2028 \ufb33 killed time suicide squad \ufb01ne \x7f é e\u0301 z\u200d"
)
WORDS = tuple(TALK.split(" "))
SLUGS = ("mira", "theo", "ayla-2", "x")
KEPT = 4  # leaves of a sealed log that its successor begins with
PLATFORMS = {
    "discord": "platform",
    "telegram": "platform",
    "terminal": "operator",
    "web": "operator",
}
ORIGINS = ("log.one.example/t", "log.two.example/t", "log.three.example")
WITNESSES = tuple(f"witness-{n}.example" for n in range(4))


def key_of(name: str) -> bytes:
    """Return 32 fixed bytes: a private key for tests, public and worthless."""
    return hashlib.sha256(b"twinproof corpus key: " + name.encode()).digest()


@dataclass(slots=True)
class Plan:
    """All that a bundle says, and the keys that say it.

    Attributes:
        fields: the salted fields by name.
        opened: whether the verifier gets the key.
        size: leaves of the log; `index` and the others are places in it.
        logs: names and keys of the manifest's log and its successors; the last one signs.
        cosigners: names and keys of witnesses that cosign.
        revocation: None, `twin` or `version`.
    """

    key: bytes
    persona: Json
    manifest: Json
    receipt: Json
    fields: dict[str, Json]
    policy: Json
    opened: bool
    size: int
    index: int
    outcome: str | None
    outcome_index: int
    revocation: str | None
    order_index: int
    anchor_size: int | None
    logs: list[tuple[str, bytes]]
    cosigners: list[tuple[str, bytes]] = field(default_factory=list)
    operator_seed: bytes = key_of("operator")
    vrf_seed: bytes = key_of("vrf")
    creator_seed: bytes = key_of("creator")

    @property
    def origin(self) -> str:
        """The name of the log that signs."""
        return self.logs[-1][0]

    @property
    def log_seed(self) -> bytes:
        """The key of the log that signs."""
        return self.logs[-1][1]

    def copy(self) -> "Plan":
        """Return a copy whose parts may be changed."""
        return deepcopy(self)


@lru_cache(maxsize=32)
def _public(seed: bytes) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


@lru_cache(maxsize=32)
def _vkey(name: str, seed: bytes, kind: int) -> str:
    data = bytes([kind]) + _public(seed)
    identity = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    return f"{name}+{identity.hex()}+{base64.b64encode(data).decode()}"


def _text(rng: random.Random, most: int) -> str:
    return (
        " ".join(rng.choices(WORDS, k=rng.randint(1, most))).replace("suicide", "squad").strip()
        or "so"
    )


def _line(rng: random.Random, most: int) -> str:
    plain = [word for word in WORDS if word.isprintable() and word.isascii()] + ["東京", "🍚", "é"]
    return " ".join(rng.choices(plain, k=rng.randint(1, most)))


def _tokens(rng: random.Random, least: int, most: int) -> list[int]:
    """Return token ids, none of them a stop token (2)."""
    return [rng.randint(3, 31_999) for _ in range(rng.randint(least, most))]


def draw_manifest(number: int) -> tuple[Json, Json]:
    """Return one of a few personas and manifests: signing each plan's own would take minutes."""
    rng = random.Random(f"manifest {number}")  # noqa: S311 - drawn again, not secret
    persona = {
        "v": "twinproof-persona/1",
        "name": rng.choice(["Mira Solano", "Theo", "アイラ"]),
        "role": _line(rng, 4),
        "facts": [_line(rng, 8) for _ in range(rng.randint(0, 4))],
        "off_limits": [_line(rng, 2) for _ in range(rng.randint(0, 2))],
        "examples": [{"fan": _line(rng, 4), "twin": _line(rng, 4)}] * rng.randint(0, 1),
    }
    creator = str(Account.from_key(key_of("creator")).address)
    slug = rng.choice(SLUGS)
    tagged = b"twinproof/v1/twin\0"
    for part in (bytes.fromhex(creator[2:]), slug.encode()):
        tagged += len(part).to_bytes(4, "big") + part
    share = rng.choice([7000, 7001, 8500, 9999, 10_000])
    origin = rng.choice(ORIGINS)
    manifest = {
        "v": "twinproof-manifest/2",
        "twin": hashlib.sha256(tagged).hexdigest(),
        "slug": slug,
        "name": persona["name"],
        "version": rng.randint(1, 9),
        "previous": rng.choice([None, key_of("previous").hex()]),
        "persona": "",
        "model": {
            "name": "corpus Q8_0",
            "gguf": key_of(f"gguf {number}").hex(),
            "size_bytes": rng.randint(1, 10**10),
            "lora": None,
        },
        "engine": {"library": "llama-cpp-python 0.3.36", "profile": "exact/1", "isa": "x86-64-v3"},
        "rendering": {
            "program": "typed-spans/1",
            "span_prefix": rng.choice(["", " "]),
            "before_persona": [1, 7],
            "persona_to_fan": [2, 8],
            "fan_to_twin": [2, 9],
            "twin_to_fan": rng.choice([[], [2, 8]]),
            "window_tokens": rng.choice([96, 160]),
        },
        "sampler": {
            "algorithm": "gumbel-max/1",
            "temperature": rng.choice(["0.8", "1", "0.05"]),
            "top_k": rng.choice([1, 40, 256]),
            "top_p": rng.choice(["0.95", "1", "1.0"]),
            "min_p": rng.choice(["0", "0.05"]),
            "presence_penalty": rng.choice(["0", "2"]),
            "frequency_penalty": "0",
            "max_tokens": 16,
        },
        "filter": {
            "policy": "stop-repeat/1",
            "stop_tokens": [2],
            "stop_strings": rng.choice([[], ["\nFan:", "\nYou are "]]),
            "redraws": rng.choice([0, 2, 2]),
        },
        "rules": rng.choice([[], ["crisis/1"], ["crisis/1"]]),
        "knowledge": None,
        "price": {
            "nano": rng.choice([0, 1, 2_000_001, 2_000_001, 2**53 - 1]),
            "token": "TWIN",
            "free_daily": rng.choice([0, 1, 100, 10_000]),
        },
        "split": {"creator_bp": share, "operator_bp": 10_000 - share},
        "creator": creator,
        "payout": str(Account.from_key(key_of("payout")).address),
        "operator": {
            "signing_key": _public(key_of("operator")).hex(),
            "vrf_key": vrf.public_key_of(key_of("vrf")).hex(),
        },
        "log": {"origin": origin, "key": _vkey(origin, key_of("log " + origin), 1)},
        "beacon": None,
        "valid_from": "2026-11-01T00:00:00Z",
        "valid_until": "2027-11-01T00:00:00Z",
    }
    return persona, manifest


def draw(rng: random.Random) -> Plan:
    """Draw a plan that verifies."""
    persona, manifest = deepcopy(draw_manifest(rng.randrange(24)))
    fixed = bool(manifest["rules"]) and rng.random() < 0.1
    platform = rng.choice(list(PLATFORMS))
    fields, attempt = _fields(rng, manifest, platform, fixed=fixed)
    receipt = {
        "v": "twinproof-receipt/2",
        "type": "fixed" if fixed else "reply",
        "twin": manifest["twin"],
        "seq": rng.randint(1, 10**6),
        "attempt": attempt,
        "numbering": PLATFORMS[platform],
        "model": {
            "gguf": manifest["model"]["gguf"],
            "library": manifest["engine"]["library"],
            "build": key_of("build").hex(),
            "profile": "exact/1",
            "verdict": rng.choice(["exact", "exact", "tolerant"]),
        },
        **_payment(rng, manifest, fixed=fixed),
        "rule": "crisis/1" if fixed else None,
        "registry_block": rng.choice([None, None, _block(rng)]),
        "operator": manifest["operator"]["signing_key"],
        "time": f"2026-11-{rng.randint(1, 30):02d}T{rng.randint(0, 23):02d}:07:59Z",
    }
    return _in_log(rng, persona, manifest, receipt, fields)


def _payment(rng: random.Random, manifest: Json, *, fixed: bool) -> Json:
    """Draw who pays, and what follows from it (section 7)."""
    terms = manifest["price"]
    nano = 0 if fixed else terms["nano"]
    payer = rng.choice(["sponsor", "paid", "promotional"]) if nano else "free"
    shared = nano if payer in {"sponsor", "paid"} else 0
    creator = shared * manifest["split"]["creator_bp"] // 10_000
    shares = {"creator_nano": creator, "operator_nano": shared - creator}
    return {
        "price": {**terms, "nano": nano, **shares},
        "payer": payer,
        "rate_table": rng.randbytes(32).hex() if payer == "paid" else None,
    }


def _block(rng: random.Random) -> Json:
    return {
        "chain": rng.choice([1, 84_532, 2**53 - 1]),
        "number": rng.choice([0, 1, 41_000_000]),
        "hash": rng.randbytes(32).hex(),
    }


def _in_log(
    rng: random.Random, persona: Json, manifest: Json, receipt: Json, fields: dict[str, Json]
) -> Plan:
    size = rng.randint(3, 40)
    first = manifest["log"]["origin"]
    logs = [(first, key_of("log " + first))]
    more = range(rng.choice([0, 0, 0, 1, 2]))
    logs += [(f"next-{number}.example/log", key_of(f"next {number}")) for number in more]
    # Where a log continues another one, its first own leaf is the seal, and none of these.
    free = [place for place in range(size) if len(logs) == 1 or place != KEPT]
    places = rng.sample(free, 3)
    index, outcome_index = sorted(places[:2])
    listed = rng.sample(WITNESSES, rng.randint(0, 3))
    cosigners = [(name, key_of(name)) for name in listed]
    policy: Json = None
    if rng.random() < 0.8:
        known = logs[0] if rng.random() < 0.5 else logs[-1]
        policy = {
            "v": "twinproof-policy/1",
            "creators": [manifest["creator"]],
            "logs": [_vkey(known[0], known[1], 1)],
            "witnesses": [_vkey(name, key_of(name), 4) for name in WITNESSES],
            "needed": rng.randint(0, len(cosigners)),
            "auditors": [],
            "anchors": [],
            "revoked": [],
        }
    return Plan(
        key=rng.randbytes(32),
        persona=persona,
        manifest=manifest,
        receipt=receipt,
        fields=fields,
        policy=policy,
        opened=rng.random() < 0.9,
        size=size,
        index=index,
        outcome=rng.choice([None, "delivered", "undelivered", "withdrawn", "refunded"]),
        outcome_index=outcome_index,
        revocation=rng.choice([None, None, None, "twin", "version"]),
        order_index=places[2],
        anchor_size=rng.choice([None, None, rng.randint(index + 1, size)]),
        logs=logs,
        cosigners=cosigners,
    )


def _id(rng: random.Random) -> str:
    """Draw a number as platforms give it: 1 to 20 digits, the first of them not 0."""
    digits = rng.choice([1, 9, 10, 19, 20])
    return str(rng.randrange(10 ** (digits - 1), 10**digits))


def _ids(rng: random.Random, count: int) -> list[str]:
    """Draw different numbers."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[_id(rng)] = None
    return list(found)


def _place(rng: random.Random, platform: str) -> dict[str, str]:
    """Draw bot, chat and thread in the platform's own forms (section 4)."""
    if PLATFORMS[platform] == "operator":
        named = rng.choice(["", "t1", "a thread\n東京"])
        return {"bot": "local", "chat": rng.choice(["", "chat 7", _id(rng)]), "thread": named}
    sign = rng.choice(["", "-"]) if platform == "telegram" else ""
    return {"bot": _id(rng), "chat": sign + _id(rng), "thread": rng.choice(["", _id(rng)])}


def _fields(
    rng: random.Random, manifest: Json, platform: str, *, fixed: bool
) -> tuple[dict[str, Json], int]:
    """Draw the salted fields; return them and the attempt."""
    parts = [{"id": one, "text": _text(rng, 6)} for one in _ids(rng, rng.choice([1, 1, 1, 2, 3]))]
    if fixed:
        parts[0]["text"] = rng.choice(CRISIS)
    turn = rng.randint(1, 5)
    slot = {**_place(rng, platform), "message": parts[0]["id"], "platform": platform}
    fields: dict[str, Json] = {
        "slot": slot,
        "conversation": {"id": rng.randbytes(32).hex()},
        "turn": {"n": turn, "previous": None if turn == 1 else rng.randbytes(32).hex()},
        "message": {"parts": parts},
        "event": {"halt": None, "regenerate": None, "replaces": None},
    }
    if fixed:
        fields |= {
            "spans": [],
            "context": {"tokens": []},
            "output": {"tokens": []},
            "reply": {"finish": "fixed", "rejected": 0, "text": CRISIS_TEXT},
            "choice": {"older": None, "start": turn},
            "counts": {"context": 0, "output": 0},
        }
        return fields, 0
    pairs = _context(rng, manifest, fields, turn)
    return _reply(rng, manifest, fields, pairs)


def context_of(manifest: Json, spans: list[Json]) -> list[int]:
    """Render spans as section 6 says."""
    program = manifest["rendering"]
    tokens = [*program["before_persona"], *spans[0]["tokens"], *program["persona_to_fan"]]
    for fan, twin in zip(spans[1:-1:2], spans[2:-1:2], strict=True):
        tokens += [
            *fan["tokens"],
            *program["fan_to_twin"],
            *twin["tokens"],
            *program["twin_to_fan"],
        ]
    return [*tokens, *spans[-1]["tokens"], *program["fan_to_twin"]]


def _span(kind: str, receipt: str | None, tokens: list[int]) -> Json:
    return {"kind": kind, "receipt": receipt, "tokens": tokens}


def _context(rng: random.Random, manifest: Json, fields: dict[str, Json], turn: int) -> int:
    """Draw spans, context and choice; return the number of pairs."""
    start = rng.randint(1, turn)
    count = rng.randint(0, turn - start)
    spans = [_span("persona", None, _tokens(rng, 4, 12))]
    for number in range(count):
        last = number == count - 1
        receipt = fields["turn"]["previous"] if last else rng.randbytes(32).hex()
        spans.append(_span("fan", receipt, _tokens(rng, 1, 4)))
        spans.append(_span("twin", receipt, _tokens(rng, 1, 6)))
    spans.append(_span("message", None, _tokens(rng, 1, 6)))
    context = context_of(manifest, spans)
    older = None
    if count < turn - start:
        room = manifest["rendering"]["window_tokens"] - len(context)
        receipt = fields["turn"]["previous"] if count == 0 else rng.randbytes(32).hex()
        older = {"receipt": receipt, "tokens": room + rng.randint(1, 9)}
    fields |= {
        "spans": spans,
        "context": {"tokens": context},
        "choice": {"older": older, "start": start},
    }
    return count


def _reply(
    rng: random.Random, manifest: Json, fields: dict[str, Json], pairs: int
) -> tuple[dict[str, Json], int]:
    longest, redraws = manifest["sampler"]["max_tokens"], manifest["filter"]["redraws"]
    finishes = ["end", "end", "length", "stopped", "cut"]
    finish = rng.choice(finishes + ["stop"] * bool(manifest["filter"]["stop_strings"]))
    output = _tokens(rng, 1, longest - 1)
    if finish == "length":
        output = _tokens(rng, longest, longest)
    if finish == "end" and rng.random() < 0.1:
        output = []
    event = fields["event"]
    if finish == "stopped":
        event["halt"] = "press-77"
    if finish == "cut":
        event["halt"] = rng.randbytes(32).hex()
    spans = fields["spans"]
    others = [one for one in spans[1:-1:2] if one["tokens"] != spans[-1]["tokens"]]
    rejected = rng.choice([0, 0, rng.randint(0, redraws)]) if pairs and others else 0
    asked = rng.choice([0, 0, 0, 1, 2])
    if asked:
        event |= {"regenerate": "wish-5", "replaces": rng.randbytes(32).hex()}
    fields |= {
        "output": {"tokens": output},
        "reply": {"finish": finish, "rejected": rejected, "text": _text(rng, 8) if output else "…"},
        "counts": {"context": len(fields["context"]["tokens"]), "output": len(output)},
    }
    return fields, asked + rejected
