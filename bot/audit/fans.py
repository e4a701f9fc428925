"""Fans' credit and the budget, counted again: what came in, what replies took, what came back.

Nothing here reads how the ledger has split an amount, but for who paid a hold: purchases, refunds,
gifts, funding, intents, replies and disputes say what every account must have.
"""

from collections import defaultdict
from collections.abc import Mapping

from bot.audit.debts import Debts
from bot.audit.findings import Findings
from bot.audit.forms import names_of
from bot.domain.errors import InvariantError
from bot.domain.ledger import SPONSOR, LedgerTransaction, fan_account, promotional_account
from bot.domain.payment import Payer
from bot.ledger.fees import account_of, payer_of, source_of
from bot.ports.audit import StoredRecords
from bot.ports.people import Person

_CLASSES = ("fan:", "promo:", "sponsor:")
_FANS = (Payer.PAID, Payer.PROMOTIONAL)
_Ledger = Mapping[str, LedgerTransaction]


def audit_fans(
    records: StoredRecords,
    by_key: _Ledger,
    sums: Mapping[str, int],
    debts: Debts,
    findings: Findings,
) -> None:
    """Check every fan's credit and the budget, and that each reply was paid by who had asked."""
    _check_people(records, by_key, findings)
    expected = _came_in(records)
    _take_holds(records, by_key, debts, expected)
    _give_back(records, by_key, debts, expected)
    for account in sorted(names_of(sums, *_CLASSES) | expected.keys()):
        has, wanted = sums.get(account, 0), expected.get(account, 0)
        findings.expect(
            has == wanted,
            f"ledger: {account} has {has} nano, what came in and was spent leaves {wanted}",
        )


def payer_account(by_key: _Ledger, intent: str) -> str | None:
    """Return the account that an intent's hold was taken from; None where there is no such hold."""
    hold = by_key.get(f"hold:{intent}")
    if hold is None:
        return None
    try:
        source = source_of(hold)
        payer_of(source)
    except InvariantError:
        return None
    return source


def _check_people(records: StoredRecords, by_key: _Ledger, findings: Findings) -> None:
    """Check that nobody's credit has paid what somebody else had asked, nor got what it cost.

    Whoever was forgotten can't be told any more: their intents name nobody, their accounts nobody.
    """
    people = {one.name: one.person for one in records.accounts}
    disputes = {one.receipt_id: one.account for one in records.disputes}
    disputed = {
        one.intent: disputes[one.receipt_id]
        for one in records.replies
        if one.receipt_id in disputes
    }
    for intent in records.intents:
        if intent.erased:
            continue
        source = payer_account(by_key, intent.key)
        asked = Person(intent.message.surface.platform, intent.message.fan)
        if source is not None and payer_of(source) in _FANS:
            findings.expect(
                people.get(account_of(source), asked) == asked,
                f"intent {intent.key}: was paid from the account of somebody else",
            )
        findings.expect(
            people.get(disputed.get(intent.key, ""), asked) == asked,
            f"intent {intent.key}: was disputed from the account of somebody else",
        )


def _came_in(records: StoredRecords) -> dict[str, int]:
    """Return what was put into each account, less what platforms have taken back."""
    expected: dict[str, int] = defaultdict(int)
    for purchase, refund in records.purchases:
        own = promotional_account if purchase.test else fan_account
        taken = 0 if refund is None else refund.taken_nano
        expected[own(purchase.account)] += purchase.nano - taken
    for transaction in records.ledger:
        step, _, rest = transaction.key.partition(":")
        if step == "fund" and rest.isdecimal():
            expected[SPONSOR] = max(expected[SPONSOR], int(rest))
        elif step == "gift":
            for posting in transaction.postings:
                if posting.account.startswith("promo:"):
                    expected[posting.account] += posting.nano
    return expected


def _take_holds(
    records: StoredRecords, by_key: _Ledger, debts: Debts, expected: dict[str, int]
) -> None:
    """Take what replies cost out of who paid them, unless it came back."""
    for intent in records.intents:
        source = payer_account(by_key, intent.key)
        if source is None or intent.payment.payer is Payer.FREE:
            continue
        end = by_key.get(f"end-hold:{intent.key}")
        if end is None or end.kind != "release":
            expected[source] -= intent.price_nano
        else:  # before it was the fan's again, what they owed was set off
            expected[source] -= debts.set_off.get(end.key, 0)


def _give_back(
    records: StoredRecords, by_key: _Ledger, debts: Debts, expected: dict[str, int]
) -> None:
    """Add what disputes gave back to who had disputed."""
    intents = {reply.receipt_id: reply.intent for reply in records.replies}
    for dispute in records.disputes:
        source = payer_account(by_key, intents.get(dispute.receipt_id, ""))
        if source is None or not dispute.nano:
            continue
        own = fan_account if payer_of(source) is Payer.PAID else promotional_account
        set_off = debts.set_off.get(f"dispute:{dispute.receipt_id}", 0)
        expected[own(dispute.account)] += dispute.nano - set_off
