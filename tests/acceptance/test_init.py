"""`twinproof init`: by a person at a terminal, and by a script."""

import hashlib
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import pytest

from bot.config import load_settings
from tests.acceptance.conftest import CommandLine
from tests.acceptance.program import COMMAND, PATIENCE_S, Program
from tests.fakes.gguf_model import write_model

DISCORD = "MTExMTExMTExMTExMTExMTEx.GabcdE." + "x" * 38
LOBBY, MIRA = "7001:" + "A" * 35, "7002:" + "B" * 35
EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


@contextmanager
def _terminal(here: Program) -> Iterator[Any]:
    child = pexpect.spawn(
        str(COMMAND),
        ["init"],
        cwd=str(here.home),
        env={**here.environment(), "TERM": "dumb"},
        encoding="utf-8",
        timeout=PATIENCE_S,
        dimensions=(50, 120),
    )
    try:
        yield child
    finally:
        child.close(force=True)


def _answer(child: Any, *pairs: tuple[str, str]) -> str:  # noqa: ANN401 - pexpect is untyped
    """Wait for each question and answer it; return all that was on the screen."""
    screen = ""
    for question, answer in pairs:
        child.expect_exact(question)
        screen += child.before + child.after
        child.sendline(answer)
    return screen


def _secret(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


@pytest.mark.slow
def test_a_person_is_asked_again_until_each_answer_is_one(twinproof: Program) -> None:
    home = twinproof.home
    model = home / "small.gguf"
    write_model(model)
    with _terminal(twinproof) as child:
        screen = _answer(
            child,
            ("Folder [data]:", "book"),
            ("Port [8800]:", "eighty"),
            ("from 1 to 65535", ""),
            ("Address:", "twins.example.org"),
            ("looks like https://", "https://twins.example.org/"),
            ("Serve Discord? y/n", "y"),
            ("Bot token (not shown):", "1234567890"),
            ("three parts", DISCORD),
            ("Serve Telegram? y/n", "yes"),
            ("Bot token (not shown):", LOBBY),
            ("empty: a lobby with all):", ""),
            ("One more bot? y/n", "y"),
            ("Bot token (not shown):", LOBBY),
            ("named already", "y"),
            ("Bot token (not shown):", MIRA),
            ("empty: a lobby with all):", "mira"),
            ("One more bot? y/n", ""),
            ("polling or webhook [polling]:", "webhook"),
            ("Creators [nobody]:", "discord:80351110224678912 telegram:*"),
            ("File [starter]:", "/nowhere.gguf"),
            ("There is no file", str(model)),
        )
        child.expect(pexpect.EOF)
        screen += child.before
        child.close()

    assert child.exitstatus == 0, screen
    assert "twinproof doctor, and then: twinproof serve" in screen
    for token in (DISCORD, LOBBY, MIRA):
        assert token not in screen
        assert token not in (home / "config.toml").read_text()
    settings = load_settings(home / "config.toml")
    assert settings.service.data_dir == Path("book")
    assert settings.service.base_url == "https://twins.example.org"
    assert settings.creators.accounts == ("discord:80351110224678912", "telegram:*")
    assert settings.model.sha256 == hashlib.sha256(model.read_bytes()).hexdigest()
    assert [bot.twin for bot in settings.telegram.bots] == ["", "mira"]
    files = [settings.discord.token_file, *(bot.token_file for bot in settings.telegram.bots)]
    assert [(home / name).read_text().strip() for name in files] == [DISCORD, LOBBY, MIRA]
    secret = settings.telegram.webhook_secret_file
    assert len((home / secret).read_text().strip()) == 64
    for name in [*files, secret, "config.toml"]:
        assert (home / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
@pytest.mark.parametrize(
    "answered",
    [
        [],
        [("Folder", ""), ("Port", ""), ("Address", ""), ("Serve Discord", "y"), ("token", DISCORD)],
    ],
)
def test_ctrl_c_leaves_nothing_behind(twinproof: Program, answered: list[tuple[str, str]]) -> None:
    with _terminal(twinproof) as child:
        _answer(child, *answered)
        child.expect_exact("Serve Telegram" if answered else "Folder")
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()

    assert child.exitstatus == 130
    assert list(twinproof.home.iterdir()) == []


@pytest.mark.slow
def test_a_person_who_does_not_want_a_file_replaced_keeps_it(twinproof: Program) -> None:
    (twinproof.home / "config.toml").write_text("# mine\n")
    with _terminal(twinproof) as child:
        _answer(child, ("config.toml is there already. Replace it? y/n", ""))
        child.expect_exact("stays as it is")
        child.expect(pexpect.EOF)
        child.close()

    assert child.exitstatus == 2
    assert (twinproof.home / "config.toml").read_text() == "# mine\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_questions_the_defaults_are_the_example(folder: Path, command: CommandLine) -> None:
    finished = command("init", "--yes")

    assert finished.code == 0
    assert (folder / "config.toml").read_text() == EXAMPLE.read_text()
    assert "this machine only" in finished.err
    assert finished.err.rstrip().endswith("Next: twinproof demo")
    assert "twinproof serve" not in finished.err


def test_options_are_answers_and_comments_stay(folder: Path, command: CommandLine) -> None:
    _secret(folder, "d.token", DISCORD)
    _secret(folder, "l.token", LOBBY)
    _secret(folder, "m.token", MIRA)

    finished = command(
        "init", "--yes", "--data", "book", "--port", 8801, "--address", "https://a.example",
        "--discord-token-file", "d.token", "--telegram-token-file", "l.token",
        "--telegram-token-file", "m.token=mira", "--updates", "polling", "--creators", "everybody",
    )  # fmt: skip

    assert finished.code == 0, finished.err
    text = (folder / "config.toml").read_text()
    values = tomllib.loads(text)
    assert values["service"]["port"] == 8801
    assert values["discord"]["token_file"] == "d.token"  # noqa: S105 - a file's name
    assert values["telegram"]["bots"] == [
        {"token_file": "l.token"},
        {"token_file": "m.token", "twin": "mira"},
    ]
    assert values["creators"]["accounts"] == ["*"]
    comments = [line for line in EXAMPLE.read_text().splitlines() if line.startswith("#")]
    assert [line for line in text.splitlines() if line.startswith("#")] == comments
    assert "Next: twinproof doctor, and then: twinproof serve" in finished.err
    for token in (DISCORD, LOBBY, MIRA):
        assert token not in text + finished.err + finished.out


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--port", "0"), "from 1 to"),
        (("--address", "example.org"), "https://"),
        (("--creators", "me"), "nobody, everybody"),
        (("--model", "/nowhere.gguf"), "There is no file"),
        (("--model", "open.token"), "not a whole GGUF"),
        (("--discord-token-file", "none.token"), "can't be read"),
        (("--discord-token-file", "open.token"), "chmod 600"),
        (("--discord-token-file", "lobby.token"), "three parts"),
        (("--telegram-token-file", "lobby.token=Mira Solano"), "small letters"),
        (("--telegram-token-file", "lobby.token", "--updates", "webhook"), "public https"),
        (("--telegram-token-file", "lobby.token", "--updates", "pigeon"), "polling or webhook"),
        (("--updates", "polling"), "needs a Telegram bot"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_nothing_is_written(
    folder: Path, command: CommandLine, options: tuple[str, ...], part: str
) -> None:
    _secret(folder, "lobby.token", LOBBY)
    _secret(folder, "open.token", LOBBY).chmod(0o644)
    before = sorted(folder.iterdir())

    finished = command("init", "--yes", *options)

    assert finished.code == 2
    assert part in finished.err.replace("\n", " ")
    assert LOBBY not in finished.err
    assert sorted(folder.iterdir()) == before


def test_what_is_there_is_replaced_only_with_force(folder: Path, command: CommandLine) -> None:
    (folder / "config.toml").write_text("# mine\n")

    refused = command("init", "--yes")
    kept = (folder / "config.toml").read_text()
    forced = command("init", "--yes", "--force")

    assert (refused.code, forced.code) == (2, 0)
    assert "--force" in refused.err
    assert kept == "# mine\n"
    assert (folder / "config.toml").read_text() == EXAMPLE.read_text()


def test_a_pipe_is_told_to_say_yes(folder: Path, command: CommandLine) -> None:
    finished = command("init")

    assert finished.code == 2
    assert "--yes" in finished.err
    assert list(folder.iterdir()) == []
