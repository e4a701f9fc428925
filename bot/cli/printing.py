"""The one printer: results to standard output, everything a person reads along the way to error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bot.cli.costs import cost_words
from bot.domain.printable import indented, printable
from bot.domain.wording import AI_LABEL
from bot.ports.inference import ReplayOutcome
from bot.receipts.verified import ANCHORABLE, REPLAYABLE, VerifiedReceipt

out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
_UNBOUNDED = 1_000_000
"""Columns of a table that no screen bounds."""


def print_result(text: str) -> None:
    """Print a command's result, alone on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str, style: str | None = None) -> None:
    """Tell the person something on standard error."""
    err.print(text, style=style, markup=False)


def refuse(text: str) -> None:
    """Say in one sentence why a command did not do what was asked."""
    stop = "" if text.endswith((".", ")")) else "."
    err.print(
        f"twinproof: {indented(text, '  ')}{stop}",
        style="red" if err.is_terminal else None,
        markup=False,
    )


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table; in a pipe or a file, where no screen has a width, no cell is cut or wrapped.

    Args:
        table: what is printed.
        console: where; standard output if None.
    """
    console = console or out
    if console.is_terminal:
        console.print(table)
        return
    drawn = StringIO()
    Console(file=drawn, width=_UNBOUNDED, emoji=False, color_system=None).print(table)
    for line in drawn.getvalue().splitlines():
        console.print(line.rstrip(), markup=False)


class StepBar:
    """Shows one long step after the other; a plain line each where nobody watches."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._title = ""

    def __call__(self, title: str, fraction: float | None) -> None:
        """Show how far a step has come; a new title ends the step before."""
        if self._progress is None:
            if title != self._title:
                say(f"{title} ...")
            self._title = title
            return
        if title != self._title:
            for task in self._progress.task_ids:
                self._progress.update(task, total=1.0, completed=1.0)
            self._progress.add_task(title, total=None if fraction is None else 1.0)
            self._title = title
        if fraction is not None:
            self._progress.update(self._progress.task_ids[-1], total=1.0, completed=fraction)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a question while the block runs."""
        if self._progress is not None:
            self._progress.stop()
        yield
        if self._progress is not None:
            self._progress.start()


@contextmanager
def step_bar() -> Iterator[StepBar]:
    """Show bars while the block runs, and leave them finished."""
    if not err.is_terminal:
        yield StepBar(None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        yield StepBar(progress)
        for task in progress.task_ids:
            progress.update(task, total=1.0, completed=1.0)


def print_verified(verified: VerifiedReceipt, source: str, level: str | None = None) -> None:
    """Print what was verified, step by step, and what that does not show.

    Args:
        verified: the reply.
        source: where its bundle came from.
        level: what asking a chain has added.
    """
    _foreign("Bundle from ", source)
    if verified.openings is not None:
        fields = verified.openings.fields
        _foreign("\n  Fan: ", fields.message)
        _foreign(f"  {printable(verified.openings.persona.name)} ({AI_LABEL}): ", fields.text)
        out.print()
    table = Table(show_header=False, box=None, padding=(0, 1))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for step in verified.steps:
        mark = "[green]ok[/green]" if step.done else "[yellow]--[/yellow]"
        table.add_row(str(step.number), mark, step.title, Text(printable(step.sentence)))
    print_table(table)
    _foreign("\nCost: ", f"{cost_words(verified)}.")
    levels = [*verified.levels, *([] if level is None else [level])]
    out.print(f"\nVerified on this machine: {', '.join(levels)} ({trust_words(verified)})")
    print_unproved(verified, anchored=level is not None)


def print_unproved(
    verified: VerifiedReceipt, *, replayed: bool = False, anchored: bool = False
) -> None:
    """Print what a verification, and an exact replay if there was one, does not show."""
    out.print("\nWhat this does not show:")
    for sentence in unproved_after(verified, replayed=replayed, anchored=anchored):
        _foreign("  - ", sentence)


def unproved_after(
    verified: VerifiedReceipt, *, replayed: bool, anchored: bool = False
) -> list[str]:
    """Return what stays unproved after a verification, an exact replay, and asking a chain."""
    shown = {*([REPLAYABLE] if replayed else []), *([ANCHORABLE] if anchored else [])}
    return [sentence for sentence in verified.unproved if sentence not in shown]


def print_chain(state: str, sentence: str) -> None:
    """Print what a chain says of a reply's anchor, in other people's words."""
    out.print(f"\nThe chain, asked by you: {state}.")
    _foreign("  ", sentence)


def print_subject(verified: VerifiedReceipt) -> None:
    """Print whose reply a replay is about, and on whose word."""
    manifest = verified.manifest
    _foreign("A reply of ", f"{manifest.name}, signed by creator {manifest.creator}")
    _foreign("Its cost: ", f"{cost_words(verified)}.")
    out.print(f"Its proof: {', '.join(verified.levels)} ({trust_words(verified)})")


def trust_words(verified: VerifiedReceipt) -> str:
    """Say on whose word a verification rests."""
    if verified.trust == "policy":
        return "by the keys in your trust policy"
    return "self-consistent only: the keys come from the proof itself; give your own with --trust"


def _foreign(lead: str, text: str) -> None:
    """Print what somebody else wrote: it neither acts on the terminal nor looks like ours."""
    out.print(Text(lead + indented(text, "    | ")))


def print_replay(outcome: ReplayOutcome) -> None:
    """Print a replay token by token."""
    table = Table(box=None, padding=(0, 1))
    for heading in ("token", "receipt", "replay", "text", ""):
        table.add_column(heading, justify="left")
    for token in outcome.tokens:
        claimed = "end" if token.claimed is None else str(token.claimed)
        drawn = "end" if token.claimed is None and token.same else str(token.recomputed)
        mark = "[green]same[/green]" if token.same else f"[red]DIFFERENT[/red] by {token.margin:g}"
        table.add_row(str(token.position), claimed, drawn, Text(visible_text(token.text)), mark)
    print_table(table)
    same = sum(token.same for token in outcome.tokens)
    out.print(f"\n{same} of {len(outcome.tokens)} tokens are the same.")
    if not outcome.tokenisation_same:
        out.print("The persona or the message does not give the tokens that the receipt states.")
    if not (outcome.finish_same and outcome.text_same):
        out.print("The output policy does not give the text that the receipt states.")


def visible_text(text: str) -> str:
    """Return a token's text with spaces and line ends made visible."""
    return printable(text.replace("\n", "\\n").replace(" ", "\u00b7"))


def print_json(value: object) -> None:
    """Print a value as one JSON object, alone on standard output, in ASCII."""
    print_result(json.dumps(value, indent=2))
