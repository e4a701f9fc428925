"""What an audit of a sample came to: its verdicts, as a table and as JSON, without any text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from bot.cli import printing
from bot.cli.replay_words import STYLES
from bot.cli.replaying import Row
from bot.domain.printable import printable
from bot.domain.statements import AuditVerdict, Sample, VerdictStatement
from bot.generation.verdict import Verdict
from bot.receipts.verify import VerifiedReceipt

_FIXED = "a fixed answer: nothing was generated, and the proof alone shows all of it"


@dataclass(frozen=True, slots=True)
class Judged:
    """A sampled reply that was replayed, or had nothing to replay."""

    verified: VerifiedReceipt
    verdict: Verdict
    reason: str
    library: str
    tokens: int
    same: int

    @property
    def is_exact(self) -> bool:
        """Whether every bit is the same."""
        return self.verdict is Verdict.EXACT

    def statement(self, sample: Sample) -> VerdictStatement:
        """Return what the auditor signs."""
        verdict = AuditVerdict[self.verdict.name]
        return VerdictStatement(self.verified.receipt_tag, verdict, sample, self.library)


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit came to.

    Attributes:
        sample: by which replies were drawn.
        rows: one for each link.
        drawn: those of them that belong to the sample.
    """

    sample: Sample
    rows: Sequence[Row]
    drawn: Sequence[Row]

    @property
    def refused(self) -> list[Row]:
        """The links that could not be verified."""
        return [row for row in self.rows if row.verified is None]

    @property
    def stuck(self) -> list[Row]:
        """The sampled replies that could not be replayed."""
        return [row for row in self.drawn if _judge(row) is None]

    @property
    def judged(self) -> list[Judged]:
        """The sampled replies on which there is a verdict, in the order of the links."""
        return [found for row in self.drawn if (found := _judge(row)) is not None]


def is_fixed(row: Row) -> bool:
    """Return whether a reply is a rule's fixed answer, which no engine can replay."""
    return row.verified is not None and row.verified.receipt.rule is not None


def _judge(row: Row) -> Judged | None:
    verified, found = row.verified, row.found
    if verified is None:
        return None
    if is_fixed(row):
        return Judged(verified, Verdict.EXACT, _FIXED, verified.manifest.library, 0, 0)
    if found is None:
        return None
    tokens, finding = found.outcome.tokens, found.finding
    same = sum(token.same for token in tokens)
    return Judged(verified, finding.verdict, finding.reason, found.library, len(tokens), same)


def audit_as_json(found: Audit) -> dict[str, object]:
    """Return an audit as JSON values."""
    sample = found.sample
    return {
        "sample": {
            "log": sample.log,
            "size": sample.size,
            "root": sample.root.hex(),
            "share": sample.share,
        },
        "links": len(found.rows),
        "drawn": len(found.drawn),
        "verdicts": [
            {
                "receipt": one.verified.receipt_id,
                "verdict": one.verdict.value,
                "reason": one.reason,
                "tokens": one.tokens,
                "same": one.same,
            }
            for one in found.judged
        ],
        "refused": [
            {"link": row.name, "reason": row.reason, "false": row.false}
            for row in [*found.refused, *found.stuck]
        ],
    }


def print_audit(found: Audit, together: dict[str, object] | None, out: Path) -> None:
    """Print every verdict, what could not be used, and how the sample was drawn."""
    table = Table(box=None, padding=(0, 1))
    for heading in ("reply", "twin", "tokens", "same", "verdict"):
        table.add_column(heading, justify="left", no_wrap=True)
    table.add_column("", overflow="fold")
    for one in found.judged:
        table.add_row(
            one.verified.receipt_id,
            Text(printable(one.verified.manifest.name)),
            str(one.tokens),
            str(one.same),
            Text(one.verdict.value, STYLES[one.verdict]),
            Text(printable(one.reason) if one.reason == _FIXED or not one.is_exact else ""),
        )
    for row in (*found.refused, *found.stuck):
        cells = (Text(printable(row.name)), "", "", "", Text(row.words, "red"))
        table.add_row(*cells, Text(printable(row.reason)))
    if table.row_count:
        printing.print_table(table)
    _print_sample(found)
    if together:
        printing.out.print(
            f"The others together, {together['replies']}: {together['verdict']} "
            f"({together['reason']})."
        )
    number = len(found.judged)
    printing.out.print(f"Signed verdicts: {number}, in {printable(str(out))}", markup=False)


def _print_sample(found: Audit) -> None:
    sample, verified = found.sample, len(found.rows) - len(found.refused)
    printing.out.print(
        f"\nThe head of {sample.size} leaves of the log {printable(sample.log)} draws "
        f"{len(found.drawn)} of {verified} verified replies, with a share of {sample.share}.",
        markup=False,
    )
    known = [row.verified for row in found.rows if row.verified is not None]
    for words in sorted({f"{', '.join(v.levels)} ({printing.trust_words(v)})" for v in known}):
        printing.out.print(f"Their proofs: {words}")
