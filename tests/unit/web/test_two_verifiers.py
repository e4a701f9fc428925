"""The proof page's verifier and ours share no code; about spoilt bundles they must say the same."""

import base64
import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from bot.crypto.canonical import encode_canonical
from bot.crypto.errors import FormatError
from bot.domain.errors import VerificationError
from bot.domain.field_values import fields_to_json
from bot.domain.fields import NO_EVENT, ReplyEvent
from bot.receipts.trust import TrustPolicy, parse_policy
from bot.receipts.verify import verify_bundle
from scripts.vector_log import fixed_key
from scripts.vector_parts import FIELDS
from scripts.vector_strict import Strict, make_strict
from tests.node_project import run_node

Json: TypeAlias = Any

_VECTORS = Path(__file__).parents[3] / "docs" / "spec" / "vectors"
_COUNT = 250
_TEXTS = (
    *("", " ", "…", "x" * 65, "x" * 65_537, "\n", "0", "A" * 43 + "=", "2026-02-30T00:00:00Z"),
    *("\u3000", "a\u202eb", "a\u2028b", "a\u00adb", "a\U00013439b", "a\U0001f373b"),
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "00" * 32, "01" + "00" * 31),
)
_NUMBERS = (-1, 0, 1, 65_536, 2**31, 2**53 - 1)


def _paths(value: Json, path: tuple[Json, ...] = ()) -> Iterator[tuple[Json, ...]]:
    """Name every place in a JSON value."""
    members: Json = value if isinstance(value, dict) else range(len(value))
    for key in members:
        yield (*path, key)
        if isinstance(value[key], dict | list):
            yield from _paths(value[key], (*path, key))


def _spoil(value: Json, dice: random.Random) -> Json:
    """Return another value, near the old one or of another kind."""
    at = dice.randrange(len(value)) if isinstance(value, str | list) and value else 0
    options: list[Json] = [None, dice.choice(_TEXTS), dice.choice(_NUMBERS), [], {}]
    if isinstance(value, str):
        options += [value[:at] + dice.choice("0aZ+= \né") + value[at + 1 :], value.upper()]
    if isinstance(value, int):
        options += [value + 1, value - 1, str(value)]
    if isinstance(value, list):
        options += [value[:at] + value[at + 1 :], value[::-1], value + value[-1:]]
    if isinstance(value, dict):
        options += [value | {"extra": 1}, dict(list(value.items())[1:])]
    return dice.choice(options)


def _spoil_somewhere(document: Json, dice: random.Random) -> Json:
    spoilt = copy.deepcopy(document)
    *parents, last = dice.choice(list(_paths(spoilt)))
    place = spoilt
    for key in parents:
        place = place[key]
    place[last] = _spoil(place[last], dice)
    return spoilt


def _spoilt_bundle(bundle: dict[str, Json], dice: random.Random) -> str:
    """Spoil the bundle, or one of the signed statements inside it."""
    inner = dice.choice([(), ("receipt", "payload"), ("manifest", "body")])
    if not inner:
        return encode_canonical(_spoil_somewhere(bundle, dice)).decode()
    outer, name = inner
    spoilt = copy.deepcopy(bundle)
    statement = json.loads(base64.b64decode(spoilt[outer][name]))
    body = encode_canonical(_spoil_somewhere(statement, dice))
    spoilt[outer][name] = base64.b64encode(body).decode()
    return encode_canonical(spoilt).decode()


def _policy(vector: dict[str, Json]) -> TrustPolicy:
    return parse_policy(json.dumps(vector["policy"]).encode())


def _expectation(vector: dict[str, Json], bundle: str) -> dict[str, Json]:
    key = base64.urlsafe_b64decode(vector["key"] + "=")
    try:
        result = verify_bundle(bundle.encode(), key=key, policy=_policy(vector))
    except VerificationError as error:
        return {"step": error.step}
    return {"levels": list(result.levels), "trust": result.trust, "opened": True}


def _spoilt_openings(dice: random.Random) -> bytes:
    """Commit to spoilt fields, as a lying operator would: signed, sealed and logged."""
    names = "slot turn message spans output reply event choice counts seed"
    name = dice.choice(names.split())
    attempt = dice.choice((0, 1))
    event = ReplyEvent("wish", fixed_key("replaced receipt")) if attempt else NO_EVENT
    fields = replace(FIELDS, event=event)
    values = json.loads(encode_canonical(fields_to_json(fields)))
    spoilt = _spoil_somewhere({name: values[name]}, dice)
    return make_strict(
        Strict(
            fields=fields,
            values=spoilt,
            receipt={"attempt": dice.choice((attempt, attempt, 1))},
            leaf_attempt=attempt,
        )
    )


@pytest.mark.parametrize("seed", [3, 4])
def test_both_verifiers_say_the_same_of_what_is_sealed(
    seed: int, project: Path, tmp_path: Path
) -> None:
    vector = json.loads((_VECTORS / "good.json").read_text())
    dice = random.Random(seed)  # noqa: S311  repeatable
    cases: list[dict[str, Json]] = []
    while len(cases) < _COUNT:
        try:
            text = _spoilt_openings(dice).decode()
        except FormatError:
            continue
        expect = _expectation(vector, text)
        cases.append(vector | {"name": str(len(cases)), "bundle": text, "expect": expect})
    (tmp_path / "sealed.json").write_text(json.dumps(cases))

    done = run_node(project, "verify_cli.mjs", "--vectors", str(tmp_path / "sealed.json"))

    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result for result in results if not result["met"]] == []
    assert len(results) == _COUNT
    assert {5, 6, 7, None} <= {case["expect"].get("step") for case in cases}


@pytest.mark.parametrize(
    ("seed", "name"),
    [(1, "good"), (2, "good-regenerated-stopped"), (5, "good-witnessed"), (6, "good-anchored")],
)
def test_both_verifiers_fail_at_the_same_step(
    seed: int, name: str, project: Path, tmp_path: Path
) -> None:
    vector = json.loads((_VECTORS / f"{name}.json").read_text())
    bundle, dice = json.loads(vector["bundle"]), random.Random(seed)  # noqa: S311  repeatable
    cases: list[dict[str, Json]] = []
    while len(cases) < _COUNT:
        try:
            text = _spoilt_bundle(bundle, dice)
        except FormatError:
            continue
        expect = _expectation(vector, text)
        cases.append(vector | {"name": str(len(cases)), "bundle": text, "expect": expect})
    (tmp_path / "spoilt.json").write_text(json.dumps(cases))

    done = run_node(project, "verify_cli.mjs", "--vectors", str(tmp_path / "spoilt.json"))

    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result for result in results if not result["met"]] == []
    assert len(results) == _COUNT
