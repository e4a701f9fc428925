"""A signing command of the operator's: asked, checked, and told no secret."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from adapters.evm.signers import (
    CommandSigner,
    KeySigner,
    Unsigned,
    Watched,
    check_signed,
    read_signed,
)
from bot.crypto.eip712 import encode_address
from bot.domain.errors import ConfigurationError
from bot.domain.transactions import Refusal
from tests.fakes.settlement_rig import RELAYER_KEY, SETTLER_KEY, address_of

CALL = Unsigned(31337, 4, b"\x11" * 20, b"\x12\x34", 90_000, 3 * 10**9, 10**9)
ACCOUNT = address_of(SETTLER_KEY)
SIGNER = """
import json, os, sys
from eth_account import Account
asked = json.load(sys.stdin)
with open({seen!r}, "w") as file:
    json.dump([asked, sorted(os.environ)], file)
fields = {{k: v for k, v in asked.items() if k != "from"}}
{change}
print(Account.from_key({key!r}).sign_transaction(fields).raw_transaction.to_0x_hex())
"""

Making = Callable[..., CommandSigner]


@pytest.fixture
def making(tmp_path: Path) -> Making:
    def make(change: str = "", *, key: bytes = SETTLER_KEY, text: str = "") -> CommandSigner:
        script = tmp_path / "sign.py"
        seen = str(tmp_path / "seen.json")
        script.write_text(text or SIGNER.format(seen=seen, key=key, change=change))
        return CommandSigner([sys.executable, str(script)], ACCOUNT, timeout_s=20)

    return make


async def test_a_command_signs_what_it_is_given_and_learns_no_secret_of_the_service(
    making: Making, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINPROOF_KEYSTORE_PASSWORD", "secret")

    raw = await making().sign(CALL)

    asked, environment = json.loads((tmp_path / "seen.json").read_text())
    assert isinstance(raw, bytes)
    assert raw == await KeySigner(SETTLER_KEY).sign(CALL), "RFC 6979: one call, one signature"
    assert asked == {
        "from": encode_address(ACCOUNT),
        "type": "0x2",
        "chainId": "0x7a69",
        "nonce": "0x4",
        "to": f"0x{'11' * 20}",
        "value": "0x0",
        "data": "0x1234",
        "gas": "0x15f90",
        "maxFeePerGas": "0xb2d05e00",
        "maxPriorityFeePerGas": "0x3b9aca00",
    }
    assert "TWINPROOF_KEYSTORE_PASSWORD" not in environment
    assert set(environment) <= {*os.environ, "LC_CTYPE"}


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": 5},
        {"value": 1},
        {"to": b"\x22" * 20},
        {"data": b"\x12\x35"},
        {"gas": 90_001},
        {"maxFeePerGas": 3 * 10**9 + 1},
        {"maxPriorityFeePerGas": 10**9 + 1},
        {"chainId": 1},
        {"accessList": [{"address": "0x" + "33" * 20, "storageKeys": []}]},
    ],
)
def test_another_transaction_than_was_asked_for_is_refused(change: dict[str, object]) -> None:
    fields = {**CALL.fields(), **change}
    raw = bytes(Account.from_key(SETTLER_KEY).sign_transaction(fields).raw_transaction)

    with pytest.raises(ValueError, match=r"another transaction|plain call"):
        check_signed(raw, CALL, ACCOUNT)


async def test_a_command_that_signs_something_else_is_refused(making: Making) -> None:
    with pytest.raises(ConfigurationError, match="nothing was sent"):
        await making("fields['nonce'] = '0x5'").sign(CALL)


async def test_another_account_and_an_answer_that_is_none_are_refused(making: Making) -> None:
    with pytest.raises(ConfigurationError, match="signed by 0x"):
        await making(key=RELAYER_KEY).sign(CALL)
    for text in ("print('0x02')", "print('no hex')", "print('00' * 100_000)"):
        with pytest.raises(ConfigurationError, match="nothing was sent"):
            await making(text=text).sign(CALL)


async def test_a_command_that_fails_or_hangs_or_is_missing_is_waited_for(
    making: Making,
) -> None:
    failed = await making(text="import sys; sys.exit(3)").sign(CALL)
    hanging = making(text="import time; time.sleep(60)")
    hanging._timeout_s = 0.3
    slow = await hanging.sign(CALL)
    missing = await CommandSigner(["/nonexistent/signer"], ACCOUNT).sign(CALL)

    assert isinstance(failed, Refusal)
    assert isinstance(slow, Refusal)
    assert isinstance(missing, Refusal)
    assert "exit code 3" in failed.reason
    assert "took longer than" in slow.reason
    assert "can't be run" in missing.reason


async def test_who_only_looks_signs_nothing() -> None:
    with pytest.raises(ConfigurationError, match="was not given"):
        await Watched(ACCOUNT).sign(CALL)


async def test_a_signature_that_nodes_refuse_is_refused_here() -> None:
    raw = await KeySigner(SETTLER_KEY).sign(CALL)
    assert isinstance(raw, bytes)
    assert read_signed(raw) == CALL
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    twisted = {**fields, "s": order - fields["s"], "v": 1 - fields["v"]}
    high = TypedTransaction.from_dict(twisted).encode()

    check_signed(raw, CALL, ACCOUNT)
    with pytest.raises(ValueError, match="nodes refuse"):
        check_signed(high, CALL, ACCOUNT)
    with pytest.raises(ValueError, match="another transaction"):
        check_signed(raw, replace(CALL, gas=1), ACCOUNT)
