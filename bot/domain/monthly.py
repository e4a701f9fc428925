"""A creator's month: its entries with all that names them, their sums, and a CSV. Exact amounts."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from bot.domain.errors import UserError
from bot.domain.funding import Funding
from bot.domain.money import format_nano
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.domain.times import encode_time

COLUMNS = (
    *("twin_log_index", "receipt", "seq", "time", "payer", "outcome", "token", "price", "earned"),
    *("operator", "log_leaf", "ledger_transaction", "ledger_key", "epoch", "state", "payable_from"),
    "funded",
)
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class FeeRow:
    """One entry of a twin log, with what belongs to it in receipt, log, ledger and epochs.

    Attributes:
        index: in the twin log, from 0.
        leaf: index of the outcome's leaf in the public log.
        at: when the message was admitted; an outcome has no time of its own.
        price_nano: what was paid, whoever got it; 0 where the outcome says that nobody paid.
        earned_nano: the creator's; below 0 where a fee was taken back.
        operator_nano: likewise.
        transaction: number of the ledger transaction that the outcome posted; None if none did.
        transaction_key: its key.
        epoch: number of the first final epoch whose log covers it; None before one does.
        claimed_by: number of the first final epoch whose claim has it; that of `epoch`, or a later
            one where it was held for a while; None while the vault has nothing for it.
        held_since: set while a platform may still take the fee back.
        payable_at: when it becomes payable; set with `held_since`, where its table is known.
        taken_back: whether its fee was reversed; that of the delivery, and that of the refund.
    """

    index: int
    leaf: int
    receipt_id: str
    seq: int
    at: datetime
    payer: Payer
    outcome: Outcome
    price_nano: int
    earned_nano: int
    operator_nano: int
    transaction: int | None
    transaction_key: str | None
    epoch: int | None
    held_since: datetime | None = None
    payable_at: datetime | None = None
    claimed_by: int | None = None
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class StatementEpoch:
    """A final epoch with the twin's claim in it; `transaction` is the commit's hash, if known."""

    epoch: int
    entries: int
    cumulative_units: int
    held_nano: int
    transaction: bytes | None


@dataclass(frozen=True, slots=True)
class FeeRecords:
    """All of one twin, from one snapshot; rows in the order of the twin log.

    Attributes:
        funding: what stands behind its fees; None where the book was not asked.
    """

    rows: Sequence[FeeRow]
    epochs: Sequence[StatementEpoch]
    funding: Funding | None = None


@dataclass(frozen=True, slots=True)
class MonthlyStatement:
    """What one twin earned in one month, and what has become of it.

    Attributes:
        month: its first day.
        rows: of replies that were admitted in that month, UTC.
        epochs: that cover any of these rows.
        funding: what stands behind all of the twin's fees, now and not in that month.
    """

    twin: bytes
    name: str
    token: str
    month: date
    rows: tuple[FeeRow, ...]
    epochs: tuple[StatementEpoch, ...]
    funding: Funding | None = None


def parse_month(text: str) -> date:
    """Parse `2026-11`.

    Raises:
        UserError: it is no month.
    """
    found = _MONTH.fullmatch(text)
    if found is None:
        raise UserError("A month is written as 2026-11.")
    return date(int(found[1]), int(found[2]), 1)


def statement_of(
    records: FeeRecords, *, twin: bytes, name: str, token: str, month: date
) -> MonthlyStatement:
    """Pick a month out of all of a twin's fees; `name` is the twin's, `token` the symbol."""
    rows = tuple(row for row in records.rows if _month_of(row) == month)
    covering = {row.epoch for row in rows if row.epoch is not None}
    epochs = tuple(one for one in records.epochs if one.epoch in covering)
    return MonthlyStatement(twin, name, token, month, rows, epochs, records.funding)


def state_of(row: FeeRow) -> str:
    """Say in one word what has become of a row's money."""
    if row.held_since is not None:
        return "held"
    if row.earned_nano == 0:
        return "nothing to pay"
    if row.taken_back:
        return "taken back"
    return "payable" if row.claimed_by is None else "committed"


def is_funded(row: FeeRow) -> bool | None:
    """Whether the vault has fetched a row's money; None where there is none to pay."""
    if row.earned_nano <= 0 or row.taken_back:
        return None
    return state_of(row) == "committed"


@dataclass(frozen=True, slots=True)
class Sums:
    """What rows amount to, in nano; `by_payer` is the creator's part by whose money it was."""

    replies: int
    refunds: int
    price_nano: int
    earned_nano: int
    operator_nano: int
    held_nano: int
    by_payer: dict[Payer, int]


def sum_up(rows: Sequence[FeeRow]) -> Sums:
    """Add rows up."""
    by_payer: dict[Payer, int] = dict.fromkeys(Payer, 0)
    for row in rows:
        by_payer[row.payer] += row.earned_nano
    return Sums(
        replies=sum(row.outcome is Outcome.DELIVERED for row in rows),
        refunds=sum(row.outcome is Outcome.REFUNDED for row in rows),
        price_nano=sum(row.price_nano for row in rows),
        earned_nano=sum(row.earned_nano for row in rows),
        operator_nano=sum(row.operator_nano for row in rows),
        held_nano=sum(row.earned_nano for row in rows if row.held_since is not None),
        by_payer=by_payer,
    )


def by_day(rows: Sequence[FeeRow]) -> dict[date, Sums]:
    """Add rows up by the day of admission, UTC, in the order of days."""
    days: dict[date, list[FeeRow]] = defaultdict(list)
    for row in rows:
        days[row.at.astimezone(UTC).date()].append(row)
    return {day: sum_up(days[day]) for day in sorted(days)}


def encode_csv(statement: MonthlyStatement) -> bytes:
    """Encode a statement as CSV (RFC 4180), one row for each entry; amounts are in the token."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in statement.rows:
        payable = "" if row.payable_at is None else encode_time(row.payable_at)
        writer.writerow(
            (
                *(row.index, row.receipt_id, row.seq, encode_time(row.at), row.payer.word),
                *(row.outcome.word, statement.token, format_nano(row.price_nano)),
                *(format_nano(row.earned_nano), format_nano(row.operator_nano), row.leaf),
                *(_or_empty(row.transaction), row.transaction_key or "", _or_empty(row.epoch)),
                *(state_of(row), payable, _FUNDED[is_funded(row)]),
            )
        )
    return text.getvalue().encode()


_FUNDED = {None: "", True: "yes", False: "no"}


def _or_empty(number: int | None) -> str:
    return "" if number is None else str(number)


def _month_of(row: FeeRow) -> date:
    return row.at.astimezone(UTC).date().replace(day=1)
