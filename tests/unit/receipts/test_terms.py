"""Step 4 says which term of a receipt is not as the creator signed; docs/spec/vectors has more."""

from dataclasses import replace

import pytest

from bot.domain.errors import VerificationError
from bot.domain.payment import Payer, Payment
from bot.domain.receipt import ReceiptPrice
from bot.receipts.bundle import encode_bundle
from bot.receipts.verify import verify_bundle
from scripts.vector_log import fixed_key
from scripts.vector_parts import MANIFEST, Parts, Recipe, make_bundle

TABLE = fixed_key("table")
GRATIS = replace(MANIFEST, price_nano=0)
PRICE = ReceiptPrice(2_000_001, "TWIN", 1_700_000, 300_001, 100)
UNSHARED = replace(PRICE, creator_nano=0, operator_nano=0)
NOTHING = replace(UNSHARED, nano=0)


def _paying(payer: Payer, price: ReceiptPrice, table: bytes | None = None) -> Parts:
    return {"payment": Payment(payer, table), "price": price}


CASES = {
    "free with a price": (MANIFEST, _paying(Payer.FREE, PRICE), "payer"),
    "free of a priced twin": (MANIFEST, _paying(Payer.FREE, NOTHING), "payer"),
    "sponsor of a free twin": (GRATIS, _paying(Payer.SPONSOR, NOTHING), "payer"),
    "paid of a free twin": (GRATIS, _paying(Payer.PAID, NOTHING, TABLE), "payer"),
    "promotional of a free twin": (GRATIS, _paying(Payer.PROMOTIONAL, NOTHING), "payer"),
    "paid without a table": (MANIFEST, _paying(Payer.PAID, PRICE), "rate table"),
    "sponsor with a table": (MANIFEST, _paying(Payer.SPONSOR, PRICE, TABLE), "rate table"),
    "promotional with one": (MANIFEST, _paying(Payer.PROMOTIONAL, UNSHARED, TABLE), "rate table"),
    "free with one": (GRATIS, _paying(Payer.FREE, NOTHING, TABLE), "rate table"),
    "promotional with shares": (MANIFEST, _paying(Payer.PROMOTIONAL, PRICE), "split"),
    "paid without shares": (MANIFEST, _paying(Payer.PAID, UNSHARED, TABLE), "split"),
    "half the price": (MANIFEST, _paying(Payer.SPONSOR, replace(PRICE, nano=1_000_000)), "price"),
    "other free replies": (
        MANIFEST,
        _paying(Payer.SPONSOR, replace(PRICE, free_daily=99)),
        "price",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_creator_has_not_signed_is_named(name: str) -> None:
    manifest, changes, term = CASES[name]
    bundle = encode_bundle(make_bundle(Recipe(manifest=manifest, receipt=changes)))

    with pytest.raises(VerificationError, match=f"receipt's {term} is not as") as refused:
        verify_bundle(bundle, key=None, policy=None)
    assert refused.value.step == 4
