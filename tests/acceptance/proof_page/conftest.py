"""The proof page in a real browser, over proofs in each state that it can show."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.acceptance.browsing import Visit, visiting
from tests.acceptance.proof_page.states import PendingProofs, State
from tests.node_project import prepared_project, run_node


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page's sources and their packages."""
    return prepared_project(tmp_path_factory)


@pytest.fixture(scope="session")
def states(project: Path) -> dict[str, State]:
    """Return one proof for each state, made from formats.md by the page's own tools."""
    done = run_node(project, "test/states.mjs")
    assert done.returncode == 0, done.stderr
    return {name: State(**state) for name, state in json.loads(done.stdout).items()}


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    async with visiting(proofs=PendingProofs()) as opened:
        yield opened
