"""The proof page as a file: reproducible, self-contained, and its verifier meets the vectors."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_WEB = Path(__file__).parents[3] / "adapters" / "web"
_SOURCE = _WEB / "proof_page"
_VECTORS = sorted((_WEB.parents[1] / "docs" / "spec" / "vectors").glob("*.json"))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page's sources and their packages."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        pytest.skip("node is not installed")
    if (_SOURCE / "node_modules").is_dir():
        return _SOURCE
    if npm is None:
        pytest.skip("npm is not installed")
    copy = tmp_path_factory.mktemp("proof_page") / "proof_page"
    shutil.copytree(_SOURCE, copy)
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=copy, capture_output=True, check=False, timeout=200)
    if done.returncode != 0:
        pytest.skip("the page's packages cannot be installed: is there a network?")
    return copy


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["node", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=200
    )


def test_the_published_hash_is_the_pages() -> None:
    digest = hashlib.sha256((_WEB / "pages" / "proof.html").read_bytes()).hexdigest()

    assert (_WEB / "pages" / "proof.html.sha256").read_text() == f"{digest}  proof.html\n"


def test_a_rebuild_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    built = _run(project, "build.mjs", str(tmp_path))

    assert built.returncode == 0, built.stderr
    page = (tmp_path / "proof.html").read_bytes()
    assert page == (_WEB / "pages" / "proof.html").read_bytes()


@pytest.mark.parametrize("name", ["proof.html", "chat.html"])
def test_a_page_names_no_other_host(name: str) -> None:
    html = (_WEB / "pages" / name).read_text()

    assert not re.findall(r"(?:src|href|action)=[\"']?(?:https?:)?//", html)
    assert not re.findall(r"@import|url\(\s*[\"']?http", html)
    assert "innerHTML" not in html


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((_SOURCE / "package-lock.json").read_text())["packages"]

    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for path, package in packages.items() if path)


def test_the_verifiers_own_tests_pass(project: Path) -> None:
    done = _run(project, "--test", "test/")

    assert done.returncode == 0, done.stdout


def test_the_verifier_meets_every_vector(project: Path) -> None:
    if not _VECTORS:
        pytest.skip("there are no vectors yet")

    done = _run(project, "verify_cli.mjs", "--vectors", *map(str, _VECTORS))

    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result for result in results if not result["met"]] == []
    assert len(results) == len(_VECTORS)
    assert done.returncode == 0, done.stderr
