"""Signed statements: their words, and what they never say."""

from dataclasses import replace

import pytest

from bot.crypto.canonical import encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.crypto.hashing import tagged_hash
from bot.domain.statements import (
    MAX_ATTEMPT,
    AuditVerdict,
    Outcome,
    OutcomeStatement,
    Sample,
    SealStatement,
    VerdictStatement,
    VoidReason,
    VoidStatement,
)
from scripts.vector_log import fixed_key
from scripts.vector_parts import LOG, OTHER_LOG
from scripts.vector_trust import NEXT, key_of

RECEIPT = fixed_key("receipt")
SAMPLE = Sample("log.example", 100, fixed_key("root"), "0.25")
VERDICT = VerdictStatement(RECEIPT, AuditVerdict.EXACT, SAMPLE, "llama-cpp-python 0.3.36")
SEAL = SealStatement(LOG, 7, fixed_key("root"), 3, key_of(NEXT))


@pytest.mark.parametrize("outcome", Outcome)
def test_outcome_names_no_time(outcome: Outcome) -> None:
    encoded = OutcomeStatement(RECEIPT, outcome).encode()

    value = parse_canonical(encoded)
    assert isinstance(value, dict)
    assert set(value) == {"v", "receipt", "outcome"}
    with pytest.raises(FormatError, match="time"):
        OutcomeStatement.parse(encode_canonical({**value, "time": "2026-11-20T10:00:00Z"}))


@pytest.mark.parametrize("reason", VoidReason)
def test_void_says_why_in_one_of_six_words_and_not_when(reason: VoidReason) -> None:
    encoded = VoidStatement(RECEIPT, bytes(16), MAX_ATTEMPT, reason).encode()

    value = parse_canonical(encoded)
    assert isinstance(value, dict)
    assert set(value) == {"v", "twin", "slot_tag", "attempt", "reason"}
    assert VoidStatement.parse(encoded).reason is reason
    with pytest.raises(FormatError, match="reason"):
        VoidStatement.parse(encode_canonical({**value, "reason": "the fan stopped it"}))


def test_void_of_an_attempt_beyond_two_bytes_is_refused() -> None:
    last = VoidStatement(RECEIPT, bytes(16), MAX_ATTEMPT, VoidReason.FAILED)

    with pytest.raises(FormatError, match="attempt"):
        VoidStatement.parse(replace(last, attempt=MAX_ATTEMPT + 1).encode())


def test_sample_holds_a_reply_by_a_hash_that_nobody_chose() -> None:
    receipts = [fixed_key(f"receipt {number}") for number in range(400)]
    drawn = [
        int.from_bytes(tagged_hash("sample", SAMPLE.root, receipt)[:8], "big") / 2**64
        for receipt in receipts
    ]

    held = [SAMPLE.holds(receipt) for receipt in receipts]

    assert held == [value < 0.25 for value in drawn]
    assert 60 < sum(held) < 140
    assert all(replace(SAMPLE, share="1").holds(receipt) for receipt in receipts)


@pytest.mark.parametrize("share", ["0", "1.000000001", "2", "1e-3", ""])
def test_share_is_above_zero_and_at_most_one(share: str) -> None:
    with pytest.raises(FormatError, match="share"):
        VerdictStatement.parse(replace(VERDICT, sample=replace(SAMPLE, share=share)).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"kept": 8},
        {"successor": LOG},
        {"successor": OTHER_LOG},
        {"successor": replace(LOG, name=NEXT)},
        {"size": -1},
        {"root": bytes(31)},
    ],
    ids=["kept", "same log", "same name", "same key", "size", "root"],
)
def test_seal_that_says_what_can_not_be_is_refused(change: dict[str, object]) -> None:
    assert SealStatement.parse(SEAL.encode()) == SEAL

    with pytest.raises(FormatError):
        SealStatement.parse(replace(SEAL, **change).encode())  # type: ignore[arg-type]
