from typing import Any, cast

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto.canonical import (
    MAX_INTEGER,
    CanonicalJsonError,
    JsonValue,
    encode_canonical,
    parse_canonical,
)

VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_every_value_survives(value: JsonValue) -> None:
    assert parse_canonical(encode_canonical(value)) == value


KEYS = st.text(alphabet=st.characters(codec="ascii")) | st.text()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner) | st.lists(st.integers(0, 9)),
        max_leaves=20,
    )
)
def test_bytes_are_those_of_the_reference_implementation(value: JsonValue) -> None:
    assert encode_canonical(value) == rfc8785.dumps(cast("Any", value))


@given(VALUES, st.data())
def test_changed_bytes_are_refused_or_are_another_value(
    value: JsonValue, data: st.DataObject
) -> None:
    encoded = bytearray(encode_canonical(value))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))

    try:
        parsed = parse_canonical(bytes(encoded))
    except CanonicalJsonError:
        return
    assert encode_canonical(parsed) == encoded
    assert encode_canonical(parsed) != encode_canonical(value)


@given(st.binary() | st.text(alphabet='[]{}",:\\0123456789.-eEntrufalsd \n\t').map(str.encode))
def test_arbitrary_bytes_raise_only_the_one_error(data: bytes) -> None:
    try:
        value = parse_canonical(data)
    except CanonicalJsonError:
        return
    assert encode_canonical(value) == data
