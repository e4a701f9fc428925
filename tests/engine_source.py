"""llama-cpp-python's source package: real vocabularies and chat templates, for tests alone.

Fetched once by the pinned hash of requirements-engine.lock, as scripts/install_engine.py fetches
it, and kept in the same cache folder. Where it can't be had, tests that need it skip with a reason.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest

from scripts.install_engine import LOCK, default_cache

FETCH_S = 240
KEPT = re.compile(
    r"[^/]+/vendor/llama\.cpp/models/(ggml-vocab-[\w.-]+\.gguf|templates/[\w.-]+\.jinja)"
)


@cache
def model_files() -> Path:
    """Return the folder `models` of the source package; skip the test where there is none."""
    digest = LOCK.read_text(encoding="ascii").partition("sha256:")[2].split()[0]
    folder = default_cache() / "source" / digest[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as working:
            _unpack(_fetch(Path(working)), Path(working) / "models")
            try:
                (Path(working) / "models").rename(folder)
            except OSError:  # another test process was faster
                assert folder.exists()
    return folder


def _fetch(into: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", str(into)]
    command += ["--no-binary", "llama-cpp-python", "--require-hashes", "-r", str(LOCK)]
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=FETCH_S, env=environment)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"llama-cpp-python's source package can't be had here ({type(error).__name__})")
    return next(into.glob("*.tar.gz"))


def _unpack(package: Path, folder: Path) -> None:
    (folder / "templates").mkdir(parents=True)
    with tarfile.open(package) as archive:
        for member in archive:
            found = KEPT.fullmatch(member.name)
            source = archive.extractfile(member) if found else None
            if found and source is not None:
                with source, (folder / found[1]).open("wb") as target:
                    shutil.copyfileobj(source, target)
