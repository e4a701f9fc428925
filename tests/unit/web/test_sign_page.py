"""The signing page as a file: reproducible, self-contained, and its checks agree with ours."""

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.crypto.eip712 import SigningData
from bot.domain.manifest import Manifest, encode_manifest, signing_data
from bot.domain.order import TwinOrder, order_data
from bot.domain.persona import Persona
from scripts.vector_parts import MANIFEST
from tests.node_project import run_node
from tests.properties.test_domain_codecs import MANIFESTS, ORDERS, PERSONAS

_WEB = Path(__file__).parents[3] / "adapters" / "web"
_SOURCE = _WEB / "sign_page"
_PAGE = _WEB / "pages" / "sign.html"
_FEW = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
_TOPICS = st.lists(
    st.sampled_from(["rain", "rain, snow", "a, b, and c", ", ", "snow.", "Examples:"]), max_size=6
)


@pytest.fixture(scope="session")
def sign_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page's sources and their packages."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        pytest.skip("node and npm are not installed")
    if (_SOURCE / "node_modules").is_dir():
        return _SOURCE
    web = tmp_path_factory.mktemp("sign_page")
    for name in ("sign_page", "proof_page"):
        shutil.copytree(_WEB / name, web / name, ignore=shutil.ignore_patterns("node_modules"))
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        install, cwd=web / "sign_page", capture_output=True, check=False, timeout=200
    )
    if done.returncode != 0:
        pytest.skip("the page's packages cannot be installed: is there a network?")
    return web / "sign_page"


def test_the_published_hash_is_the_pages() -> None:
    digest = hashlib.sha256(_PAGE.read_bytes()).hexdigest()

    assert (_WEB / "pages" / "sign.html.sha256").read_text() == f"{digest}  sign.html\n"


def test_a_rebuild_gives_the_same_bytes(sign_project: Path, tmp_path: Path) -> None:
    built = run_node(sign_project, "build.mjs", str(tmp_path))

    assert built.returncode == 0, built.stderr
    assert (tmp_path / "sign.html").read_bytes() == _PAGE.read_bytes()


def test_the_page_names_no_other_host_and_stores_nothing() -> None:
    html = _PAGE.read_text()

    assert not re.findall(r"(?:src|href|action)=[\"']?(?:https?:)?//", html)
    assert not re.findall(r"@import|url\(\s*[\"']?http", html)
    for word in ("innerHTML", "localStorage", "sessionStorage", "indexedDB", "document.cookie"):
        assert word not in html


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((_SOURCE / "package-lock.json").read_text())["packages"]

    assert all("resolved" not in package for package in packages.values())
    assert all("integrity" in package for path, package in packages.items() if path)


def test_what_both_pages_are_made_with_is_the_same() -> None:
    proof = json.loads((_WEB / "proof_page" / "package.json").read_text())
    sign = json.loads((_SOURCE / "package.json").read_text())

    shared = {name: version for name, version in proof["dependencies"].items() if "@noble" in name}
    assert shared
    assert shared.items() <= sign["dependencies"].items()
    assert sign["devDependencies"].items() <= proof["devDependencies"].items()


@_FEW
@given(st.lists(MANIFESTS, min_size=10, max_size=20), st.lists(ORDERS, min_size=10, max_size=20))
def test_typed_data_and_digests_agree(
    sign_project: Path,
    tmp_path: Path,
    manifests: list[Manifest],
    orders: list[TwinOrder],
) -> None:
    statements: list[tuple[bytes, str, SigningData]] = [
        (encode_manifest(one), one.name, signing_data(one)) for one in manifests
    ]
    statements += [(one.encode(), "Mira", order_data(one, "Mira")) for one in orders]
    cases = [_case(body, name) for body, name, _ in statements]

    answers = _check(sign_project, tmp_path, cases)

    assert [answer["digest"] for answer in answers] == [_digest(data) for *_, data in statements]
    assert [answer["typed_data"] for answer in answers] == [
        data.typed_data() for *_, data in statements
    ]


@_FEW
@given(st.lists(st.tuples(PERSONAS, _TOPICS), min_size=10, max_size=30))
def test_a_persona_text_is_known_by_its_hash(
    sign_project: Path, tmp_path: Path, drawn: list[tuple[Persona, list[str]]]
) -> None:
    personas = [
        replace(persona, off_limits=(*persona.off_limits, *(t for t in topics if t.strip(", "))))
        for persona, topics in drawn
    ]
    body = encode_manifest(MANIFEST)
    cases = [
        _case(body, one.name, persona_text=one.text(), persona=one.hash.hex()) for one in personas
    ]
    other = MANIFEST.persona.hex()

    assert all(answer["same"] for answer in _check(sign_project, tmp_path, cases))
    wrong = [case | {"persona": other} for case in cases]
    assert not any(answer["same"] for answer in _check(sign_project, tmp_path, wrong))


def _case(body: bytes, name: str, **changes: str) -> dict[str, str]:
    text = f"You are {name}, a cook."
    return {"body": body.decode(), "name": name, "persona_text": text, "persona": ""} | changes


def _digest(data: SigningData) -> str:
    return "0x" + data.digest().hex()


def _check(project: Path, folder: Path, cases: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Ask the page's own code."""
    (folder / "cases.json").write_text(json.dumps(cases))
    done = run_node(project, "check_cli.mjs", str(folder / "cases.json"))
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.split("\n") if line]
