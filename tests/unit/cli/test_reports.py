"""`twinproof reports`: what the operator reads about complaints."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cli.commands import run
from tests.fans_rig import sqlite_rig
from tests.stage import THEO, message

HOSTILE = "rude\x1b[2J\u202e\nsecond line"


async def _report(folder: Path) -> list[str]:
    """Have two replies reported, an hour apart; return their receipt ids."""
    async with sqlite_rig(folder) as rig:
        await rig.stage.open((THEO,))
        receipts = []
        for fan, reason in (("ben", "first"), ("cleo", HOSTILE)):
            shown = await rig.ask(message(number=fan, fan=fan, twin="theo"))
            await rig.fans.report(shown.receipt_id, "discord", fan, reason)
            rig.stage.clock.advance(timedelta(hours=1))
            receipts.append(shown.receipt_id)
    return receipts


def test_reports_are_listed_newest_first_and_cannot_act_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = asyncio.run(_report(tmp_path))
    capsys.readouterr()

    assert run(["reports", "--data", str(tmp_path)]) == 0

    shown = capsys.readouterr().out
    assert shown.index(second) < shown.index(first)
    assert "\\u{1b}[2J\\u{202e}" in shown
    assert not {"\x1b", "\u202e"} & set(shown)
    assert f"/r/{first}" in shown
    assert "#k=" not in shown
    assert "Reports: 2." in shown


def test_reports_as_json_are_whole_and_name_no_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = asyncio.run(_report(tmp_path))
    capsys.readouterr()

    assert run(["reports", "--data", str(tmp_path), "--json"]) == 0

    out = capsys.readouterr().out
    found = json.loads(out)
    assert [(one["receipt"], one["twin"], one["reason"]) for one in found] == [
        (second, "theo", HOSTILE),
        (first, "theo", "first"),
    ]
    assert found[1]["link"].endswith(f"/r/{first}")
    assert found[1]["time"] == "2026-11-20T10:00:00Z"
    assert "cleo" not in out


def test_no_reports_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def begin() -> None:
        async with sqlite_rig(tmp_path):
            pass

    asyncio.run(begin())

    assert run(["reports", "--data", str(tmp_path)]) == 0
    assert "Nobody has reported a reply." in capsys.readouterr().out


def test_folder_without_a_service_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reports", "--data", str(tmp_path)]) == 2
    assert "no service's data" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
