"""The command line: one sentence and an exit code for whatever goes wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli import commands, printing
from bot.cli.commands import cli, run
from bot.domain import errors
from bot.ports.inference import ReplayedToken, ReplayOutcome
from bot.twins.replay import first_difference

SAME = ReplayedToken(0, 5, 5, "a", same=True)
EXACT = ReplayOutcome((SAME,), tokenisation_same=True, finish_same=True, text_same=True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.VerificationError(2, "no"), 1),
        (errors.MalformedProofError(1, "no"), 1),
        (errors.ConfigurationError("no"), 2),
        (errors.PersonaError("no"), 2),
        (errors.UserError("no"), 2),
        (errors.ChainUnavailableError("no"), 3),
        (errors.StoreBusyError("no"), 3),
        (errors.OutcomeUnknownError("no"), 3),
        (errors.InvariantError("no"), commands.BROKEN),
        (errors.UnbalancedTransactionError("no"), commands.BROKEN),
    ],
)
def test_error_is_one_sentence_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: errors.BotError,
    code: int,
) -> None:
    def fail(**_values: object) -> int:
        raise error

    monkeypatch.setattr(cli.commands["audit"], "callback", fail)

    assert run(["audit"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "twinproof:" in shown.err
    assert str(error) in shown.err.replace("\n", " ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["demo", "--nonsense"],
        ["demo", "--json"],
        ["demo", "--port", "0"],
        ["verify"],
        ["replay"],
        ["replay", "x", "--threads", "-1"],
    ],
)
def test_wrong_command_line_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(arguments) == 2
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "-h"], ["verify", "-h"], ["--version"]])
def test_help_and_version_succeed(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(arguments) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "nowhere.json"], "can't be read"),
        (["verify", ""], "empty"),
        (["verify", "https://example.org/other"], "not a proof link"),
        (["verify", "nowhere.json#k=short"], "incomplete"),
        (["audit", "--data", "nowhere"], "no service's data"),
        (["demo", "--config", "nowhere.toml", "--say", "x"], "can't be read"),
    ],
)
def test_refusal_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(arguments) == 2
    assert words in capsys.readouterr().err.replace("\n", " ")


def test_file_that_is_no_bundle_is_false_evidence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "b.json").write_text("{}")

    assert run(["verify", str(tmp_path / "b.json")]) == 1
    assert "step 1" in capsys.readouterr().err


def test_data_and_port_on_the_command_line_beat_the_file(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[service]\ndata_dir = "from-file"\nport = 9000\n')

    plain = commands._settings(config, None, None)
    changed = commands._settings(config, tmp_path, 9001)

    assert (str(plain.service.data_dir), plain.service.port) == ("from-file", 9000)
    assert (changed.service.data_dir, changed.service.port) == (tmp_path, 9001)
    assert commands._settings(None, None, None).service.data_dir == commands.DEMO_DATA


def test_json_is_alone_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    printing.say("along the way")
    printing.print_json({"text": "é [bold]"})

    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"text": "é [bold]"}
    assert "along the way" in shown.err


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (
            replace(EXACT, tokens=(SAME, ReplayedToken(1, 7, 8, "b", same=False))),
            "token 1",
        ),
        (replace(EXACT, tokenisation_same=False), "persona or message"),
        (replace(EXACT, finish_same=False), "finish"),
        (replace(EXACT, text_same=False), "text"),
    ],
)
def test_replay_names_where_it_parts(outcome: ReplayOutcome, words: str) -> None:
    assert not outcome.exact
    assert words in first_difference(outcome)


def test_token_text_makes_spaces_visible_and_is_no_markup() -> None:
    assert printing.visible_text(" a\n[red]") == "·a\\n[red]"
