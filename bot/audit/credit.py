"""Fans' credit: what was bought, given, taken back and disputed agrees with the ledger."""

from collections import defaultdict
from collections.abc import Mapping

from bot.audit.debts import Debts
from bot.audit.fans import audit_fans
from bot.audit.findings import Findings
from bot.audit.forms import is_same
from bot.audit.held import audit_held
from bot.domain.ledger import (
    PROMOTION,
    LedgerTransaction,
    channel_account,
    owed_account,
)
from bot.domain.payment import Payer
from bot.ledger.credit import plan_dispute, plan_purchase, plan_refund
from bot.ledger.liabilities import liabilities_of
from bot.ports.audit import StoredRecords
from bot.ports.credit import DisputeState

NONE = (0, 0, 0)
_EARNERS = ("creator:", "held:", "settled:", "fees:")
_Ledger = Mapping[str, LedgerTransaction]


def audit_credit(
    records: StoredRecords,
    by_key: _Ledger,
    sums: Mapping[str, int],
    debts: Debts,
    findings: Findings,
) -> None:
    """Check purchases, refunds, debts, disputes, held fees; what was given earns nobody."""
    _check_purchases(records, by_key, debts, findings)
    _check_channels(records, sums, findings)
    _check_debts(sums, debts, findings)
    _check_disputes(records, by_key, debts, findings)
    audit_held(records, by_key, sums, findings)
    audit_fans(records, by_key, sums, debts, findings)
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
    records: StoredRecords, by_key: _Ledger, debts: Debts, findings: Findings
) -> None:
    """Check that each purchase is credited once, and ended as it says."""
    bought: set[str] = set()
    for purchase, refund in records.purchases:
        findings.count("purchases")
        charge = (purchase.platform, purchase.charge_id)
        where = f"purchase {purchase.platform}:{purchase.charge_id}"
        if purchase.nano == 0:
            findings.expect(
                refund is None
                or (refund.taken_nano, refund.reversed_nano, refund.lost_nano) == NONE,
                f"{where}: something was taken back that was never credited",
            )
            continue
        plan = plan_purchase(*charge, purchase.account, purchase.nano, test=purchase.test)
        bought.add(plan.key)
        findings.expect(_is_posted(by_key, plan), f"{where}: was not credited as it says")
        if refund is None:
            continue
        missing = 0 if purchase.test else purchase.nano - refund.taken_nano
        end = plan_refund(
            *charge,
            purchase.account,
            taken_nano=refund.taken_nano,
            missing_nano=missing,
            test=purchase.test,
        )
        bought.add(end.key)
        findings.expect(_is_posted(by_key, end), f"{where}: was not refunded as it says")
        findings.expect(
            refund.reversed_nano == min(missing, debts.reversed_by.get(end.key, 0)),
            f"{where}: other fees were taken back than it says",
        )
        whole = refund.taken_nano + refund.reversed_nano + refund.lost_nano
        fits = whole <= purchase.nano if purchase.test else whole == purchase.nano
        findings.expect(fits, f"{where}: {whole} nano of {purchase.nano} were refunded")
    stray = [
        t.key for t in records.ledger if t.kind in {"purchase", "refund"} and t.key not in bought
    ]
    findings.expect(not stray, f"ledger: {len(stray)} transactions of no purchase")


def _check_channels(records: StoredRecords, sums: Mapping[str, int], findings: Findings) -> None:
    """Check that a platform owes what was bought there and not refunded."""
    owed: dict[str, int] = defaultdict(int)
    for purchase, refund in records.purchases:
        if refund is None and not purchase.test:
            owed[channel_account(purchase.platform)] += purchase.nano
    for account in sorted({one for one in sums if one.startswith("channel:")} | owed.keys()):
        findings.expect(
            sums.get(account, 0) == -owed[account],
            f"ledger: {account} owes {-sums.get(account, 0)} nano, its purchases {owed[account]}",
        )


def _check_debts(sums: Mapping[str, int], debts: Debts, findings: Findings) -> None:
    """Check that a fan owes what refunds missed, less what was taken back and set off since."""
    findings.wrong += debts.wrong
    owing = {owed_account(account): nano for account, nano in debts.owed.items()}
    for account in sorted({one for one in sums if one.startswith("owed:")} | owing.keys()):
        findings.expect(
            sums.get(account, 0) == -owing.get(account, 0),
            f"ledger: {account} has {sums.get(account, 0)} nano, {owing.get(account, 0)} are owed",
        )
        if sums.get(account, 0) < 0:
            findings.count("fans who owe")


def _check_disputes(
    records: StoredRecords, by_key: _Ledger, debts: Debts, findings: Findings
) -> None:
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
        key = f"dispute:{dispute.receipt_id}"
        set_off = debts.set_off.get(key, 0)
        if not 0 <= set_off <= dispute.nano or (set_off and payer is Payer.PROMOTIONAL):
            findings.wrong.append(f"{where}: set off what was not owed")
            continue
        plan = plan_dispute(
            dispute.receipt_id, dispute.account, dispute.nano, payer, set_off_nano=set_off
        )
        given.add(plan.key)
        findings.expect(_is_posted(by_key, plan), f"{where}: was not given back as it says")
    stray = [t.key for t in records.ledger if t.kind == "dispute" and t.key not in given]
    findings.expect(not stray, f"ledger: {len(stray)} transactions of no dispute")


def _is_posted(by_key: _Ledger, plan: LedgerTransaction) -> bool:
    """Whether exactly this stands in the ledger."""
    return is_same(by_key.get(plan.key), plan)
