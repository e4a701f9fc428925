"""`replay`: makes replies again from their proofs and the weights, one or many at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

from rich.table import Table
from rich.text import Text

from bot.cli import printing
from bot.cli.proofs import verified_of
from bot.cli.replay_words import (
    STYLES,
    describe_evidence,
    describe_one,
    sentence_of,
    thresholds_words,
)
from bot.domain.errors import BotError, UserError, VerificationError
from bot.domain.printable import printable
from bot.generation.verdict import Verdict, decide
from bot.receipts.verify import VerifiedReceipt
from bot.twins.replay import REPLAY_STEP, Finding, explain
from bot.wiring.engine import Progress, no_progress
from bot.wiring.offline import Replayed, replay_fresh, replay_together


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given beside the links.

    Attributes:
        model: the weights; None for the store's, or the starter model.
        threads: 0 for all cores but one.
        trust: the file of a trust policy.
        data: the folder where copies of bundles may lie.
        store: the folder of models, where that of a receipt is looked for.
    """

    model: Path | None
    threads: int
    trust: Path | None
    data: Path
    as_json: bool
    store: str


async def replay(links: Sequence[str], options: Options) -> int:
    """Verify links, make their replies again and compare; return the exit code."""
    if len(links) == 1:
        return await _replay_one(links[0], options)
    if options.as_json:
        rows = await _rows(links, options, no_progress)
    else:
        with printing.step_bar() as bar:
            rows = await _rows(links, options, bar)
    return conclude(rows, as_json=options.as_json)


async def _replay_one(link: str, options: Options) -> int:
    verified, source = await _opened(link, options)
    if options.as_json:
        found = await replay_fresh(
            verified,
            model_path=options.model,
            threads=options.threads,
            progress=no_progress,
            store=options.store,
        )
        printing.print_json(describe_one(verified, source, found))
    else:
        with printing.step_bar() as bar:
            found = await replay_fresh(
                verified,
                model_path=options.model,
                threads=options.threads,
                progress=bar,
                store=options.store,
            )
        printing.print_subject(verified)
        printing.print_replay(found.outcome)
        if words := thresholds_words(found):
            printing.out.print(words)
    _refuse(found.finding)
    if not options.as_json:
        printing.say(sentence_of(found.finding), STYLES[found.finding.verdict])
        printing.print_unproved(verified, replayed=found.outcome.exact)
    return 0


async def _opened(link: str, options: Options) -> tuple[VerifiedReceipt, str]:
    verified, source = await verified_of(link, trust=options.trust, data=options.data)
    if verified.openings is None:
        raise UserError("A replay needs the fan's key: use the whole link, which ends in #k=….")
    return verified, source


def _refuse(finding: Finding) -> None:
    """Leave with an error, unless the reply is what the model gives."""
    if finding.verdict is Verdict.INCONSISTENT:
        raise VerificationError(REPLAY_STEP, f"the replay gives another reply: {finding.reason}")
    if finding.verdict is Verdict.UNDECIDED:
        raise UserError(
            f"Undecided: {finding.reason}. Replay several replies of this twin with one command: "
            "their tokens count together."
        )


# Many at once.


@dataclass(slots=True)
class Row:
    """One link, without its key, and how far it came."""

    name: str
    verified: VerifiedReceipt | None = None
    source: str = ""
    found: Replayed | None = None
    error: BotError | None = None

    @property
    def false(self) -> bool:
        """Whether the reply is shown to be another than its proof says."""
        if self.found is not None:
            return self.found.finding.verdict is Verdict.INCONSISTENT
        return isinstance(self.error, VerificationError)

    @property
    def words(self) -> str:
        """What became of it."""
        return self.found.finding.verdict.value if self.found else "FALSE" if self.false else "--"

    @property
    def reason(self) -> str:
        """Why."""
        return self.found.finding.reason if self.found else str(self.error)


async def _rows(links: Sequence[str], options: Options, progress: Progress) -> list[Row]:
    """Verify every link, then replay those that can be, together."""
    rows = await verify_links(links, options, progress)
    await replay_rows(rows, options, progress)
    return rows


async def verify_links(links: Sequence[str], options: Options, progress: Progress) -> list[Row]:
    """Verify links one after the other; one that is false or can't be read stops no other."""
    rows = [Row(link.partition("#")[0]) for link in links]
    title = f"Verifying {len(links)} proofs"
    for number, (link, row) in enumerate(zip(links, rows, strict=True)):
        progress(title, number / len(links))
        try:
            row.verified, row.source = await _opened(link, options)
        except BotError as error:
            row.error = error
    return rows


async def replay_rows(rows: Sequence[Row], options: Options, progress: Progress) -> None:
    """Replay what was verified, together, and note in each row what came of it."""
    whole = [(row, row.verified) for row in rows if row.verified is not None]
    if whole:
        found = await replay_together(
            [verified for _, verified in whole],
            model_path=options.model,
            threads=options.threads,
            progress=progress,
            store=options.store,
        )
        for (row, _), one in zip(whole, found, strict=True):
            if isinstance(one, BotError):
                row.error = one
            else:
                row.found = one


def conclude(rows: list[Row], *, as_json: bool) -> int:
    """Print every row and what all weigh together; return the exit code."""
    together = weigh_together(rows)
    if as_json:
        printing.print_json({"replies": [_as_json(row) for row in rows], "together": together})
    else:
        _print_rows(rows, together)
    refuse_false(rows, together)
    return 0


def refuse_false(rows: Sequence[Row], together: dict[str, object] | None) -> None:
    """Leave with an error, unless all replies are what the model gives.

    Raises:
        VerificationError: one is not, alone or together with the others.
        UserError: one could not be replayed, or all together are undecided.
    """
    wrong = [row for row in rows if row.false]
    if wrong or (together and together["verdict"] == Verdict.INCONSISTENT.value):
        names = ", ".join(printable(row.name) for row in wrong) or "all of them together"
        raise VerificationError(REPLAY_STEP, f"not what the model gives: {names}")
    if stuck := [row for row in rows if row.found is None]:
        raise UserError(
            f"{len(stuck)} of {len(rows)} replies could not be replayed: {stuck[0].reason}"
        )
    if together and together["verdict"] == Verdict.UNDECIDED.value:
        raise UserError(f"Undecided, also together: {together['reason']}.")


def weigh_together(rows: Sequence[Row]) -> dict[str, object] | None:
    """Return what those replies weigh together that are not the same bit for bit."""
    found = [row.found for row in rows if row.found is not None]
    weighed = [one.finding.evidence for one in found if one.finding.evidence is not None]
    if not weighed:
        return None
    evidence, one = reduce(add, weighed), found[0]
    return {
        "replies": len(weighed),
        "verdict": decide(evidence, one.calibration).value,
        "reason": explain(evidence, one.calibration),
        **describe_evidence(evidence, one),
    }


def _as_json(row: Row) -> dict[str, object]:
    if row.verified is None or row.found is None:
        return {"link": row.name, "refused": row.reason, "false": row.false}
    return describe_one(row.verified, row.source, row.found)


def _print_rows(rows: Sequence[Row], together: dict[str, object] | None) -> None:
    table = Table(box=None, padding=(0, 1))
    for heading in ("reply", "twin", "tokens", "same", "verdict"):
        table.add_column(heading, justify="left", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in rows:
        tokens = row.found.outcome.tokens if row.found else ()
        table.add_row(
            Text(printable(row.verified.receipt_id if row.verified else row.name)),
            Text(printable(row.verified.manifest.name) if row.verified else ""),
            str(len(tokens)),
            str(sum(token.same for token in tokens)),
            Text(row.words, STYLES[row.found.finding.verdict] if row.found else "red"),
            Text("" if row.found and row.found.outcome.exact else printable(row.reason)),
        )
    printing.print_table(table)
    known = [row.verified for row in rows if row.verified is not None]
    for words in sorted({f"{', '.join(v.levels)} ({printing.trust_words(v)})" for v in known}):
        printing.out.print(f"\nProofs: {words}")
    exact = sum(row.found is not None and row.found.outcome.exact for row in rows)
    printing.out.print(f"\n{exact} of {len(rows)} replies are the same, bit for bit.")
    if together:
        printing.out.print(
            f"The others together, {together['replies']}: {together['verdict']} "
            f"({together['reason']})."
        )
