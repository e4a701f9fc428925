"""The command `statement` over a data folder."""

import csv
from pathlib import Path

import pytest

from bot.cli.stating import write_statement
from bot.domain.errors import UserError
from bot.domain.monthly import parse_month
from bot.domain.statements import Outcome
from bot.wiring.stores import open_stores
from tests.stage import MIRA, Stage


async def test_a_month_is_written_as_csv_and_said_in_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_stores(tmp_path) as stores:
        stage = Stage(store=stores.replies, reader=stores.audit, earnings=stores.earnings)
        await stage.open((MIRA,))
        for number, outcome in enumerate((Outcome.DELIVERED, Outcome.UNDELIVERED)):
            reply = await stage.say(number=f"m{number}")
            await stage.delivery.record(reply.receipt_id, outcome)
    file = tmp_path / "mira.csv"

    code = await write_statement("mira", parse_month("2026-11"), file, tmp_path)

    rows = list(csv.DictReader(file.read_text().splitlines()))
    said = " ".join(capsys.readouterr().out.split())
    assert code == 0
    assert [(row["seq"], row["outcome"], row["earned"]) for row in rows] == [
        ("1", "delivered", "0.0017"),
        ("2", "undelivered", "0"),
    ]
    assert "Mira, 2026-11: 1 replies delivered, 0 refunded. Earned 0.0017 tUSD" in said
    assert (
        "Not funded on the chain: 0.0017 tUSD that wait for an epoch, and 0 that are held" in said
    )
    assert "All creators together: 0.0017 tUSD wait, and 0 are held" in said
    with pytest.raises(UserError, match="no twin theo"):
        await write_statement("theo", parse_month("2026-11"), None, tmp_path)
    with pytest.raises(UserError, match="no service's data"):
        await write_statement("mira", parse_month("2026-11"), None, tmp_path / "nowhere")
