"""docs/spec/settlement.json, read with nothing of this program but hashes: a second implementation.

What it computes again here is section 14 of formats.md, straight from the page.
"""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.crypto.errors import FormatError
from bot.crypto.hashing import keccak256
from bot.domain.settlement import NO_PAYOUT
from bot.domain.twin_log import TwinLog
from bot.settlement.publication import Publication, PublishedLeaf
from bot.settlement.recount import Opened, RefutedError
from bot.settlement.recount_held import check_payable
from scripts.make_settlement_vectors import FILE, make_vectors

VECTORS: dict[str, Any] = json.loads(Path(FILE).read_text())
PAYERS = ("free", "sponsor", "paid", "promotional")
OUTCOMES = ("", "delivered", "undelivered", "withdrawn", "refunded")


def test_the_file_is_what_the_script_writes() -> None:
    assert make_vectors() == VECTORS


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, by its definition."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    pair = _root(leaves[:half]) + _root(leaves[half:])
    return hashlib.sha256(b"\x01" + pair).digest()


def test_entries_roots_and_sums_follow_from_the_page() -> None:
    log = VECTORS["twin_log"]
    data, delivered, earned, bought = [], set(), 0, 0
    for number, entry in enumerate(log["entries"]):
        nano = int(entry["creator_nano"])
        payer, outcome = PAYERS.index(entry["payer"]), OUTCOMES.index(entry["outcome"])
        encoded = entry["seq"].to_bytes(8, "big") + nano.to_bytes(8, "big")
        encoded += bytes([payer, outcome]) + bytes.fromhex(entry["receipt"])
        assert entry["bytes"] == encoded.hex()
        data.append(encoded)
        change = 0
        if outcome == 1:
            delivered.add(entry["receipt"])
            change = nano
        elif outcome == 4 and entry["receipt"] in delivered:
            change = -nano
        earned, bought = earned + change, bought + (change if payer == 2 else 0)
        sums = log["sums"][number + 1]
        assert (int(sums["earned"]), int(sums["bought"])) == (earned, bought)
        assert log["roots"][number + 1] == _root(data).hex()
    assert log["roots"][0] == _root([]).hex()
    assert TwinLog.parse(b"".join(data)).root().hex() == log["roots"][-1]


@pytest.mark.parametrize("name", VECTORS["refused_logs"])
def test_a_log_that_can_not_be_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        TwinLog.parse(bytes.fromhex(VECTORS["refused_logs"][name]))


def _stands(epochs: list[dict[str, Any]]) -> bool:
    """What the page says of `held` from one epoch to the next."""
    entries, sums = VECTORS["twin_log"]["entries"], VECTORS["twin_log"]["sums"]
    for old, new in pairwise(epochs):
        first = [e["receipt"] for e in entries[: old["entries"]] if e["outcome"] == "delivered"]
        refunded = sum(
            int(entry["creator_nano"])
            for entry in entries[old["entries"] : new["entries"]]
            if entry["outcome"] == "refunded" and entry["receipt"] in first
        )
        more = int(sums[new["entries"]]["bought"]) - int(sums[old["entries"]]["bought"])
        held = int(old["held"])
        if refunded > held or int(new["held"]) > held + more:
            return False
    return True


@pytest.mark.parametrize("case", VECTORS["successions"], ids=lambda case: case["name"])
def test_what_was_payable_stays_so_as_the_page_says(case: dict[str, Any]) -> None:
    log = TwinLog.parse(bytes.fromhex("".join(e["bytes"] for e in VECTORS["twin_log"]["entries"])))
    epochs = [
        (
            Publication(number, 0, 0, bytes(32), ()),
            PublishedLeaf(bytes(32), NO_PAYOUT, 0, one["entries"], bytes(32), int(one["held"]), 0),
        )
        for number, one in enumerate(case["epochs"], start=1)
    ]

    try:
        check_payable(Opened(tuple(epochs), log))
        found = True
    except RefutedError:
        found = False

    assert _stands(case["epochs"]) is found is case["stands"]


def test_the_publication_and_its_claims_follow_from_the_page() -> None:
    given = VECTORS["publication"]
    data = given["bytes"].encode()
    said = json.loads(data)
    level = []
    for leaf, wanted in zip(said["leaves"], given["leaves"], strict=True):
        word = leaf["entries"].to_bytes(32, "big")
        audit = keccak256(word + bytes.fromhex(leaf["log_root"]))
        payout = bytes.fromhex(leaf["payout"][2:]).rjust(32, b"\x00")
        units = int(leaf["cumulative"]).to_bytes(32, "big")
        hashed = keccak256(keccak256(bytes.fromhex(leaf["twin"]) + payout + units + audit))
        assert (leaf["twin"], audit.hex(), hashed.hex()) == (
            wanted["twin"],
            wanted["audit"],
            wanted["leaf"],
        )
        level.append(hashed)
    while len(level) > 1:
        pairs = [sorted(level[i : i + 2]) for i in range(0, len(level), 2)]
        level = [keccak256(b"".join(pair)) if len(pair) == 2 else pair[0] for pair in pairs]
    assert given["fee_root"] == level[0].hex()
    assert given["data_hash"] == hashlib.sha256(data).hexdigest()
    assert int(said["fee_total"]) == sum(int(leaf["cumulative"]) for leaf in said["leaves"])
    committed = Publication.parse(data).commitment(data)
    assert (committed.fee_root.hex(), committed.data_hash.hex()) == (
        given["fee_root"],
        given["data_hash"],
    )
