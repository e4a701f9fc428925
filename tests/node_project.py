"""The proof page's sources with their packages, and node to run them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "adapters" / "web" / "proof_page"


def prepared_project(factory: pytest.TempPathFactory) -> Path:
    """Return the page's folder, or a copy of it, with the packages that its lock file names."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None:
        pytest.skip("node is not installed")
    if _has_packages(SOURCE):
        return SOURCE
    if npm is None:
        pytest.skip("npm is not installed")
    copy = factory.mktemp("proof_page") / "proof_page"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules"))
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=copy, capture_output=True, check=False, timeout=200)
    if done.returncode != 0:
        pytest.skip("the page's packages cannot be installed: is there a network?")
    return copy


def _has_packages(folder: Path) -> bool:
    """Return whether what is installed is what the lock file names, and not what it named before.

    Packages for other processors are in the lock file and are not installed.
    """
    try:
        installed = json.loads((folder / "node_modules" / ".package-lock.json").read_text())
    except FileNotFoundError:
        return False
    wanted = json.loads((folder / "package-lock.json").read_text())["packages"]
    return all(
        installed["packages"].get(path, {}).get("integrity") == package["integrity"]
        for path, package in wanted.items()
        if path and not package.get("optional")
    )


def run_node(
    folder: Path, *arguments: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run node in a folder and return what it wrote."""
    return subprocess.run(
        ["node", *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
