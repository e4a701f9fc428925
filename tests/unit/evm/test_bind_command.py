"""`chain binding`, `bind`, `revocation` and `revoke` on a real node, and what they refuse."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from bot.cli.commands import run
from bot.crypto.eip712 import encode_address
from bot.domain.bindings import parse_request
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
class Deployed:
    """What stands on the node."""

    registry: str
    contract: str


@dataclass(frozen=True, slots=True)
class Binding:
    """The commands on one node."""

    node: Anvil
    registry: str
    contract: str
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

    def ask_end(
        self, twin: str = "mira", creator: str = CREATOR, where: tuple[str, ...] = ()
    ) -> tuple[int, str, str]:
        place = where or ("--registry", self.registry)
        return self.run("revocation", twin, *place, "--creator", creator)

    def relay(self, request: str, signature: str, how: str = "bind") -> tuple[int, str, str]:
        path = self.folder / "request.json"
        path.write_text(request, encoding="utf-8")
        return self.run(how, str(path), "--signature", signature)

    def end(self, request: str, signature: str) -> tuple[int, str, str]:
        return self.relay(request, signature, "revoke")


def sign(request: str, key: bytes = CREATOR_KEY) -> str:
    """As a wallet: from the typed data alone."""
    message = encode_typed_data(full_message=json.loads(request)["typed_data"])
    return f"0x{bytes(Account.sign_message(message, key).signature).hex()}"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with anvil(tmp_path_factory.mktemp("anvil")) as started:
        yield started


@pytest.fixture(scope="module")
def deployed(node: Anvil) -> Deployed:
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
    return Deployed(*(encode_address(bytes.fromhex(one[2:])) for one in made[1:3]))


@pytest.fixture
def binding(
    node: Anvil,
    deployed: Deployed,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Binding:
    monkeypatch.setenv("TWINPROOF_RELAYER_KEY", RELAYER_KEY.hex())
    return Binding(node, deployed.registry, deployed.contract, tmp_path, capsys)


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


@SLOW
@IF_THERE
def test_what_a_creator_signed_revokes_the_twin_for_ever(binding: Binding) -> None:
    bound = binding.ask("ends")[1]
    assert binding.relay(bound, sign(bound))[0] == 0
    following = binding.ask("ends")[1]
    code, request, told = binding.ask_end("ends")
    assert (code, json.loads(request)["v"]) == (0, "twinproof-revocation/1")

    foreign = binding.end(request, sign(request, SETTLER_KEY))
    other = binding.end(binding.ask_end("other")[1], sign(request))
    done = binding.end(request, sign(request))
    again = binding.end(request, sign(request))
    asked_again = binding.ask_end("ends")
    late = binding.relay(following, sign(following))

    assert f"stays due to {PAYOUT}" in told
    assert done[:2] == (0, f"still due to: {PAYOUT}\n")
    assert "Revoked for ever" in done[2]
    assert [one[0] for one in (foreign, other, again, asked_again, late)] == [2] * 5
    for refused in (foreign, other):
        assert f"The signature is not {CREATOR}'s over this request" in refused[2]
    for refused in (again, asked_again, late):
        assert "has revoked this twin in the registry: that is final" in refused[2]


@SLOW
@IF_THERE
def test_a_revocation_s_signature_from_the_command_line_is_taken(binding: Binding) -> None:
    code, request, told = binding.ask_end("unbound")
    path, key = binding.folder / "request.json", binding.folder / "key"
    path.write_text(request, encoding="utf-8")
    key.write_text(CREATOR_KEY.hex(), encoding="ascii")
    key.chmod(0o600)
    binding.capsys.readouterr()
    assert run(["sign", str(path), "--key-file", str(key), "--yes"]) == 0
    signed = binding.capsys.readouterr()
    mixed_up = binding.relay(request, signed.out.strip())
    before = binding.node.ask("evm_snapshot")
    try:
        binding.node.ask("evm_increaseTime", 8 * 86_400)
        binding.node.mine(1)
        late = binding.end(request, signed.out.strip())
    finally:
        binding.node.ask("evm_revert", before)
    done = binding.end(request, signed.out.strip())
    bound = binding.ask("mira")[1]
    not_ended = binding.end(bound, sign(bound))

    assert (code, done[:2]) == (0, (0, "still due to: nobody\n"))
    assert "Nothing was ever bound for unbound of this creator" in told
    assert "the twin unbound in the registry, for ever" in signed.err
    assert (mixed_up[0], late[0], not_ended[0]) == (2, 2, 2)
    assert "asks to revoke unbound for ever, and binds nothing" in mixed_up[2]
    assert "make a new one with `twinproof chain revocation`" in late[2]
    assert "binds mira, and revokes nothing" in not_ended[2]


@SLOW
@IF_THERE
def test_a_contract_wallet_binds_and_revokes_by_its_own_rule(binding: Binding) -> None:
    wallet = encode_address(b"\x71" * 20)

    def approve(request: str) -> None:
        """Its `isValidSignature` gives ERC-1271's magic value for this digest alone."""
        asked = parse_request(request.encode())
        digest = asked.data.digest(asked.domain).hex()
        code = f"0x7f{digest}60043514631626ba7e60e01b0260005260206000f3"
        binding.node.ask("anvil_setCode", wallet, code)

    bound, ended = binding.ask(creator=wallet)[1], binding.ask_end(creator=wallet)[1]
    approve(bound)
    early = binding.end(ended, "0x1234")
    first = binding.relay(bound, "0x1234")
    approve(ended)
    done = binding.end(ended, "0x1234")

    assert (early[0], first[0], done[:2]) == (2, 0, (0, f"still due to: {PAYOUT}\n"))
    assert f"The signature is not {wallet}'s over this request" in early[2]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"twin": "Mira"}, "TWIN is the twin's name"),
        ({"payout": f"0x{PAYOUT[2:].swapcase()}"}, "a letter is wrong; copy it again"),
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


@SLOW
@IF_THERE
def test_the_settlement_contract_names_the_registry(binding: Binding) -> None:
    found = binding.ask_end(where=("--contract", binding.contract))
    neither = binding.run("revocation", "mira", "--creator", CREATOR)
    both = binding.ask_end(where=("--contract", binding.contract, "--registry", binding.registry))
    other = binding.ask_end(where=("--contract", binding.registry))

    typed = json.loads(found[1])["typed_data"]
    assert typed["domain"]["verifyingContract"] == binding.registry
    assert [one[:2] for one in (neither, both, other)] == [(2, "")] * 3
    assert all("name either the registry with --registry" in one[2] for one in (neither, both))
