"""Held-out evaluation of a small persona model (starter_questions/grading.md has the rules).

Asks the held-out questions of the real engine, alone and with the service's guards, and grades
every reply by fixed rules. Nothing of the questions may be trained on.
"""

import argparse
import importlib
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
# Not this folder: its discord.py would stand in the library's way.
sys.path[0] = str(ROOT)

from rich.console import Console  # noqa: E402
from rich.progress import Progress  # noqa: E402
from rich.table import Table  # noqa: E402

from bench.starter_questions.baselines import BASELINES  # noqa: E402
from bench.starter_questions.material import Conversation, load_conversations  # noqa: E402
from bench.starter_questions.reporting import overlap, transcripts  # noqa: E402
from bench.starter_questions.scoring import Figure, Graded, figures_of, grade_all  # noqa: E402
from bench.starter_questions.speaking import (  # noqa: E402
    Guards,
    NoGuards,
    ServiceGuards,
    Speaker,
    greedy,
    open_speaker,
    say_all,
    twins_sampler,
)
from bot.domain.errors import ConfigurationError  # noqa: E402
from bot.wiring.engine import STARTER  # noqa: E402

QUICK_EVERY = 6


@dataclass(frozen=True, slots=True)
class Column:
    """One way of answering, and what came of it."""

    label: str
    talks: list[tuple[Conversation, list[Graded]]]
    figures: list[Figure]


def main() -> int:
    """Ask, grade and print; 1 where `--overlap` finds something, 2 where no model can be used."""
    options = read_options()
    talks = list(load_conversations())
    if options.overlap:
        return report_overlap(talks, options.overlap)
    if options.quick:
        talks = talks[::QUICK_EVERY]
    started = time.monotonic()
    errors = Console(stderr=True)
    try:
        with Progress(console=errors, transient=True, disable=options.json) as progress:
            columns = list(measure(options, talks, progress))
    except ConfigurationError as error:
        errors.print(str(error))
        return 2
    if options.transcripts:
        shown = next(c for c in columns if c.label == "guarded")
        print(transcripts(shown.talks, options.transcripts))
    elif options.json:
        rows = [one.to_json(c.label) for c in columns for one in c.figures]
        print(json.dumps({"figures": rows}, indent=2))
    else:
        Console().print(table(columns))
        replies = sum(len(graded) for c in columns for _, graded in c.talks)
        print(f"{replies} replies, {time.monotonic() - started:.0f} s")
    return 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=STARTER, help="GGUF; the shipped one if none")
    parser.add_argument("--against", type=Path, help="GGUF of an earlier version, one more column")
    parser.add_argument("--baseline", nargs="?", const="random", choices=sorted(BASELINES))
    parser.add_argument("--guards", metavar="MODULE:CLASS", help="instead of the service's guards")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--transcripts", type=int, metavar="N", help="print N as Markdown")
    parser.add_argument("--overlap", type=Path, nargs="+", metavar="FILE", help="training texts")
    parser.add_argument("--quick", action="store_true", help="fewer questions, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def measure(
    options: argparse.Namespace, talks: list[Conversation], progress: Progress
) -> Iterator[Column]:
    """Yield the columns: alone greedy, alone and guarded at the twins' policy, and others."""
    speaker = open_speaker(options.model, threads=options.threads)
    guards = load_guards(options.guards)
    policy = twins_sampler()
    ways = [
        ("alone, greedy", speaker, greedy(policy), NoGuards()),
        ("alone", speaker, policy, NoGuards()),
        ("guarded", speaker, policy, guards),
    ]
    if options.against:
        earlier = open_speaker(options.against, threads=options.threads)
        ways.append(("earlier, guarded", earlier, policy, guards))
    for label, who, sampler, around in ways:
        step = progress.add_task(label, total=len(talks))
        shipped = label == "guarded"
        done = []
        for talk in talks:
            spoken = who.answer(talk, sampler, around, replay=shipped)
            done.append((talk, grade_all(spoken)))
            progress.advance(step)
        figures = figures_of([one for _, rows in done for one in rows], targets=shipped)
        yield Column(label, done, figures + surprise_of(who, talks))
    if options.baseline:
        yield baseline(options.baseline, speaker, talks)


def baseline(name: str, speaker: Speaker, talks: list[Conversation]) -> Column:
    """Return the column of a baseline."""
    done = []
    for talk in talks:
        reply = partial(BASELINES[name], speaker, talk)
        done.append((talk, grade_all(say_all(talk, reply))))
    return Column(name, done, figures_of([one for _, rows in done for one in rows], targets=False))


def surprise_of(speaker: Speaker, talks: list[Conversation]) -> list[Figure]:
    """Return the perplexity of the reference replies."""
    parts = [speaker.surprise(talk) for talk in talks]
    nats, tokens, characters = (sum(part[at] for part in parts) for at in range(3))
    return [
        Figure("held-out perplexity", math.exp(nats / tokens), "per token"),
        Figure("held-out bits", nats / math.log(2) / characters, "bits/character"),
    ]


def load_guards(name: str | None) -> Guards:
    """Return the service's guards, or those of a class named MODULE:CLASS."""
    if name is None:
        return ServiceGuards()
    module, _, attribute = name.partition(":")
    return cast("Guards", getattr(importlib.import_module(module), attribute)())


def report_overlap(talks: list[Conversation], files: list[Path]) -> int:
    """Print what training texts share with the held-out material."""
    found = overlap(talks, files)
    for path, shared in found.items():
        print(f"{path}: {len(shared)} shared")
        for text in shared:
            print(f"  {text}")
    return 1 if any(found.values()) else 0


def table(columns: list[Column]) -> Table:
    """Return the figures, a row each; a column for each way of answering."""
    shown = Table(title="Held-out evaluation")
    shown.add_column("figure")
    for column in columns:
        shown.add_column(column.label, justify="right")
    shown.add_column("target", justify="right")
    names = [figure.name for figure in columns[0].figures]
    for name in names:
        cells = [
            next((f for f in c.figures if f.name == name), Figure(name, None)) for c in columns
        ]
        aim = next((f for f in cells if f.target is not None), None)
        shown.add_row(name, *(cell(one) for one in cells), target_of(aim))
    return shown


def cell(figure: Figure) -> str:
    """Return a figure's value, green or red where it has a target."""
    if figure.value is None:
        return "-"
    text = f"{figure.value:.1f}" if figure.unit == "%" else f"{figure.value:.2f}"
    return text if figure.ok is None else f"[{'green' if figure.ok else 'red'}]{text}[/]"


def target_of(figure: Figure | None) -> str:
    """Return a target in signs."""
    if figure is None or figure.target is None:
        return ""
    least = figure.name in {"fact use", "exact replay"}
    return f"{'≥' if least else '<'} {figure.target:g} %"


if __name__ == "__main__":
    sys.exit(main())
