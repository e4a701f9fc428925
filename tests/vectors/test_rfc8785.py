"""The vectors of RFC 8785's author; those with floating-point numbers must be refused."""

import json
from pathlib import Path

import pytest

from bot.crypto.canonical import CanonicalJsonError, encode_canonical, parse_canonical

FOLDER = Path(__file__).parents[2].parent / "shared" / "vectors" / "rfc8785" / "testdata"
WITHOUT_FLOATS = ("arrays", "french", "unicode", "weird")
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the RFC 8785 vectors are not here")


@pytest.mark.parametrize("name", WITHOUT_FLOATS)
def test_value_without_floats_encodes_as_published(name: str) -> None:
    value = json.loads((FOLDER / "input" / f"{name}.json").read_text(encoding="utf-8"))
    expected = bytes.fromhex((FOLDER / "outhex" / f"{name}.txt").read_text())

    assert encode_canonical(value) == expected
    assert parse_canonical(expected) == value


@pytest.mark.parametrize("name", ["values", "structures"])
def test_value_with_floats_is_refused(name: str) -> None:
    data = (FOLDER / "input" / f"{name}.json").read_bytes()

    with pytest.raises(CanonicalJsonError):
        parse_canonical(data)
    with pytest.raises(CanonicalJsonError, match="floating-point"):
        encode_canonical(json.loads(data))
