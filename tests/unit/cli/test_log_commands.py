"""`witness` and `monitor` on the command line: what they print, and their exit codes."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.sqlite.witness_state import SqliteWitnessState
from bot.cli import monitoring
from bot.cli.commands import run
from bot.crypto.cosignature import parse_witness_vkey
from bot.domain.errors import ConfigurationError, TransientError, UserError
from bot.domain.leaf import VoidLeaf
from bot.domain.statements import VoidReason
from bot.domain.witnesses import WitnessPolicy
from bot.ports.witness import Conflict, SeenHead
from bot.wiring.transparency import open_monitor, parse_logs
from bot.wiring.witnesses import make_witness, open_witness
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


@pytest.mark.parametrize("name", [b"", b"\n", b"two words", "ü".encode()])
async def test_a_witness_whose_name_is_gone_says_where_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: bytes
) -> None:
    await make_witness(tmp_path, "w.example/1")
    (tmp_path / "name.txt").write_bytes(name)

    code = await asyncio.to_thread(run, ["witness", "status", "--data", str(tmp_path)])

    assert code == 2
    assert "name.txt does not hold the witness's name: write into it" in capsys.readouterr().err


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
        (["--key", KEY, "--contract", "0x12"], "--contract '0x12' is no address"),
        (["--key", KEY, "--contract", "0x" + "1a" * 19 + "Aa"], "a letter is wrong; copy it again"),
        (["--key", KEY, "--contract", "0x" + "1" * 40], "--contract needs --rpc"),
        (["--key", KEY, "--rpc", "http://127.0.0.1:1"], "--rpc needs --contract"),
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


@asynccontextmanager
async def _slow_log() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Serve a checkpoint that never ends; the event says that somebody reads it."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\nx")
        asked.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/log", asked
        over.set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_a_look_that_is_under_way(
    tmp_path: Path, number: signal.Signals
) -> None:
    options = monitoring.Options(key=KEY, state=tmp_path / "m.db")
    async with _slow_log() as (url, asked):
        following = asyncio.create_task(monitoring.monitor(url, options))
        async with asyncio.timeout(20):  # a fetch has 30 seconds
            await asked.wait()
            signal.raise_signal(number)
            code = await following

    assert code == 3


async def test_a_log_that_is_too_slow_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.web.log_client.FETCH_TIMEOUT_S", 0.2)
    options = monitoring.Options(key=KEY, state=tmp_path / "m.db", once=True)
    async with _slow_log() as (url, _):
        with pytest.raises(TransientError, match="can't be read: it took too long\\."):
            await monitoring.monitor(url, options)


async def test_two_monitors_never_share_one_memory(tmp_path: Path) -> None:
    (log,) = parse_logs([KEY])
    nobody = WitnessPolicy(0, ())
    file = tmp_path / "m.db"
    (tmp_path / "link.db").symlink_to(file)
    async with open_monitor("http://127.0.0.1:1/log", log=log, state=file, policy=nobody):
        for state in (file, tmp_path / "link.db"):
            with pytest.raises(ConfigurationError, match=r"Another monitor uses .* --state\."):
                async with open_monitor("http://x/log", log=log, state=state, policy=nobody):
                    raise AssertionError
    async with open_monitor("http://127.0.0.1:1/log", log=log, state=file, policy=nobody):
        pass  # the first one is gone


async def test_a_memory_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (log,) = parse_logs([KEY])
    state = tmp_path / "none" / "m.db"
    with pytest.raises(ConfigurationError, match=r"can't be written \(No such file"):
        async with open_monitor("http://x/log", log=log, state=state, policy=WitnessPolicy(0, ())):
            raise AssertionError


@pytest.mark.parametrize(("voids", "code"), [(0, 3), (2, 1)])
async def test_a_chain_out_of_reach_hides_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], voids: int, code: int
) -> None:
    async with log_rig(tmp_path / "log") as rig:
        await rig.stage.open()
        await rig.append([VoidLeaf(bytes(32), bytes(16), 0, VoidReason.FAILED).encode()] * voids)
        await rig.sign()
        capsys.readouterr()
        options = monitoring.Options(
            key=KEY,
            state=tmp_path / "m.db",
            once=True,
            rpc="http://127.0.0.1:1",
            contract="0x" + "1" * 40,
            as_json=True,
        )
        ended = await monitoring.monitor(rig.url, options)

    printed = capsys.readouterr()
    said = json.loads(next(line for line in printed.out.splitlines() if line.startswith("{")))
    assert ended == code
    assert (said["ok"], said["size"]) == (False, 1 + voids)
    assert said["chain"].startswith("The chain could not be asked: ")
    assert "The chain could not be asked: " in printed.err
