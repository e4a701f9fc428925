"""What logs and witnesses send: the specification's example, and what is not quite it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto.add_checkpoint import encode_submission, parse_size, parse_submission
from bot.crypto.encoding import encode_b64
from bot.crypto.errors import FormatError

NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q"
    "1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
EXAMPLE = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\n"
) + NOTE
HASH = encode_b64(bytes(32))


def test_the_specifications_example_is_read() -> None:
    found = parse_submission(EXAMPLE.encode())

    assert (found.old, len(found.proof), found.note) == (20_852_014, 2, NOTE)


@given(st.integers(0, 2**53 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_requests_read_back_equal(old: int, proof: list[bytes]) -> None:
    found = parse_submission(encode_submission(old, proof, NOTE))

    assert (found.old, list(found.proof), found.note) == (old, proof, NOTE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1",
        f"old 01\n\n{NOTE}".encode(),
        f"old -1\n\n{NOTE}".encode(),
        f"old {2**53}\n\n{NOTE}".encode(),
        f"new 1\n\n{NOTE}".encode(),
        f"old 1\r\n\r\n{NOTE}".encode(),
        f"old 1\n{HASH[:-4]}\n\n{NOTE}".encode(),
        f"old 1\n{HASH} \n\n{NOTE}".encode(),
        ("old 1\n" + f"{HASH}\n" * 64 + f"\n{NOTE}").encode(),
        b"old 1\n\n\xff\xfe",
        b"old 1\n\n" + b"x" * 70_000,
    ],
)
def test_what_is_not_quite_a_request_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        parse_submission(body)


@pytest.mark.parametrize("body", [b"", b"7", b"07\n", b"-1\n", b"7\n\n", b"7 \n", b"\xff\n"])
def test_what_is_not_quite_a_size_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        parse_size(body)


def test_a_size_is_one_line() -> None:
    assert (parse_size(b"0\n"), parse_size(b"20852014\n")) == (0, 20_852_014)
