"""Chosen fields without the key: true ones verify, and nothing else does."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.crypto.canonical import encode_canonical, parse_canonical
from bot.domain.errors import UserError, VerificationError
from bot.domain.field_values import FIELD_NAMES, fields_to_json
from bot.receipts.bundle import encode_bundle
from bot.receipts.disclosure import (
    PERSONA,
    Disclosure,
    disclose,
    encode_disclosure,
    parse_disclosure,
    verify_disclosure,
)
from bot.receipts.verify import verify_bundle
from scripts import vector_parts as parts
from scripts.vector_parts import FIELDS, OPENING_KEY, Recipe, make_bundle

BUNDLE = make_bundle(Recipe())
VERIFIED = verify_bundle(encode_bundle(BUNDLE), key=OPENING_KEY, policy=None)
VALUES = fields_to_json(FIELDS)


def _disclose(*names: str) -> Disclosure:
    return disclose(BUNDLE, VERIFIED, OPENING_KEY, names)


def _value(*names: str) -> dict[str, Any]:
    value: Any = parse_canonical(encode_disclosure(_disclose(*names)))
    assert isinstance(value, dict)
    return value


def _step(value: object) -> int:
    with pytest.raises(VerificationError) as caught:
        verify_disclosure(encode_canonical(value), policy=None)  # type: ignore[arg-type]
    return caught.value.step


@pytest.mark.parametrize("name", FIELD_NAMES)
def test_each_field_can_be_shown_alone(name: str) -> None:
    found = verify_disclosure(encode_disclosure(_disclose(name)), policy=None)

    shown = parse_canonical(encode_canonical(found.values))
    assert shown == parse_canonical(encode_canonical({name: VALUES[name]}))
    assert found.persona is None
    assert found.verified.openings is None
    assert found.verified.levels == ("L0", "L1-unwitnessed")
    assert [step.number for step in found.verified.steps if not step.done] == [6, 7, 10]


def test_persona_and_all_fields_can_be_shown_together() -> None:
    data = encode_disclosure(_disclose(PERSONA, *FIELD_NAMES))

    found = verify_disclosure(data, policy=None)

    assert tuple(found.values) == FIELD_NAMES
    assert found.persona == parts.PERSONA
    assert encode_disclosure(parse_disclosure(data)) == data


def test_nothing_of_what_is_not_shown_stands_in_it() -> None:
    data = encode_disclosure(_disclose("reply"))

    assert _value("reply")["bundle"]["sealed"] is None
    assert FIELDS.slot.message.encode() not in data
    assert FIELDS.text.encode() in data


@pytest.mark.parametrize("names", [(), ("salt",), ("reply", "everything")])
def test_names_that_there_are_not_are_refused_with_a_sentence(names: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="Name what is to be shown"):
        _disclose(*names)


def test_reply_that_was_not_opened_can_not_be_shown() -> None:
    closed = verify_bundle(encode_bundle(BUNDLE), key=None, policy=None)

    with pytest.raises(UserError):
        disclose(BUNDLE, closed, OPENING_KEY, ["reply"])


@pytest.mark.parametrize(
    ("key", "value", "step"),
    [
        ("name", "output", 5),
        ("name", "nothing", 1),
        ("salt", "AAAAAAAAAAAAAAAAAAAAAA==", 5),
        ("salt", "AA==", 1),
        ("path", [], 5),
        ("path", [""], 5),
        ("value", {"finish": "end", "rejected": 0, "text": "Yes."}, 5),
        ("value", None, 5),
    ],
    ids=repr,
)
def test_field_that_was_changed_is_refused(key: str, value: object, step: int) -> None:
    changed = _value("reply")
    changed["fields"][0][key] = value

    assert _step(changed) == step


def test_fields_stand_in_their_order_each_once_and_at_least_one() -> None:
    both = _value("slot", "reply")
    swapped, twice, none = ({**both} for _ in range(3))
    swapped["fields"] = both["fields"][::-1]
    twice["fields"] = [both["fields"][0], *both["fields"]]
    none["fields"] = []

    assert [_step(one) for one in (swapped, twice, none)] == [1, 1, 1]


def test_persona_is_the_one_that_the_creator_signed() -> None:
    changed = _value(PERSONA)
    changed["persona"]["role"] = "a dentist"

    assert _step(changed) == 5


def test_bundle_inside_is_public_and_true() -> None:
    sealed, forged = _value("reply"), _value("reply")
    sealed["bundle"]["sealed"] = "AAAA"
    forged["bundle"] = parse_canonical(
        encode_bundle(replace(make_bundle(Recipe(logged=False)), sealed=None))
    )

    assert (_step(sealed), _step(forged)) == (1, 8)


GOOD = encode_disclosure(_disclose("message", "reply", PERSONA))


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_changed_byte_is_refused(position: int, mask: int) -> None:
    changed = bytearray(GOOD)
    changed[position] ^= mask

    with pytest.raises(VerificationError):
        verify_disclosure(bytes(changed), policy=None)
