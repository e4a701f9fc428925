"""The data folder, the proof folder and model files: claimed, whole, and the right ones."""

import hashlib
from pathlib import Path

import pytest

from adapters.files.data_folder import DataFolder
from adapters.files.models import check_model, read_digest
from adapters.files.proofs import ProofFolder
from bot.domain.errors import ConfigurationError

GGUF = b"GGUF" + bytes(3_000_000)


def _ignore(_fraction: float) -> None:
    pass


def test_second_claim_is_refused_until_the_first_is_released(tmp_path: Path) -> None:
    first = DataFolder.claim(tmp_path / "data")

    with pytest.raises(ConfigurationError, match="Another Twinproof"):
        DataFolder.claim(tmp_path / "data")
    first.release()
    DataFolder.claim(tmp_path / "data").release()


def test_two_folders_are_claimed_by_one_process(tmp_path: Path) -> None:
    folders = [DataFolder.claim(tmp_path / name) for name in "ab"]

    assert [folder.path.name for folder in folders] == ["a", "b"]
    for folder in folders:
        folder.release()


@pytest.mark.parametrize("where", ["file", "file/within"])
def test_file_in_the_folders_place_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="can't be written"):
        DataFolder.claim(tmp_path / where)


def test_folder_that_can_not_be_written_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="can't be written"):
        DataFolder.claim(Path("/proc/twinproof"))


def test_proof_is_written_whole_and_written_again(tmp_path: Path) -> None:
    folder = ProofFolder(tmp_path / "proofs")

    first = folder.save("receipt", b"one")
    folder.save("receipt", b"two")

    assert first == folder.path_of("receipt")
    assert first.read_bytes() == b"two"
    assert list((tmp_path / "proofs").iterdir()) == [first]


def test_model_is_hashed_with_progress(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(GGUF)
    seen: list[float] = []

    file = check_model(path, expected_sha256=None, progress=seen.append)

    assert file.sha256 == hashlib.sha256(GGUF).hexdigest()
    assert file.size_bytes == len(GGUF)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    check_model(path, expected_sha256=file.sha256.upper(), progress=_ignore)


@pytest.mark.parametrize(
    ("content", "expected", "words"),
    [
        (None, None, "can't be read"),
        (b"", None, "not a GGUF"),
        (b"PK\x03\x04", None, "not a GGUF"),
        (GGUF, "00" * 32, "not the one"),
    ],
)
def test_wrong_model_is_refused(
    tmp_path: Path, content: bytes | None, expected: str | None, words: str
) -> None:
    path = tmp_path / "m.gguf"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=words):
        check_model(path, expected_sha256=expected, progress=_ignore)


def test_folder_in_the_models_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        check_model(tmp_path, expected_sha256=None, progress=_ignore)


def test_digest_is_read_as_sha256sum_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "m.sha256"
    path.write_text(f"{'ab' * 32}  m.gguf\n")

    assert read_digest(path) == "ab" * 32


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff\xfe"])
def test_unreadable_digest_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.sha256"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError, match="can't be read"):
        read_digest(path)
