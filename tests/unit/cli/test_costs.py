"""What a reply has cost, in the words of `verify` and `replay`."""

from dataclasses import replace

import pytest

from bot.cli.costs import cost_words, describe_cost
from bot.cli.proofs import describe
from bot.domain.payment import Payer, Payment
from bot.domain.statements import Outcome
from bot.receipts.bundle import encode_bundle
from bot.receipts.verified import VerifiedReceipt
from bot.receipts.verify import verify_bundle
from scripts.vector_log import CONTRACT, fixed_key
from scripts.vector_parts import MANIFEST, Recipe, make_bundle

PRICE, SHARES = "0.002000001 TWIN", "creator 0.0017, operator 0.000300001"
BOUGHT = Payment(Payer.PAID, fixed_key("table"))


def _verified(recipe: Recipe) -> VerifiedReceipt:
    return verify_bundle(encode_bundle(make_bundle(recipe)), key=None, policy=None)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            Recipe(),
            f"{PRICE}: the operator's budget pays; free for the fan; {SHARES}",
        ),
        (
            Recipe(payment=BOUGHT),
            f"{PRICE}: the fan's bought credit pays; {SHARES}",
        ),
        (
            Recipe(payment=Payment(Payer.PROMOTIONAL)),
            "0.002000001 TWIN: credit that was given away pays; the creator earns nothing from it",
        ),
        (Recipe(manifest=replace(MANIFEST, price_nano=0)), "0 TWIN: nobody pays"),
        (
            Recipe(payment=BOUGHT, outcome=Outcome.REFUNDED, outcome_leaf=Outcome.REFUNDED),
            "nothing, for it was refunded (0.002000001 TWIN: the fan's bought credit pays)",
        ),
        (
            Recipe(payment=BOUGHT, outcome=Outcome.WITHDRAWN, outcome_leaf=Outcome.WITHDRAWN),
            f"{PRICE}: the fan's bought credit pays; {SHARES}",
        ),
    ],
)
def test_the_cost_names_the_payer(recipe: Recipe, words: str) -> None:
    assert cost_words(_verified(recipe)) == words


def test_json_names_the_payer_and_the_rate_table() -> None:
    verified = _verified(Recipe(payment=BOUGHT))

    assert describe(verified, "here")["price"] == describe_cost(verified.receipt)
    assert describe_cost(verified.receipt) == {
        "nano": 2_000_001,
        "token": "TWIN",
        "creator_nano": 1_700_000,
        "operator_nano": 300_001,
        "free_daily": 100,
        "payer": "paid",
        "rate_table": fixed_key("table").hex(),
    }


def test_json_names_what_a_binding_in_the_registry_needs() -> None:
    found = describe(_verified(Recipe(anchor=5)), "here")

    assert found["manifest"] == {
        "hash": MANIFEST.hash.hex(),
        "twin": MANIFEST.twin.hex(),
        "slug": MANIFEST.slug,
        "version": MANIFEST.version,
        "creator": MANIFEST.creator,
        "payout": MANIFEST.payout,
    }
    assert found["anchor"] == {"chain": 100, "contract": CONTRACT, "epoch": 7}
    assert describe(_verified(Recipe()), "here")["anchor"] is None
