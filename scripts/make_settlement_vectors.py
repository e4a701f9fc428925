"""Write docs/spec/settlement.json: a twin log and a publication, for a second implementation.

    python -m scripts.make_settlement_vectors

Everything follows from fixed values, so the same program writes the same bytes each time.
"""

import json
from pathlib import Path

from bot.crypto.hashing import sha256
from bot.domain.payment import Payer
from bot.domain.restored import lost_fees
from bot.domain.settlement import NO_PAYOUT, Earnings
from bot.domain.statements import Outcome
from bot.domain.twin_log import TwinEntry, TwinLog
from bot.settlement.claims import ClaimTree, audit_hash, claim_order, hash_leaf, to_leaf
from bot.settlement.publication import encode_publication

FILE = Path(__file__).resolve().parents[1] / "docs" / "spec" / "settlement.json"
EPOCH, LOG_SIZE = 3, 41
FEE = 1_700_000
_ABOUT = (
    "Section 14 of formats.md: twin logs, their sums, publications and what is committed. Amounts "
    "in nano but for `units` and `fee_total`; all of them are decimal strings. `sums` are those of "
    "the first 0, 1, 2, … entries; `bought` is the most that can be held. `successions` of epochs "
    "say how many entries of this log each has and what it holds, `stands` whether that can be."
)


def _raw(seq: int = 1, nano: int = 0, payer: int = 1, outcome: int = 1, tag: str = "11") -> str:
    """Spell an entry that may be none."""
    numbers = seq.to_bytes(8, "big") + nano.to_bytes(8, "big") + bytes([payer, outcome])
    return numbers.hex() + tag * 32


_REFUSED = {
    "49 bytes": "00" * 49,
    "number 0": _raw(seq=0),
    "an unknown payer": _raw(payer=4),
    "outcome 0": _raw(outcome=0),
    "a fee of a free reply": _raw(nano=1, payer=0),
    "promotional credit with a fee": _raw(nano=1, payer=3),
    "delivered twice": _raw() * 2,
    "withdrawn before it was delivered": _raw(outcome=3) + _raw(),
    "refunded after it was withdrawn, never delivered": _raw(outcome=3) + _raw(outcome=4),
    "withdrawn after it was refunded": _raw(payer=2)
    + _raw(payer=2, outcome=4)
    + _raw(payer=2, outcome=3),
    "withdrawn twice": _raw() + _raw(outcome=3) * 2,
    "refunded twice": _raw(payer=2) + _raw(payer=2, outcome=4) * 2,
    "withdrawn, refunded, and withdrawn again": _raw(payer=2)
    + _raw(payer=2, outcome=3)
    + _raw(payer=2, outcome=4)
    + _raw(payer=2, outcome=3),
    "sponsored, and refunded after it was delivered": _raw(nano=5) + _raw(nano=5, outcome=4),
    "sponsored, and refunded after it was delivered and withdrawn": _raw(nano=5)
    + _raw(nano=5, outcome=3)
    + _raw(nano=5, outcome=4),
    "free, and refunded after it was delivered": _raw(payer=0) + _raw(payer=0, outcome=4),
    "promotional, and refunded after it was delivered": _raw(payer=3) + _raw(payer=3, outcome=4),
    "delivered after it was withdrawn and refunded": _raw(outcome=3) + _raw(outcome=4) + _raw(),
    "refunded under another fee": _raw(nano=5, payer=2)
    + _raw(nano=5, payer=2, outcome=3)
    + _raw(nano=6, payer=2, outcome=4),
    "one receipt, two fees": _raw(nano=5) + _raw(nano=6, outcome=3),
    "one number, two receipts": _raw() + _raw(tag="22"),
}


def _tag(number: int) -> bytes:
    return sha256(b"receipt %d" % number)


def make_log() -> TwinLog:
    """Return a log with every payer and every outcome."""
    said = (
        (1, FEE, Payer.SPONSOR, Outcome.DELIVERED),
        (3, FEE, Payer.PAID, Outcome.DELIVERED),
        (2, 0, Payer.FREE, Outcome.DELIVERED),
        (1, FEE, Payer.SPONSOR, Outcome.WITHDRAWN),
        (5, FEE + 1, Payer.PAID, Outcome.DELIVERED),
        (3, FEE, Payer.PAID, Outcome.REFUNDED),
        (4, FEE, Payer.SPONSOR, Outcome.REFUNDED),
        (6, 0, Payer.PROMOTIONAL, Outcome.DELIVERED),
        (7, FEE, Payer.PAID, Outcome.UNDELIVERED),
        (9, FEE, Payer.SPONSOR, Outcome.DELIVERED),
        (10, FEE, Payer.PAID, Outcome.DELIVERED),
        (10, FEE, Payer.PAID, Outcome.WITHDRAWN),
        (10, FEE, Payer.PAID, Outcome.REFUNDED),
    )
    return TwinLog(TwinEntry(seq, nano, payer, out, _tag(seq)) for seq, nano, payer, out in said)


def _successions() -> list[dict[str, object]]:
    """Return successions of epochs: how many entries each has, and what it says is held."""
    cases = (
        ("still held", [(5, 2 * FEE + 1), (5, 2 * FEE + 1)], True),
        ("held, then refunded in part", [(5, 2 * FEE + 1), (6, FEE + 1)], True),
        ("payable in part, the rest refunded", [(5, FEE), (6, 0)], True),
        ("payable, then refunded", [(5, 0), (6, 0)], False),
        ("payable but for less than was refunded", [(5, FEE - 1), (6, 0)], False),
        ("payable, then held again", [(5, FEE + 1), (5, 2 * FEE + 1)], False),
        ("refunded from what was held, and the rest held again", [(5, FEE), (6, FEE + 1)], False),
        ("bought since, and held", [(6, FEE + 1), (11, 2 * FEE + 1)], True),
        ("bought since, and more is held", [(6, FEE), (11, 2 * FEE + 1)], False),
        ("bought and refunded since", [(6, 0), (13, 0)], True),
        ("held, payable, and held again", [(6, FEE + 1), (8, 0), (10, FEE + 1)], False),
    )
    return [
        {
            "name": name,
            "epochs": [{"entries": size, "held": str(held)} for size, held in epochs],
            "stands": stands,
        }
        for name, epochs, stands in cases
    ]


def make_vectors() -> dict[str, object]:
    """Return the file's content."""
    log = make_log()
    held, carried = FEE + 1, 2_500
    whole = log.tally()
    own = Earnings(
        twin=sha256(b"twin"),
        payout=sha256(b"payout")[:20],
        cumulative_nano=whole.earned_nano - held + carried,
        entries=len(log),
        twin_log_root=log.root(),
        held_nano=held,
        carried_nano=carried,
    )
    others = [
        Earnings(sha256(b"unpaid"), NO_PAYOUT, 7_000, 1, TwinLog(log.entries[:1]).root()),
        Earnings(sha256(b"dust"), sha256(b"dust")[:20], 999, 0, TwinLog(()).root()),
        lost_fees(12_345_678),
    ]
    earnings = claim_order([*others, own])
    publication = encode_publication(
        EPOCH, earnings, log_size=LOG_SIZE, log_root=sha256(b"log root")
    )
    leaves = [to_leaf(one) for one in earnings]
    return {
        "about": _ABOUT,
        "twin_log": {
            "entries": [
                {
                    "seq": entry.seq,
                    "creator_nano": str(entry.creator_nano),
                    "payer": entry.payer.word,
                    "outcome": entry.outcome.word,
                    "receipt": entry.receipt.hex(),
                    "bytes": entry.encode().hex(),
                }
                for entry in log.entries
            ],
            "roots": [log.root(size).hex() for size in range(len(log) + 1)],
            "sums": [
                {
                    "earned": str(log.tally(size).earned_nano),
                    "bought": str(log.tally(size).bought_nano),
                }
                for size in range(len(log) + 1)
            ],
        },
        "refused_logs": _REFUSED,
        "successions": _successions(),
        "publication": {
            "bytes": publication.decode(),
            "data_hash": sha256(publication).hex(),
            "fee_root": ClaimTree(leaves).root.hex(),
            "leaves": [
                {
                    "twin": leaf.twin.hex(),
                    "units": str(leaf.cumulative_units),
                    "audit": audit_hash(one.entries, one.twin_log_root).hex(),
                    "leaf": hash_leaf(leaf).hex(),
                }
                for leaf, one in zip(leaves, earnings, strict=True)
            ],
        },
    }


def main() -> None:
    """Write the file."""
    FILE.write_text(json.dumps(make_vectors(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
