"""`twinproof chain binding` and `chain bind` on a real node, and what they refuse."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from bot.cli.commands import run
from bot.crypto.eip712 import encode_address
from bot.crypto.errors import FormatError
from bot.crypto.registry_data import RegistryDomain
from bot.domain.bindings import BindingRequest, binding_data, parse_request
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.settlement_rig import (
    RELAYER_KEY,
    SETTLER_KEY,
    TREASURY_KEY,
    address_of,
    payout_of,
)

SLOW, IF_THERE = NEEDS_ANVIL
CREATOR_KEY = b"\x21" * 32
CREATOR, PAYOUT = encode_address(address_of(CREATOR_KEY)), encode_address(payout_of(1))
MANIFEST = "ab" * 32


@dataclass(frozen=True, slots=True)
class Binding:
    """The two commands on one node."""

    node: Anvil
    registry: str
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str, url: str = "") -> tuple[int, str, str]:
        self.capsys.readouterr()
        code = run(["chain", *words, "--rpc-url", url or self.node.url])
        out, err = self.capsys.readouterr()
        return code, out, " ".join(err.split())

    def ask(self, twin: str = "mira", payout: str = PAYOUT, **other: str) -> tuple[int, str, str]:
        options = {"registry": self.registry, "creator": CREATOR, "manifest": MANIFEST} | other
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return self.run("binding", twin, "--payout", payout, *words)

    def relay(self, request: str, signature: str) -> tuple[int, str, str]:
        path = self.folder / "request.json"
        path.write_text(request, encoding="utf-8")
        return self.run("bind", str(path), "--signature", signature)


def sign(request: str, key: bytes = CREATOR_KEY) -> str:
    """As a wallet: from the typed data alone."""
    message = encode_typed_data(full_message=json.loads(request)["typed_data"])
    return f"0x{bytes(Account.sign_message(message, key).signature).hex()}"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with anvil(tmp_path_factory.mktemp("anvil")) as started:
        yield started


@pytest.fixture(scope="module")
def registry(node: Anvil) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWINPROOF_DEPLOYER_KEY", TREASURY_KEY.hex())
        settler = encode_address(address_of(SETTLER_KEY))
        words = ["--rpc-url", node.url, "--settler", settler, "--test-token"]
        assert run(["chain", "deploy", *words]) == 0
    # Token, registry, settlement, approval: the second contract of that account.
    receipts = [
        node.ask("eth_getTransactionReceipt", sent)
        for number in range(1, int(node.ask("eth_blockNumber"), 16) + 1)
        for sent in node.ask("eth_getBlockByNumber", hex(number), False)["transactions"]  # noqa: FBT003
    ]
    made = [receipt["contractAddress"] for receipt in receipts if receipt["contractAddress"]]
    return encode_address(bytes.fromhex(made[1][2:]))


@pytest.fixture
def binding(
    node: Anvil,
    registry: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Binding:
    monkeypatch.setenv("TWINPROOF_RELAYER_KEY", RELAYER_KEY.hex())
    return Binding(node, registry, tmp_path, capsys)


@SLOW
@IF_THERE
def test_what_a_creator_signed_is_bound_once(binding: Binding) -> None:
    code, request, _err = binding.ask()
    assert code == 0
    refused = binding.relay(request, sign(request, SETTLER_KEY))
    changed = binding.relay(request.replace(MANIFEST, "cd" * 32), sign(request))
    done = binding.relay(request, sign(request))
    again = binding.relay(request, sign(request))
    following = json.loads(binding.ask()[1])["typed_data"]["message"]["number"]

    assert (refused[0], changed[0], done[0], again[0]) == (2, 2, 0, 2), (refused, changed, done)
    assert f"The signature is not {CREATOR}'s over this request" in refused[2]
    assert f"The signature is not {CREATOR}'s over this request" in changed[2]
    assert done[1] == f"paid now: {PAYOUT}\n"
    assert "number 1" in done[2]
    assert "Binding 1 of this twin, or one with a newer number, is in the registry" in again[2]
    assert following == 2
    assert not any("revert" in one[2] for one in (refused, changed, again))


@SLOW
@IF_THERE
def test_a_cut_signature_and_one_that_comes_too_late_are_one_sentence(binding: Binding) -> None:
    request = binding.ask("late", days="1")[1]
    signature = sign(request)
    cut = binding.relay(request, signature[:-2])
    before = binding.node.ask("evm_snapshot")
    try:
        binding.node.ask("evm_increaseTime", 2 * 86_400)
        binding.node.mine(1)
        late = binding.relay(request, signature)
    finally:
        binding.node.ask("evm_revert", before)

    assert (cut[0], late[0]) == (2, 2), (cut, late)
    assert "has 65 bytes (0x and 130 digits), and --signature has 64" in cut[2]
    assert "its deadline is over: make a new one" in late[2]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"twin": "Mira"}, "TWIN is the twin's name"),
        ({"payout": PAYOUT.swapcase()}, "--payout"),
        ({"creator": "0x12"}, "--creator '0x12' is no address"),
        ({"manifest": "ab"}, "--manifest is the manifest's hash"),
        ({"registry": PAYOUT}, "no registry of this version"),
    ],
)
@SLOW
@IF_THERE
def test_wrong_options_are_one_sentence(
    binding: Binding, other: dict[str, str], words: str
) -> None:
    code, out, err = binding.ask(**other)

    assert (code, out) == (2, "")
    assert words in err


def test_a_request_that_is_none_or_contradicts_itself_is_refused() -> None:
    data = binding_data(
        creator=payout_of(3),
        slug="mira",
        manifest=b"m" * 32,
        payout=payout_of(4),
        number=1,
        deadline=2**40,
    )
    good = BindingRequest(payout_of(3), RegistryDomain(7, payout_of(5)), data).as_json()
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
    ):
        with pytest.raises(FormatError):
            parse_request(wrong)
