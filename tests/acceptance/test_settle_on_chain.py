"""The whole program on a real chain by RPC URL: settle, anchor, ask the chain, live without it."""

import json
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bot.crypto.eip712 import encode_address
from tests.acceptance.program import (
    SHARE,
    Finished,
    Program,
    fee_of,
    free_port,
    program,
    wait_until,
)
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.settlement_rig import RELAYER_KEY, SETTLER_KEY, TREASURY_KEY, address_of

pytestmark = NEEDS_ANVIL
KEYS = {
    "TWINPROOF_SETTLER_KEY": SETTLER_KEY.hex(),
    "TWINPROOF_RELAYER_KEY": RELAYER_KEY.hex(),
    "TWINPROOF_DEPLOYER_KEY": TREASURY_KEY.hex(),
}


def run(home: Program, *arguments: object, stdin: bytes = b"") -> Finished:
    """Run the program with the keys of a chain in its environment."""
    process = home.popen(*arguments, stdin=subprocess.PIPE, environment=KEYS)
    return home.finish(process, stdin)


@dataclass(frozen=True, slots=True)
class Settled:
    """One scripted demo whose fees were settled on a node."""

    node: Anvil
    home: Program
    said: Finished
    contract: str

    @property
    def result(self) -> dict[str, Any]:
        """What the demo printed."""
        loaded: dict[str, Any] = json.loads(self.said.out)
        return loaded

    @property
    def copy(self) -> str:
        """The fan's own copy of the first bundle, with its key."""
        reply = self.result["replies"][0]
        return f"{reply['bundle']}#{reply['link'].partition('#')[2]}"

    def policy(self, contract: str) -> Path:
        """Write what a verifier was told: the demo's keys, and a contract."""
        told = json.loads((self.home.home / "data" / "trust.json").read_text())
        lists: dict[str, object] = {"witnesses": [], "auditors": [], "revoked": []}
        anchors = [{"chain": 31337, "contract": contract}]
        keys = {name: told[name] for name in ("creators", "logs")}
        policy = {"v": "twinproof-policy/1", "needed": 0, **keys, **lists, "anchors": anchors}
        path = self.home.home / f"policy-{contract}.json"
        path.write_text(json.dumps(policy))
        return path

    def verify(self, *more: object) -> tuple[int, dict[str, Any]]:
        """Verify the copy; return the exit code and what was printed."""
        done = self.home.run("verify", self.copy, "--data", "data", "--json", *more)
        return done.code, json.loads(done.out or "{}")


@pytest.fixture(scope="module")
def settled(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    with settling(model, tmp_path_factory.mktemp("onchain")) as done:
        yield done


@pytest.fixture
def settled_once(model: Path, tmp_path: Path) -> Iterator[Settled]:
    """One with a book of its own: no other test's reply waits in it for an epoch."""
    with settling(model, tmp_path) as done:
        yield done


@contextmanager
def settling(model: Path, folder: Path) -> Iterator[Settled]:
    """Deploy a contract on a new node, and settle one reply there."""
    with (
        anvil(folder, "--slots-in-an-epoch", "1") as node,
        program(folder / "home") as home,
    ):
        settler = encode_address(address_of(SETTLER_KEY))
        wanted = ("--rpc-url", node.url, "--settler", settler, "--test-token", "--json")
        deployed = run(home, "chain", "deploy", *wanted)
        stands = json.loads(deployed.out)
        (home.home / "config.toml").write_text(
            f'[service]\ndata_dir = "data"\nport = {free_port()}\n[model]\npath = "{model}"\n'
            f'[settlement]\nrpc_url = "{node.url}"\nchain_id = {stands["chain_id"]}\n'
            f'contract = "{stands["contract"]}"\ntoken = "{stands["token"]}"\nfinality = 1\n'
        )
        said = run(home, "demo", "--twin", "mira", "--say", "hi", "--json")
        assert said.code == 0, said.err
        node.mine(4)
        yield Settled(node, home, said, stands["contract"])


def test_the_creator_is_paid_in_the_chains_own_token_and_the_audit_agrees(
    settled: Settled,
) -> None:
    result = settled.result
    mira = next(one for one in result["settlement"]["creators"] if Decimal(one["earned"]))

    assert result["settlement"]["epoch"] == 1
    assert Decimal(mira["balance"]) == fee_of("mira") * SHARE
    assert result["audit"] == {"passed": True, "wrong": []}
    audited = settled.home.run("audit", "--json")
    assert (audited.code, json.loads(audited.out)["wrong"]) == (0, [])
    assert (settled.home.home / "data" / "chain.db").exists() is False


def test_anybody_can_ask_a_chain_about_the_fans_own_copy(settled: Settled) -> None:
    named = settled.policy(settled.contract)
    url = settled.node.url

    code, found = settled.verify("--policy", named, "--rpc", url)
    _, offline = settled.verify("--policy", named)
    _, unnamed = settled.verify("--rpc", url)

    assert code == 0
    assert found["levels"][-1] == "L2"
    assert found["chain"]["state"] == "anchored"
    assert "L2" not in offline["levels"]
    assert "L2" not in unnamed["levels"]
    assert len(offline["unproved"]) == len(found["unproved"]) + 1
    assert "no policy of yours names" in unnamed["chain"]["sentence"]


def test_a_creator_recounts_alone_with_a_node_and_an_own_reply(
    settled_once: Settled,
) -> None:
    process = settled_once.home.popen(
        "demo", "--twin", "mira", stdin=subprocess.PIPE, environment=KEYS
    )
    config = tomllib.loads((settled_once.home.home / "config.toml").read_text())
    service = f"http://127.0.0.1:{config['service']['port']}"
    wanted = ("recount", "mira", "--from", service, "--proof", settled_once.copy, "--json")
    try:
        wait_until(lambda: _answers(f"{service}/settlement/epochs/1"), "the service's pages")
        node = (
            "--rpc",
            settled_once.node.url,
            "--contract",
            settled_once.contract,
            "--keep",
            "kept",
        )
        done = settled_once.home.run(*wanted, *node)
        alone = settled_once.home.run(*wanted)
    finally:
        settled_once.home.finish(process, b"/quit\n")
    offline = settled_once.home.run(
        "recount", json.loads(done.out)["twin"], "--from", "kept", *node
    )

    found = json.loads(done.out)
    states = {step["number"]: step["state"] for step in found["steps"]}
    line = found["epochs"][-1]
    assert (done.code, found["verdict"]) == (0, "proved"), found["sentence"]
    # The first epoch has none before it.
    assert {number for number, state in states.items() if state != "holds"} == {5}
    assert Decimal(line["earned_nano"]) / 10**9 == fee_of("mira") * SHARE
    assert line["paid_units"] == line["cumulative_units"]
    assert (alone.code, json.loads(alone.out)["verdict"]) == (3, "not yet")
    assert offline.code == 0, offline.out


def _answers(address: str) -> bool:
    with suppress(OSError), urlopen(address, timeout=5) as answer:  # noqa: S310 - of this machine
        return bool(answer.status == HTTPStatus.OK)
    return False


def test_a_node_that_is_away_takes_nothing_from_what_is_verified_offline(
    settled: Settled,
) -> None:
    named = settled.policy(settled.contract)

    code, found = settled.verify("--policy", named, "--rpc", "http://127.0.0.1:9/")

    assert code == 3
    assert found["levels"][0] == "L0"
    assert found["chain"]["state"] == "out of reach"


def test_a_chat_goes_on_while_the_node_is_away(settled: Settled) -> None:
    settled.node.stop()
    try:
        done = run(settled.home, "demo", "--twin", "mira", stdin=b"Hello!\n/quit\n")
    finally:
        settled.node.start()

    assert done.code == 0, done.err
    assert "does not answer now" in done.err
    assert "/r/" in done.out + done.err


def test_the_very_first_replies_are_shown_while_the_node_is_away(
    settled: Settled, tmp_path: Path
) -> None:
    config = (settled.home.home / "config.toml").read_text()
    away = tmp_path / "away.toml"
    away.write_text(config.replace(settled.node.url, "http://127.0.0.1:9/"))

    words = ("--data", tmp_path / "first", "--twin", "mira", "--say", "hi")
    done = run(settled.home, "demo", "--config", away, *words)

    assert done.code == 0, done.err
    assert done.out.startswith("[AI twin] ")
    assert "The replies are delivered; settlement waits: " in done.out
    assert "on-chain unknown" in done.out
    assert "audit passed (the chain was left out)" in done.out


def test_a_settler_without_gas_hides_no_reply(settled: Settled) -> None:
    settler = encode_address(address_of(SETTLER_KEY))
    before = settled.node.ask("eth_getBalance", settler, "latest")
    settled.node.ask("anvil_setBalance", settler, "0x0")
    try:
        done = run(settled.home, "demo", "--twin", "mira", "--say", "What do you like?", "--json")
    finally:
        settled.node.ask("anvil_setBalance", settler, before)

    result = json.loads(done.out)
    assert done.code == 0, done.err
    assert len(result["replies"]) == 1
    assert settler in result["settlement"]["waits"]
    assert result["audit"] == {"passed": True, "wrong": []}


def test_a_wrong_chain_id_and_a_missing_key_refuse_the_start(
    settled: Settled, tmp_path: Path
) -> None:
    config = (settled.home.home / "config.toml").read_text()
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(config.replace("chain_id = 31337", "chain_id = 1"))

    words = ("--data", tmp_path / "fresh", "--twin", "mira", "--say", "hi")
    done = run(settled.home, "demo", "--config", wrong, *words)
    none = settled.home.run("demo", "--twin", "mira", "--say", "hi")

    assert done.code == none.code == 2
    assert "The RPC serves chain 31337" in done.complaint
    assert "TWINPROOF_SETTLER_KEY" in none.complaint
