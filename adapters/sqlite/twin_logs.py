"""Twins' logs, joined from receipts, outcomes and the ledger (formats.md section 14).

A reply is one row and up to three entries. Reading runs in the connection's thread and joining in
another one: a book may have hundreds of thousands of entries.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from adapters.sqlite import rows
from adapters.sqlite.statements import Statements
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.domain.twin_log import TwinEntry, TwinLog

_Row: TypeAlias = tuple[
    bytes, int, int, str, bytes, str, int, str | None, int | None, int | None, int
]  # fmt: skip
_OUTCOMES = {one.word: one for one in Outcome}
_PAYERS = {one.word: one for one in Payer}
_COLUMNS = """
SELECT r.twin, r.seq, r.creator_nano, i.payer, r.receipt_tag,
       r.outcome, r.outcome_index, r.reversal, r.reversal_index, r.refund_index, m.id IS NOT NULL
  FROM replies r JOIN intents i ON i.key = r.intent
  LEFT JOIN ledger_transactions m ON m.key = 'mature:' || r.intent
"""
_OF_ALL = f"{_COLUMNS} WHERE r.outcome_index < ?"
_OF_ONE = f"{_COLUMNS} WHERE r.twin = ? AND r.outcome_index < ?"


@dataclass(slots=True)
class TwinOutcomes:
    """A twin's entries as they are found, each with the index of its leaf."""

    found: list[tuple[int, TwinEntry]] = field(default_factory=list)
    held_nano: int = 0

    @property
    def log(self) -> TwinLog:
        """The entries in the order of their leaves."""
        return TwinLog(entry for _, entry in sorted(self.found, key=lambda one: one[0]))


async def read_outcomes(tx: Statements, log_size: int, twin: bytes | None = None) -> list[rows.Row]:
    """Read the rows of all twins, or of one, whose outcome stands below `log_size`."""
    if twin is None:
        return await tx.all(_OF_ALL, log_size)
    return await tx.all(_OF_ONE, twin, log_size)


def join_outcomes(found: Iterable[rows.Row], log_size: int) -> dict[bytes, TwinOutcomes]:
    """Put rows together: every twin's entries, and what of them is held."""
    outcomes: dict[bytes, TwinOutcomes] = defaultdict(TwinOutcomes)
    for row in found:
        twin, seq, nano, payer, tag, outcome, index, reversal, late, last, is_mature = cast(
            "_Row", row
        )
        own = outcomes[twin]
        said = [(index, _OUTCOMES[outcome])]
        if reversal is not None and late is not None:
            said.append((late, _OUTCOMES[reversal]))
        if last is not None:
            said.append((last, Outcome.REFUNDED))
        words = [word for leaf, word in said if leaf < log_size]
        paid_by = _PAYERS[payer]
        own.found += [
            (leaf, TwinEntry(seq, nano, paid_by, word, tag))
            for leaf, word in said
            if leaf < log_size
        ]
        stands = words[0] is Outcome.DELIVERED and Outcome.REFUNDED not in words
        if stands and paid_by is Payer.PAID and not is_mature:
            own.held_nano += nano
    return outcomes
