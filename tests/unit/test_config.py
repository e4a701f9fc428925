"""Settings: the example is the documentation, and every mistake is one sentence."""

import itertools
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from bot.config import Settings, load_settings
from bot.domain.errors import ConfigurationError

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TWINPROOF_"):
            monkeypatch.delenv(name)


def _plain(section: BaseModel) -> dict[str, Any]:
    return section.model_dump(mode="json")


def _load(folder: Path, text: str) -> Settings:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def test_example_holds_every_key_with_its_default() -> None:
    example = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))

    assert example == _plain(Settings())


def test_example_loads_to_the_defaults() -> None:
    assert load_settings(EXAMPLE) == load_settings(None) == Settings()


def test_every_key_of_the_example_has_its_reason_above_it() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()

    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if "=" in line and not line.startswith("#") and before.startswith("[")
    ]

    assert bare == []


def test_file_beats_the_defaults_and_the_environment_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINPROOF_SERVICE__PORT", "9100")

    settings = _load(tmp_path, '[service]\nport = 9000\nhost = "::1"\n[log]\nlevel = "debug"')

    assert (settings.service.port, settings.service.host) == (9100, "::1")
    assert settings.log.level == "debug"
    assert settings.limits == Settings().limits


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[service]\nprot = 1", "no key service.prot"),
        ("[sevice]\nport = 1", "no key sevice"),
        ("port = 8800", "no key port"),
        ('_env_prefix = "X"', "no key _env_prefix"),
        ('[service]\nport = "eighty"', "service.port is wrong"),
        ("[service]\nport = 0", "service.port is wrong"),
        ("[service]\nport = 70000", "service.port is wrong"),
        ("service = 3", "service is wrong"),
        ('[service]\nbase_url = "ftp://x"', "service.base_url is wrong"),
        ('[service]\nbase_url = "http://x/?q"', "service.base_url is wrong"),
        ('[model]\nsha256 = "abc"', "model.sha256 is wrong"),
        ("[model]\nthreads = -1", "model.threads is wrong"),
        ("[limits]\nmessage_chars = 0", "limits.message_chars is wrong"),
        ('[money]\nsponsorship = "-5"', "money.sponsorship is wrong"),
        ('[money]\nsponsorship = "1e9"', "money.sponsorship is wrong"),
        ("[money]\nsponsorship = 5", "money.sponsorship is wrong"),
        ("[money]\noperator_bp = 10001", "money.operator_bp is wrong"),
        ("[money]\noperator_bp = 3001", "money.operator_bp is wrong"),
        ("[money]\noperator_bp = -1", "money.operator_bp is wrong"),
        ("[creators]\nmost_free_daily = 10001", "creators.most_free_daily is wrong"),
        ('[log]\nlevel = "loud"', "log.level is wrong"),
        ("[service", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
    ],
)
def test_mistake_is_one_sentence_that_names_file_and_key(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _load(tmp_path, text)
    sentence = str(refused.value)
    assert words in sentence
    assert str(tmp_path) in sentence
    assert len(sentence.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWINPROOF_SERVICE__PROT", "1"),
        ("TWINPROOF_SERVICE__PORT", "eighty"),
        ("TWINPROOF_SERVICE", "{no json"),
    ],
)
def test_mistake_in_the_environment_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match="environment"):
        load_settings(None)


def test_anchors_can_not_be_due_before_an_epoch_could_hold_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="anchor_hours must be more than twice"):
        _load(tmp_path, "[money]\nanchor_hours = 48\nepoch_seconds = 86400\n")

    assert _load(tmp_path, "[money]\nepoch_seconds = 86400\n").money.anchor_hours == 168


def test_what_was_never_anchored_can_be_disputed_in_time(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="dispute_days must be a longer time than anchor_hours"
    ):
        _load(tmp_path, "[money]\ndispute_days = 7\n")

    assert _load(tmp_path, "[money]\ndispute_days = 8\n").money.dispute_days == 8


def test_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")

    for path in (tmp_path / "missing.toml", tmp_path / "binary.toml", tmp_path):
        with pytest.raises(ConfigurationError, match="can't be read"):
            load_settings(path)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().service.port = 1  # type: ignore[misc]  # on purpose


def test_typing_error_in_a_section_of_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWINPROOF_SERVCE__PORT", "8801")

    with pytest.raises(ConfigurationError, match="TWINPROOF_SERVCE__PORT"):
        load_settings(None)


def test_wrong_address_is_explained_without_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[service]\nbase_url = "twins.example.org"\n')

    with pytest.raises(ConfigurationError, match="must begin with http:// or https://"):
        load_settings(path)
