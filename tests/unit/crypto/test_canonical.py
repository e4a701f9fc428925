import pytest

from bot.crypto.canonical import (
    MAX_INTEGER,
    CanonicalJsonError,
    JsonValue,
    encode_canonical,
    parse_canonical,
)


def test_keys_are_sorted_and_nothing_is_padded() -> None:
    value: JsonValue = {"b": [1, True, None], "a": "é"}

    assert encode_canonical(value) == '{"a":"é","b":[1,true,null]}'.encode()


def test_largest_integers_survive() -> None:
    value: JsonValue = [MAX_INTEGER, -MAX_INTEGER]

    assert parse_canonical(encode_canonical(value)) == value


def test_brackets_inside_strings_do_not_nest() -> None:
    value: JsonValue = ['[{"' * 100]

    assert parse_canonical(encode_canonical(value)) == value


def test_deepest_nesting_survives() -> None:
    data = b"[" * 32 + b"]" * 32

    assert encode_canonical(parse_canonical(data)) == data


@pytest.mark.parametrize(
    "value",
    [1.0, [0.5], {"a": [2.5]}, MAX_INTEGER + 1, -MAX_INTEGER - 1, "\ud800", {"\ud800": 1}],
    ids=repr,
)
def test_value_outside_the_restriction_is_not_encoded(value: JsonValue) -> None:
    with pytest.raises(CanonicalJsonError):
        encode_canonical(value)


def test_value_nested_too_deeply_is_not_encoded() -> None:
    value: JsonValue = []
    for _ in range(5000):
        value = [value]

    with pytest.raises(CanonicalJsonError, match="deeply"):
        encode_canonical(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" 1",
        b"1\n",
        b"01",
        b"-0",
        b"+1",
        b"1e0",
        b"1.0",
        b"NaN",
        b"Infinity",
        b"9007199254740992",
        b"1" * 5000,
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a": 1}',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf1",
        "1".encode("utf-16"),
        b"[" * 33 + b"]" * 33,
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
    ids=lambda data: f"{len(data)} bytes {data[:24]!r}",
)
def test_bytes_that_no_encoder_writes_are_refused(data: bytes) -> None:
    with pytest.raises(CanonicalJsonError):
        parse_canonical(data)


@pytest.mark.parametrize("piece", [b'\\"', b'["', b'"\\', b"\\\\"])
def test_half_a_megabyte_that_never_ends_is_refused_at_once(piece: bytes) -> None:
    # A pattern that backtracks needs minutes for these: the test's own time limit ends it.
    with pytest.raises(CanonicalJsonError):
        parse_canonical(b'"' + piece * (512 * 1024 // len(piece)))


def test_float_behind_a_foreign_key_is_refused() -> None:
    with pytest.raises(CanonicalJsonError, match="floating-point"):
        encode_canonical([{"ü": 1}, 0.5])  # type: ignore[list-item]
