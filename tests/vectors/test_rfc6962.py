"""The inclusion and consistency vectors of transparency-dev/merkle."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import verify_consistency, verify_inclusion

FOLDER = Path(__file__).parents[2].parent / "shared" / "vectors" / "rfc6962" / "testdata"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the RFC 6962 vectors are not here")


def _cases(kind: str) -> list[Any]:
    root = FOLDER / kind
    return [
        pytest.param(json.loads(path.read_text()), id=str(path.relative_to(root)))
        for path in sorted(root.rglob("*.json"))
    ]


def _accepts(check: Any, **arguments: Any) -> bool:  # noqa: ANN401 - any verifier
    try:
        check(**arguments)
    except (FormatError, MismatchError):
        return False
    return True


@pytest.mark.parametrize("case", _cases("inclusion"))
def test_inclusion_vector_is_judged_as_published(case: dict[str, Any]) -> None:
    accepted = _accepts(
        verify_inclusion,
        leaf=b64decode(case["leafHash"]),
        index=case["leafIdx"],
        size=case["treeSize"],
        proof=[b64decode(value) for value in case["proof"] or []],
        root=b64decode(case["root"]),
    )

    assert accepted is not case["wantErr"]


@pytest.mark.parametrize("case", _cases("consistency"))
def test_consistency_vector_is_judged_as_published(case: dict[str, Any]) -> None:
    accepted = _accepts(
        verify_consistency,
        old=case["size1"],
        new=case["size2"],
        proof=[b64decode(value) for value in case["proof"] or []],
        old_root=b64decode(case["root1"]),
        new_root=b64decode(case["root2"]),
    )

    assert accepted is not case["wantErr"]
