import pytest
from nacl import bindings

from bot.crypto import ed25519
from bot.crypto.errors import FormatError, MismatchError

SEED = bytes(range(32))
KEY = ed25519.public_key_of(SEED)


def test_first_vector_of_rfc_8032() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")

    assert ed25519.public_key_of(seed) == key
    assert ed25519.sign(seed, b"").hex().startswith("e5564300c360ac729086e2cc806e828a")


def test_other_message_is_refused() -> None:
    signature = ed25519.sign(SEED, b"one")

    ed25519.verify(KEY, b"one", signature)
    with pytest.raises(MismatchError):
        ed25519.verify(KEY, b"two", signature)


def test_signature_with_an_unreduced_scalar_is_refused() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    signature = ed25519.sign(SEED, b"one")
    scalar = int.from_bytes(signature[32:], "little") + order

    with pytest.raises(MismatchError):
        ed25519.verify(KEY, b"one", signature[:32] + scalar.to_bytes(32, "little"))


IDENTITY = b"\x01" + bytes(31)
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
BAD_KEYS = {
    "identity": IDENTITY,
    "order 2": b"\xec" + b"\xff" * 30 + b"\x7f",
    "order 4": bytes(32),
    "order 8": ORDER_8,
    "mixed order": bytes(bindings.crypto_core_ed25519_add(KEY, ORDER_8)),
    "y above the prime": b"\xee" + b"\xff" * 30 + b"\x7f",
    "identity with a sign": b"\x01" + bytes(30) + b"\x80",
    "no point": b"\x02" + bytes(31),
    "short": KEY[:-1],
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
def test_key_that_is_no_point_of_prime_order_is_refused(key: bytes) -> None:
    with pytest.raises(FormatError):
        ed25519.check_public_key(key)
    with pytest.raises(FormatError):
        ed25519.verify(key, b"anything", IDENTITY + bytes(32))


def test_signature_whose_point_has_small_order_is_refused() -> None:
    ed25519.check_public_key(KEY)
    with pytest.raises(MismatchError):
        ed25519.verify(KEY, b"one", IDENTITY + bytes(32))


@pytest.mark.parametrize(("key", "signature"), [(KEY[:-1], bytes(64)), (KEY, bytes(63))])
def test_other_lengths_are_refused(key: bytes, signature: bytes) -> None:
    with pytest.raises(FormatError):
        ed25519.verify(key, b"", signature)


def test_short_private_key_is_refused() -> None:
    with pytest.raises(FormatError):
        ed25519.public_key_of(b"short")
