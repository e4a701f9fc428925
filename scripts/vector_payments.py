"""Vectors of who pays: payer, rate table, registry block, free replies and the split."""

from dataclasses import replace

from bot.crypto import dsse
from bot.domain.leaf import RatesLeaf
from bot.domain.manifest import Manifest
from bot.domain.payment import (
    MAX_FREE_DAILY,
    MAX_OPERATOR_BP,
    NOBODY,
    Payer,
    Payment,
    RegistryBlock,
)
from bot.domain.rates import RATES_TYPE, STAR, Rate, RateTable
from bot.domain.rules import CRISIS
from bot.receipts.bundle import encode_bundle
from scripts.vector_answers import FIXED_RECEIPT, FREE, Bad, Good, fixed_fields
from scripts.vector_log import fixed_key
from scripts.vector_parts import MANIFEST, OPERATOR_KEY, REPLY_INDEX, Parts, Recipe, make_bundle
from scripts.vector_strict import MISSING, Strict, make_strict

Case = tuple[int, str, str, Strict]
TABLE = dsse.sign_envelope(
    RATES_TYPE,
    RateTable(
        operator=MANIFEST.signing_key,
        number=1,
        token=MANIFEST.price_token,
        held_hours=504,
        rates=(Rate("discord-sku:77", 4_000_000_000), Rate(STAR, 13_000_000)),
    ).encode(),
    OPERATOR_KEY,
).digest
BOUGHT = Payment(Payer.PAID, TABLE)
BLOCK = {"chain": 100, "number": 41_000_000, "hash": fixed_key("block").hex()}
LARGEST = 2**53 - 1
NOTHING = {"nano": 0, "creator_nano": 0, "operator_nano": 0}
NO_SHARES = {"creator_nano": 0, "operator_nano": 0}


def good_payments() -> list[Good]:
    """Build bundles that verify with the vectors' key and policy."""
    gift = replace(MANIFEST, price_nano=0)
    block = RegistryBlock(100, 41_000_000, fixed_key("block"))
    dear = replace(
        MANIFEST,
        price_nano=LARGEST,
        creator_bp=10_000 - MAX_OPERATOR_BP,
        free_daily=MAX_FREE_DAILY,
    )
    recipes = [
        ("paid", "bought credit pays, by a table that stands in the log",
         Recipe(payment=BOUGHT, other_leaves={REPLY_INDEX - 1: RatesLeaf(TABLE).encode()})),
        ("promotional", "credit that was given away pays: nobody gets a share",
         Recipe(payment=Payment(Payer.PROMOTIONAL))),
        ("free", "a twin without a price: nobody pays", Recipe(manifest=gift)),
        ("free-fixed", "a fixed answer of a twin without a price", Recipe(
            manifest=gift, fields=fixed_fields(), receipt={"rule": CRISIS.id})),
        ("registry", "a registry was asked at a block",
         Recipe(payment=Payment(Payer.SPONSOR, registry=block))),
        ("registry-first-block", "at a chain's first block; bought credit pays",
         Recipe(payment=replace(BOUGHT, registry=RegistryBlock(1, 0, bytes(32))))),
        ("registry-fixed", "and for a fixed answer", Recipe(
            payment=replace(NOBODY, registry=block), fields=fixed_fields(),
            receipt={"rule": CRISIS.id})),
        ("price-largest", "the largest price, of which the operator keeps the most it may",
         Recipe(manifest=dear)),
        ("price-whole", "the creator gets all of it, and no reply is free",
         Recipe(manifest=_terms(free_daily=0, creator_bp=10_000), payment=BOUGHT)),
        ("price-dust", "a price of one nano-unit, of which the creator's part is none",
         Recipe(manifest=_terms(price_nano=1))),
    ]  # fmt: skip
    return [
        (f"good-{name}", about, encode_bundle(make_bundle(recipe)))
        for name, about, recipe in recipes
    ]


def bad_payments() -> list[Bad]:
    """Build bundles that lie about who pays, or don't say it in the format's words."""
    cases = [*_malformed(), *_bad_payers(), *_bad_tables(), *_bad_shares()]
    return [(step, name, about, make_strict(strict)) for step, name, about, strict in cases]


def _malformed() -> list[Case]:
    receipts: list[tuple[str, str, Parts]] = [
        ("payer", "a payer that is not known", {"payer": "fan"}),
        ("payer-null", "no payer", {"payer": None}),
        ("payer-case", "a payer in another case", {"payer": "Sponsor"}),
        ("payer-code", "a payer by its number in the twin log", {"payer": 1}),
        ("payer-missing", "the payer is left out", {"payer": MISSING}),
        ("rate-table", "a rate table that is too short",
         {"payer": "paid", "rate_table": TABLE.hex()[:-2]}),
        ("rate-table-capitals", "a rate table in capitals",
         {"payer": "paid", "rate_table": TABLE.hex().upper()}),
        ("rate-table-missing", "the rate table is left out", {"rate_table": MISSING}),
        ("registry-block", "a block of the registry by its number alone",
         {"registry_block": 41_000_000}),
        ("registry-block-short", "a block without its hash",
         {"registry_block": {"chain": 100, "number": 41_000_000}}),
        ("registry-block-key", "a block with a key that the format does not know",
         {"registry_block": {**BLOCK, "time": 0}}),
        ("registry-block-chain", "a block of chain 0", {"registry_block": {**BLOCK, "chain": 0}}),
        ("registry-block-number", "a block before the first one",
         {"registry_block": {**BLOCK, "number": -1}}),
        ("registry-block-hash", "a block's hash as chains write it",
         {"registry_block": {**BLOCK, "hash": f"0x{BLOCK['hash']}"}}),
        ("registry-block-missing", "the block is left out", {"registry_block": MISSING}),
        ("free-daily-receipt", "the receipt's number of free replies is left out",
         {"price.free_daily": MISSING}),
        ("free-daily-negative", "fewer than no free replies", {"price.free_daily": -1}),
        ("free-daily-text", "a number of free replies as a text", {"price.free_daily": "100"}),
    ]  # fmt: skip
    manifests: list[tuple[str, str, Parts, Parts]] = [
        ("free-daily", "more free replies than terms may say",
         {"price.free_daily": MAX_FREE_DAILY + 1}, {"price.free_daily": MAX_FREE_DAILY + 1}),
        ("free-daily-missing", "the terms' number of free replies is left out",
         {"price.free_daily": MISSING}, {}),
        ("free-daily-null", "the terms name no number of free replies",
         {"price.free_daily": None}, {}),
        ("split-greedy", "the operator keeps one basis point more than it may",
         {"split": {"creator_bp": 6999, "operator_bp": 3001}},
         {"price.creator_nano": 1_399_800, "price.operator_nano": 600_201}),
        ("split-all", "the operator keeps everything",
         {"split": {"creator_bp": 0, "operator_bp": 10_000}},
         {"price.creator_nano": 0, "price.operator_nano": 2_000_001}),
        ("split-short", "a basis point that nobody gets",
         {"split": {"creator_bp": 8500, "operator_bp": 1499}}, {}),
    ]  # fmt: skip
    return [
        *((1, name, about, Strict(receipt=receipt)) for name, about, receipt in receipts),
        *((1, name, about, Strict(terms, receipt)) for name, about, terms, receipt in manifests),
    ]


def _bad_payers() -> list[Case]:
    gift = {"price.nano": 0}
    fixed = fixed_fields()
    return [
        (4, "free-with-price", "nobody pays, and it costs what the creator signed",
         Strict(receipt={"payer": "free"})),
        (4, "free-of-priced", "nobody pays for a reply of a twin with a price",
         Strict(receipt=_paying("free", **NOTHING))),
        (4, "promotional-of-nothing", "credit pays nothing for a reply of a twin with a price",
         Strict(receipt=_paying("promotional", **NOTHING))),
        (4, "sponsor-of-free", "the budget pays nothing for a twin without a price",
         Strict(gift, _paying("sponsor", **NOTHING))),
        (4, "promotional-of-free", "credit pays nothing for a twin without a price",
         Strict(gift, _paying("promotional", **NOTHING))),
        (4, "paid-of-free", "bought credit pays nothing for a twin without a price",
         Strict(gift, {**_paying("paid", **NOTHING), "rate_table": TABLE.hex()})),
        (4, "price-of-free", "a reply of a twin without a price costs something",
         Strict(gift, {"payer": "free", "price.creator_nano": 0, "price.operator_nano": 0})),
        (4, "fixed-sponsor", "the budget pays for a fixed answer",
         Strict(receipt={**FIXED_RECEIPT, "payer": "sponsor"}, fields=fixed)),
        (4, "fixed-promotional", "given credit pays for a fixed answer",
         Strict(receipt={**FIXED_RECEIPT, "payer": "promotional"}, fields=fixed)),
        (4, "fixed-bought", "bought credit pays for a fixed answer", Strict(
            receipt={**FIXED_RECEIPT, "payer": "paid", "rate_table": TABLE.hex()}, fields=fixed)),
        (4, "fixed-rate-table", "a fixed answer with a rate table",
         Strict(receipt={**FIXED_RECEIPT, "rate_table": TABLE.hex()}, fields=fixed)),
        (4, "fixed-free-daily", "a fixed answer under other free replies than signed",
         Strict(receipt={**FIXED_RECEIPT, "price": {**FREE, "free_daily": 0}}, fields=fixed)),
    ]  # fmt: skip


def _bad_tables() -> list[Case]:
    named = {"rate_table": TABLE.hex()}
    return [
        (4, "paid-without-table", "bought credit pays, by no table",
         Strict(receipt={"payer": "paid"})),
        (4, "sponsor-table", "the budget pays, by a rate table", Strict(receipt=named)),
        (4, "promotional-table", "given credit pays, by a rate table",
         Strict(receipt={**_paying("promotional", **NO_SHARES), **named})),
        (4, "free-table", "nobody pays, by a rate table",
         Strict({"price.nano": 0}, {**_paying("free", **NOTHING), **named})),
    ]  # fmt: skip


def _bad_shares() -> list[Case]:
    paid = {"rate_table": TABLE.hex()}
    return [
        (4, "promotional-shares", "the creator earns from credit that was given away",
         Strict(receipt={"payer": "promotional"})),
        (4, "promotional-operator", "the operator keeps what was given away",
         Strict(receipt=_paying("promotional", creator_nano=0, operator_nano=2_000_001))),
        (4, "paid-no-shares", "bought credit pays, and nobody gets it",
         Strict(receipt={**_paying("paid", **NO_SHARES), **paid})),
        (4, "sponsor-no-shares", "the budget pays, and nobody gets it",
         Strict(receipt=_paying("sponsor", **NO_SHARES))),
        (4, "paid-split", "one nano-unit of bought credit moved to the operator", Strict(
            receipt={**_paying("paid", creator_nano=1_699_999, operator_nano=300_002), **paid})),
        (4, "split-rounded-up", "the creator's part is rounded up",
         Strict(receipt=_paying("sponsor", creator_nano=1_700_001, operator_nano=300_000))),
        (4, "split-over-price", "the parts are more than the price",
         Strict(receipt=_paying("sponsor", operator_nano=300_002))),
        (4, "price-half", "bought credit pays half of what the creator signed", Strict(
            receipt={**_paying("paid", nano=1_000_000, creator_nano=850_000,
                               operator_nano=150_000), **paid})),
        (4, "free-daily-other", "one free reply a day less than the creator signed",
         Strict(receipt={"price.free_daily": MANIFEST.free_daily - 1})),
        (4, "free-daily-more", "more free replies a day than any terms may say",
         Strict({"price.free_daily": MAX_FREE_DAILY}, {"price.free_daily": MAX_FREE_DAILY + 1})),
    ]  # fmt: skip


def _terms(**changes: int) -> Manifest:
    return replace(MANIFEST, **changes)  # type: ignore[arg-type]  # the numbers of the price


def _paying(payer: str, **price: int) -> Parts:
    """Change a receipt's payer and parts of its price."""
    return {"payer": payer, **{f"price.{name}": amount for name, amount in price.items()}}
