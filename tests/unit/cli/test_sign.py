"""Signing offline: what is shown, what is refused, and that the page takes what comes out."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot.cli.sign import read_request, sign
from bot.crypto.eip712 import address_of
from bot.domain.errors import ConfigurationError, UserError
from tests.unit.creators.house import KEY, OTHER_KEY, WALLET, ZOE, House, memory_house, token_of


async def _house(tmp_path: Path, **changes: object) -> tuple[House, str, Path]:
    """Return a house, the token of a publication, and its request as a file."""
    house = await memory_house().open()
    await house.begin()
    token, prepared = await house.prepare(await house.desk.publish(ZOE, "zoe"))
    path = tmp_path / "request.json"
    values = {"v": "twinproof-signing/1", "body": prepared.body, "typed_data": prepared.typed_data}
    path.write_text(json.dumps({**values, **changes}))
    return house, token, path


def _key_file(tmp_path: Path, key: bytes = KEY) -> str:
    path = tmp_path / "key.hex"
    path.write_text(key.hex() + "\n")
    path.chmod(0o600)
    return str(path)


def _run(*arguments: object, typed: str = "") -> Result:
    return CliRunner().invoke(
        sign, [str(one) for one in arguments], input=typed, standalone_mode=False
    )


async def test_what_is_signed_is_shown_in_words_and_taken_by_the_page(tmp_path: Path) -> None:
    house, token, path = await _house(tmp_path)

    done = _run(path, "--key-file", _key_file(tmp_path), typed="y\n")

    assert done.return_value == 0
    for words in (
        "version 1 of Zoe (zoe)",
        "0.002 tUSD per reply, 100 a day free",
        "fees accrue",
        WALLET,
    ):
        assert words in done.stderr
    body = json.loads(path.read_text())["body"]
    sentence = await house.signing.submit(token, body=body, signature=done.stdout)
    assert sentence == "Version 1 of Zoe is signed and in force."


async def test_an_order_is_signed_with_a_key_that_was_made_here(tmp_path: Path) -> None:
    keystore = tmp_path / "zoe.json"
    made = _run("--new-key", keystore, typed="secret\nsecret\n")
    address = made.stdout.strip()
    house = await memory_house().open()
    await house.begin()
    for call in (house.desk.publish, lambda who, slug: house.desk.revoke(who, slug, None)):
        link = await call(ZOE, "zoe")
        words = "publish" if call == house.desk.publish else "revoke Zoe for good"
        token = token_of(link)
        prepared = await house.signing.prepare(token, signer=address, payout=address)
        request, out = tmp_path / "request.json", tmp_path / "signature"
        values = {"body": prepared.body, "typed_data": prepared.typed_data}
        request.write_text(json.dumps({"v": "twinproof-signing/1", **values}))

        done = _run(request, "--keystore", keystore, "--out", out, "--yes", typed="secret\n")

        assert done.return_value == 0
        assert words in done.stderr
        await house.signing.submit(token, body=prepared.body, signature=out.read_text())
    assert (await house.desk.show(ZOE, "zoe")).state == "revoked"
    assert keystore.stat().st_mode & 0o777 == 0o600
    assert "secret" not in keystore.read_text()


async def test_a_no_signs_nothing(tmp_path: Path) -> None:
    _, _, path = await _house(tmp_path)

    done = _run(path, "--key-file", _key_file(tmp_path), typed="n\n")

    assert (done.return_value, done.stdout) == (2, "")


async def test_another_key_is_refused(tmp_path: Path) -> None:
    _, _, path = await _house(tmp_path)

    done = _run(path, "--key-file", _key_file(tmp_path, OTHER_KEY), "--yes")

    assert isinstance(done.exception, UserError)
    assert f"of {address_of(OTHER_KEY)}, but the request is for {WALLET}" in str(done.exception)
    assert done.stdout == ""


async def test_typed_data_that_differ_from_the_body_are_never_signed(tmp_path: Path) -> None:
    _, _, path = await _house(tmp_path)
    values = json.loads(path.read_text())
    values["typed_data"]["message"]["price"] = "0 tUSD per reply, 100 a day free"
    path.write_text(json.dumps(values))

    with pytest.raises(UserError, match="contradicts itself"):
        read_request(path)


async def test_a_body_that_was_changed_is_never_signed(tmp_path: Path) -> None:
    _, _, path = await _house(tmp_path)
    path.write_text(path.read_text().replace('\\"nano\\":2000000', '\\"nano\\":1'))

    with pytest.raises(UserError, match="contradicts itself"):
        read_request(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"v": "twinproof-signing/2"},
        {"body": 5},
        {"body": "{}"},
        {"body": "\ud800"},
        {"typed_data": None},
        {"more": 1},
    ],
)
async def test_another_file_is_no_request(tmp_path: Path, changes: dict[str, Any]) -> None:
    _, _, path = await _house(tmp_path, **changes)

    with pytest.raises(UserError):
        read_request(path)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b" " * 1_100_000])
def test_bytes_that_are_no_request_get_a_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(data)

    with pytest.raises(UserError, match="no signing request"):
        read_request(path)


async def test_keys_are_refused_with_a_sentence(tmp_path: Path) -> None:
    _, _, path = await _house(tmp_path)
    keystore = tmp_path / "zoe.json"
    assert _run("--new-key", keystore, typed="secret\nsecret\n").return_value == 0
    open_key = tmp_path / "open.hex"
    open_key.write_text(KEY.hex())
    open_key.chmod(0o644)
    costly = tmp_path / "costly.json"
    costly.write_text(keystore.read_text().replace('"n": 262144', '"n": 1073741824'))

    wrong = _run(path, "--keystore", keystore, "--yes", typed="other\n")
    foreign = _run(path, "--keystore", path, "--yes", typed="secret\n")
    bomb = _run(path, "--keystore", costly, "--yes", typed="secret\n")
    readable = _run(path, "--key-file", open_key, "--yes")
    again = _run("--new-key", keystore, typed="secret\nsecret\n")

    assert "password is not the one" in str(wrong.exception)
    assert "no Web3 keystore" in str(foreign.exception)
    assert "no Web3 keystore" in str(bomb.exception)
    assert isinstance(readable.exception, ConfigurationError)
    assert "can't be written" in str(again.exception)


def test_the_options_are_told_apart(tmp_path: Path) -> None:
    for arguments in (
        [],
        ["x"],
        ["x", "--keystore", "a", "--key-file", "b"],
        ["x", "--new-key", "y"],
    ):
        done = _run(*arguments)
        assert type(done.exception).__name__ == "UsageError", arguments
    assert list(tmp_path.iterdir()) == []
