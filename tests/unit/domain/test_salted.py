"""What the service encodes part by part is what a verifier computes from the whole."""

from dataclasses import replace

import pytest

from bot.crypto.canonical import encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.crypto.sealing import derive_salt
from bot.domain import salted
from bot.domain.field_values import FIELD_NAMES, fields_root, fields_to_json
from bot.domain.reading import MAX_TOKEN_ID
from bot.domain.salted import root_of_salted, salt_fields, spell_tokens
from scripts.vector_parts import FIELDS, OPENING_KEY


def test_fields_are_those_of_the_format_in_its_order_with_their_salts() -> None:
    found = salt_fields(OPENING_KEY, FIELDS)

    assert tuple(one.name for one in found) == FIELD_NAMES
    assert [one.salt for one in found] == [derive_salt(OPENING_KEY, name) for name in FIELD_NAMES]


def test_root_changes_with_key_and_every_field() -> None:
    other = replace(FIELDS, context=(*FIELDS.context, 1))

    roots = {
        root_of_salted(salt_fields(OPENING_KEY, FIELDS)),
        root_of_salted(salt_fields(OPENING_KEY, other)),
        root_of_salted(salt_fields(bytes(32), FIELDS)),
    }

    assert len(roots) == 3
    assert fields_root(OPENING_KEY, fields_to_json(other)) in roots


@pytest.mark.parametrize("tokens", [(), (0,), (7, 7, MAX_TOKEN_ID), tuple(range(300))])
def test_tokens_are_spelled_as_canonical_json(tokens: tuple[int, ...]) -> None:
    assert spell_tokens(tokens).encode() == encode_canonical(tokens)


@pytest.mark.parametrize("token", [-1, MAX_TOKEN_ID + 1, 0.5, "1", None])
def test_what_is_no_token_id_is_not_spelled(token: object) -> None:
    with pytest.raises(FormatError):
        spell_tokens((1, token))  # type: ignore[arg-type]


def test_more_token_ids_than_are_remembered_are_spelled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(salted, "REMEMBERED", 3)
    tokens = [*range(1_000_000, 1_000_010), 1_000_000]

    assert parse_canonical(spell_tokens(tokens).encode()) == tokens
