"""Falsehoods about money: who pays, by which table, who gets how much, what is free."""

import random
from collections.abc import Callable
from typing import Any

from tests.corpus.mutations import Fits, always, mutation, planned
from tests.corpus.plans import Plan

Json = Any
HASH = "5a" * 32
MAX_FREE_DAILY, MAX_OPERATOR_BP = 10_000, 3_000


def _by(*payers: str) -> Fits:
    """Whether one of these pays."""
    return lambda plan: plan.receipt["payer"] in payers


_is_free, _is_promotional = _by("free"), _by("promotional")
_is_paid, _is_sponsored = _by("paid"), _by("sponsor")
_is_shared, _has_price = _by("sponsor", "paid"), _by("sponsor", "paid", "promotional")


def _creator_earns(plan: Plan) -> bool:
    return _is_shared(plan) and plan.receipt["price"]["creator_nano"] > 0


def _is_fixed_of_priced(plan: Plan) -> bool:
    return bool(plan.receipt["type"] == "fixed" and plan.manifest["price"]["nano"] > 0)


# Step 1: not in the format's words.


def _put(stage: str, name: str, values: list[Json]) -> None:
    """Add a mutation that sets a member, named like `a.b`, to one of these values."""

    def strike(document: Json, rng: random.Random) -> Json:
        *parents, last = name.split(".")
        inner = document
        for parent in parents:
            inner = inner[parent]
        inner[last] = rng.choice(values)
        return document

    strike.__name__ = f"a_{stage}_whose_{name}_is_malformed"
    mutation(1, stage)(strike)


def _leave_out(stage: str, name: str) -> None:
    """Add a mutation that leaves a member out."""

    def strike(document: Json, _rng: random.Random) -> Json:
        *parents, last = name.split(".")
        inner = document
        for parent in parents:
            inner = inner[parent]
        del inner[last]
        return document

    strike.__name__ = f"a_{stage}_without_{name}"
    mutation(1, stage)(strike)


BLOCK = {"chain": 1, "number": 2, "hash": HASH}
NO_COUNTS: list[Json] = [None, -1, "100", True, 2**53, []]
_put("receipt", "payer", [None, "", "fan", "Paid", "sponsor ", 0, 3, True, ["paid"], "promo"])
_put("receipt", "rate_table", ["", HASH[:-2], HASH.upper(), f"0x{HASH}", 7, False, [HASH]])
_put(
    "receipt",
    "registry_block",
    [
        *(0, "", HASH, [], {}, False, BLOCK | {"time": 1}, {"chain": 1, "number": 2}),
        *(BLOCK | {"chain": chain} for chain in (0, -1, 2**53, "1", None)),
        *(BLOCK | {"number": number} for number in (-1, 2**53, "2", None)),
        *(BLOCK | {"hash": text} for text in (None, HASH[2:], HASH.upper(), f"0x{HASH}")),
    ],
)
_put("receipt", "price.free_daily", NO_COUNTS)
_put("receipt", "price.creator_nano", NO_COUNTS)
for _name in ("payer", "rate_table", "registry_block", "price.free_daily"):
    _leave_out("receipt", _name)
_put("manifest", "price.free_daily", NO_COUNTS)
_put("manifest", "price.nano", [-1, 2**53])
_put("manifest", "price.fee", [0])


@mutation(1, "receipt")
def _a_price_with_an_unknown_part(receipt: Json, _rng: random.Random) -> Json:
    receipt["price"]["platform_nano"] = 0
    return receipt


@planned(1)
def _more_free_replies_than_terms_may_say(plan: Plan, rng: random.Random) -> None:
    count = MAX_FREE_DAILY + rng.choice([1, 2, 10**6])
    plan.manifest["price"]["free_daily"] = count
    plan.receipt["price"]["free_daily"] = count


def _split(plan: Plan, operator_bp: int) -> None:
    """Let the operator keep so much, in manifest and receipt."""
    plan.manifest["split"] = {"creator_bp": 10_000 - operator_bp, "operator_bp": operator_bp}
    if _is_shared(plan):
        price = plan.receipt["price"]
        price["creator_nano"] = price["nano"] * (10_000 - operator_bp) // 10_000
        price["operator_nano"] = price["nano"] - price["creator_nano"]


@planned(1)
def _an_operator_that_keeps_too_much(plan: Plan, rng: random.Random) -> None:
    _split(plan, rng.choice([MAX_OPERATOR_BP + 1, 5_000, 9_999, 10_000]))


@mutation(1, "manifest")
def _a_split_that_is_not_the_whole(manifest: Json, rng: random.Random) -> Json:
    parts = [(9000, 2000), (7000, 2999), (7000, 0), (10_000, 1), (10_001, -1), (0, 0)]
    creator, operator = rng.choice(parts)
    manifest["split"] = {"creator_bp": creator, "operator_bp": operator}
    return manifest


# Step 4: well said, and not what the creator's terms and the payer come to.


def _pay(name: str, fits: Fits, change: Callable[[Json, random.Random], None]) -> None:
    """Add a mutation of a receipt's payer, price or table."""

    def strike(receipt: Json, rng: random.Random) -> Json:
        change(receipt, rng)
        return receipt

    strike.__name__ = name
    mutation(4, "receipt", fits)(strike)


def _price(**values: int) -> Callable[[Json, random.Random], None]:
    return lambda receipt, _rng: receipt["price"].update(values)


def _share(step: int) -> Callable[[Json, random.Random], None]:
    """Move so much from the operator to the creator."""

    def move(receipt: Json, _rng: random.Random) -> None:
        receipt["price"]["creator_nano"] += step
        receipt["price"]["operator_nano"] -= step

    return move


def _moved_to_creator(plan: Plan) -> bool:
    return _is_shared(plan) and plan.receipt["price"]["operator_nano"] > 0


def _other_free_daily(receipt: Json, rng: random.Random) -> None:
    others = [0, 1, 99, 100, 10_000, 10_001, 2**53 - 1]
    now = receipt["price"]["free_daily"]
    receipt["price"]["free_daily"] = rng.choice([one for one in others if one != now])


def _claimed_by(payer: str, *, table: bool = False) -> Callable[[Json, random.Random], None]:
    """Name another payer; with it, a table, as that payer's receipts have one."""

    def claim(receipt: Json, _rng: random.Random) -> None:
        receipt["payer"] = payer
        receipt["rate_table"] = HASH if table else None

    return claim


def _gratis(receipt: Json, _rng: random.Random) -> None:
    receipt["price"] |= {"nano": 0, "creator_nano": 0, "operator_nano": 0}
    receipt |= {"payer": "free", "rate_table": None}


def _nothing_but(payer: str) -> Callable[[Json, random.Random], None]:
    def change(receipt: Json, _rng: random.Random) -> None:
        receipt["price"] |= {"nano": 0, "creator_nano": 0, "operator_nano": 0}
        receipt |= {"payer": payer, "rate_table": HASH if payer == "paid" else None}

    return change


def _named(receipt: Json, _rng: random.Random) -> None:
    receipt["rate_table"] = HASH


def _unnamed(receipt: Json, _rng: random.Random) -> None:
    receipt["rate_table"] = None


_pay("other_free_replies_than_signed", always, _other_free_daily)
_pay("nobody_pays_a_price", _has_price, _claimed_by("free"))
_pay("a_reply_given_away_that_has_a_price", _has_price, _gratis)
for _payer in ("sponsor", "paid", "promotional"):
    _pay(f"{_payer}_pays_what_costs_nothing", _is_free, _nothing_but(_payer))
    _pay(f"{_payer}_pays_nothing_of_a_price", _has_price, _nothing_but(_payer))
_pay("bought_without_a_table", _is_paid, _unnamed)
_pay("a_table_and_nothing_was_bought", lambda plan: not _is_paid(plan), _named)
_pay("a_gift_that_a_creator_earns_of", _creator_earns, _claimed_by("promotional"))
_pay("a_gift_that_the_operator_keeps", _is_promotional, _price(operator_nano=1))
_pay("a_gift_with_a_creators_part", _is_promotional, _price(creator_nano=1))
_pay("a_gift_that_was_bought", _is_promotional, _claimed_by("paid", table=True))
_pay("a_gift_of_the_budget", _is_promotional, _claimed_by("sponsor"))
_pay("a_unit_less_for_the_creator", _creator_earns, _share(-1))
_pay("a_unit_more_for_the_creator", _moved_to_creator, _share(1))
_pay("nobody_gets_what_was_paid", _is_shared, _price(creator_nano=0, operator_nano=0))
_pay("a_free_reply_with_a_part", _is_free, _price(operator_nano=1))
_pay(
    "a_fixed_answer_that_costs_something",
    _is_fixed_of_priced,
    _price(nano=1, creator_nano=0, operator_nano=1),
)
