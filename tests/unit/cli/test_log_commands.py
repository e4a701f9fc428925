"""`witness` and `monitor` on the command line: what they print, and their exit codes."""

import asyncio
import json
from pathlib import Path

import pytest

from adapters.sqlite.witness_state import SqliteWitnessState
from bot.cli.commands import run
from bot.crypto.cosignature import parse_witness_vkey
from bot.domain.errors import ConfigurationError, UserError
from bot.ports.witness import Conflict, SeenHead
from bot.wiring.transparency import make_witness, open_witness, parse_logs
from tests.log_rig import log_rig
from tests.stage import LOG

KEY = LOG.encode()


def _init(folder: Path, capsys: pytest.CaptureFixture[str], name: str = "w.example/1") -> str:
    assert run(["witness", "init", "--data", str(folder), "--name", name]) == 0
    return capsys.readouterr().out.strip()


def test_init_prints_the_key_to_publish(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vkey = _init(tmp_path / "w", capsys)

    assert parse_witness_vkey(vkey).name == "w.example/1"
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o077 == 0


def test_a_second_init_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _init(tmp_path / "w", capsys)
    key = (tmp_path / "w" / "witness.key").read_bytes()

    assert run(["witness", "init", "--data", str(tmp_path / "w"), "--name", "x"]) == 2
    assert "must never sign again" in capsys.readouterr().err.replace("\n", " ")
    assert (tmp_path / "w" / "witness.key").read_bytes() == key


@pytest.mark.parametrize("name", ["", "with space", "plus+plus", "ü", "x" * 129])
def test_a_name_that_cannot_stand_in_a_note_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run(["witness", "init", "--data", str(tmp_path / "w"), "--name", name]) == 2
    assert "The name can't be used" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("lost", ["witness.db", "witness.key", "name.txt"])
async def test_a_witness_that_has_lost_a_part_of_itself_does_not_start(
    tmp_path: Path, lost: str
) -> None:
    await make_witness(tmp_path / "w", "w.example/1")
    (tmp_path / "w" / lost).unlink()

    with pytest.raises(ConfigurationError, match=f"{lost} is missing.*must not sign again"):
        async with open_witness(tmp_path / "w", parse_logs([KEY]), host="127.0.0.1", port=0):
            raise AssertionError
    with pytest.raises(UserError, match="must never sign again"):
        await make_witness(tmp_path / "w", "w.example/1")


async def test_two_processes_never_run_one_witness(tmp_path: Path) -> None:
    await make_witness(tmp_path / "w", "w.example/1")
    logs = parse_logs([KEY])
    async with open_witness(tmp_path / "w", logs, host="127.0.0.1", port=0):
        with pytest.raises(ConfigurationError, match="Another Twinproof runs"):
            async with open_witness(tmp_path / "w", logs, host="127.0.0.1", port=0):
                raise AssertionError


def test_status_without_a_witness_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["witness", "status", "--data", str(tmp_path / "none")]) == 2
    assert "twinproof witness init" in capsys.readouterr().err


def test_status_shows_heads_and_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vkey = _init(tmp_path / "w", capsys)
    assert run(["witness", "status", "--data", str(tmp_path / "w")]) == 0
    assert vkey in capsys.readouterr().out

    async def found_out() -> None:
        state = await SqliteWitnessState.open(tmp_path / "w" / "witness.db")
        await state.advance("log.example", expected=None, new=SeenHead(7, b"7" * 32, "note"))
        await state.keep_conflict(Conflict("log.example", 7, "one", "other"))
        await state.close()

    asyncio.run(found_out())
    assert run(["witness", "status", "--data", str(tmp_path / "w")]) == 1
    assert "TWO HISTORIES  log.example" in capsys.readouterr().out
    assert run(["witness", "status", "--data", str(tmp_path / "w"), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["conflicts"] == [{"origin": "log.example", "size": 7, "heads": ["one", "other"]}]
    assert said["heads"]["log.example"]["size"] == 7


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--key", "nonsense"], "A log's key is wrong"),
        (["--key", KEY, "--witness", KEY], "The witnesses are wrong"),
        (["--key", KEY, "--quorum", "1"], "The witnesses are wrong"),
        (["--key", KEY, "--contract", "0x12"], "--contract is an address"),
        (["--key", KEY, "--contract", "0x" + "1" * 40], "--contract needs --rpc"),
        (["--key", KEY, "--rpc", "http://127.0.0.1:1"], "--contract is an address"),
        ([], "Missing option '--key'"),
    ],
)
def test_wrong_commands_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    state = ["--state", str(tmp_path / "m.db"), "--once"]

    assert run(["monitor", "http://127.0.0.1:1/log", *arguments, *state]) == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_an_address_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ["--state", str(tmp_path / "m.db"), "--once"]

    assert run(["monitor", "ftp://x/log", "--key", KEY, *state]) == 2
    assert "begins with http://" in capsys.readouterr().err


def test_a_log_out_of_reach_is_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ["--state", str(tmp_path / "m.db"), "--once"]

    assert run(["monitor", "http://127.0.0.1:1/log", "--key", KEY, *state]) == 3
    assert "can't be read" in capsys.readouterr().err


async def test_a_log_that_is_well_is_a_short_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with log_rig(tmp_path / "log") as rig:
        await rig.stage.open()
        await rig.sign()
        capsys.readouterr()
        state = ["--state", str(tmp_path / "m.db"), "--once"]
        code = await asyncio.to_thread(run, ["monitor", rig.url, "--key", KEY, *state])

    said = capsys.readouterr().out
    assert code == 0
    assert "1  leaves under the newest signed head" in said
    assert "1  manifests" in said
    assert "others may be shown another log" in said
    assert f"Log {LOG.name}: all is well." in said
