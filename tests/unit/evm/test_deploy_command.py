"""`twinproof chain deploy` on a real node, and what it refuses."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.cli.commands import run
from bot.crypto.eip712 import encode_address
from bot.crypto.hashing import keccak256
from tests.anvil import CHAIN_ID, NEEDS_ANVIL, Anvil, anvil
from tests.fakes.settlement_rig import RELAYER_KEY, SETTLER_KEY, TREASURY_KEY, address_of

pytestmark = NEEDS_ANVIL
SETTLER, OTHER = (encode_address(address_of(key)) for key in (SETTLER_KEY, RELAYER_KEY))


@dataclass(frozen=True, slots=True)
class Deploying:
    """The command on one node; returns exit code, standard output and standard error."""

    node: Anvil
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *more: str, url: str = "") -> tuple[int, str, str]:
        self.capsys.readouterr()
        code = run(
            ["chain", "deploy", "--rpc-url", url or self.node.url, "--settler", SETTLER, *more]
        )
        return (code, *self.capsys.readouterr())


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with anvil(tmp_path_factory.mktemp("anvil")) as started:
        yield started


@pytest.fixture
def deploy(
    node: Anvil, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Deploying:
    monkeypatch.setenv("TWINPROOF_DEPLOYER_KEY", TREASURY_KEY.hex())
    return Deploying(node, capsys)


def test_the_rows_that_it_prints_are_what_stands(deploy: Deploying, node: Anvil) -> None:
    code, out, err = deploy("--test-token")

    assert code == 0
    rows = dict(line.split(" = ") for line in out.splitlines()[1:])
    assert out.startswith("[settlement]\n")
    assert rows["chain_id"] == str(CHAIN_ID)
    for name in ("contract", "token"):
        address = json.loads(rows[name])
        assert len(node.ask("eth_getCode", address, "latest")) > 100
        assert address in err
    assert TREASURY_KEY.hex() not in out + err


def test_an_existing_token_and_another_treasury_are_named_and_not_made(
    deploy: Deploying,
) -> None:
    token = json.loads(deploy("--test-token", "--json")[1])["token"]
    code, out, _ = deploy("--token", token, "--treasury", OTHER, "--json")
    told = deploy("--token", token, "--treasury", OTHER)[2]

    assert code == 0
    stands = json.loads(out)
    assert (stands["token"], stands["treasury"]) == (token, OTHER)
    assert stands["is_allowed"] is False
    assert f"the treasury {OTHER} must allow" in told


def test_a_registry_that_stands_is_taken_and_another_contract_is_not(
    deploy: Deploying, node: Anvil
) -> None:
    first = json.loads(deploy("--test-token", "--payout-delay", "60", "--json")[1])
    second = json.loads(deploy("--test-token", "--registry", first["registry"], "--json")[1])
    wrong = deploy("--test-token", "--registry", first["token"])
    no_token = deploy("--token", first["registry"])

    assert second["registry"] == first["registry"]
    assert second["contract"] != first["contract"]
    named = {"to": second["contract"], "data": "0x" + keccak256(b"REGISTRY()")[:4].hex()}
    assert node.ask("eth_call", named, "latest").endswith(first["registry"][2:].lower())
    delay = {"to": first["registry"], "data": "0x" + keccak256(b"PAYOUT_DELAY()")[:4].hex()}
    assert int(node.ask("eth_call", delay, "latest"), 16) == 60
    assert (wrong[0], wrong[1]) == (2, "")
    assert "no registry of this version" in wrong[2].replace("\n", " ")
    assert "no token with 6 decimals" in no_token[2].replace("\n", " ")


def test_a_worthless_token_is_refused_on_a_main_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWINPROOF_DEPLOYER_KEY", TREASURY_KEY.hex())
    with anvil(tmp_path, "--chain-id", "8453") as base:
        code, out, err = Deploying(base, capsys)("--test-token")
        sent = base.ask("eth_getTransactionCount", f"0x{address_of(TREASURY_KEY).hex()}", "latest")

    assert (code, out) == (2, "")
    assert "main network" in err
    assert sent == "0x0"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "name either the token with --token, or --test-token"),
        (("--test-token", "--token", OTHER), "name either the token with --token"),
        (("--test-token", "--owner", "0x12"), "--owner '0x12' is no address"),
        (
            ("--test-token", "--owner", f"0x{OTHER[2:].swapcase()}"),
            "is not a valid checksummed address",
        ),
        (("--test-token", "--registry", "0x12"), "--registry '0x12' is no address"),
        (("--test-token", "--allowance", "much"), "--allowance is an amount"),
        (("--test-token", "--allowance", "-1"), "--allowance is an amount"),
        (("--test-token", "--allowance", "nan"), "--allowance is an amount"),
        (("--test-token", "--allowance", "0"), "at least 0.000001 tokens"),
        (("--test-token", "--allowance", "0.0000001"), "at least 0.000001 tokens"),
        (("--test-token", "--allowance", "1.0000001"), "with up to 6 decimals"),
        (("--test-token", "--allowance", "1e-999999"), "at least 0.000001 tokens"),
        (("--test-token", "--allowance", "1e999999"), "--allowance is an amount"),
        (("--token", OTHER), f"no token with 6 decimals at {OTHER} on chain {CHAIN_ID}"),
        (("--test-token", "--registry", OTHER), f"no registry of this version at {OTHER}"),
        (("--test-token", "--key", "/nonexistent"), "can't be read"),
    ],
)
def test_wrong_options_are_one_sentence(
    deploy: Deploying, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], words: str
) -> None:
    if "--key" in more:
        monkeypatch.delenv("TWINPROOF_DEPLOYER_KEY")

    payer = encode_address(address_of(TREASURY_KEY))
    before = deploy.node.ask("eth_getTransactionCount", payer, "latest")

    code, out, err = deploy(*more)

    assert (code, out) == (2, "")
    assert words in err.replace("\n", " ")
    assert deploy.node.ask("eth_getTransactionCount", payer, "latest") == before


def test_a_node_that_is_away_and_an_account_without_coin_are_told_apart(
    deploy: Deploying, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = deploy("--test-token", url="http://127.0.0.1:9/")
    monkeypatch.setenv("TWINPROOF_DEPLOYER_KEY", "0b" * 32)
    poor = deploy("--test-token")
    monkeypatch.setenv("TWINPROOF_DEPLOYER_KEY", "zz")
    wrong = deploy("--test-token")
    monkeypatch.delenv("TWINPROOF_DEPLOYER_KEY")
    none = deploy("--test-token")

    assert (away[0], poor[0], wrong[0], none[0]) == (3, 2, 2, 2), poor
    assert "RPC at 127.0.0.1:9 can't be reached" in away[2].replace("\n", " ")
    assert "for gas" in poor[2]
    assert "must be 64 hexadecimal digits" in wrong[2]
    assert "Name the deployer's key" in none[2]
