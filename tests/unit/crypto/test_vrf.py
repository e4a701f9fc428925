import pytest

from bot.crypto import vrf
from bot.crypto.errors import FormatError, MismatchError

SEED = bytes(range(32))
KEY = vrf.public_key_of(SEED)
PROOF = vrf.prove(SEED, b"alpha")
PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER = (
    bytes([1]) + bytes(31),
    bytes(32),
    (PRIME - 1).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
)


def test_proof_of_one_input_is_always_the_same() -> None:
    assert vrf.prove(SEED, b"alpha") == PROOF
    assert len(PROOF) == vrf.PROOF_BYTES
    assert len(vrf.verify(KEY, b"alpha", PROOF)) == vrf.OUTPUT_BYTES


def test_other_input_is_refused() -> None:
    with pytest.raises(MismatchError):
        vrf.verify(KEY, b"beta", PROOF)


def test_other_key_is_refused() -> None:
    with pytest.raises(MismatchError):
        vrf.verify(vrf.public_key_of(bytes(32)), b"alpha", PROOF)


@pytest.mark.parametrize("key", SMALL_ORDER, ids=lambda key: key.hex()[:8])
def test_key_of_small_order_is_refused(key: bytes) -> None:
    with pytest.raises(FormatError, match="small order"):
        vrf.verify(key, b"alpha", PROOF)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        KEY + b"\x00",
        (2).to_bytes(32, "little"),
        PRIME.to_bytes(32, "little"),
        (PRIME + 1).to_bytes(32, "little"),
        bytes([1]) + bytes(30) + b"\x80",
        b"\xff" * 32,
    ],
    ids=repr,
)
def test_key_that_is_no_point_is_refused(key: bytes) -> None:
    with pytest.raises(FormatError):
        vrf.validate_key(key)


@pytest.mark.parametrize(
    "proof",
    [
        b"",
        PROOF[:-1],
        PROOF + b"\x00",
        PROOF[:48] + ORDER.to_bytes(32, "little"),
        PRIME.to_bytes(32, "little") + PROOF[32:],
    ],
    ids=["empty", "short", "long", "response not reduced", "gamma not reduced"],
)
def test_proof_that_does_not_decode_is_refused(proof: bytes) -> None:
    with pytest.raises(FormatError):
        vrf.verify(KEY, b"alpha", proof)


@pytest.mark.parametrize("position", [0, 31, 32, 47, 48, 78])
def test_changed_proof_is_refused(position: int) -> None:
    changed = bytearray(PROOF)
    changed[position] ^= 1

    with pytest.raises((FormatError, MismatchError)):
        vrf.verify(KEY, b"alpha", bytes(changed))


def test_response_of_zero_is_refused_and_no_error_of_the_library() -> None:
    with pytest.raises(MismatchError):
        vrf.verify(KEY, b"alpha", PROOF[:48] + bytes(32))
