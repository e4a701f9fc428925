"""A secret's file is one line that only its owner can read."""

from pathlib import Path

import pytest

from adapters.files.secrets import read_secret
from bot.domain.errors import ConfigurationError


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "bot.token"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [b"123:abc", b"123:abc\n", b"  123:abc \r\n"])
def test_the_one_line_is_returned_without_its_margins(tmp_path: Path, content: bytes) -> None:
    assert read_secret(_file(tmp_path, content), "token") == "123:abc"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_secret(_file(tmp_path, b"123:abc", mode), "token")


@pytest.mark.parametrize("content", [b"", b"\n", b"one two", b"one\ntwo", b"x" * 5000])
def test_anything_but_one_word_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_secret(_file(tmp_path, content), "token")

    assert "nothing else" in str(refused.value)
    assert not content.strip() or content.decode() not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no\.token"):
        read_secret(tmp_path / "no.token", "token")
