"""Keys: made once, readable by the owner only, never replaced."""

import stat
from pathlib import Path

import pytest

from adapters.files.keyring import Keyring
from bot.domain.errors import ConfigurationError
from tests.fakes.clock import CountingEntropy


def _keyring(folder: Path) -> Keyring:
    return Keyring(folder, random_bytes=CountingEntropy().random_bytes)


def test_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    first = _keyring(tmp_path).load_or_create("receipts")

    assert Keyring(tmp_path).load_or_create("receipts") == first
    assert len(first) == 32


def test_keys_of_different_names_differ(tmp_path: Path) -> None:
    keys = _keyring(tmp_path)

    assert keys.load_or_create("a") != keys.load_or_create("b")


def test_only_the_owner_can_read_a_key(tmp_path: Path) -> None:
    folder = tmp_path / "keys"

    _keyring(folder).load_or_create("vrf")

    assert stat.S_IMODE((folder / "vrf.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["vrf.key"]


@pytest.mark.parametrize("content", [b"", b"\n", b"00" * 31, b"00" * 33, b"zz" * 32, b"\xff" * 64])
def test_damaged_key_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.key"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"log\.key"):
        _keyring(tmp_path).load_or_create("log")
    assert path.read_bytes() == content


def test_refusal_does_not_show_the_key(tmp_path: Path) -> None:
    (tmp_path / "log.key").write_text("5ec2e7" * 20)

    with pytest.raises(ConfigurationError) as refused:
        _keyring(tmp_path).load_or_create("log")
    assert "5ec2e7" not in str(refused.value)


def test_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="can't be used"):
        _keyring(tmp_path / "file").load_or_create("log")


def test_failure_while_a_key_is_made_leaves_no_half_key(tmp_path: Path) -> None:
    def fail(_size: int) -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigurationError, match="No space left"):
        Keyring(tmp_path, random_bytes=fail).load_or_create("log")
    assert list(tmp_path.iterdir()) == []


def test_key_that_must_be_there_is_never_made(tmp_path: Path) -> None:
    keys = _keyring(tmp_path)
    made = keys.load_or_create("log")

    assert keys.load("log") == made
    with pytest.raises(ConfigurationError, match="missing"):
        keys.load("vrf")
    assert [path.name for path in tmp_path.iterdir()] == ["log.key"]
