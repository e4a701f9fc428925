"""The build record: only the recorded portable build is portable, and one sentence says why not."""

import json
import os
from pathlib import Path

import pytest

from adapters.llama import library
from adapters.llama.library import (
    LIBRARIES,
    built_portably,
    digest_libraries,
    inspect_build,
    library_folder,
    prepare_environment,
)

PORTABLE = "-DGGML_NATIVE=OFF -DLLAMA_BUILD_TESTS=OFF"


@pytest.fixture
def record(tmp_path: Path) -> dict[str, str]:
    """The record that the installed library should have."""
    del tmp_path
    return {
        "library": inspect_build(Path("/nonexistent")).library,
        "digest": digest_libraries(library_folder()),
        "cmake_args": PORTABLE,
    }


def _inspect(folder: Path, record: object) -> library.LibraryBuild:
    path = folder / "engine-build.json"
    path.write_text(record if isinstance(record, str) else json.dumps(record))
    return inspect_build(path)


def test_recorded_portable_build_is_portable(tmp_path: Path, record: dict[str, str]) -> None:
    build = _inspect(tmp_path, record)

    assert build.portable
    assert build.digest == record["digest"]
    assert "as recorded" in build.remark


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": "00" * 32}, "differs"),
        ({"library": "llama-cpp-python 0.0.1"}, "differs"),
        ({"cmake_args": "-DGGML_NATIVE=ON"}, "native"),
        ({"cmake_args": ""}, "native"),
        ({"cmake_args": "-DGGML_NATIVE=OFFISH"}, "native"),
    ],
)
def test_other_build_is_not_portable_and_says_why(
    tmp_path: Path, record: dict[str, str], change: dict[str, str], words: str
) -> None:
    build = _inspect(tmp_path, record | change)

    assert not build.portable
    assert words in build.remark


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[1, 2]", "{}"])
def test_unreadable_record_is_not_portable(tmp_path: Path, text: str) -> None:
    assert not _inspect(tmp_path, text).portable


def test_missing_record_is_not_portable_and_says_what_to_do(tmp_path: Path) -> None:
    build = inspect_build(tmp_path / "none.json")

    assert not build.portable
    assert "make install" in build.remark


def test_digest_depends_on_every_library_and_their_order(tmp_path: Path) -> None:
    for name in LIBRARIES:
        (tmp_path / name).write_bytes(name.encode())
    digests = {digest_libraries(tmp_path)}

    for name in LIBRARIES:
        (tmp_path / name).write_bytes(b"changed")
        digests.add(digest_libraries(tmp_path))

    assert len(digests) == 1 + len(LIBRARIES)


@pytest.mark.parametrize(
    ("account", "portable"),
    [
        (b"CPU : SSE3 = 1 | AVX2 = 1 | F16C = 1 | FMA = 1", True),
        (b"CPU : AVX2 = 1 | AVX512 = 1", False),
        (b"CPU : AVX_VNNI = 1", False),
        (b"CPU : AMX_INT8 = 1", False),
    ],
)
def test_library_with_newer_instructions_is_not_portable(account: bytes, portable: bool) -> None:  # noqa: FBT001
    assert built_portably(account) is portable


def test_environment_makes_threads_wait_passively(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")

    prepare_environment()

    assert os.environ["OMP_WAIT_POLICY"] == "passive"
