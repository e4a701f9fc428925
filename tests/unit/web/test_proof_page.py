"""The proof page as a file: reproducible, self-contained, and its verifier meets the vectors."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from bot.domain.wording import AI_LABEL
from bot.receipts.steps import TITLES
from tests.node_project import run_node

_WEB = Path(__file__).parents[3] / "adapters" / "web"
_SOURCE = _WEB / "proof_page"
_SPEC = _WEB.parents[1] / "docs" / "spec"
_VECTORS = sorted((_SPEC / "vectors").glob("*.json"))
_FEW = ("good.json", "bad-04-expired.json", "good-without-key.json", "bad-08-other-leaf.json")
_PRINT_RULES = """
import { RULES } from './src/verify/fixed_answers.js';
console.log(JSON.stringify(RULES));
"""
_PRINT_TITLES = """
import { describeStep } from './src/page/words.js';
const steps = Array.from({ length: 10 }, (_, at) => ({ n: at + 1, state: 'skipped' }));
console.log(JSON.stringify(steps.map((step) => describeStep(step).title)));
"""


def test_the_published_hash_is_the_pages() -> None:
    digest = hashlib.sha256((_WEB / "pages" / "proof.html").read_bytes()).hexdigest()

    assert (_WEB / "pages" / "proof.html.sha256").read_text() == f"{digest}  proof.html\n"


def test_a_rebuild_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    built = run_node(project, "build.mjs", str(tmp_path))

    assert built.returncode == 0, built.stderr
    page = (tmp_path / "proof.html").read_bytes()
    assert page == (_WEB / "pages" / "proof.html").read_bytes()


@pytest.mark.parametrize("name", ["proof.html", "chat.html"])
def test_a_page_names_no_other_host(name: str) -> None:
    html = (_WEB / "pages" / name).read_text()

    assert not re.findall(r"(?:src|href|action)=[\"']?(?:https?:)?//", html)
    assert not re.findall(r"@import|url\(\s*[\"']?http", html)
    assert "innerHTML" not in html


@pytest.mark.parametrize("name", ["proof.html", "chat.html"])
def test_a_page_has_the_label_of_every_surface(name: str) -> None:
    html = (_WEB / "pages" / name).read_text()

    assert len(re.findall(rf"[\"']{re.escape(AI_LABEL)}[\"']", html)) == 1
    assert "AI-generated" not in html


def test_the_page_names_the_steps_as_the_command_line_does(project: Path) -> None:
    done = run_node(project, "--input-type=module", "--eval", _PRINT_TITLES)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == list(TITLES.values())


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((_SOURCE / "package-lock.json").read_text())["packages"]

    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for path, package in packages.items() if path)


@pytest.mark.parametrize("name", ["verify", "log", "disclosure", "anchor"])
def test_the_verifiers_own_tests_pass(name: str, project: Path) -> None:
    done = run_node(project, "--test", f"test/{name}.test.mjs")

    assert done.returncode == 0, done.stdout


def test_the_pages_own_rules_are_those_of_the_specification(project: Path) -> None:
    done = run_node(project, "--input-type=module", "--eval", _PRINT_RULES)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((_SPEC / "rules.json").read_text())


def test_cases_by_the_line_are_answered_in_their_order(project: Path) -> None:
    cases = [json.loads((_SPEC / "vectors" / name).read_text()) for name in _FEW]
    asked = [*cases, cases[0] | {"receipt_id": "A" * 22}, cases[0] | {"policy": {"v": "another"}}]

    done = run_node(project, "verify_cli.mjs", "--lines", stdin="\n".join(map(json.dumps, asked)))

    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers[: len(cases)] == [case["expect"] for case in cases]
    assert answers[len(cases)] == {"step": 1}
    assert list(answers[-1]) == ["error"]
    assert done.returncode == 0, done.stderr


def test_the_verifier_meets_every_vector(project: Path) -> None:
    assert _VECTORS

    done = run_node(project, "verify_cli.mjs", "--vectors", *map(str, _VECTORS))

    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result for result in results if not result["met"]] == []
    assert len(results) == len(_VECTORS)
    assert done.returncode == 0, done.stderr
