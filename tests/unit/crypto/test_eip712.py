import pytest

from bot.crypto import eip712
from bot.crypto.errors import FormatError, MismatchError

KEY = bytes(range(1, 33))
DIGEST = bytes(32)
SIGNATURE = eip712.sign_digest(KEY, DIGEST)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.mark.parametrize(
    "address",
    [  # the examples of EIP-55
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    ],
)
def test_address_survives_with_its_checksum(address: str) -> None:
    assert eip712.encode_address(eip712.parse_address(address)) == address


@pytest.mark.parametrize(
    "address",
    [
        "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\n",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA",
        "",
    ],
)
def test_other_spelling_of_an_address_is_refused(address: str) -> None:
    with pytest.raises(FormatError):
        eip712.parse_address(address)


def test_signer_is_recovered() -> None:
    assert eip712.recover_signer(DIGEST, SIGNATURE) == eip712.address_of(KEY)


def test_other_digest_recovers_somebody_else() -> None:
    assert eip712.recover_signer(b"\x01" * 32, SIGNATURE) != eip712.address_of(KEY)


def test_signature_survives_as_text() -> None:
    assert eip712.parse_signature(eip712.encode_signature(SIGNATURE)) == SIGNATURE


@pytest.mark.parametrize(
    "text",
    ["", SIGNATURE.hex(), "0x" + SIGNATURE.hex().upper(), "0x" + SIGNATURE.hex()[2:]],
)
def test_other_spelling_of_a_signature_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        eip712.parse_signature(text)


def test_high_s_is_refused() -> None:
    s = ORDER - int.from_bytes(SIGNATURE[32:64], "big")
    high = SIGNATURE[:32] + s.to_bytes(32, "big") + bytes([55 - SIGNATURE[64]])

    with pytest.raises(FormatError, match="high"):
        eip712.recover_signer(DIGEST, high)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_other_v_is_refused(v: int) -> None:
    with pytest.raises(FormatError, match="27 or 28"):
        eip712.recover_signer(DIGEST, SIGNATURE[:64] + bytes([v]))


def test_signature_of_another_length_is_refused() -> None:
    with pytest.raises(FormatError):
        eip712.recover_signer(DIGEST, SIGNATURE[:64])


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (ORDER, 1), (5, 1)])
def test_numbers_that_no_key_makes_recover_nobody(r: int, s: int) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1b"

    with pytest.raises(MismatchError):
        eip712.recover_signer(DIGEST, signature)
