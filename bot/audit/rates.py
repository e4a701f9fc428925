"""Rate tables: each is what its leaf cites, signed by the operator, numbered without holes."""

from bot.audit.findings import FALSE, Findings
from bot.audit.log import leaf_at
from bot.crypto.dsse import parse_envelope, verify_envelope
from bot.domain.leaf import RatesLeaf
from bot.domain.rates import RATES_TYPE, RateTable
from bot.ports.audit import StoredRecords


def audit_rates(records: StoredRecords, signing_key: bytes, findings: Findings) -> None:
    """Check every rate table, and that each receipt names one that there is.

    Args:
        records: what is stored.
        signing_key: the operator's public key.
        findings: collects what is wrong.
    """
    for number, stored in enumerate(records.rates, start=1):
        where = f"rate table {number}"
        findings.count("rate tables")
        leaf = leaf_at(records, stored.log_index)
        findings.expect(leaf == RatesLeaf(stored.name), f"{where}: its leaf cites another one")
        try:
            envelope = parse_envelope(stored.envelope)
            verify_envelope(envelope, payload_type=RATES_TYPE, key=signing_key)
            table = RateTable.parse(envelope.payload)
        except FALSE as error:
            findings.wrong.append(f"{where}: {error}")
            continue
        findings.expect(envelope.digest == stored.name, f"{where}: has another name")
        findings.expect(table.number == number, f"{where}: says that it is number {table.number}")
        findings.expect(table.operator == signing_key, f"{where}: names another operator")
    known = {stored.name for stored in records.rates}
    for intent in records.intents:
        name = intent.payment.rate_table
        findings.expect(
            name is None or name in known,
            f"intent {intent.key}: was paid by a rate table that is not there",
        )
