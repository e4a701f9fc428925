"""A twin's fees, joined from receipts, outcomes, ledger and epochs, for its creator's statement."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias, cast

from adapters.sqlite import rows
from adapters.sqlite.database import Database
from adapters.sqlite.statements import Statements
from bot.crypto.dsse import parse_envelope
from bot.domain.funding import Funding, uncovered
from bot.domain.ledger import EQUITY, RESTORED, creator_account, held_account, settled_account
from bot.domain.monthly import FeeRecords, FeeRow, StatementEpoch
from bot.domain.payment import Payer
from bot.domain.rates import RateTable
from bot.domain.settlement import to_units
from bot.domain.statements import Outcome
from bot.ports.statements import FeeReader

_FEES = """
SELECT r.receipt_id, r.seq, i.created_at, i.payer, r.price_nano, r.creator_nano, r.outcome,
       r.outcome_index, r.reversal, r.reversal_index, e.id, e.key, v.id, v.key, h.at, h.rate_table,
       r.refund_index, m.id
  FROM replies r JOIN intents i ON i.key = r.intent
  LEFT JOIN ledger_transactions e ON e.key = 'end-hold:' || r.intent
  LEFT JOIN ledger_transactions v ON v.key = 'reverse:' || r.intent
  LEFT JOIN ledger_transactions m ON m.key = 'mature:' || r.intent
  LEFT JOIN held_fees h ON h.intent = r.intent
 WHERE r.twin = ? AND r.outcome IS NOT NULL
"""
_EPOCHS = """
SELECT e.number, e.log_size, e.cutoff, o.entries, o.cumulative_nano, o.held_nano, (
  SELECT t.included FROM chain_transactions t
   WHERE t.epoch = e.number AND t.purpose = 'commit' AND t.state = 'final' LIMIT 1)
  FROM epochs e LEFT JOIN epoch_earnings o ON o.epoch = e.number AND o.twin = ?
 WHERE e.state = 'final' ORDER BY e.number
"""
_SUMS = """
SELECT substr(account, 1, instr(account, ':')), SUM(nano) FROM balances
 WHERE account NOT GLOB 'hold:*' GROUP BY 1
"""
_OPEN = """
SELECT coalesce(SUM(b.nano), 0) FROM balances b JOIN intents i ON i.key = substr(b.account, 6)
 WHERE b.account >= 'hold:' AND b.account < 'hold;' AND b.nano > 0 AND i.payer = 'paid'
"""
_OUTCOMES = {one.word: one for one in Outcome}
_PAYERS = {one.word: one for one in Payer}
_Fee: TypeAlias = tuple[
    str, int, str, str, int, int, str, int, str | None, int | None,
    int | None, str | None, int | None, str | None, str | None, bytes | None, int | None,
    int | None,
]  # fmt: skip
_Epoch: TypeAlias = tuple[int, int, int, int | None, int | None, int | None, bytes | None]


@dataclass(frozen=True, slots=True)
class _Found:
    """One entry before its place in the twin log is known."""

    leaf: int
    outcome: Outcome
    fee: _Fee
    sign: int
    transaction: int | None
    key: str | None


class SqliteFees(FeeReader):
    """The reader over the service's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fees(self, twin: bytes) -> FeeRecords:
        """Return all fees of a twin and the epochs that cover them, from one snapshot."""
        async with self._database.reading() as connection:
            tx = Statements(connection)
            fees = await tx.all(_FEES, twin)
            epochs = await tx.all(_EPOCHS, twin)
            tables = await tx.all("SELECT name, envelope FROM rate_tables")
            funding = await _read_funding(tx, twin)
        return replace(await asyncio.to_thread(_join, fees, epochs, tables), funding=funding)


def _join(
    fees: Iterable[rows.Row], epochs: Iterable[rows.Row], tables: Iterable[rows.Row]
) -> FeeRecords:
    hours = {
        rows.blob(name): RateTable.parse(parse_envelope(rows.blob(envelope)).payload).held_hours
        for name, envelope in tables
    }
    final = [cast("_Epoch", row) for row in epochs]
    found = sorted(
        (one for row in fees for one in _entries(cast("_Fee", row))), key=lambda one: one.leaf
    )
    sizes = [(number, size, cutoff) for number, size, cutoff, *_ in final]
    return FeeRecords(
        rows=[_row(index, one, sizes, hours) for index, one in enumerate(found)],
        epochs=[
            StatementEpoch(number, entries, to_units(nano or 0), held or 0, commit)
            for number, _, _, entries, nano, held, commit in final
            if entries is not None
        ],
    )


def _entries(fee: _Fee) -> Iterable[_Found]:
    """Return a reply's one, two or three entries."""
    outcome = _OUTCOMES[fee[6]]
    delivered = outcome is Outcome.DELIVERED
    yield _Found(fee[7], outcome, fee, int(delivered), fee[10], fee[11])
    if fee[8] is not None and fee[9] is not None:
        after = _OUTCOMES[fee[8]]
        if after is Outcome.REFUNDED:
            yield _Found(fee[9], after, fee, -1, fee[12], fee[13])
        else:  # what is withdrawn stays paid
            yield _Found(fee[9], after, fee, 0, None, None)
    if fee[16] is not None:
        yield _Found(fee[16], Outcome.REFUNDED, fee, -1, fee[12], fee[13])


def _row(
    index: int, one: _Found, sizes: list[tuple[int, int, int]], hours: Mapping[bytes, int]
) -> FeeRow:
    receipt_id, seq, at, payer, price, creator = one.fee[:6]
    paid_by = _PAYERS[payer]
    operator = 0 if paid_by is Payer.PROMOTIONAL else price - creator
    held_since = one.fee[14] if one.sign > 0 else None
    since = None if held_since is None else datetime.fromisoformat(held_since)
    wait = hours.get(one.fee[15] or b"")
    covering = [(number, cutoff) for number, size, cutoff in sizes if one.leaf < size]
    # What was bought is claimed from the moment when it matured; the rest from its outcome on.
    # A fee that was reversed was held until then: no claim ever had it, nor has one its refund.
    taken_back = one.sign != 0 and one.fee[12] is not None
    counts = None if taken_back else one.fee[17] if paid_by is Payer.PAID else 0
    claiming = [number for number, cutoff in covering if counts is not None and counts <= cutoff]
    return FeeRow(
        index=index,
        leaf=one.leaf,
        receipt_id=receipt_id,
        seq=seq,
        at=datetime.fromisoformat(at),
        payer=paid_by,
        outcome=one.outcome,
        price_nano=one.sign * price,
        earned_nano=one.sign * creator,
        operator_nano=one.sign * operator,
        transaction=one.transaction,
        transaction_key=one.key,
        epoch=covering[0][0] if covering else None,
        claimed_by=claiming[0] if claiming else None,
        held_since=since,
        taken_back=taken_back,
        payable_at=None if since is None or wait is None else since + timedelta(hours=wait),
    )


async def _read_funding(tx: Statements, twin: bytes) -> Funding:
    """Read what stands behind a twin's fees, and behind everybody's."""
    sums = dict(cast("list[tuple[str, int]]", await tx.all(_SUMS)))

    async def of(account: str) -> int:
        return await tx.integer("SELECT nano FROM balances WHERE account = ?", account)

    waiting, held = sums.get("creator:", 0), sums.get("held:", 0)
    return Funding(
        committed=await of(settled_account(twin)),
        waiting=await of(creator_account(twin)),
        held=await of(held_account(twin)),
        all_waiting=waiting,
        all_held=held,
        uncovered=uncovered(
            owed=sums.get("fan:", 0) + await tx.integer(_OPEN) + waiting + held,
            settled=sums.get("settled:", 0),
            put_in=-await of(EQUITY) - await of(RESTORED),
            channels=-sums.get("channel:", 0),
        ),
    )
