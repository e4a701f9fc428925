"""Falsehoods of spelling and size: other slots, other tags, forms that hide or cost something."""

import base64
import random
from typing import Any

from tests.corpus.maker import b64
from tests.corpus.mutations import (
    Strike,
    field,
    flip_byte,
    has_outcome,
    has_seals,
    is_open,
    is_reply,
    mutation,
    planned,
)
from tests.corpus.plans import KEPT, PLATFORMS, Plan

Json = Any
LONGEST_LEFT_OUT = 262_144
SEGMENT, PAIRS = 65_536, 1_600  # 2 segments for each pair: 210 million tokens in 0.9 MB


def _shorten(signed: Json, rng: random.Random) -> None:
    signed["signatures"][0]["sig"] = b64(rng.randbytes(rng.choice([0, 32, 63, 65, 128])))


@mutation(1, "bundle")
def _a_receipts_signature_of_another_length(bundle: Json, rng: random.Random) -> Json:
    _shorten(bundle["receipt"], rng)
    return bundle


@mutation(1, "bundle", has_outcome)
def _an_outcomes_signature_of_another_length(bundle: Json, rng: random.Random) -> Json:
    _shorten(bundle["outcome"]["statement"], rng)
    return bundle


@mutation(1, "bundle", has_seals)
def _a_seals_signature_of_another_length(bundle: Json, rng: random.Random) -> Json:
    _shorten(rng.choice(bundle["seals"]), rng)
    return bundle


@mutation(1, "manifest")
def _a_model_without_bytes(manifest: Json, rng: random.Random) -> Json:
    manifest["model"]["size_bytes"] = rng.choice([0, -1])
    return manifest


@mutation(1, "receipt")
def _a_receipt_that_shows_the_seeds_proof(receipt: Json, rng: random.Random) -> Json:
    receipt["seed"]["vrf_proof"] = b64(rng.randbytes(80))
    return receipt


def seeded(name: str) -> None:
    """Add a field `seed` that is committed to and has not the form of section 7.1."""

    def strike(fields: Json, rng: random.Random) -> Json:
        pair = field(fields, "seed")
        pair[1] = _SEEDS[name](pair[1]["vrf_proof"], rng)
        return fields

    strike.__name__ = name
    mutation(5, "fields", is_open)(strike)


_SEEDS: dict[str, Strike] = {
    "a_proof_of_another_length": lambda _proof, rng: {
        "vrf_proof": b64(rng.randbytes(rng.choice([0, 79, 81])))
    },
    "a_proof_in_another_spelling": lambda proof, rng: {
        "vrf_proof": rng.choice([proof + "\n", proof.rstrip("="), proof.encode().hex(), None])
    },
    "a_proof_with_a_beacon": lambda proof, _rng: {"vrf_proof": proof, "beacon": None},
    "a_seed_without_a_proof": lambda _proof, _rng: {},
}
for _name in _SEEDS:
    seeded(_name)


@mutation(5, "fields", is_reply)
def _a_span_without_tokens(fields: Json, rng: random.Random) -> Json:
    field(fields, "spans")[1][rng.choice([0, -1])]["tokens"] = []
    return fields


@mutation(5, "fields", is_open)
def _a_turn_that_is_too_long_for_any_window(fields: Json, rng: random.Random) -> Json:
    tokens = rng.choice([LONGEST_LEFT_OUT + 1, 2**53 - 1])
    field(fields, "choice")[1]["older"] = {"receipt": "66" * 32, "tokens": tokens}
    return fields


@mutation(6, "fields", is_open)
def _a_proof_with_one_bit_changed(fields: Json, rng: random.Random) -> Json:
    seed = field(fields, "seed")[1]
    seed["vrf_proof"] = b64(flip_byte(base64.b64decode(seed["vrf_proof"]), rng))
    return fields


NO_NUMBERS = ("0", "07", "+7", "7 ", " 7", "7\n", "-", "1" * 21, "\u0667", "\uff17", "7.0", "x7")


def misspelled(name: str) -> None:
    """Add a member of the slot that its platform never writes so; its seed is true."""

    def prepare(plan: Plan, rng: random.Random) -> None:
        plan.fields["slot"][name] = rng.choice(_spellings(plan, name))
        if name == "message":
            plan.fields["message"]["parts"][0]["id"] = plan.fields["slot"]["message"]

    prepare.__name__ = f"a_{name}_in_another_spelling"
    planned(6, _is_numbered)(prepare)


def _is_numbered(plan: Plan) -> bool:
    return is_open(plan) and PLATFORMS[plan.fields["slot"]["platform"]] == "platform"


def _spellings(plan: Plan, name: str) -> list[str]:
    signed = plan.fields["slot"]["platform"] == "telegram" and name == "chat"
    more = ["--8", "-0", "-08", "- 8", "\u22128"] if signed else ["-8"]
    return [*NO_NUMBERS, *more, *([] if name == "thread" else [""])]


for _name in ("bot", "chat", "thread", "message"):
    misspelled(_name)


@planned(6, lambda plan: is_open(plan) and not _is_numbered(plan))
def _a_local_bot_by_another_name(plan: Plan, rng: random.Random) -> None:
    names = ["", "Local", "local ", "local\n", "local2", "7", "loc\u0430l"]
    plan.fields["slot"]["bot"] = rng.choice(names)


@mutation(7, "fields", is_reply)
def _a_text_that_no_token_spells(fields: Json, rng: random.Random) -> Json:
    field(fields, "output")[1]["tokens"] = []
    field(fields, "counts")[1]["output"] = 0
    field(fields, "event")[1]["halt"] = None
    text = rng.choice(["So.", "...", "… ", "\u2026\u2026"])
    field(fields, "reply")[1].update(finish="end", text=text)
    return fields


@planned(7, is_reply)
def _a_context_of_gigabytes(plan: Plan, _rng: random.Random) -> None:
    """Small as a bundle: pairs of nothing, between which the manifest has long segments."""
    plan.manifest["rendering"] |= {"fan_to_twin": [3] * SEGMENT, "twin_to_fan": [3] * SEGMENT}
    cited = [f"{number:064x}" for number in range(PAIRS)]
    spans = plan.fields["spans"]
    pairs: Json = [
        {"kind": kind, "receipt": receipt, "tokens": []}
        for receipt in cited
        for kind in ("fan", "twin")
    ]
    plan.fields["spans"] = [spans[0], *pairs, spans[-1]]
    plan.fields["turn"] = {"n": PAIRS + 1, "previous": cited[-1]}
    plan.fields["choice"] = {"older": None, "start": 1}


@mutation(8, "rejected", is_open)
def _a_leaf_that_counts_other_rejected_attempts(count: int, rng: random.Random) -> int:
    return rng.choice([other for other in (0, 1, 2, 3, 4, 5, 255) if other != count])


@mutation(8, "rejected")
def _a_leaf_that_counts_more_rejected_attempts_than_there_can_be(
    _count: int, rng: random.Random
) -> int:
    return rng.randint(5, 255)


@mutation(8, "leaf_cites")
def _a_leaf_that_tells_the_receipts_hash(names: Json, _rng: random.Random) -> Json:
    return names | {"tag": names["hash"]}


@planned(8, lambda plan: has_seals(plan) and plan.size > KEPT)
def _a_reply_where_the_seal_stands(plan: Plan, _rng: random.Random) -> None:
    plan.index, plan.anchor_size = KEPT, None
    if plan.outcome_index < KEPT:
        plan.outcome = None


@mutation(9, "outcome_cites", has_outcome)
def _an_outcome_that_tells_the_receipts_hash(names: Json, _rng: random.Random) -> Json:
    return names | {"tag": names["hash"]}
