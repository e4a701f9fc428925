"""The ledger: balances are sums, and every posting follows from an intent or a receipt."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.audit.credit import audit_credit
from bot.audit.debts import Debts, debts_of
from bot.audit.fans import payer_account
from bot.audit.findings import Findings
from bot.audit.forms import audit_forms, is_same
from bot.domain.ledger import (
    OPERATOR_FEES,
    LedgerTransaction,
    creator_account,
    held_account,
    hold_account,
    may_be_negative,
    may_be_positive,
    owed_account,
    settled_account,
)
from bot.domain.payment import Payer
from bot.domain.restored import epoch_of
from bot.domain.statements import Outcome
from bot.ledger.fees import (
    account_of,
    payer_of,
    plan_capture,
    plan_hold,
    plan_mature,
    plan_reverse,
    source_of,
)
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent, StoredReply

_Ledger = Mapping[str, LedgerTransaction]


def audit_ledger(records: StoredRecords, findings: Findings) -> None:
    """Check balances against postings, and postings against intents, receipts and purchases."""
    sums: dict[str, int] = defaultdict(int)
    for transaction in records.ledger:
        findings.count("ledger transactions")
        for posting in transaction.postings:
            sums[posting.account] += posting.nano
    findings.expect(dict(sums) == records.balances, "ledger: a cached balance is not the sum")
    by_key = {transaction.key: transaction for transaction in records.ledger}
    replies = {reply.intent: reply for reply in records.replies}
    debts = debts_of(records)
    for intent in records.intents:
        _check_hold(intent, replies.get(intent.key), _Book(by_key, sums, debts), findings)
    audit_forms(records, findings)
    _check_earned(records, by_key, sums, findings)
    audit_credit(records, by_key, sums, debts, findings)
    negative = [
        account
        for account, nano in sums.items()
        if (nano < 0 and not may_be_negative(account))
        or (nano > 0 and not may_be_positive(account))
    ]
    findings.expect(not negative, f"ledger: overdrawn: {', '.join(negative)}")


@dataclass(frozen=True, slots=True)
class _Book:
    by_key: _Ledger
    sums: Mapping[str, int]
    debts: Debts


def _check_hold(intent: Intent, reply: StoredReply | None, book: _Book, findings: Findings) -> None:
    """Check how an intent's price was held, and how that ended."""
    by_key = book.by_key
    where = f"intent {intent.key}"
    payer = intent.payment.payer
    hold, end = by_key.get(f"hold:{intent.key}"), by_key.get(f"end-hold:{intent.key}")
    if payer is Payer.FREE:
        free = intent.price_nano == 0 and hold is None and end is None
        findings.expect(free, f"{where}: nobody pays it, and something was held or has a price")
        return
    if hold is None:
        findings.wrong.append(f"{where}: nothing was held")
        return
    source = payer_account(by_key, intent.key)
    if source is None:
        findings.wrong.append(f"{where}: what was held is nobody's")
        return
    findings.expect(
        is_same(hold, plan_hold(intent.key, intent.price_nano, source))
        and payer_of(source) is payer,
        f"{where}: another amount or other money was held than its payer's",
    )
    wanted = _end_of(intent, reply)
    findings.expect(
        (end.kind if end else None) == wanted,
        f"{where}: its hold ended by {end and end.kind}, expected {wanted}",
    )
    nano, left = book.sums.get(hold_account(intent.key), 0), 0 if end else intent.price_nano
    findings.expect(nano == left, f"{where}: {nano} nano held, expected {left}")
    if end is not None and wanted == "release":
        _check_release(intent, hold, end, book.debts, findings)
    if end is not None and reply is not None and wanted == "capture":
        _check_capture(reply, payer, end, findings)
    _check_after(intent, reply, payer, by_key, findings)
    mature, reverse = (by_key.get(f"{step}:{intent.key}") for step in ("mature", "reverse"))
    if mature is not None and reply is not None:
        plan = plan_mature(intent.key, reply.twin, reply.creator_nano)
        findings.expect(is_same(mature, plan), f"{where}: another fee matured than it paid")
    if reverse is not None and reply is not None:
        _check_reverse(reply, hold, reverse, findings)


def _check_release(
    intent: Intent,
    hold: LedgerTransaction,
    end: LedgerTransaction,
    debts: Debts,
    findings: Findings,
) -> None:
    """Check that a hold went back to its payer, and before that against what its fan owed."""
    source, set_off = source_of(hold), debts.set_off.get(end.key, 0)
    back = {posting.account: posting.nano for posting in end.postings}
    wanted = {one.account: -one.nano for one in hold.postings}
    if set_off:
        owing = owed_account(account_of(source))
        wanted = {**wanted, source: wanted[source] - set_off, owing: set_off}
    findings.expect(
        back == {account: nano for account, nano in wanted.items() if nano},
        f"intent {intent.key}: its hold was released to somebody else",
    )


def _check_reverse(
    reply: StoredReply, hold: LedgerTransaction, reverse: LedgerTransaction, findings: Findings
) -> None:
    """Check that a fee was taken back whole, for what its own fan owed."""
    plan = plan_reverse(
        reply.intent,
        reply.twin,
        price_nano=reply.price_nano,
        creator_nano=reply.creator_nano,
        account=account_of(source_of(hold)),
    )
    findings.expect(
        is_same(reverse, plan),
        f"receipt {reply.receipt_id}: its fee went back to somebody else",
    )


def _check_capture(
    reply: StoredReply, payer: Payer, end: LedgerTransaction, findings: Findings
) -> None:
    terms = plan_capture(
        reply.intent,
        reply.twin,
        payer=payer,
        price_nano=reply.price_nano,
        creator_nano=reply.creator_nano,
    )
    paid = {posting.account: posting.nano for posting in end.postings}
    wanted = [posting.nano for posting in terms.postings]
    found = [paid.get(posting.account, 0) for posting in terms.postings]
    findings.expect(
        found == wanted and len(paid) == len(wanted),
        f"receipt {reply.receipt_id}: paid {found}, not {wanted}",
    )


def _check_after(
    intent: Intent,
    reply: StoredReply | None,
    payer: Payer,
    by_key: _Ledger,
    findings: Findings,
) -> None:
    """Check what follows a delivery: only bought credit is taken back, or matures; never both."""
    where = f"intent {intent.key}"
    refunded = reply is not None and reply.taken_back
    matured, taken = (f"{step}:{intent.key}" in by_key for step in ("mature", "reverse"))
    findings.expect(
        taken or not refunded, f"{where}: refunded after its delivery, and the fee stayed paid"
    )
    findings.expect(
        refunded or not taken, f"{where}: its fee was taken back, and the log does not say so"
    )
    findings.expect(not (matured and taken), f"{where}: its fee matured and was taken back")
    if matured or taken:
        paid = reply is not None and reply.outcome == Outcome.DELIVERED.word
        findings.expect(
            paid and payer is Payer.PAID,
            f"{where}: a fee was held that nobody had bought credit for",
        )


def _check_earned(
    records: StoredRecords, by_key: _Ledger, sums: Mapping[str, int], findings: Findings
) -> None:
    """Check that creators and operator have what delivered replies earned, and nothing else."""
    earned: dict[str, int] = defaultdict(int)
    payers = {intent.key: intent.payment.payer for intent in records.intents}
    for reply in records.replies:
        payer = payers.get(reply.intent, Payer.FREE)
        kept = reply.outcome == Outcome.DELIVERED.word and not reply.taken_back
        if not kept or payer is Payer.PROMOTIONAL:
            continue
        waits = payer is Payer.PAID and f"mature:{reply.intent}" not in by_key
        own = held_account if waits else creator_account
        earned[own(reply.twin)] += reply.creator_nano
        earned[OPERATOR_FEES] += reply.price_nano - reply.creator_nano
    for twin, nano in carried_by(records.ledger).items():
        earned[f"{creator_account(b'')}{twin}"] += nano
    has: dict[str, int] = defaultdict(int)
    paid = settled_account(b"")
    kinds = (creator_account(b""), held_account(b""), paid, OPERATOR_FEES)
    for account, nano in sums.items():
        if account.startswith(kinds):
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

    What follows a delivery moves no money: a reply that is withdrawn then stays paid. What a
    platform takes back has a transaction of its own.
    """
    if intent.state == "void":
        return "release"
    if reply is None or reply.outcome is None:
        return None
    return "capture" if reply.outcome == Outcome.DELIVERED.word else "release"
