"""Falsehoods of steps 8 to 10: log, outcome, revocation and trust."""

import base64
import hashlib
import json
import random
from typing import Any

from tests.corpus.maker import b64, canonical, cosign_line, envelope, vkey
from tests.corpus.mutations import (
    Strike,
    flip_byte,
    flip_hex,
    has_anchor,
    has_cosigners,
    has_outcome,
    has_policy,
    has_revocation,
    has_seals,
    mutation,
    planned,
)
from tests.corpus.plans import KEPT, Plan, key_of

Json = Any


@mutation(8, "leaf")
def _a_leaf_with_one_bit_changed(leaf: bytes, rng: random.Random) -> bytes:
    return flip_byte(leaf, rng)


@mutation(8, "leaf")
def _a_leaf_of_another_length(leaf: bytes, rng: random.Random) -> bytes:
    return rng.choice([leaf + b"\0", leaf[:-1], leaf[:59], b""])


def proof_change(name: str) -> None:
    """Add a change of the log proof's text."""

    def strike(log: Json, rng: random.Random) -> Json:
        changed = _PROOFS[name](log["proof"], rng)
        return log | {"proof": changed if changed != log["proof"] else log["proof"] + "x"}

    strike.__name__ = name
    mutation(8, "log")(strike)


def _with_index(text: str, index: str) -> str:
    head, rest = text.split("\nindex ", 1)
    return f"{head}\nindex {index}\n{rest.split(chr(10), 1)[1]}"


def _index(text: str) -> int:
    return int(text.split("\nindex ", 1)[1].split("\n", 1)[0])


def _flip_hash(text: str, rng: random.Random) -> str:
    head, note = text.split("\n\n", 1)
    lines = head.split("\n")
    if len(lines) == 2:
        return text + "x"
    at = rng.randrange(2, len(lines))
    lines[at] = ("B" if lines[at][0] != "B" else "C") + lines[at][1:]
    return "\n".join(lines) + "\n\n" + note


def _drop_hash(text: str, rng: random.Random) -> str:
    head, note = text.split("\n\n", 1)
    lines = head.split("\n")
    if len(lines) > 2:
        del lines[rng.randrange(2, len(lines))]
    return "\n".join(lines) + "\n\n" + note


def _add_hashes(text: str, rng: random.Random, count: int = 1) -> str:
    more = "".join(f"{b64(rng.randbytes(32))}\n" for _ in range(count))
    return text.replace("\n\n", f"\n{more}\n", 1)


def _other_root(text: str, rng: random.Random) -> str:
    head, note = text.split("\n\n", 1)
    lines = note.split("\n")
    lines[2] = b64(rng.randbytes(32))
    return head + "\n\n" + "\n".join(lines)


def _other_size(text: str) -> str:
    head, note = text.split("\n\n", 1)
    lines = note.split("\n")
    lines[1] = str(int(lines[1]) + 1)
    return head + "\n\n" + "\n".join(lines)


_PROOFS: dict[str, Strike] = {
    "another_index": lambda text, _rng: _with_index(text, str(_index(text) ^ 1)),
    "an_index_beyond_the_tree": lambda text, _rng: _with_index(text, "4096"),
    "an_index_in_another_spelling": lambda text, rng: _with_index(
        text, rng.choice(["00", "+1", "-1", "1.0", "", "9007199254740992"])
    ),
    "another_hash": _flip_hash,
    "a_hash_left_out": _drop_hash,
    "a_hash_more": _add_hashes,
    "more_hashes_than_any_tree_has": lambda text, rng: _add_hashes(text, rng, 64),
    "a_proof_of_another_version": lambda text, _rng: text.replace("@v1", "@v2"),
    "a_proof_with_an_extra_line": lambda text, _rng: text.replace(
        "\nindex", "\nextra AAAA\nindex", 1
    ),
    "a_proof_with_other_line_ends": lambda text, _rng: text.replace("\n", "\r\n"),
    "a_proof_that_ends_early": lambda text, rng: text[: rng.randrange(len(text))],
    "a_root_that_nobody_signed": _other_root,
    "a_size_that_nobody_signed": lambda text, _rng: _other_size(text),
    "a_checkpoint_without_signature": lambda text, _rng: text.split("\n— ")[0] + "\n",
    "more_signature_lines_than_allowed": lambda text, _rng: (
        text + "".join(f"— w{n}.example {b64(bytes(76))}\n" for n in range(16))
    ),
    "a_signature_line_in_another_spelling": lambda text, _rng: text.replace("\n— ", "\n- ", 1),
}

for _name in _PROOFS:
    proof_change(_name)


@mutation(8, "log_seed")
def _a_checkpoint_signed_by_another_key(_seed: bytes, _rng: random.Random) -> bytes:
    return key_of("another log")


@mutation(8, "checkpoint")
def _a_checkpoint_of_another_log(text: str, _rng: random.Random) -> str:
    return "another." + text


@mutation(8, "checkpoint")
def _a_checkpoint_with_more_lines(text: str, _rng: random.Random) -> str:
    return text + "extension\n"


@mutation(8, "checkpoint")
def _a_signed_root_of_another_tree(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    lines[2] = b64(rng.randbytes(32))
    return "\n".join(lines)


@mutation(8, "note", has_cosigners)
def _a_cosignature_that_is_false(note: str, rng: random.Random) -> str:
    text = note.split("\n\n", 1)[0] + "\n"
    lines = note.split("\n\n", 1)[1].splitlines(keepends=True)
    name = lines[1].split(" ")[1]
    lines[1] = cosign_line(name, key_of(name), text.replace("\n", "0\n", 1), rng.randrange(10**9))
    return text + "\n" + "".join(lines)


@mutation(8, "note", has_cosigners)
def _a_witness_that_counts_twice(note: str, rng: random.Random) -> str:
    text = note.split("\n\n", 1)[0] + "\n"
    name = note.split("\n\n", 1)[1].splitlines()[1].split(" ")[1]
    return note + cosign_line(name, key_of(name), text, rng.randrange(10**9))


def anchored(name: str) -> None:
    """Add a false anchor."""

    def strike(anchor: Json, rng: random.Random) -> Json:
        return anchor | _ANCHORS[name](anchor, rng)

    strike.__name__ = name
    mutation(8, "anchor", has_anchor)(strike)


_ANCHORS: dict[str, Strike] = {
    "an_anchor_of_another_root": lambda anchor, rng: {"root": flip_hex(anchor["root"], rng)},
    "an_anchor_with_a_hash_more": lambda anchor, rng: {
        "inclusion": [*anchor["inclusion"], b64(rng.randbytes(32))]
    },
    "an_anchor_before_the_reply": lambda _anchor, rng: {
        "size": 1,
        "root": rng.randbytes(32).hex(),
        "inclusion": [],
    },
}
for _name in _ANCHORS:
    anchored(_name)


@mutation(8, "anchor", lambda plan: plan.anchor_size == plan.size)
def _an_anchor_that_contradicts_the_checkpoint(anchor: Json, rng: random.Random) -> Json:
    return anchor | {"root": rng.randbytes(32).hex()}


@mutation(8, "seals", has_seals)
def _a_seal_left_out(seals: Json, rng: random.Random) -> Json:
    del seals[rng.randrange(len(seals))]
    return seals


@mutation(8, "seals", has_seals)
def _a_seal_by_somebody_else(seals: Json, _rng: random.Random) -> Json:
    payload = base64.b64decode(seals[0]["payload"])
    seals[0] = envelope(seals[0]["payloadType"], payload, key_of("somebody else"))
    return seals


@mutation(8, "seals", has_seals)
def _a_seal_of_another_type(seals: Json, _rng: random.Random) -> Json:
    payload = base64.b64decode(seals[0]["payload"])
    name = f"log {vkey_name(payload)}"
    seals[0] = envelope("application/vnd.twinproof.outcome+json", payload, key_of(name))
    return seals


def vkey_name(payload: bytes) -> str:
    """Return the name of the log that a seal is of."""
    return str(json.loads(payload)["log"].split("+")[0])


@mutation(8, "seals", has_seals)
def _the_same_seal_twice(seals: Json, _rng: random.Random) -> Json:
    return [seals[0], *seals]


@mutation(8, "seals", lambda plan: not has_seals(plan))
def _a_seal_of_nothing(_seals: Json, _rng: random.Random) -> Json:
    seed = key_of("log " + "log.one.example/t")
    body = {
        "v": "twinproof-seal/1",
        "log": vkey("log.one.example/t", seed),
        "size": 1,
        "root": "00" * 32,
        "kept": 1,
        "successor": vkey("nobody.example", key_of("nobody")),
    }
    return [envelope("application/vnd.twinproof.seal+json", canonical(body), seed)]


@mutation(9, "outcome_signer", has_outcome)
def _an_outcome_by_somebody_else(_seed: bytes, _rng: random.Random) -> bytes:
    return key_of("somebody else")


@mutation(9, "outcome_body", has_outcome)
def _an_outcome_of_another_receipt(body: Json, rng: random.Random) -> Json:
    return body | {"receipt": rng.randbytes(32).hex()}


@mutation(9, "outcome_body", has_outcome)
def _an_outcome_that_is_none(body: Json, rng: random.Random) -> Json:
    return body | {"outcome": rng.choice(["lost", "Delivered", ""])}


@mutation(9, "outcome_body", has_outcome)
def _an_outcome_of_another_version(body: Json, rng: random.Random) -> Json:
    return body | {"v": rng.choice(["twinproof-outcome/1", "twinproof-outcome/3"])}


@mutation(9, "outcome_body", has_outcome)
def _an_outcome_with_a_time(body: Json, _rng: random.Random) -> Json:
    return body | {"time": "2026-11-20T10:00:00Z"}


@mutation(9, "outcome_leaf", has_outcome)
def _an_outcome_leaf_with_another_code(leaf: bytes, rng: random.Random) -> bytes:
    return leaf[:-1] + bytes([rng.choice([code for code in range(1, 5) if code != leaf[-1]])])


@mutation(9, "outcome", has_outcome)
def _an_outcome_at_another_place(outcome: Json, _rng: random.Random) -> Json:
    return outcome | {"proof": _with_index(outcome["proof"], str(_index(outcome["proof"]) ^ 1))}


@mutation(9, "outcome", has_outcome)
def _an_outcome_under_another_checkpoint(outcome: Json, _rng: random.Random) -> Json:
    line = f"— w.example {b64(bytes(76))}\n"
    return outcome | {"proof": outcome["proof"] + line}


@planned(9, has_outcome)
def _an_outcome_before_its_reply(plan: Plan, _rng: random.Random) -> None:
    plan.index, plan.outcome_index = plan.outcome_index, plan.index
    plan.anchor_size = None


def ordered(name: str) -> None:
    """Add a false order."""

    def strike(order: Json, rng: random.Random) -> Json:
        return order | _ORDERS[name](order, rng)

    strike.__name__ = name
    mutation(9, "order", has_revocation)(strike)


_ORDERS: dict[str, Strike] = {
    "a_pause_in_place_of_a_revocation": lambda _order, rng: {
        "action": rng.choice(["pause", "resume"]),
        "manifest": None,
    },
    "a_revocation_of_another_twin": lambda order, rng: {"twin": flip_hex(order["twin"], rng)},
    "a_revocation_for_another_log": lambda _order, _rng: {"log": "elsewhere.example"},
    "a_revocation_of_another_version": lambda _order, rng: {"manifest": rng.randbytes(32).hex()},
    "an_order_of_another_version": lambda _order, _rng: {"v": "twinproof-order/2"},
}
for _name in _ORDERS:
    ordered(_name)


@mutation(9, "order_signer", has_revocation)
def _a_revocation_by_somebody_else(_seed: bytes, _rng: random.Random) -> bytes:
    return key_of("somebody else")


@mutation(9, "order_leaf", has_revocation)
def _a_leaf_of_another_order(leaf: bytes, rng: random.Random) -> bytes:
    return flip_byte(leaf, rng)


@mutation(9, "revocation", has_revocation)
def _a_revocation_at_another_place(order: Json, _rng: random.Random) -> Json:
    return order | {"proof": _with_index(order["proof"], str(_index(order["proof"]) ^ 1))}


def distrusted(name: str) -> None:
    """Add a policy that this bundle does not meet."""

    def prepare(plan: Plan, rng: random.Random) -> None:
        plan.policy |= _POLICIES[name](plan, rng)

    prepare.__name__ = name
    planned(10, has_policy)(prepare)


_POLICIES: dict[str, Strike] = {
    "a_creator_whom_the_verifier_does_not_know": lambda plan, _rng: {
        "creators": [plan.manifest["payout"]]
    },
    "no_creator_at_all": lambda _plan, _rng: {"creators": []},
    "a_log_that_the_verifier_does_not_know": lambda plan, _rng: {
        "logs": [vkey(plan.origin, key_of("another log"))]
    },
    "witnesses_that_did_not_cosign": lambda plan, _rng: {"needed": len(plan.cosigners) + 1},
    "a_manifest_that_was_revoked_before": lambda plan, rng: {
        "revoked": [
            {
                "manifest": _manifest_hash(plan),
                "log": plan.origin,
                "size": rng.randint(0, plan.index),
            }
        ]
    },
}


def _manifest_hash(plan: Plan) -> str:
    persona = hashlib.sha256(canonical(plan.persona)).hexdigest()
    return hashlib.sha256(canonical(plan.manifest | {"persona": persona})).hexdigest()


for _name in _POLICIES:
    distrusted(_name)


@planned(10, lambda plan: has_policy(plan) and has_seals(plan) and plan.index >= KEPT)
def _a_manifest_that_was_revoked_before_the_seal(plan: Plan, rng: random.Random) -> None:
    cited = {"manifest": _manifest_hash(plan), "log": plan.logs[0][0]}
    plan.policy["revoked"] = [cited | {"size": rng.randint(KEPT, 2**53 - 1)}]


@planned(10, lambda plan: has_policy(plan) and has_seals(plan) and plan.index < KEPT)
def _a_manifest_that_was_revoked_in_the_sealed_log(plan: Plan, rng: random.Random) -> None:
    cited = {"manifest": _manifest_hash(plan), "log": plan.logs[0][0]}
    plan.policy["revoked"] = [cited | {"size": rng.randint(0, plan.index)}]
