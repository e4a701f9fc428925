"""Held fees: what is noted is what the ledger holds, of who paid it, and for so long."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.audit.fans import payer_account
from bot.audit.findings import FALSE, Findings
from bot.audit.forms import names_of
from bot.crypto.dsse import parse_envelope
from bot.domain.ledger import LedgerTransaction, held_account
from bot.domain.rates import RateTable
from bot.ledger.fees import account_of
from bot.ports.audit import StoredRecords
from bot.ports.credit_book import HeldFee
from bot.ports.stores import Intent

LATE = timedelta(days=1)
_Ledger = Mapping[str, LedgerTransaction]


def audit_held(
    records: StoredRecords, by_key: _Ledger, sums: Mapping[str, int], findings: Findings
) -> None:
    """Check the fees that a platform may still take back, one by one and in their order."""
    replies = {reply.intent: reply for reply in records.replies}
    intents = {intent.key: intent for intent in records.intents}
    held: dict[str, int] = defaultdict(int)
    fees = Counter(fee.intent for fee in records.held)
    for fee in records.held:
        findings.count("held fees")
        held[held_account(fee.twin)] += fee.creator_nano
        where = f"held fee of {fee.intent}"
        reply, intent = replies.get(fee.intent), intents.get(fee.intent)
        ended = any(f"{step}:{fee.intent}" in by_key for step in ("mature", "reverse"))
        findings.expect(not ended and fees[fee.intent] == 1, f"{where}: is over, or there twice")
        same = reply is not None and (reply.twin, reply.price_nano, reply.creator_nano) == (
            *(fee.twin, fee.price_nano, fee.creator_nano),
        )
        findings.expect(same, f"{where}: its reply says something else")
        findings.expect(
            intent is not None and _is_paid_so(fee, intent, by_key),
            f"{where}: says another payer, time or rate table than its hold and its intent",
        )
    accounts = names_of(sums, "held:") | held.keys()
    for account in sorted(accounts):
        findings.expect(
            sums.get(account, 0) == held[account],
            f"ledger: {account} has {sums.get(account, 0)} nano, {held[account]} are noted as held",
        )
    # A refund takes the newest first: in another order it would take others.
    places = {one.key: n for n, one in enumerate(records.ledger)}
    order = [places.get(f"end-hold:{fee.intent}", -1) for fee in records.held]
    findings.expect(order == sorted(order), "held fees: are noted in another order than paid")


def note_overdue(records: StoredRecords, now: datetime, findings: Findings) -> None:
    """Name fees that should have become payable more than a day ago.

    No fault: a service that stood still makes them payable when it runs again.
    """
    hours = held_hours_of(records)
    late = sorted(
        (fee.at, fee.intent)
        for fee in records.held
        if fee.rate_table in hours and fee.at + timedelta(hours=hours[fee.rate_table]) + LATE < now
    )
    if late:
        findings.count("overdue held fees", len(late))
        findings.notes.append(
            f"Overdue: {len(late)} held fees should be payable for more than a day, the oldest is "
            f"that of {late[0][1]}. Start the service; if it runs, its log says why they wait."
        )


def held_hours_of(records: StoredRecords) -> dict[bytes, int]:
    """Return how long each rate table's fees are held; what can't be read is named elsewhere."""
    hours = {}
    for stored in records.rates:
        try:
            table = RateTable.parse(parse_envelope(stored.envelope).payload)
        except FALSE:
            continue
        hours[stored.name] = table.held_hours
    return hours


def _is_paid_so(fee: HeldFee, intent: Intent, by_key: _Ledger) -> bool:
    source = payer_account(by_key, fee.intent)
    return (
        source is not None
        and fee.account == account_of(source)
        and fee.at == intent.created_at
        and fee.rate_table == intent.payment.rate_table
    )
