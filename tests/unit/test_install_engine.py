"""The engine's installer: its keys and its record agree with what the adapter checks."""

import json
import platform
from pathlib import Path

import pytest

from adapters.llama import library
from scripts import install_engine


def test_installer_and_adapter_agree_on_libraries_place_and_digest() -> None:
    assert install_engine.LIBRARIES == library.LIBRARIES
    assert install_engine.record_path() == library.RECORD
    assert install_engine.library_folder() == library.library_folder()
    assert install_engine.digest_libraries() == library.digest_libraries(library.library_folder())


def test_version_is_the_one_that_the_project_pins() -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"

    assert f'"llama-cpp-python=={install_engine.VERSION}"' in project.read_text()


def test_flags_make_the_portable_build() -> None:
    assert "-DGGML_NATIVE=OFF" in install_engine.CMAKE_ARGS.split()


def test_build_key_names_everything_the_wheel_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {install_engine.build_key()}

    changes: tuple[tuple[object, str, object], ...] = (
        (install_engine, "VERSION", "9"),
        (install_engine, "CMAKE_ARGS", ""),
        (platform, "machine", lambda: "other"),
        (platform, "python_version", lambda: "3.99"),
        (platform, "libc_ver", lambda: ("musl", "1")),
    )
    for owner, name, value in changes:
        monkeypatch.setattr(owner, name, value)
        keys.add(install_engine.build_key())

    assert len(keys) == 6
    assert all(len(key) == 16 for key in keys)


def test_record_that_was_written_is_what_the_adapter_finds_portable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = tmp_path / "share" / "engine-build.json"
    monkeypatch.setattr(install_engine, "record_path", lambda: record)
    name = f"llama-cpp-python {install_engine.VERSION}"
    before = install_engine.is_installed(name)

    install_engine.write_record(name)

    assert not before
    assert install_engine.is_installed(name)
    assert not install_engine.is_installed("llama-cpp-python 0")
    assert library.inspect_build(record).portable


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps({"library": "x"})])
def test_unreadable_record_counts_as_not_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    record = tmp_path / "engine-build.json"
    record.write_text(text)
    monkeypatch.setattr(install_engine, "record_path", lambda: record)

    assert not install_engine.is_installed("x")


@pytest.mark.parametrize(("base", "expected"), [("/c", Path("/c")), ("", Path("/h/.cache"))])
def test_wheels_are_kept_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, base: str, expected: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    monkeypatch.setenv("HOME", "/h")

    assert install_engine.default_cache() == expected / "twinproof" / "engine"
