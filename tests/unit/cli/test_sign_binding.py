"""Signing offline what binds a twin in the registry: shown in words, and as a wallet signs it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from eth_account import Account
from eth_account.messages import encode_typed_data

from bot.cli.sign import sign
from bot.crypto.eip712 import address_of, parse_address
from bot.crypto.registry_data import RegistryDomain
from bot.domain.bindings import RegistryRequest, binding_data, revocation_data
from bot.domain.errors import UserError

KEY, OTHER_KEY = bytes([7]) * 32, bytes([8]) * 32
REQUEST = RegistryRequest(
    parse_address(address_of(KEY)),
    RegistryDomain(31337, bytes([5]) * 20),
    binding_data(
        creator=parse_address(address_of(KEY)),
        slug="mira",
        manifest=bytes([3]) * 32,
        payout=bytes([4]) * 20,
        number=2,
        deadline=1_800_000_000,
    ),
)


def _run(tmp_path: Path, values: object, key: bytes = KEY) -> Result:
    request, file = tmp_path / "request.json", tmp_path / "key.hex"
    request.write_text(json.dumps(values))
    file.write_text(key.hex())
    file.chmod(0o600)
    words = [str(request), "--key-file", str(file), "--yes"]
    return CliRunner().invoke(sign, words, standalone_mode=False)


def test_the_signature_is_the_one_that_a_wallet_gives(tmp_path: Path) -> None:
    done = _run(tmp_path, REQUEST.as_json())

    assert done.return_value == 0
    for words in ("the twin mira, binding 2", "on chain 31337", "2027-01-15T08:00:00Z"):
        assert words in done.stderr
    values = json.loads(json.dumps(REQUEST.as_json()))
    message = encode_typed_data(full_message=values["typed_data"])
    assert done.stdout.strip() == "0x" + Account.sign_message(message, KEY).signature.hex()


def test_a_signature_in_a_file_is_to_be_relayed(tmp_path: Path) -> None:
    request, file, out = (tmp_path / name for name in ("request.json", "key.hex", "signed"))
    request.write_text(json.dumps(REQUEST.as_json()))
    file.write_text(KEY.hex())
    file.chmod(0o600)
    words = [str(request), "--key-file", str(file), "--yes", "--out", str(out)]

    done = CliRunner().invoke(sign, words, standalone_mode=False)

    assert "twinproof chain bind" in done.stderr
    assert "signing page" not in done.stderr
    assert len(out.read_text()) == 133


def test_a_revocation_is_shown_as_final_and_signed_as_a_wallet_does(tmp_path: Path) -> None:
    data = revocation_data(creator=REQUEST.creator, slug="mira", deadline=1_800_000_000)
    values = json.loads(json.dumps(replace(REQUEST, data=data).as_json()))

    done = _run(tmp_path, values)
    refused = _run(tmp_path, values, OTHER_KEY)

    for words in ("You revoke", "the twin mira in the registry, for ever", "on chain 31337"):
        assert words in done.stderr
    message = encode_typed_data(full_message=values["typed_data"])
    assert done.stdout.strip() == "0x" + Account.sign_message(message, KEY).signature.hex()
    assert isinstance(refused.exception, UserError)


def test_the_twin_s_creator_alone_signs(tmp_path: Path) -> None:
    done = _run(tmp_path, REQUEST.as_json(), OTHER_KEY)

    assert isinstance(done.exception, UserError)
    assert "the request is for" in str(done.exception)
    assert done.stdout == ""


@pytest.mark.parametrize("member", ["twin", "slug", "number"])
def test_a_request_that_contradicts_itself_is_refused(tmp_path: Path, member: str) -> None:
    values = json.loads(json.dumps(REQUEST.as_json()))
    changed = {"twin": "0x" + "ab" * 32, "slug": "theo", "number": -1}
    values["typed_data"]["message"][member] = changed[member]

    done = _run(tmp_path, values)

    assert isinstance(done.exception, UserError)
    assert "no signing request" in str(done.exception)
    assert done.stdout == ""
