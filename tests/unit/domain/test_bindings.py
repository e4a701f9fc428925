"""Requests for the registry of twins, as files."""

import json

import pytest

from bot.crypto.errors import FormatError
from bot.crypto.registry_data import RegistryDomain
from bot.domain.bindings import RegistryRequest, binding_data, parse_request, revocation_data

CREATOR, PAYOUT, REGISTRY = b"\x03" * 20, b"\x04" * 20, b"\x05" * 20


def test_a_request_that_is_none_or_contradicts_itself_is_refused() -> None:
    data = binding_data(
        creator=CREATOR,
        slug="mira",
        manifest=b"m" * 32,
        payout=PAYOUT,
        number=1,
        deadline=2**37,
    )
    good = RegistryRequest(CREATOR, RegistryDomain(7, REGISTRY), data).as_json()
    text = json.dumps(good)

    assert parse_request(text.encode()).data == data
    for wrong in (
        b"",
        b"[]",
        b"{}",
        b"[" * 100,
        text.replace("mira", "theo").encode(),
        text.replace('"number": 1', '"number": 281474976710656').encode(),
        text.replace('"number": 1', '"number": true').encode(),
        text.replace("TwinBinding", "TwinBindinG").encode(),
        text.replace("twinproof-binding/1", "twinproof-binding/2").encode(),
        text.replace("twinproof-binding/1", "twinproof-revocation/1").encode(),
        text.replace(str(2**37), str(2**38)).encode(),
    ):
        with pytest.raises(FormatError):
            parse_request(wrong)


def test_a_request_to_revoke_says_nothing_else() -> None:
    data = revocation_data(creator=CREATOR, slug="mira", deadline=2**37)
    good = RegistryRequest(CREATOR, RegistryDomain(7, REGISTRY), data).as_json()
    text = json.dumps(good)

    assert parse_request(text.encode()).data == data
    for wrong in (
        text.replace("mira", "theo"),
        text.replace("TwinRevocation", "TwinBinding"),
        text.replace("twinproof-revocation/1", "twinproof-binding/1"),
        text.replace('"slug": ', '"number": 3, "slug": '),
        text.replace(str(2**37), str(2**38)),
    ):
        with pytest.raises(FormatError):
            parse_request(wrong.encode())
