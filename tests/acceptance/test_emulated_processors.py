"""Replies made here are the same bits on other processors, and another build's are not.

The whole interpreter runs under Debian's qemu-user. The model's shape is one that shows an AVX-512
build from the portable one, so that these tests can fail.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.models import WIDE, random_model
from scripts.build_native import native_libraries, processor_flags

ROOT = Path(__file__).resolve().parents[2]
QEMU = shutil.which("qemu-x86_64")
LONGEST_S = 550

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(LONGEST_S + 50),  # a quarter of a minute each on an idle machine
    pytest.mark.skipif(platform.machine() != "x86_64", reason="not an x86-64 machine"),
]


def _run(*arguments: str, under: tuple[str, ...] = (), **environment: str) -> str:
    command = [*under, sys.executable, "-m", "tests.acceptance.emulation", *arguments]
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A model and claims of replies made natively by the portable build, in a churned batch."""
    model = str(random_model(WIDE))
    claims = str(tmp_path_factory.mktemp("made") / "claims.json")
    _run("make", model, claims)
    return model, claims


def _replay(made: tuple[str, str], **options: Any) -> dict[str, Any]:  # noqa: ANN401 - of `_run`
    found: dict[str, Any] = json.loads(_run("replay", *made, **options))
    return found


@pytest.fixture(scope="module")
def here(made: tuple[str, str]) -> dict[str, Any]:
    """What a replay natively, in another process, finds."""
    return _replay(made)


def test_a_churned_batch_is_replayed_alone_bit_for_bit(here: dict[str, Any]) -> None:
    assert here["exact"] == [True] * 6
    assert here["same_rows"] == here["rows"] > 60
    assert "AVX512" not in here["library"]


@pytest.mark.skipif(QEMU is None, reason="qemu-x86_64 is missing (Debian: qemu-user)")
@pytest.mark.parametrize("processor", ["Haswell", "EPYC-Rome"])
def test_another_processor_finds_the_same_bits(
    made: tuple[str, str], here: dict[str, Any], processor: str
) -> None:
    there = _replay(made, under=(str(QEMU), "-cpu", processor))
    assert not there["avx512"]
    assert there["exact"] == here["exact"]
    assert there["same_rows"] == there["rows"]
    assert there["digest"] == here["digest"]


def test_a_native_build_is_found_different(made: tuple[str, str], here: dict[str, Any]) -> None:
    if "avx512f" not in processor_flags():
        pytest.skip("this processor has no AVX-512: a native build may round as the portable one")
    try:
        libraries = native_libraries()
    except OSError as error:
        pytest.skip(f"no native build: {error}")
    there = _replay(made, LLAMA_CPP_LIB_PATH=str(libraries))
    assert "AVX512" in there["library"]
    assert there["same_rows"] < there["rows"]
    assert there["digest"] != here["digest"]
    assert not all(there["exact"])
