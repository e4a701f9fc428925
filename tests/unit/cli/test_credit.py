"""`twinproof credit` and `twinproof disputes`: what the operator gives, sees and owes."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.commands import run
from bot.domain.errors import UserError
from bot.ports.credit import Purchase
from bot.ports.people import Person
from bot.wiring.stores import open_stores
from tests.credit_rig import SKU, STAR, open_rig
from tests.stage import Stage

ANA = Person("terminal", "ana")
HOSTILE = "where\x1b[2J\u202e\nis it"


async def _book(folder: Path) -> str:
    """Have a payment, a reply that it paid, a dispute, a question, a payment of no known worth."""
    async with open_stores(folder) as stores:
        rig = await open_rig(Stage(store=stores.replies, reader=stores.audit))
        await rig.buy()
        reply = await rig.say()
        await rig.door.dispute(reply.receipt_id, ANA, HOSTILE)
        await rig.disputes.run()
        await rig.door.support(ANA, HOSTILE)
        with pytest.raises(UserError):
            await rig.door.credit(Purchase(replace(ANA, platform="discord"), "e9", f"{SKU}7", 1))
        return reply.receipt_id


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_book_is_listed_and_can_not_act_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = asyncio.run(_book(tmp_path))
    capsys.readouterr()

    assert run(["credit", "list", "--data", str(tmp_path)]) == 0
    assert run(["disputes", "--data", str(tmp_path)]) == 0

    shown = capsys.readouterr().out
    assert not {"\x1b", "\u202e"} & set(shown)
    for part in (
        "Accounts: 2",
        f"terminal:charge  50 x {STAR}  0.05000005",
        "waits: no rate table names this unit",
        "Questions: 1",
        "Owed: 0.048000049 to fans, 0 to creators, 0.0017 held for them.",
        f"{receipt}  rejected  0 given back",
        "came out the same, token by token",
    ):
        assert part in shown


def test_gift_is_given_once_under_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(_book(tmp_path))
    capsys.readouterr()
    data = ("--data", str(tmp_path))

    for _ in range(2):
        assert run(["credit", "give", "terminal:local", "0.5", "--once", "welcome", *data]) == 0
    assert run(["credit", "give", "telegram:77", "0.25", *data]) == 0

    shown = capsys.readouterr().out.splitlines()
    has = "terminal:local has 0.5 of promotional credit."
    assert shown == [
        f"Given. {has}",
        (
            "Something was given before under the name welcome, perhaps another amount: nothing "
            f"changed. {has}"
        ),
        "Given. telegram:77 has 0.25 of promotional credit.",
    ]
    listed = _json(capsys, "credit", "list", *data)
    assert isinstance(listed, dict)
    given = {one["person"]: one["promotional"] for one in listed["accounts"]}
    assert given == {
        "terminal:ana": "0",
        "terminal:local": "0.5",
        "discord:ana": "0",
        "telegram:77": "0.25",
    }


@pytest.mark.parametrize("given", [("ana", "1"), ("signal:1", "1"), ("discord:1", "x")])
def test_wrong_gift_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, str]
) -> None:
    asyncio.run(_book(tmp_path))

    assert run(["credit", "give", *given, "--data", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "PLATFORM:ID" in told or "such as" in told


def test_disputes_as_json_are_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    receipt = asyncio.run(_book(tmp_path))

    listed = _json(capsys, "disputes", "--data", str(tmp_path))

    assert isinstance(listed, list)
    (found,) = listed
    assert (found["receipt"], found["state"], found["reason"]) == (receipt, "rejected", HOSTILE)


def test_folder_without_a_book_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["credit", "list"], ["disputes"], ["credit", "give", "discord:1", "1"]):
        assert run([*command, "--data", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("There is no service's data in") == 3
