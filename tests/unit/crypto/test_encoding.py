from collections.abc import Callable

import pytest

from bot.crypto.encoding import (
    encode_b64,
    encode_b64url,
    parse_b64,
    parse_b64url,
    parse_hex,
)
from bot.crypto.errors import FormatError


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xfe", b"\xfb\xef\xbe"])
def test_bytes_survive_both_base64s(data: bytes) -> None:
    assert parse_b64(encode_b64(data)) == data
    assert parse_b64url(encode_b64url(data)) == data


@pytest.mark.parametrize("text", ["A", "AA", "AA=", "AB==", "A-==", "AA==\n", " AA==", "é", "===="])
def test_other_spelling_of_base64_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_b64(text)


@pytest.mark.parametrize("text", ["A", "AB", "AA==", "A+", "A/", "AA\n", "é"])
def test_other_spelling_of_base64url_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_b64url(text)


@pytest.mark.parametrize("text", ["", "0", "000", "0A", "0g", "\u0660\u0660", "00\n"])
def test_other_spelling_of_hexadecimal_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_hex(text, 1)


@pytest.mark.parametrize("parse", [parse_b64, parse_b64url])
def test_empty_text_is_no_bytes(parse: Callable[[str], bytes]) -> None:
    assert parse("") == b""
