"""`doctor`: what is well, what is missing and what to do about it, one line each."""

from pathlib import Path
from typing import Any

from rich.text import Text

from bot.cli import printing
from bot.config import Settings
from bot.domain.errors import ConfigurationError
from bot.domain.printable import printable
from bot.ports.checks import Finding, State
from bot.wiring.doctor import examine

COLOURS = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "red", State.SKIPPED: "dim"}
WIDTH = 8


class PassingLine:
    """Says on a terminal what is being looked at, in a line that the next one replaces.

    A live bar would take standard output over, which may go somewhere else.
    """

    def __call__(self, title: str, fraction: float | None) -> None:
        """Show a step and how far it has come."""
        if printing.err.is_terminal:
            percent = "" if fraction is None else f" {fraction:.0%}"
            self._write(f"\r\x1b[2K{title}{percent} …")

    def clear(self) -> None:
        """Take the line away."""
        if printing.err.is_terminal:
            self._write("\r\x1b[2K")

    def _write(self, text: str) -> None:
        printing.err.file.write(text)
        printing.err.file.flush()


async def doctor(settings: Settings, source: Path | None, *, as_json: bool) -> int:
    """Examine everything and print the findings; return the exit code.

    Args:
        settings: from the configuration.
        source: the file that they come from; None for the defaults.
        as_json: print one JSON object, at the end.
    """
    read = f"{source} is valid." if source else "there is no config.toml here: these are defaults."
    findings = [Finding("configuration", State.OK, read)]
    passing = PassingLine()
    if not as_json:
        print_finding(findings[0])
    async for finding in examine(settings, passing):
        findings.append(finding)
        passing.clear()
        if not as_json:
            print_finding(finding)
    passing.clear()
    return conclude(findings, as_json=as_json)


def refused(error: ConfigurationError, *, as_json: bool) -> int:
    """Print that the configuration itself can't be used, so nothing else could be looked at."""
    findings = [
        Finding(
            "configuration", State.FAULT, str(error), "Correct the file, or run twinproof init."
        ),
        Finding("everything else", State.SKIPPED, "it depends on the configuration."),
    ]
    if not as_json:
        for finding in findings:
            print_finding(finding)
    return conclude(findings, as_json=as_json)


def conclude(findings: list[Finding], *, as_json: bool) -> int:
    """Print how the check-up ended; return the exit code: 1 if there is a fault."""
    faults = sum(finding.state is State.FAULT for finding in findings)
    warnings = sum(finding.state is State.WARNING for finding in findings)
    if as_json:
        printing.print_json({"ok": not faults, "checks": [describe(one) for one in findings]})
    else:
        printing.out.print(f"Faults: {faults}, warnings: {warnings}.")
    return 1 if faults else 0


def print_finding(finding: Finding) -> None:
    """Print one line, and the remedy below it where there is one."""
    line = Text(f"{finding.state.value:<{WIDTH}}", style=COLOURS[finding.state])
    line.append(printable(f"{finding.check}: {finding.sentence}"), style="default")
    printing.out.print(line)
    if finding.remedy:
        printing.out.print(Text(" " * WIDTH + "-> " + printable(finding.remedy)))


def describe(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON."""
    return {
        "check": finding.check,
        "state": finding.state.value,
        "sentence": finding.sentence,
        "remedy": finding.remedy,
    }
