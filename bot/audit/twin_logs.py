"""Twins' logs, made again from receipts and outcomes, and what they say of the book's accounts."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

from bot.audit.findings import Findings
from bot.audit.ledger import carried_by
from bot.crypto.errors import FormatError
from bot.domain.ids import receipt_tag_of
from bot.domain.ledger import creator_account, held_account, settled_account
from bot.domain.money import format_nano
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.domain.twin_log import TwinEntry, TwinLog, check_history
from bot.ports.audit import StoredRecords
from bot.ports.stores import StoredReply

_OUTCOMES = {one.word: one for one in Outcome}


@dataclass(slots=True)
class AuditedLog:
    """A twin's log with the index of each entry's leaf, and whose reply it is."""

    leaves: list[int] = field(default_factory=list)
    replies: list[StoredReply] = field(default_factory=list)
    log: TwinLog = field(default_factory=lambda: TwinLog(()))

    def size_at(self, log_size: int) -> int:
        """Return how many entries have their leaf below a size of the public log."""
        return bisect_left(self.leaves, log_size)

    def held_at(self, log_size: int, matured: frozenset[str]) -> int:
        """Return what is held of the entries below a size, if these intents have matured."""
        held: dict[bytes, int] = {}
        for index in range(self.size_at(log_size)):
            entry, reply = self.log.entries[index], self.replies[index]
            if entry.outcome is Outcome.REFUNDED:
                held.pop(entry.receipt, None)
            bought = entry.outcome is Outcome.DELIVERED and entry.payer is Payer.PAID
            if bought and f"mature:{reply.intent}" not in matured:
                held[entry.receipt] = entry.creator_nano
        return sum(held.values())


def read_logs(records: StoredRecords, findings: Findings) -> dict[bytes, AuditedLog]:
    """Make every twin's log again."""
    payers = {intent.key: intent.payment.payer for intent in records.intents}
    found: dict[bytes, list[tuple[int, TwinEntry, StoredReply]]] = defaultdict(list)
    for reply in records.replies:
        payer = payers.get(reply.intent, Payer.FREE)
        for word, index in (
            (reply.outcome, reply.outcome_index),
            (reply.reversal, reply.reversal_index),
            (Outcome.REFUNDED.word, reply.refund_index),
        ):
            if word in _OUTCOMES and index is not None:  # another word is named as what it is
                tag = receipt_tag_of(reply.receipt_hash)
                entry = TwinEntry(reply.seq, reply.creator_nano, payer, _OUTCOMES[word], tag)
                found[reply.twin].append((index, entry, reply))
    logs = {}
    for twin, entries in found.items():
        entries.sort(key=lambda one: one[0])
        try:
            log = TwinLog(entry for _, entry, _ in entries)
        except FormatError as error:
            findings.wrong.append(f"twin {twin.hex()[:16]}: its log can't be made: {error}")
            continue
        leaves = [index for index, _, _ in entries]
        logs[twin] = AuditedLog(leaves, [reply for _, _, reply in entries], log)
    return logs


def audit_twin_logs(
    records: StoredRecords, logs: dict[bytes, AuditedLog], findings: Findings
) -> None:
    """Check each log's history, and that the twin's accounts have what it has earned."""
    carried = carried_by(records.ledger)
    for twin, own in logs.items():
        findings.count("entries of twins' logs", len(own.log))
        where = f"twin {twin.hex()[:16]}"
        try:
            check_history(own.log.entries)
        except FormatError as error:
            findings.wrong.append(f"{where}: its log can't be: {error}")
        accounts = (creator_account(twin), held_account(twin), settled_account(twin))
        has = sum(records.balances.get(account, 0) for account in accounts)
        earned = own.log.tally().earned_nano + carried.get(twin.hex(), 0)
        more = has - earned
        findings.expect(
            not more,
            f"{where}: its accounts have {format_nano(abs(more))} "
            f"{'more' if more > 0 else 'less'} than its log has earned and was carried over "
            f"({format_nano(has)} and {format_nano(earned)})",
        )


def matured_by(records: StoredRecords, cutoff: int) -> frozenset[str] | None:
    """Return the keys of what was payable when an epoch was planned; None where nobody noted it."""
    if not records.ledger_ids:
        return None
    known = zip(records.ledger, records.ledger_ids, strict=True)
    return frozenset(one.key for one, number in known if one.kind == "mature" and number <= cutoff)
