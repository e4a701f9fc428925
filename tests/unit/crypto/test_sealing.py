import hmac

import pytest

from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.sealing import derive_salt, open_sealed, seal

KEY = bytes(range(32))
RECEIPT = bytes(32)


def test_salt_is_rfc_5869_with_an_empty_salt() -> None:
    extracted = hmac.digest(bytes(32), KEY, "sha256")
    expanded = hmac.digest(extracted, b"twinproof/v1/salt/message\x01", "sha256")

    assert derive_salt(KEY, "message") == expanded[:16]


def test_each_field_has_a_salt_of_its_own() -> None:
    assert derive_salt(KEY, "message") != derive_salt(KEY, "reply")


def test_sealed_text_opens_with_its_key() -> None:
    assert open_sealed(KEY, RECEIPT, seal(KEY, RECEIPT, b"text")) == b"text"


@pytest.mark.parametrize(("key", "receipt"), [(bytes(32), RECEIPT), (KEY, bytes([1]) * 32)])
def test_other_key_or_receipt_opens_nothing(key: bytes, receipt: bytes) -> None:
    with pytest.raises(MismatchError):
        open_sealed(key, receipt, seal(KEY, RECEIPT, b"text"))


def test_too_short_sealed_bytes_open_nothing() -> None:
    with pytest.raises(MismatchError):
        open_sealed(KEY, RECEIPT, b"short")


def test_key_of_another_length_is_refused() -> None:
    with pytest.raises(FormatError):
        open_sealed(KEY[:-1], RECEIPT, b"")
