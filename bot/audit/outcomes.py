"""Outcomes: at most three of a reply, in an order that is allowed, each stated and logged."""

from bot.audit.findings import Findings
from bot.audit.log import leaf_at
from bot.crypto.dsse import parse_envelope, verify_envelope
from bot.domain.fields import Finish
from bot.domain.ids import receipt_tag_of
from bot.domain.leaf import OutcomeLeaf
from bot.domain.outcomes import may_follow
from bot.domain.statements import OUTCOME_TYPE, Outcome, OutcomeStatement
from bot.ports.audit import StoredRecords
from bot.ports.stores import StoredReply

_OUTCOMES = {one.word: one for one in Outcome}


def check_outcomes(
    records: StoredRecords, reply: StoredReply, signing_key: bytes, findings: Findings
) -> None:
    """Check a reply's outcome, and what may have followed a delivery.

    Raises:
        FormatError: a statement can't be read.
        MismatchError: it is not signed by the operator.
    """
    where = f"receipt {reply.receipt_id}"
    late = (reply.refund_statement, reply.refund_index)
    decided = [
        (reply.outcome, reply.outcome_statement, reply.outcome_index),
        (reply.reversal, reply.reversal_statement, reply.reversal_index),
        (None if late == (None, None) else Outcome.REFUNDED.word, *late),
    ]
    _check_order([word for word, _, _ in decided], where, findings)
    cut = reply.finish == Finish.CUT
    paid = reply.outcome == Outcome.DELIVERED.word
    findings.expect(not (cut and paid), f"{where}: was cut off, and not refunded")
    last = reply.log_index
    for word, statement, index in decided:
        if word is None or statement is None or index is None:
            half = (word, statement, index) != (None, None, None)
            findings.expect(not half, f"{where}: half an outcome")
            continue
        findings.count("outcomes")
        findings.expect(last < index, f"{where}: its outcome was logged before what it is of")
        last = index
        _check_stated(records, reply, (word, statement, index), signing_key, findings)


def _check_order(words: list[str | None], where: str, findings: Findings) -> None:
    """Check that each word may follow those before it; one without words before it may not."""
    for place, word in enumerate(words[1:], start=1):
        if word is None:
            continue
        before = [_OUTCOMES[one] for one in words[:place] if one in _OUTCOMES]
        known = len(before) == place and word in _OUTCOMES
        allowed = known and may_follow(before, _OUTCOMES[word])
        findings.expect(allowed, f"{where}: {word} can't follow {words[place - 1]}")


def _check_stated(
    records: StoredRecords,
    reply: StoredReply,
    decided: tuple[str, bytes, int],
    signing_key: bytes,
    findings: Findings,
) -> None:
    word, stored, index = decided
    where = f"receipt {reply.receipt_id}"
    envelope = parse_envelope(stored)
    verify_envelope(envelope, payload_type=OUTCOME_TYPE, key=signing_key)
    statement = OutcomeStatement.parse(envelope.payload)
    outcome = _OUTCOMES.get(word)
    if outcome is None:
        findings.wrong.append(f"{where}: there is no outcome {word!r}")
        return
    tag = receipt_tag_of(reply.receipt_hash)
    leaf = OutcomeLeaf(envelope.digest, tag, outcome)
    same = (statement.receipt, statement.outcome) == (tag, outcome)
    findings.expect(same, f"{where}: its outcome says something else")
    findings.expect(leaf_at(records, index) == leaf, f"{where}: its outcome is not in the log")
