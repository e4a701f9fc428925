"""Thresholds beside a model: its own, or those that stand in."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.files.calibrations import load_calibration
from bot.domain.errors import ConfigurationError
from bot.generation.calibration import encode_calibration
from tests.unit.generation.test_verdict import CALIBRATION

DIGEST, OTHER = bytes(range(32)), bytes(32)


@pytest.fixture
def default(tmp_path: Path) -> Path:
    calibration = replace(CALIBRATION, model=OTHER)
    (tmp_path / "starter.verdicts.json").write_text(encode_calibration(calibration))
    return tmp_path / "starter.gguf"


def test_own_file_is_taken(tmp_path: Path, default: Path) -> None:
    (tmp_path / "mine.verdicts.json").write_text(encode_calibration(CALIBRATION))

    found = load_calibration(tmp_path / "mine.gguf", digest=DIGEST, default=default)

    assert found == CALIBRATION


def test_without_a_file_the_default_stands_in_under_its_own_name(
    tmp_path: Path, default: Path
) -> None:
    found = load_calibration(tmp_path / "mine.gguf", digest=DIGEST, default=default)

    assert found.model == OTHER


def test_file_of_another_model_is_not_taken(tmp_path: Path, default: Path) -> None:
    changed = replace(CALIBRATION, model=b"x" * 32)
    (tmp_path / "mine.verdicts.json").write_text(encode_calibration(changed))

    found = load_calibration(tmp_path / "mine.gguf", digest=DIGEST, default=default)

    assert found.model == OTHER


@pytest.mark.parametrize("content", [b"{}", b"\xff", b""])
def test_broken_file_is_refused_and_named(tmp_path: Path, default: Path, content: bytes) -> None:
    (tmp_path / "mine.verdicts.json").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"mine\.verdicts\.json"):
        load_calibration(tmp_path / "mine.gguf", digest=DIGEST, default=default)


def test_missing_default_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="thresholds"):
        load_calibration(tmp_path / "mine.gguf", digest=DIGEST, default=tmp_path / "nobody.gguf")
