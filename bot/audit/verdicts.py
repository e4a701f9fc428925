"""Auditors' verdicts: each is signed, and says what its leaf says."""

from bot.audit.findings import FALSE, Findings
from bot.audit.log import leaf_at
from bot.crypto.dsse import parse_envelope
from bot.domain.ids import receipt_tag_of
from bot.ports.audit import StoredRecords
from bot.receipts.audited import leaf_of, open_statement


def audit_verdicts(records: StoredRecords, findings: Findings) -> None:
    """Check each stored verdict against its own signature, its leaf and the reply."""
    replies = {receipt_tag_of(reply.receipt_hash) for reply in records.replies}
    for stored in records.verdicts:
        findings.count("verdicts of auditors")
        where = f"verdict at leaf {stored.log_index}"
        try:
            envelope = parse_envelope(stored.envelope)
            statement = open_statement(envelope)
        except FALSE as error:
            findings.wrong.append(f"{where}: {error}")
            continue
        leaf = leaf_at(records, stored.log_index)
        findings.expect(leaf == leaf_of(envelope, statement), f"{where}: the leaf differs")
        same = (envelope.key, statement.receipt) == (stored.auditor, stored.receipt)
        findings.expect(same, f"{where}: is kept as another one's")
        findings.expect(statement.receipt in replies, f"{where}: is of no stored reply")
