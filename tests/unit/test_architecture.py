"""Budgets that keep modules readable, and a contract suite for every fake."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_LINES = 300
FUNCTION_LINES = 60
SOURCES = sorted(path for room in ("bot", "adapters") for path in (ROOT / room).rglob("*.py"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_module_is_within_its_budget(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_functions_are_within_their_budget(path: Path) -> None:
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in _functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }

    assert long == {}


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_module_says_what_it_knows(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def _fakes() -> list[str]:
    """Return the classes in tests/fakes that implement a port."""
    found = []
    for path in sorted((ROOT / "tests" / "fakes").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        ports = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bot.ports")
            for alias in node.names
        }
        found += [
            node.name
            for node in tree.body
            if isinstance(node, ast.ClassDef)
            and any(isinstance(base, ast.Name) and base.id in ports for base in node.bases)
        ]
    return found


@pytest.mark.parametrize("fake", [name for name in _fakes() if not name.endswith("Transaction")])
def test_every_fake_of_a_port_has_a_contract_suite(fake: str) -> None:
    suites = [path.read_text(encoding="utf-8") for path in (ROOT / "tests/contract").glob("*.py")]

    assert any(fake in suite for suite in suites)


def test_no_test_uses_mocks() -> None:
    word = "unittest" + ".mock"
    users = [
        _name(path)
        for path in (ROOT / "tests").rglob("*.py")
        if word in path.read_text(encoding="utf-8")
    ]

    assert users == []
