"""The ledger: balances are sums, and every posting follows from an intent or a receipt."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bot.audit.findings import Findings
from bot.domain.ledger import (
    OPERATOR_FEES,
    LedgerTransaction,
    creator_account,
    hold_account,
    settled_account,
)
from bot.domain.restored import epoch_of
from bot.domain.statements import Outcome
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent, StoredReply

_OF_NO_INTENT = frozenset({"fund", "settle", "restore"})


def audit_ledger(records: StoredRecords, findings: Findings) -> None:
    """Check balances against postings, and postings against intents and receipts."""
    sums: dict[str, int] = defaultdict(int)
    for transaction in records.ledger:
        findings.count("ledger transactions")
        for posting in transaction.postings:
            sums[posting.account] += posting.nano
    findings.expect(dict(sums) == records.balances, "ledger: a cached balance is not the sum")
    by_key = {transaction.key: transaction for transaction in records.ledger}
    replies = {reply.intent: reply for reply in records.replies}
    for intent in records.intents:
        _check_hold(intent, replies.get(intent.key), by_key, sums, findings)
    known = {f"{step}:{i.key}" for step in ("hold", "end-hold") for i in records.intents}
    stray = [t.key for t in records.ledger if t.kind not in _OF_NO_INTENT and t.key not in known]
    findings.expect(not stray, f"ledger: {len(stray)} transactions of no intent")
    _check_earned(records, sums, findings)
    negative = [a for a, nano in sums.items() if nano < 0 and not a.startswith("equity:")]
    findings.expect(not negative, f"ledger: overdrawn: {', '.join(negative)}")


def _check_hold(
    intent: Intent,
    reply: StoredReply | None,
    by_key: Mapping[str, LedgerTransaction],
    sums: Mapping[str, int],
    findings: Findings,
) -> None:
    """Check how an intent's price was held, and how that ended."""
    where = f"intent {intent.key}"
    findings.expect(f"hold:{intent.key}" in by_key, f"{where}: nothing was held")
    end = by_key.get(f"end-hold:{intent.key}")
    wanted = _end_of(intent, reply)
    findings.expect(
        (end.kind if end else None) == wanted,
        f"{where}: its hold ended by {end and end.kind}, expected {wanted}",
    )
    late = reply is not None and reply.reversal == Outcome.REFUNDED.word
    findings.expect(not late, f"{where}: refunded after its delivery, and the fee stayed paid")
    held, left = sums.get(hold_account(intent.key), 0), 0 if end else intent.price_nano
    findings.expect(held == left, f"{where}: {held} nano held, expected {left}")
    if end is None or reply is None or wanted != "capture":
        return
    paid = {posting.account: posting.nano for posting in end.postings}
    share = paid.get(creator_account(reply.twin)), paid.get(OPERATOR_FEES)
    terms = reply.creator_nano, reply.price_nano - reply.creator_nano
    findings.expect(share == terms, f"receipt {reply.receipt_id}: paid {share}, not {terms}")


def _check_earned(records: StoredRecords, sums: Mapping[str, int], findings: Findings) -> None:
    """Check that creators and operator have what delivered replies earned, and nothing else."""
    earned: dict[str, int] = defaultdict(int)
    for reply in records.replies:
        if reply.outcome == Outcome.DELIVERED.word:
            earned[creator_account(reply.twin)] += reply.creator_nano
            earned[OPERATOR_FEES] += reply.price_nano - reply.creator_nano
    for twin, nano in carried_by(records.ledger).items():
        earned[f"{creator_account(b'')}{twin}"] += nano
    has: dict[str, int] = defaultdict(int)
    paid = settled_account(b"")
    for account, nano in sums.items():
        if account.startswith((creator_account(b""), paid)) or account == OPERATOR_FEES:
            has[account.replace(paid, creator_account(b""), 1)] += nano
    for account in sorted(earned.keys() | has.keys()):
        findings.expect(
            earned[account] == has[account],
            f"ledger: {account} has {has[account]} nano, its replies earned {earned[account]}",
        )


def carried_by(ledger: Sequence[LedgerTransaction], *, before: int | None = None) -> dict[str, int]:
    """Return what was taken over of books that were lost, by twin in hexadecimal, in nano-units.

    Args:
        ledger: all of it.
        before: leave out what was taken over with this epoch or a later one.
    """
    carried: dict[str, int] = defaultdict(int)
    for transaction in ledger:
        if transaction.kind != "restore":
            continue
        if before is not None and epoch_of(transaction.key) >= before:
            continue
        for posting in transaction.postings:
            kind, _, twin = posting.account.partition(":")
            if f"{kind}:" in {creator_account(b""), settled_account(b"")}:
                carried[twin] += posting.nano
    return carried


def _end_of(intent: Intent, reply: StoredReply | None) -> str | None:
    """Return how an intent's hold must have ended.

    What follows a delivery moves no money: a reply that is withdrawn then stays paid.
    """
    if intent.state == "void":
        return "release"
    if reply is None or reply.outcome is None:
        return None
    return "capture" if reply.outcome == Outcome.DELIVERED.word else "release"
