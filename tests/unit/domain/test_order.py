"""A creator's orders: what they may say, and in what words the wallet shows them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.crypto.hashing import sha256
from bot.domain.order import OrderAction, order_data, parse_order
from scripts.vector_events import ORDER


def test_order_survives_and_its_hash_is_that_of_its_bytes() -> None:
    assert parse_order(ORDER.encode()) == ORDER
    assert ORDER.hash == sha256(ORDER.encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"v": "twinproof-order/2"},
        {"action": "stop"},
        {"action": "Pause"},
        {"number": 0},
        {"number": "1"},
        {"twin": "00"},
        {"manifest": "00" * 32},
        {"log": ""},
        {"log": "x" * 129},
        {"issued": "2026-11-20 10:00:00Z"},
        {"expires": "2026-11-20T09:58:59Z"},
        {"chain": 1},
    ],
    ids=repr,
)
def test_order_of_another_shape_is_refused(changes: dict[str, JsonValue]) -> None:
    value: Any = parse_canonical(ORDER.encode())

    with pytest.raises(FormatError):
        parse_order(encode_canonical({**value, **changes}))


@pytest.mark.parametrize("data", [b"", ORDER.encode() + b"\n", ORDER.encode()[:-1]], ids=len)
def test_bytes_that_are_no_canonical_json_are_no_order(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_order(data)


@pytest.mark.parametrize("action", [OrderAction.PAUSE, OrderAction.RESUME])
def test_only_a_revocation_names_a_version(action: OrderAction) -> None:
    version = bytes(range(32))

    assert replace(ORDER, action=OrderAction.REVOKE, manifest=version).manifest == version
    with pytest.raises(FormatError, match="revocation"):
        replace(ORDER, action=action, manifest=version)


def test_order_may_expire_in_the_second_in_which_it_is_issued_and_not_before() -> None:
    assert replace(ORDER, expires=ORDER.issued).expires == ORDER.issued
    with pytest.raises(FormatError, match="expires"):
        replace(ORDER, expires=ORDER.issued - timedelta(seconds=1))


def test_wallet_shows_action_name_log_and_times() -> None:
    data = order_data(ORDER, "Mira Solano")

    assert (data.action, data.name) == ("pause", "Mira Solano")
    assert (data.twin, data.manifest, data.order) == (ORDER.twin, bytes(32), ORDER.hash)
    assert (data.issued, data.expires) == ("2026-11-20T09:59:00Z", "2026-11-20T10:09:00Z")


@pytest.mark.parametrize(
    "change",
    [
        {"action": OrderAction.RESUME},
        {"action": OrderAction.REVOKE, "manifest": bytes(32)},
        {"number": 2},
        {"twin": bytes(32)},
        {"log": "another.example"},
    ],
    ids=repr,
)
def test_signature_of_one_order_is_of_no_other(change: dict[str, object]) -> None:
    other = replace(ORDER, **change)  # type: ignore[arg-type]

    assert order_data(other, "Mira").digest() != order_data(ORDER, "Mira").digest()
