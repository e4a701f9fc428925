"""Whatever is wrong: one sentence that says so, an exit code, and nothing half-written."""

import hashlib
import json
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.commands import FALSE, LATER, WRONG
from tests.acceptance.conftest import CommandLine, Demo
from tests.acceptance.program import ROOT, Finished, Program, free_port, write_config

pytestmark = pytest.mark.slow

SAY = ("--twin", "mira", "--say", "hi", "--json")
LOCKED = {"lock", "twinproof.log"}
"""All that a start leaves in a fresh folder when it is refused after it took the lock."""


def _assert_one_sentence(finished: Finished, *words: str, code: int = WRONG) -> None:
    assert finished.code == code, finished.err
    assert finished.out == ""
    assert "Traceback" not in finished.err
    lines = [line for line in finished.err.splitlines() if not line.endswith(" ...")]
    assert len(lines) == 1, finished.err
    assert lines[0].startswith("twinproof: ")
    assert lines[0].endswith((".", ")"))
    for word in words:
        assert word in lines[0]


def _contents(folder: Path) -> dict[str, str]:
    """Return what a folder holds, by digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work where nobody's config.toml and data/ lie."""
    monkeypatch.chdir(tmp_path)


# What is refused before anything is touched, so that this process may be the one that refuses.


def _config(text: str) -> tuple[str, ...]:
    Path("bad.toml").write_text(text, encoding="utf-8")
    return ("demo", "--config", "bad.toml", *SAY)


def _persona(text: str) -> tuple[str, ...]:
    Path("personas").mkdir()
    Path("personas", "nova.toml").write_text(text, encoding="utf-8")
    return _config('[personas]\nfolder = "personas"')


def _model(data: bytes) -> tuple[str, ...]:
    Path("bad.gguf").write_bytes(data)
    return _config('[model]\npath = "bad.gguf"')


def _under_a_file() -> tuple[str, ...]:
    Path("file").touch()
    return ("demo", "--data", "file/data", "--port", str(free_port()), *SAY)


PERSONA = """
name = "Nova"
role = "a test"
creator = "N"
facts = []
[price]
per_reply = "%s"
"""

REFUSED: dict[str, tuple[Callable[[], tuple[str, ...]], str]] = {
    "a model that is no GGUF": (lambda: _model(b"PK\3\4 a zip"), "bad.gguf is not a GGUF"),
    "an empty model": (lambda: _model(b""), "bad.gguf is not a GGUF"),
    "a missing model": (lambda: _config('[model]\npath = "no.gguf"'), "no.gguf can't be read"),
    "a folder as model": (lambda: _config('[model]\npath = "."'), "can't be read"),
    "another model than named": (
        lambda: (_model(b"GGUF"), _config(f'[model]\npath="bad.gguf"\nsha256="{"0" * 64}"'))[1],
        "expected 0000",
    ),
    "an unknown key": (lambda: _config("[service]\nprot = 8800"), "service.prot"),
    "an unknown section": (lambda: _config("[servce]\nport = 8800"), "servce"),
    "a key of a wrong type": (lambda: _config('[service]\nport = "many"'), "service.port"),
    "a key out of range": (lambda: _config("[money]\noperator_bp = 20000"), "money.operator_bp"),
    "a digest that is none": (lambda: _config('[model]\nsha256 = "abc"'), "model.sha256"),
    "broken TOML": (lambda: _config("[service\nport = 1"), "bad.toml is not TOML"),
    "a missing configuration": (lambda: ("demo", "--config", "no.toml", *SAY), "no.toml"),
    "a broken persona": (lambda: _persona("name = "), "nova.toml can't be read"),
    "a persona without a name": (lambda: _persona('role = "x"'), "nova.toml: name"),
    "a persona with a price of words": (lambda: _persona(PERSONA % "cheap"), "price.per_reply"),
    "a persona that pays fans": (lambda: _persona(PERSONA % "-1"), "price.per_reply"),
    "a persona with an unknown key": (
        lambda: _persona(PERSONA % "1" + 'currency = "EUR"'),
        "price.currency",
    ),
    "no personas": (lambda: _config('[personas]\nfolder = "none"'), "There is no persona"),
    "an unwritable data folder": (_under_a_file, "can't be written"),
    "--json without --say": (lambda: ("demo", "--json"), "--say"),
    "an unknown command": (lambda: ("dmeo",), "dmeo"),
    "an unknown option": (lambda: ("demo", "--speak", "hi"), "--speak"),
    "a port out of range": (lambda: ("demo", "--port", "70000"), "--port"),
    "an unknown twin": (lambda: ("demo", "--twin", "nobody", *SAY[2:]), "'nobody'"),
    "an unknown twin in the chat": (lambda: ("demo", "--twin", "nobody"), "'nobody'"),
    "no link": (lambda: ("verify",), "LINK"),
    "an empty link": (lambda: ("verify", ""), "empty"),
    "a link that is none": (lambda: ("verify", "https://example.org/"), "not a proof link"),
    "a link with a short id": (lambda: ("verify", "http://h/r/abc#k="), "key"),
    "a bundle that is not there": (lambda: ("verify", "no.json"), "no.json can't be read"),
    "a folder as bundle": (lambda: ("replay", "."), "can't be read"),
    "a missing trust policy": (
        lambda: ("verify", "no.json", "--trust", "no.json"),
        "trust policy no.json can't be read",
    ),
    "a trust policy that is a list": (
        lambda: (Path("t.json").write_text("[]"), ("verify", "x.json", "--trust", "t.json"))[1],
        "t.json: The trust policy is not valid: policy: not an object",
    ),
    "an audit of nothing": (lambda: ("audit", "--data", "."), "no service's data"),
    "an audit of nowhere": (lambda: ("audit", "--data", "nowhere"), "no service's data"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_one_sentence(command: CommandLine, name: str) -> None:
    prepare, words = REFUSED[name]
    arguments = prepare()
    before = _contents(Path())

    finished = command(*arguments)

    _assert_one_sentence(finished, words)
    assert _contents(Path()) == before
    assert not Path("data").exists()


def test_an_environment_that_is_wrong_is_refused(
    command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINPROOF_SERVICE__PORT", "many")

    _assert_one_sentence(command("demo", *SAY), "the environment", "service.port")


def test_a_port_in_use_is_refused(command: CommandLine) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        finished = command("demo", "--port", port, *SAY)

    _assert_one_sentence(finished, f"Port {port}")
    assert not Path("data").exists()


def test_an_unreachable_host_is_for_later(command: CommandLine) -> None:
    link = f"http://127.0.0.1:{free_port()}/r/{'A' * 22}#k={'A' * 43}"

    _assert_one_sentence(command("verify", link), "can't be reached", code=LATER)


def test_a_host_that_talks_nonsense_is_no_proof(command: CommandLine) -> None:
    Path("nonsense.json").write_text('{"v":"twinproof-bundle/2"}')

    _assert_one_sentence(command("verify", "nonsense.json"), "step 1", code=FALSE)


def test_a_replay_without_its_model_is_refused(command: CommandLine, first: Demo) -> None:
    finished = command(
        "replay", first.links[0], "--data", first.folder, "--model", "no.gguf", "--json"
    )

    _assert_one_sentence(finished, "no.gguf can't be read")


def test_a_second_instance_on_the_same_folder_is_refused(
    command: CommandLine, serving: Demo
) -> None:
    finished = command("demo", "--data", serving.folder, "--port", free_port(), *SAY)

    _assert_one_sentence(finished, "Another Twinproof runs")


# What is found out only when the engine or the book is opened: by a process of its own.


def _truncated(model: Path) -> bytes:
    return model.read_bytes()[:200_000]


def _no_chat(model: Path) -> bytes:
    data = model.read_bytes()
    assert data.count(b"tokenizer.chat_template") == 1
    return data.replace(b"tokenizer.chat_template", b"tokenizer.some_template")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(_truncated, "llama.cpp can load"), (_no_chat, "no chat template")],
    ids=["truncated", "no chat model"],
)
def test_a_model_that_the_library_refuses(
    twinproof: Program, model: Path, spoil: Callable[[Path], bytes], words: str
) -> None:
    bad = twinproof.home / "bad.gguf"
    bad.write_bytes(spoil(model))
    config = write_config(twinproof.home, bad)

    finished = twinproof.run("demo", "--config", config, "--port", free_port(), *SAY)

    _assert_one_sentence(finished, "bad.gguf", words)
    assert _contents(twinproof.home / "data" / "demo").keys() <= LOCKED


def _damage(name: str, data: bytes) -> Callable[[Path], Path]:
    def damage(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return damage


def _lose(name: str) -> Callable[[Path], Path]:
    def lose(folder: Path) -> Path:
        (folder / name).unlink()
        return folder / name

    return lose


DAMAGED: dict[str, Callable[[Path], Path]] = {
    "a short key": _damage("keys/log.key", b"abcd\n"),
    "a key of nonsense": _damage("keys/receipts.key", b"\xff\xfe"),
    "an empty key": _damage("keys/creators/mira-signing.key", b""),
    "a lost key": _lose("keys/receipts.key"),
    "a book of garbage": _damage("twinproof.db", b"not a database, by no means" * 400),
    "a chain of garbage": _damage("chain.db", b"not a chain, by no means" * 400),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_data_folder_is_refused_and_left_as_it_is(
    twinproof: Program, command: CommandLine, config: Path, first: Demo, name: str
) -> None:
    folder = twinproof.home / "data"
    shutil.copytree(first.folder, folder)
    damaged = DAMAGED[name](folder)
    before = _contents(folder)

    started = twinproof.run(
        "demo", "--config", config, "--data", folder, "--port", free_port(), *SAY
    )
    audited = command("audit", "--data", folder, "--json")

    _assert_one_sentence(started, str(damaged))
    assert audited.code != 0 or "creators" in str(damaged)
    assert "Traceback" not in audited.err
    after = _contents(folder)
    ours = LOCKED | {"twinproof.db-shm", "twinproof.db-wal", "chain.db-shm", "chain.db-wal"}
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed <= ours
    assert name == "a book of garbage" or _receipts(folder) == 2


def _receipts(folder: Path) -> int:
    book = sqlite3.connect(f"file:{folder / 'twinproof.db'}?mode=ro", uri=True)
    try:
        return int(book.execute("SELECT COUNT(*) FROM replies").fetchone()[0])
    finally:
        book.close()


def test_a_chain_that_was_replaced_stops_the_settlement_only_once_said(
    twinproof: Program, command: CommandLine, config: Path, first: Demo
) -> None:
    """A fresh chain under an old book: nothing is paid again, and the audit says why."""
    folder = twinproof.home / "data"
    shutil.copytree(first.folder, folder)
    (folder / "chain.db").unlink()

    started = twinproof.run(
        "demo", "--config", config, "--data", folder, "--port", free_port(), *SAY
    )
    audited = command("audit", "--data", folder, "--json")

    result = json.loads(started.out)  # the reply was made and costs its fee: it is not hidden
    assert started.code == 4
    assert len(result["replies"]) == 1
    assert "the chain is not the one" in result["refused"]
    assert "Traceback" not in started.err
    assert "the chain is not the one" in started.complaint
    assert audited.code == FALSE
    assert json.loads(audited.out)["wrong"]


@pytest.mark.parametrize(
    ("said", "words"),
    [("x" * 1001, "at most 1000"), ("a\x1bb", "control")],
    ids=["over-long", "control characters"],
)
def test_a_message_that_is_no_message(
    twinproof: Program, config: Path, first: Demo, said: str, words: str
) -> None:
    folder = twinproof.home / "data"
    shutil.copytree(first.folder, folder)

    finished = twinproof.run(
        "demo", "--config", config, "--data", folder, "--port", free_port(), "--say", said, "--json"
    )

    result = json.loads(finished.out)
    assert result["replies"] == []
    assert words in result["refused"]
    _assert_one_sentence(replace(finished, out=""), words)
    assert _receipts(folder) == 2


# What `make` does before there is a program.


def _script(*command: str, path: str = "/usr/bin:/bin") -> Finished:
    done = subprocess.run(
        command, cwd=ROOT, env={"PATH": path}, capture_output=True, timeout=60, check=False
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" || exit 1\n')
    python.chmod(0o755)

    finished = _script("scripts/make_venv", str(python), str(tmp_path / "venv"))

    assert finished.code != 0
    assert "needs Python 3.11 or newer, this is Python 3.9.2" in finished.out + finished.err
    assert not (tmp_path / "venv").exists()


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    finished = _script("scripts/make_venv", "python4.2", str(tmp_path / "venv"))

    assert finished.code != 0
    assert "There is no python4.2 here" in finished.out + finished.err
    assert not (tmp_path / "venv").exists()


def test_a_missing_compiler_is_named_before_anything_is_installed(tmp_path: Path) -> None:
    shell = shutil.which("sh") or "/bin/sh"

    finished = _script(shell, "scripts/install", str(tmp_path / "venv"), "no.lock", path="/nowhere")

    assert finished.code != 0
    assert "no C/C++ compiler" in finished.out + finished.err
    assert len((finished.out + finished.err).splitlines()) == 1
    assert not (tmp_path / "venv").exists()
