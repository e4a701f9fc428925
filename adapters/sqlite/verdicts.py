"""The table of auditors' verdicts."""

from collections.abc import Sequence

from adapters.sqlite import rows
from adapters.sqlite.statements import Statements
from bot.domain.errors import InvariantError
from bot.ports.verdicts import StoredVerdict

SELECT_VERDICT = "SELECT log_index, receipt, auditor, envelope FROM verdicts"


class VerdictTables(Statements):
    """The auditors' part of a transaction."""

    async def add_verdict(self, verdict: StoredVerdict) -> None:
        """Keep a verdict for ever."""
        leaf = await self.one("SELECT 1 FROM log_leaves WHERE idx = ?", verdict.log_index)
        if leaf is None:
            raise InvariantError("a verdict has a leaf")
        await self.insert(
            "verdicts",
            {
                "log_index": verdict.log_index,
                "receipt": verdict.receipt,
                "auditor": verdict.auditor,
                "envelope": verdict.envelope,
            },
        )

    async def verdicts_of(self, receipt: bytes) -> Sequence[StoredVerdict]:
        """Return the verdicts on a receipt, in the order of the log."""
        found = await self.few(f"{SELECT_VERDICT} WHERE receipt = ? ORDER BY log_index", receipt)
        return [read_verdict(row) for row in found]


def read_verdict(row: rows.Row) -> StoredVerdict:
    """Read a row of `SELECT_VERDICT`."""
    return StoredVerdict(*row)  # type: ignore[arg-type]  # STRICT tables hold the types
