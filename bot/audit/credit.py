"""Fans' credit: what was bought, given, taken back and disputed agrees with the ledger."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from bot.audit.findings import Findings
from bot.domain.ledger import (
    PROMOTION,
    LedgerTransaction,
    channel_account,
    held_account,
)
from bot.domain.payment import Payer
from bot.ledger.credit import plan_dispute, plan_purchase, plan_refund
from bot.ledger.liabilities import liabilities_of
from bot.ports.audit import StoredRecords
from bot.ports.credit import DisputeState

_EARNERS = ("creator:", "held:", "settled:", "fees:")
_Ledger = Mapping[str, LedgerTransaction]


def audit_credit(
    records: StoredRecords, by_key: _Ledger, sums: Mapping[str, int], findings: Findings
) -> None:
    """Check purchases, refunds, disputes, held fees, and that what was given earns nobody."""
    _check_purchases(records, by_key, sums, findings)
    _check_disputes(records, by_key, findings)
    _check_held(records, by_key, sums, findings)
    for transaction in records.ledger:
        accounts = [posting.account for posting in transaction.postings]
        given = any(one == PROMOTION or one.startswith("promo:") for one in accounts)
        earns = any(one.startswith(_EARNERS) for one in accounts)
        findings.expect(
            not (given and earns), f"ledger: {transaction.key} pays somebody out of promotion"
        )
    if records.ledger:
        findings.notes += liabilities_of(sums, records.ledger).words()


def _check_purchases(
    records: StoredRecords, by_key: _Ledger, sums: Mapping[str, int], findings: Findings
) -> None:
    """Check that each purchase is credited once, and that a platform owes what was not refunded."""
    bought: set[str] = set()
    owed: dict[str, int] = defaultdict(int)
    reversed_nano: dict[str, int] = defaultdict(int)
    for purchase, refund in records.purchases:
        findings.count("purchases")
        charge = (purchase.platform, purchase.charge_id)
        where = f"purchase {purchase.platform}:{purchase.charge_id}"
        if purchase.nano == 0:
            continue
        plan = plan_purchase(*charge, purchase.account, purchase.nano, test=purchase.test)
        bought.add(plan.key)
        findings.expect(_is_posted(by_key, plan), f"{where}: was not credited as it says")
        if refund is None:
            owed[channel_account(purchase.platform)] += 0 if purchase.test else purchase.nano
            continue
        end = plan_refund(
            *charge,
            purchase.account,
            taken_nano=refund.taken_nano,
            lost_nano=refund.lost_nano,
            test=purchase.test,
        )
        bought.add(end.key)
        reversed_nano[channel_account(purchase.platform)] += refund.reversed_nano
        findings.expect(_is_posted(by_key, end), f"{where}: was not refunded as it says")
        whole = refund.taken_nano + refund.reversed_nano + refund.lost_nano
        fits = whole <= purchase.nano if purchase.test else whole == purchase.nano
        findings.expect(fits, f"{where}: {whole} nano of {purchase.nano} were refunded")
    stray = [
        t.key for t in records.ledger if t.kind in {"purchase", "refund"} and t.key not in bought
    ]
    findings.expect(not stray, f"ledger: {len(stray)} transactions of no purchase")
    for account in sorted({one for one in sums if one.startswith("channel:")} | owed.keys()):
        findings.expect(
            sums.get(account, 0) == -owed[account],
            f"ledger: {account} owes {-sums.get(account, 0)} nano, its purchases {owed[account]}",
        )
        back = sum(
            posting.nano
            for one in records.ledger
            if one.kind == "reverse"
            for posting in one.postings
            if posting.account == account
        )
        findings.expect(
            back == reversed_nano[account],
            f"ledger: {back} nano of fees went back to {account}, its refunds say "
            f"{reversed_nano[account]}",
        )


def _check_disputes(records: StoredRecords, by_key: _Ledger, findings: Findings) -> None:
    """Check that exactly what a dispute says was given back, and never more than a price."""
    replies = {reply.receipt_id: reply for reply in records.replies}
    payers = {intent.key: intent.payment.payer for intent in records.intents}
    given: set[str] = set()
    for dispute in records.disputes:
        findings.count("disputes")
        where = f"dispute {dispute.receipt_id}"
        reply = replies.get(dispute.receipt_id)
        if reply is None:
            findings.wrong.append(f"{where}: there is no such reply")
            continue
        if dispute.nano == 0:
            continue
        upheld = dispute.state is DisputeState.UPHELD and dispute.nano == reply.price_nano
        findings.expect(upheld, f"{where}: gave back what it may not")
        payer = payers.get(reply.intent, Payer.FREE)
        if payer not in {Payer.PAID, Payer.PROMOTIONAL}:
            findings.wrong.append(f"{where}: its fan had paid nothing")
            continue
        plan = plan_dispute(dispute.receipt_id, dispute.account, dispute.nano, payer)
        given.add(plan.key)
        findings.expect(_is_posted(by_key, plan), f"{where}: was not given back as it says")
    stray = [t.key for t in records.ledger if t.kind == "dispute" and t.key not in given]
    findings.expect(not stray, f"ledger: {len(stray)} transactions of no dispute")


def _check_held(
    records: StoredRecords, by_key: _Ledger, sums: Mapping[str, int], findings: Findings
) -> None:
    """Check that what is noted as held is what the ledger holds, fee by fee."""
    replies = {reply.intent: reply for reply in records.replies}
    held: dict[str, int] = defaultdict(int)
    fees = Counter(fee.intent for fee in records.held)
    for fee in records.held:
        findings.count("held fees")
        held[held_account(fee.twin)] += fee.creator_nano
        where = f"held fee of {fee.intent}"
        reply = replies.get(fee.intent)
        ended = any(f"{step}:{fee.intent}" in by_key for step in ("mature", "reverse"))
        findings.expect(not ended and fees[fee.intent] == 1, f"{where}: is over, or there twice")
        same = reply is not None and (reply.twin, reply.price_nano, reply.creator_nano) == (
            *(fee.twin, fee.price_nano, fee.creator_nano),
        )
        findings.expect(same, f"{where}: its reply says something else")
    accounts = {one for one in sums if one.startswith("held:")} | held.keys()
    for account in sorted(accounts):
        findings.expect(
            sums.get(account, 0) == held[account],
            f"ledger: {account} has {sums.get(account, 0)} nano, {held[account]} are noted as held",
        )


def _is_posted(by_key: _Ledger, plan: LedgerTransaction) -> bool:
    """Whether exactly this stands in the ledger."""
    found = by_key.get(plan.key)
    return found is not None and set(found.postings) == set(plan.postings)
