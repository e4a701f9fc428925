from dataclasses import replace
from typing import Any

import pytest

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.encoding import encode_b64
from bot.crypto.sealing import derive_salt, seal
from bot.domain.errors import MalformedProofError, VerificationError
from bot.domain.field_values import fields_to_json
from bot.domain.persona import persona_to_json
from bot.receipts.bundle import MAX_BUNDLE_BYTES, ProofBundle, encode_bundle, parse_bundle
from bot.receipts.openings import open_openings, seal_openings
from scripts.vector_parts import FIELDS, OPENING_KEY, PERSONA, Recipe, make_bundle
from scripts.vector_revoked import REVOKE
from scripts.vector_trust import NAMES, sealed_once

BUNDLE = make_bundle(Recipe())
RECEIPT_HASH = bytes(32)
FIELD_VALUES: list[dict[str, JsonValue]] = [
    {"name": name, "salt": encode_b64(derive_salt(OPENING_KEY, name)), "value": value}
    for name, value in fields_to_json(FIELDS).items()
]


FULL = make_bundle(replace(sealed_once(), order=REVOKE, anchor=5, witnesses=NAMES))


@pytest.mark.parametrize(
    "bundle",
    [
        BUNDLE,
        replace(BUNDLE, outcome=None),
        replace(BUNDLE, sealed=None),
        FULL,
        replace(FULL, outcome=None, sealed=None),
    ],
    ids=["outcome", "pending", "public", "everything", "everything public"],
)
def test_bundle_survives(bundle: ProofBundle) -> None:
    assert parse_bundle(encode_bundle(bundle)) == bundle


def test_bundle_above_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(MalformedProofError, match="larger"):
        parse_bundle(b" " * (MAX_BUNDLE_BYTES + 1))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("log", {"proof": None}),
        ("log", {"leaf": "?"}),
        ("log", {"index": 3}),
        ("revocation", {"signature": "0x00"}),
        ("revocation", {"body": None}),
        ("anchor", {"inclusion": [encode_b64(bytes(31))]}),
        ("anchor", {"inclusion": [0]}),
        ("anchor", {"inclusion": [encode_b64(bytes(32))] * 64}),
        ("anchor", {"size": -1}),
        ("anchor", {"contract": "0x00"}),
        ("manifest", {"signature": "0x00"}),
        ("manifest", {"body": "?"}),
        ("outcome", {"extra": 1}),
        ("receipt", {"payloadType": 1}),
    ],
    ids=repr,
)
def test_part_of_another_shape_is_refused(part: str, change: dict[str, JsonValue]) -> None:
    value: Any = parse_canonical(encode_bundle(FULL))
    value[part].update(change)

    with pytest.raises(MalformedProofError) as caught:
        parse_bundle(encode_canonical(value))

    assert caught.value.step == 1


def test_sealed_openings_open_to_persona_and_fields() -> None:
    sealed = seal_openings(OPENING_KEY, RECEIPT_HASH, persona=PERSONA, fields=FIELDS)

    opened = open_openings(OPENING_KEY, RECEIPT_HASH, sealed)

    assert (opened.persona, opened.fields) == (PERSONA, FIELDS)


@pytest.mark.parametrize(
    "change",
    [
        {"v": "twinproof-openings/1"},
        {"fields": FIELD_VALUES[:-1]},
        {"fields": FIELD_VALUES[::-1]},
        {"fields": [*FIELD_VALUES[:-1], FIELD_VALUES[0]]},
        {"fields": [{**FIELD_VALUES[0], "salt": encode_b64(bytes(16))}, *FIELD_VALUES[1:]]},
        {"fields": [{**FIELD_VALUES[0], "salt": encode_b64(bytes(15))}, *FIELD_VALUES[1:]]},
        {"fields": [{**FIELD_VALUES[0], "value": {}}, *FIELD_VALUES[1:]]},
        {"persona": {}},
        {"persona": {**dict(persona_to_json(PERSONA)), "name": "two\nlines"}},  # type: ignore[arg-type]
    ],
    ids=[
        "version",
        "field missing",
        "order",
        "field twice",
        "other salt",
        "short salt",
        "other value",
        "no persona",
        "invalid persona",
    ],
)
def test_sealed_text_of_another_shape_is_refused_at_step_5(change: dict[str, JsonValue]) -> None:
    good: dict[str, JsonValue] = {
        "v": "twinproof-openings/2",
        "persona": persona_to_json(PERSONA),
        "fields": FIELD_VALUES,
    }
    open_openings(
        OPENING_KEY, RECEIPT_HASH, seal(OPENING_KEY, RECEIPT_HASH, encode_canonical(good))
    )
    sealed = seal(OPENING_KEY, RECEIPT_HASH, encode_canonical({**good, **change}))

    with pytest.raises(VerificationError) as caught:
        open_openings(OPENING_KEY, RECEIPT_HASH, sealed)

    assert caught.value.step == 5
