"""Tables: whole in a pipe or a file, and as wide as the screen where there is one."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console
from rich.table import Table

from bot.cli import printing, recounting
from bot.settlement.recount import EpochLine, Recount, Verdict

LONG = "0x" + "ab" * 32
SENTENCE = "The registry has this twin paid to another address, which nobody has named here: " * 3


def _table() -> Table:
    table = Table(box=None, padding=(0, 1))
    for heading in ("epoch", "transaction", "waits for"):
        table.add_column(heading)
    table.add_row("1", LONG, SENTENCE)
    table.add_row("2", "", "[nothing]")
    return table


def test_nothing_is_cut_or_wrapped_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    printing.print_table(_table())

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["epoch", "1", "2"]
    assert LONG in lines[1]
    assert lines[1].endswith(SENTENCE.rstrip())
    assert all(line == line.rstrip() for line in lines)
    assert lines[0].index("waits for") == lines[1].index("The registry")


def test_a_screen_has_its_width() -> None:
    screen = io.StringIO()
    table = _table()

    console = Console(file=screen, force_terminal=True, no_color=True, color_system=None, width=60)
    printing.print_table(table, console)

    assert max(map(len, screen.getvalue().splitlines())) == 60
    assert len(screen.getvalue().splitlines()) > 3


def test_amounts_of_many_digits_stay_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    nano = 123_456_789_012_345_678
    line = EpochLine(1, 10**6, nano, nano, nano, nano, nano)
    sentence = f"proved at {datetime(2026, 1, 1, tzinfo=UTC)}"

    recounting._print(Recount(b"t" * 32, 1, Verdict.PROVED, sentence, (), (line,), ()))

    (row,) = [one for one in capsys.readouterr().out.splitlines() if "1000000" in one]
    assert row.split()[:5] == ["1", "1000000", *["123456789.012345678"] * 3]
    assert len(row.split()) == 7
