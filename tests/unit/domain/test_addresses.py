"""Addresses as people type them: what is taken, and the sentence for what is not."""

import pytest

from bot.domain.addresses import parse_typed_address
from bot.domain.errors import UserError

# From EIP-55 itself.
CHECKED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
BYTES = bytes.fromhex(CHECKED[2:])


@pytest.mark.parametrize(
    "text", [CHECKED, CHECKED.lower(), f"0x{CHECKED[2:].upper()}", f" {CHECKED}\n"]
)
def test_a_checksummed_address_and_one_without_a_checksum_are_taken(text: str) -> None:
    assert parse_typed_address(text, "--payout") == BYTES


@pytest.mark.parametrize(
    "text",
    [
        CHECKED[:-1] + "D",
        CHECKED.replace("aAeb", "AAeb"),
        CHECKED.replace("6053", "6054"),
        "0x" + CHECKED[2:].swapcase(),
    ],
)
def test_a_wrong_letter_among_capitals_is_named(text: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_typed_address(text, "--payout")

    assert str(refused.value) == (
        f"--payout {text} is not a valid checksummed address: a letter is wrong; copy it again."
    )


@pytest.mark.parametrize("text", ["", "0x12", CHECKED[2:], CHECKED + "0", "zoe.eth", "x" * 5_000])
def test_what_is_no_address_is_said_in_a_short_sentence(text: str) -> None:
    with pytest.raises(UserError, match="is no address: 0x and 40 hexadecimal digits") as refused:
        parse_typed_address(text, "--payout")

    assert len(str(refused.value)) < 160


def test_the_zero_address_is_nobodys() -> None:
    with pytest.raises(UserError, match="--payout is the zero address, which is nobody's"):
        parse_typed_address("0x" + "00" * 20, "--payout")
