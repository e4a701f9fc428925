"""Log proofs: one spelling, every character accounted for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto.canonical import MAX_INTEGER
from bot.crypto.encoding import encode_b64
from bot.crypto.errors import FormatError
from bot.crypto.tlog_proof import TlogProof, format_proof, parse_proof

NOTE = "log.example\n7\nAAAA\n\n— log.example AAAA\n"
HASH = bytes(range(32))
GOOD = format_proof(3, [HASH, HASH], NOTE)
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=63)


def test_proof_is_written_as_c2sp_says() -> None:
    line = encode_b64(HASH)

    assert f"c2sp.org/tlog-proof@v1\nindex 3\n{line}\n{line}\n\n{NOTE}" == GOOD
    assert format_proof(0, [], NOTE) == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{NOTE}"


@given(st.integers(0, MAX_INTEGER), HASHES)
def test_proof_survives(index: int, inclusion: list[bytes]) -> None:
    proof = parse_proof(format_proof(index, inclusion, NOTE))

    assert proof == TlogProof(index, tuple(inclusion), NOTE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"),
        ("index 3", "index 03"),
        ("index 3", "index -3"),
        ("index 3", f"index {MAX_INTEGER + 1}"),
        ("index 3", "index \u0663"),
        ("index 3\n", ""),
        ("index 3", "index 3\nextra AAAA"),
        ("\n\n", "\n"),
        ("=\n", "\n"),
        ("=\n", "=\r\n"),
        (encode_b64(HASH), encode_b64(bytes(31))),
        (f"{encode_b64(HASH)}\n", f"{encode_b64(HASH)}\n" * 64),
        ("— log", "— a AAAA\n" * 16 + "— log"),
    ],
)
def test_other_text_is_no_proof(old: str, new: str) -> None:
    assert old in GOOD

    with pytest.raises(FormatError):
        parse_proof(GOOD.replace(old, new, 1))


def test_sixteen_signature_lines_are_read() -> None:
    note = NOTE + "— a AAAA\n" * 15

    assert parse_proof(format_proof(3, [], note)).checkpoint == note
