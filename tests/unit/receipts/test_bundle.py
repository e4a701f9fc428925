from dataclasses import replace
from typing import Any

import pytest

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.encoding import encode_b64
from bot.crypto.sealing import derive_salt, seal
from bot.domain.errors import MalformedProofError, VerificationError
from bot.domain.fields import fields_to_json
from bot.domain.persona import persona_to_json
from bot.receipts.bundle import (
    MAX_BUNDLE_BYTES,
    encode_bundle,
    open_openings,
    parse_bundle,
    seal_openings,
)
from scripts.vector_parts import FIELDS, OPENING_KEY, PERSONA, Recipe, make_bundle

BUNDLE = make_bundle(Recipe())
RECEIPT_HASH = bytes(32)
FIELD_VALUES: list[dict[str, JsonValue]] = [
    {"name": name, "salt": encode_b64(derive_salt(OPENING_KEY, name)), "value": value}
    for name, value in fields_to_json(FIELDS).items()
]


def test_bundle_survives_with_and_without_outcome() -> None:
    assert parse_bundle(encode_bundle(BUNDLE)) == BUNDLE
    pending = replace(BUNDLE, outcome=None)
    assert parse_bundle(encode_bundle(pending)) == pending


def test_bundle_above_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(MalformedProofError, match="larger"):
        parse_bundle(b" " * (MAX_BUNDLE_BYTES + 1))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("log", {"inclusion": [encode_b64(bytes(31))]}),
        ("log", {"inclusion": [0]}),
        ("log", {"inclusion": [encode_b64(bytes(32))] * 64}),
        ("log", {"index": -1}),
        ("log", {"checkpoint": None}),
        ("manifest", {"signature": "0x00"}),
        ("manifest", {"body": "?"}),
        ("outcome", {"extra": 1}),
        ("receipt", {"payloadType": 1}),
    ],
    ids=repr,
)
def test_part_of_another_shape_is_refused(part: str, change: dict[str, JsonValue]) -> None:
    value: Any = parse_canonical(encode_bundle(BUNDLE))
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
        {"v": "twinproof-openings/2"},
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
        "v": "twinproof-openings/1",
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
