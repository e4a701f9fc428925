"""`twinproof settle` on a real node: look ahead, settle, look back, and adopt after a backup."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.crypto.eip712 import encode_address
from tests.acceptance.program import Program, free_port, program
from tests.acceptance.test_settle_on_chain import run
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.settlement_rig import RELAYER_KEY, SETTLER_KEY, TREASURY_KEY, address_of

pytestmark = NEEDS_ANVIL
SECRET = "s3cret-of-the-operator"  # noqa: S105 - looked for in what is printed


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A book with replies that no epoch covers yet, and a copy of it."""

    node: Anvil
    home: Program
    copy: Path

    def settle(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """Run the command; return its code, what it printed as JSON, and all its words."""
        done = run(self.home, "settle", *arguments)
        printed = json.loads(done.out) if "--json" in arguments and done.out else {}
        return done.code, printed, done.out + done.err

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the book."""
        with closing(sqlite3.connect(self.home.home / "data" / "twinproof.db")) as book:
            return book.execute(query).fetchall()


@pytest.fixture(scope="module")
def unsettled(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unsettled]:
    folder = tmp_path_factory.mktemp("settling")
    with (
        anvil(folder, "--slots-in-an-epoch", "1") as node,
        program(folder / "home") as home,
    ):
        settler = encode_address(address_of(SETTLER_KEY))
        wanted = ("--rpc-url", node.url, "--settler", settler, "--test-token", "--json")
        stands = json.loads(run(home, "chain", "deploy", *wanted).out)
        url = node.url.replace("http://", f"http://me:{SECRET}@")
        (home.home / "config.toml").write_text(
            f'[service]\ndata_dir = "data"\nport = {free_port()}\n[model]\npath = "{model}"\n'
            f'[settlement]\nrpc_url = "{url}"\nchain_id = {stands["chain_id"]}\n'
            f'contract = "{stands["contract"]}"\ntoken = "{stands["token"]}"\nfinality = 1\n'
        )
        node.stop()  # so that nothing is settled at the end of the demo
        said = run(home, "demo", "--twin", "mira", stdin=b"Hello!\nAnd you?\n/quit\n")
        assert said.code == 0, said.err
        assert SECRET not in said.out + said.err
        node.start()
        copy = folder / "copy.db"
        with (
            closing(sqlite3.connect(home.home / "data" / "twinproof.db")) as book,
            closing(sqlite3.connect(copy)) as target,
        ):
            book.backup(target)
        yield Unsettled(node, home, copy)


def _check_that_an_allowance_of_nothing_is_named(unsettled: Unsettled) -> None:
    """Take the treasury's allowance away for a while; there must be fees that nobody committed."""
    node = unsettled.node
    chain = unsettled.settle("--dry-run", "--json")[1]["chain"]
    node.ask("anvil_impersonateAccount", chain["treasury"])

    def allow(units: int) -> None:
        data = "0x095ea7b3" + chain["contract"][2:].lower().zfill(64) + f"{units:064x}"
        call = {"from": chain["treasury"], "to": chain["token"], "data": data}
        node.ask("eth_sendTransaction", call)
        node.mine(1)

    allow(0)
    try:
        code, _, words = unsettled.settle("now", "--timeout", "4")
        # By now the fees stand under a signed head.
        told = unsettled.settle("--dry-run", "--json")[1]["obstacles"]
    finally:
        allow(chain["allowance_units"])
        node.ask("anvil_stopImpersonatingAccount", chain["treasury"])

    assert len(told) == 1, told
    assert "allows the contract to take 0.000000" in told[0]
    assert code == 3
    assert "raise the allowance (approve)" in " ".join(words.split())
    assert "reverted" not in words


def test_a_book_goes_from_a_look_ahead_to_final_and_is_adopted_after_a_restored_copy(
    unsettled: Unsettled,
) -> None:
    _check_that_an_allowance_of_nothing_is_named(unsettled)
    node, data = unsettled.node, unsettled.home.home / "data"
    nothing = (unsettled.rows("SELECT count(*) FROM epochs"), node.ask("eth_blockNumber"))

    code, ahead, words = unsettled.settle("--dry-run", "--json")

    assert (code, ahead["obstacles"]) == (0, []), words
    assert ahead["epoch"]["log_size"] + ahead["unsigned_leaves"] > 0
    assert (ahead["chain"]["symbol"], ahead["chain"]["decimals"]) != ("", 0)
    assert 50_000 < ahead["cost"]["commit_gas"] < 250_000  # the first one writes every slot
    assert nothing == (
        unsettled.rows("SELECT count(*) FROM epochs"),
        node.ask("eth_blockNumber"),
    ), "a dry run writes and sends nothing"

    code, _, words = unsettled.settle("now")
    assert code == 0, words
    assert "Epoch 1 is final" in words
    code, back, words = unsettled.settle("status", "--json")
    assert code == 0
    (epoch,) = back["epochs"]
    assert (epoch["state"], back["on_chain"], back["publisher"]) == ("final", 1, None)
    assert epoch["fee_total_units"] > 0
    assert {one["purpose"]: one["state"] for one in epoch["transactions"]} == {
        "commit": "final",
        "claim": "final",
    }
    assert all(len(one["attempts"]) == 1 and one["depth"] for one in epoch["transactions"])
    nothing_new = unsettled.settle("now")
    assert nothing_new[0] == 0
    assert "Nothing is new" in nothing_new[2]
    refused = unsettled.settle("adopt", "--yes")
    assert refused[0] == 2
    assert "which this book knows" in refused[2]

    for ending in ("-wal", "-shm"):
        (data / f"twinproof.db{ending}").unlink(missing_ok=True)
    shutil.copy(unsettled.copy, data / "twinproof.db")
    halted = unsettled.settle("now")
    assert halted[0] == 4
    assert "ahead of the book" in halted[2]
    assert "settle adopt" in halted[2]
    code, _, words = unsettled.settle("adopt", "--yes")
    assert code == 0, words
    assert "the book learns what the chain has committed" in words
    assert unsettled.rows("SELECT number, state FROM epochs") == [(1, "lost")]
    again = unsettled.settle("now")
    assert again[0] == 0, again[2]
    assert (
        int(
            node.ask("eth_getTransactionCount", encode_address(address_of(SETTLER_KEY)), "latest"),
            16,
        )
        == 1
    )
    audited = unsettled.home.run("audit", "--json")
    assert (audited.code, json.loads(audited.out)["wrong"]) == (0, [])


def test_no_key_and_no_password_of_an_address_is_printed_stored_or_logged(
    unsettled: Unsettled,
) -> None:
    node, data = unsettled.node, unsettled.home.home / "data"
    node.stop()
    try:
        said = [
            unsettled.settle(*words)
            for words in (["--dry-run"], ["status"], ["now", "--timeout", "1"])
        ]
    finally:
        node.start()
    written = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    spoken = "".join(words for _, _, words in said)

    for secret in (SECRET, *(key.hex() for key in (SETTLER_KEY, RELAYER_KEY, TREASURY_KEY))):
        assert secret not in spoken
        assert secret.encode() not in written
    assert SETTLER_KEY not in written
    assert [code for code, _, _ in said] == [1, 0, 3]


def test_what_is_in_the_way_is_one_sentence_each(unsettled: Unsettled) -> None:
    node = unsettled.node
    settler = encode_address(address_of(SETTLER_KEY))
    held = node.ask("eth_getBalance", settler, "latest")
    node.ask("anvil_setBalance", settler, "0x0")
    poor = unsettled.settle("--dry-run", "--json")[1]["obstacles"]
    node.ask("anvil_setBalance", settler, held)
    config = (unsettled.home.home / "config.toml").read_text()
    wrong = {
        "chain_id = 31337": ("chain_id = 5", "[settlement] chain_id is 5"),
        "finality = 1": ("finality = 1\nsettler_command = ['sign']", "a key and a command"),
        "rpc_url =": ("second_rpc_url = 'http://127.0.0.1:9'\nrpc_url =", "second RPC confirms"),
    }
    found = {}
    other = unsettled.home.home / "other.toml"
    for old, (new, sentence) in wrong.items():
        other.write_text(config.replace(old, new))
        found[sentence] = unsettled.settle("--dry-run", "--json", "--config", "other.toml")[1]

    assert [settler in one and "send it some" in one for one in poor] == [True]
    other.write_text(config.replace("chain_id = 31337", "chain_id = 5"))
    blind = unsettled.settle("--dry-run", "--config", "other.toml")[2]
    assert "Nothing is new" not in blind  # it could not look
    for sentence, told in found.items():
        assert [sentence in one for one in told["obstacles"]].count(True) == 1, told["obstacles"]
