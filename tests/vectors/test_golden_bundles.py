"""docs/spec/vectors: what a stranger's verifier is tested against."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.crypto.encoding import parse_b64url
from bot.domain.errors import VerificationError
from bot.receipts.trust import parse_policy
from bot.receipts.verify import verify_bundle
from scripts.make_vectors import FOLDER, make_vectors

FILES = sorted(FOLDER.glob("*.json"))


def test_regenerating_gives_the_same_files() -> None:
    made = {f"{vector.name}.json": vector.encode() for vector in make_vectors()}

    assert made == {path.name: path.read_text(encoding="utf-8") for path in FILES}


def test_every_step_has_a_bad_vector() -> None:
    steps = {json.loads(path.read_text())["expect"].get("step") for path in FILES}

    assert steps >= set(range(1, 11))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_vector_is_judged_as_it_says(path: Path) -> None:
    vector = json.loads(path.read_text(encoding="utf-8"))

    assert _judge(vector) == vector["expect"]


def _judge(vector: dict[str, Any]) -> dict[str, Any]:
    key, policy = vector["key"], vector["policy"]
    try:
        result = verify_bundle(
            vector["bundle"].encode(),
            key=None if key is None else parse_b64url(key),
            policy=None if policy is None else parse_policy(json.dumps(policy).encode()),
        )
    except VerificationError as error:
        return {"step": error.step}
    opened = result.openings is not None
    return {"levels": list(result.levels), "trust": result.trust, "opened": opened}
