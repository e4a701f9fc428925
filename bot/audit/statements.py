"""Creators' statements: every field of every row is what log, ledger, intents and epochs say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.audit.findings import Findings
from bot.audit.held import held_hours_of
from bot.audit.twin_logs import AuditedLog, read_logs
from bot.domain.funding import Funding
from bot.domain.ledger import creator_account, held_account, settled_account
from bot.domain.monthly import FeeRecords, FeeRow, StatementEpoch
from bot.domain.payment import Payer
from bot.domain.settlement import Epoch, EpochState
from bot.domain.statements import Outcome
from bot.ledger.liabilities import liabilities_of
from bot.ports.audit import AuditReader, StoredRecords
from bot.ports.settlement import EpochStore
from bot.ports.statements import FeeReader
from bot.ports.stores import Intent, StoredReply

TRIES = 3


async def audit_statements(
    records: StoredRecords,
    reader: AuditReader,
    epochs: EpochStore,
    fees: FeeReader,
    findings: Findings,
) -> None:
    """Check creators' statements: their rows, their epochs, and what they say is funded.

    They are read after the book. Where a service goes on meanwhile, the book is read once more: a
    contradiction counts between two readings of the same moment only.

    Args:
        records: the book.
        reader: reads it again.
        epochs: of the book.
        fees: what statements are made of.
        findings: get what is found.
    """
    for _ in range(TRIES):
        found, last = Findings(), await epochs.last_final()
        newest = last.number if last else 0
        known = [await epochs.epoch(number) for number in range(1, newest + 1)]
        final = [one for one in known if one is not None and one.state is EpochState.FINAL]
        await _compare(records, fees, final, found)
        if not found.wrong:
            break
        again = await reader.read_all()
        if again == records and await epochs.last_final() == last:
            break
        records = again
    else:
        findings.notes.append(
            "Creators' statements were not compared: the book has changed each time while they "
            "were read. Run the audit again."
        )
        return
    findings.wrong += found.wrong
    for kind, number in found.checked.items():
        findings.count(kind, number)


async def _compare(
    records: StoredRecords, fees: FeeReader, final: Sequence[Epoch], findings: Findings
) -> None:
    book = _Book(
        intents={one.key: one for one in records.intents},
        numbers=dict(zip((one.key for one in records.ledger), records.ledger_ids, strict=False)),
        hours=held_hours_of(records),
        final=final,
    )
    for twin, own in read_logs(records, Findings()).items():  # what it finds was named before
        found = await fees.fees(twin)
        where = f"twin {twin.hex()[:16]}"
        findings.count("rows of statements", len(found.rows))
        wrong = _wrong_rows(book, own, found)
        findings.expect(
            not wrong,
            f"{where}: {len(wrong)} rows of its statement contradict log, ledger or "
            f"epochs, the first one is {wrong[0] if wrong else 0}",
        )
        said = [replace(one, transaction=None) for one in found.epochs]
        findings.expect(
            said == book.epochs_of(twin), f"{where}: its statement names other epochs or claims"
        )
        findings.expect(
            found.funding is None
            or replace(found.funding, paid=None, paid_at=None) == _funding_of(records, twin),
            f"{where}: its statement says that something else is funded",
        )


@dataclass(frozen=True, slots=True)
class _Book:
    """What rows are compared with.

    Attributes:
        numbers: of ledger transactions, by key.
        hours: how long each rate table's fees are held.
        final: epochs, in their order.
    """

    intents: Mapping[str, Intent]
    numbers: Mapping[str, int]
    hours: Mapping[bytes, int]
    final: Sequence[Epoch]

    def epochs_of(self, twin: bytes) -> list[StatementEpoch]:
        """Return what the final epochs have claimed for a twin."""
        return [
            StatementEpoch(epoch.number, one.entries, one.cumulative_units, one.held_nano, None)
            for epoch in self.final
            for one in epoch.earnings
            if one.twin == twin
        ]

    def row(self, own: AuditedLog, index: int) -> FeeRow | None:
        """Return the row of an entry of a twin's log; None where its intent is missing."""
        entry, reply, leaf = own.log.entries[index], own.replies[index], own.leaves[index]
        intent = self.intents.get(reply.intent)
        if intent is None:
            return None
        before, after = (own.log.tally(size).earned_nano for size in (index, index + 1))
        sign = _sign_of(entry.outcome, reply)
        key = f"{_step_of(entry.outcome, reply)}:{reply.intent}"
        number = self.numbers.get(key)
        is_reversed = f"reverse:{reply.intent}" in self.numbers
        matured = self.numbers.get(f"mature:{reply.intent}")
        bought = entry.payer is Payer.PAID
        is_held = bought and sign > 0 and matured is None and not is_reversed
        since = intent.created_at if is_held else None
        wait = self.hours.get(intent.payment.rate_table or b"")
        covering = [one for one in self.final if leaf < one.commitment.log_size]
        taken_back = sign != 0 and is_reversed
        counts = None if taken_back else matured if bought else 0
        claiming = [one.number for one in covering if counts is not None and counts <= one.cutoff]
        operator = reply.price_nano - reply.creator_nano
        return FeeRow(
            index=index,
            leaf=leaf,
            receipt_id=reply.receipt_id,
            seq=entry.seq,
            at=intent.created_at,
            payer=entry.payer,
            outcome=entry.outcome,
            price_nano=sign * reply.price_nano,
            earned_nano=after - before,
            operator_nano=0 if entry.payer is Payer.PROMOTIONAL else sign * operator,
            transaction=number,
            transaction_key=None if number is None else key,
            epoch=covering[0].number if covering else None,
            held_since=since,
            taken_back=taken_back,
            payable_at=None if since is None or wait is None else since + timedelta(hours=wait),
            claimed_by=claiming[0] if claiming else None,
        )


def _wrong_rows(book: _Book, own: AuditedLog, found: FeeRecords) -> list[int]:
    """Return the rows that are not what entries, ledger and epochs say."""
    shared = min(len(found.rows), len(own.log))
    wrong = [index for index in range(shared) if found.rows[index] != book.row(own, index)]
    return [*wrong, *range(shared, max(len(found.rows), len(own.log)))]


def _funding_of(records: StoredRecords, twin: bytes) -> Funding:
    """Return what stands behind a twin's fees by the book."""
    all_of = liabilities_of(records.balances, records.ledger)
    return Funding(
        committed=records.balances.get(settled_account(twin), 0),
        waiting=records.balances.get(creator_account(twin), 0),
        held=records.balances.get(held_account(twin), 0),
        all_waiting=all_of.creators,
        all_held=all_of.held,
        uncovered=all_of.uncovered,
    )


def _sign_of(outcome: Outcome, reply: StoredReply) -> int:
    """Return whether an outcome pays (1), takes back what was paid (-1), or moves nothing (0)."""
    if outcome is Outcome.DELIVERED:
        return 1
    return -1 if outcome is Outcome.REFUNDED and outcome.word != reply.outcome else 0


def _step_of(outcome: Outcome, reply: StoredReply) -> str:
    """Return what an outcome does to the fee; a withdrawal after delivery does nothing."""
    if outcome.word == reply.outcome:
        return "end-hold"
    return "reverse" if outcome is Outcome.REFUNDED else "nothing"
