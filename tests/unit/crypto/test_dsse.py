import pytest

from bot.crypto import dsse, ed25519
from bot.crypto.canonical import JsonValue, encode_canonical
from bot.crypto.errors import FormatError, MismatchError

SEED = bytes(range(32))
KEY = ed25519.public_key_of(SEED)
ENVELOPE = dsse.sign_envelope("application/x", b"payload", SEED)


def test_pae_is_that_of_the_protocol_document() -> None:
    encoded = dsse.encode_pae("http://example.com/HelloWorld", b"hello world")

    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_in_pae_count_bytes() -> None:
    assert dsse.encode_pae("é", b"") == "DSSEv1 2 é 0 ".encode()


def test_envelope_survives_and_verifies() -> None:
    parsed = dsse.parse_envelope(dsse.encode_envelope(ENVELOPE))

    dsse.verify_envelope(parsed, payload_type="application/x", key=KEY)
    assert parsed == ENVELOPE


@pytest.mark.parametrize(
    ("payload_type", "key"),
    [("application/y", KEY), ("application/x", ed25519.public_key_of(bytes(32)))],
)
def test_other_type_or_key_is_refused(payload_type: str, key: bytes) -> None:
    with pytest.raises(MismatchError):
        dsse.verify_envelope(ENVELOPE, payload_type=payload_type, key=key)


def test_changed_payload_is_refused() -> None:
    changed = dsse.Envelope("application/x", b"paylaod", KEY, ENVELOPE.signature)

    with pytest.raises(MismatchError):
        dsse.verify_envelope(changed, payload_type="application/x", key=KEY)


SIGNATURE: dict[str, JsonValue] = {"keyid": KEY.hex(), "sig": "A" * 86 + "=="}


@pytest.mark.parametrize(
    "change",
    [
        {"signatures": []},
        {"signatures": [SIGNATURE, SIGNATURE]},
        {"signatures": [{**SIGNATURE, "extra": 1}]},
        {"signatures": [{"sig": SIGNATURE["sig"]}]},
        {"signatures": [{**SIGNATURE, "sig": "AAAA"}]},
        {"signatures": [{**SIGNATURE, "keyid": KEY.hex().upper()}]},
        {"payload": None},
        {"payload": "*"},
        {"extra": 1},
    ],
    ids=repr,
)
def test_other_shape_is_refused(change: dict[str, JsonValue]) -> None:
    good: dict[str, JsonValue] = {
        "payload": "AAAA",
        "payloadType": "t",
        "signatures": [SIGNATURE],
    }
    dsse.parse_envelope(encode_canonical(good))

    with pytest.raises(FormatError):
        dsse.parse_envelope(encode_canonical({**good, **change}))
