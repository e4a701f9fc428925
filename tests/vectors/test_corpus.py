"""Three verifiers that share no code agree on true and falsified bundles.

A part of the corpus; `python -m tests.corpus` compares all of it. What must fail, and where, is
known from how a bundle was made: no verifier was asked.
"""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpus.cases import Expected, bad, good
from tests.corpus.mutations import MUTATIONS
from tests.corpus.verifiers import ROOT, VERIFIERS, Verifier, compare
from tests.node_project import prepared_project

GOOD = 100


@pytest.fixture(scope="module")
def cases() -> list[Expected]:
    return [*good(GOOD), *bad(2 * len(MUTATIONS))]


@pytest.mark.parametrize("verifier", VERIFIERS, ids=lambda one: one.name)
def test_a_verifier_says_what_it_must(
    verifier: Verifier, cases: list[Expected], tmp_path_factory: pytest.TempPathFactory
) -> None:
    if verifier.name == "page":
        folder = prepared_project(tmp_path_factory)  # with its packages
        verifier = replace(verifier, command=("node", str(folder / "verify_cli.mjs"), "--lines"))
    if reason := verifier.missing():
        pytest.skip(reason)

    verdict = compare(verifier, cases)

    assert list(verdict.differing) == []
    assert verdict.accepted == 0


def test_the_corpus_has_what_it_should(cases: list[Expected]) -> None:
    true = cases[:GOOD]
    steps = {kind.step for kind in MUTATIONS}
    names = [kind.name for kind in MUTATIONS]

    assert steps == set(range(1, 11))
    assert len(names) == len(set(names))
    assert {case.levels[1] for case in true} == {"L1", "L1-unwitnessed"}
    assert {case.trust for case in true} == {"policy", "self-consistent"}
    assert {case.opened for case in true} == {True, False}
    assert len({case.case.bundle for case in cases}) > len(cases) * 0.95


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_no_verifier_imports_the_mutator_and_the_mutator_imports_no_verifier() -> None:
    corpus = [path for path in (ROOT / "tests" / "corpus").glob("*.py") if path.stem != "core"]
    makers = set().union(*(_imports(path) for path in corpus))
    verifiers = [*(ROOT / "bot").rglob("*.py"), ROOT / "docs" / "verify_receipt.py"]

    assert not [name for name in makers if name.startswith("bot.receipts")]
    assert not [path for path in verifiers if "tests.corpus" in _imports(path)]
