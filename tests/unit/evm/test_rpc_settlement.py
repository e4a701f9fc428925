"""Settlement on a real chain by RPC URL: as it is configured, and when the chain misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from bot.config import SettlementSettings
from bot.domain.errors import ConfigurationError
from bot.domain.transactions import BlockTag, Purpose, TransactionState
from bot.settlement.publish import EpochPublisher, PublisherState
from bot.settlement.statement import EarningsStatements
from bot.wiring.rpc_chain import RpcChain, read_rpc_chain
from bot.wiring.settlement import OpenSettlement, open_settlement
from bot.wiring.stores import Stores, open_stores
from tests.anvil import CHAIN_ID, NEEDS_ANVIL, Anvil, anvil
from tests.fakes.clock import SetClock
from tests.fakes.epochs import MemoryEarnings
from tests.fakes.settlement_rig import (
    RELAYER_KEY,
    SETTLER_KEY,
    TREASURY_KEY,
    payout_of,
    twin_id,
)
from tests.unit.evm.rpc_rig import deployed, keys_of_nobody

pytestmark = NEEDS_ANVIL
DELAY_S = 3600


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Anvil]:
    with anvil(tmp_path) as started:
        yield started


@asynccontextmanager
async def opened(
    rpc: RpcChain, folder: Path, book: MemoryEarnings
) -> AsyncIterator[tuple[OpenSettlement, EpochPublisher, Stores]]:
    """Open the service's settlement over the stores of a folder, with another book of earnings."""
    async with (
        open_stores(folder) as stores,
        open_settlement(rpc, folder, keys_of_nobody(), SetClock(), stores) as settled,
    ):
        publisher = EpochPublisher(
            chain=settled.chain,
            store=stores.epochs,
            earnings=book,
            finality=rpc.finality,
            relays=rpc.relayer is not None,
        )
        yield settled, publisher, stores


def earn(book: MemoryEarnings, nano: int = 5_000_000) -> None:
    for number in range(3):
        book.earn(twin_id(number), nano, payout=payout_of(number))


async def test_an_epoch_and_its_claims_survive_a_restart_between_sending_and_mining(
    node: Anvil, tmp_path: Path
) -> None:
    rpc, book = await deployed(node), MemoryEarnings()
    earn(book)
    node.ask("evm_setAutomine", False)  # noqa: FBT003
    async with opened(rpc, tmp_path, book) as (_, publisher, _stores):
        waiting = await publisher.tick()
    node.mine(1)
    node.ask("evm_setAutomine", True)  # noqa: FBT003

    async with opened(rpc, tmp_path, book) as (settled, publisher, stores):
        epoch = await publisher.settle_now(timeout_s=20)
        commits = await stores.epochs.transactions(Purpose.COMMIT, 1)
        paid = await settled.chain.balance(payout_of(0))

    assert waiting.reason == "not mined yet"
    assert epoch is not None
    assert [one.state for one in commits] == [TransactionState.FINAL]
    assert paid == 5_000


async def test_a_node_that_dies_and_comes_back_is_waited_for_and_nothing_is_paid_twice(
    node: Anvil, tmp_path: Path
) -> None:
    rpc, book = await deployed(node), MemoryEarnings()
    earn(book)
    async with opened(rpc, tmp_path, book) as (settled, publisher, stores):
        await publisher.settle_now(timeout_s=20)
        node.stop()
        earn(book)
        dead = [await publisher.tick() for _ in range(2)]
        node.start()
        epoch = await publisher.settle_now(timeout_s=20)
        commits = await stores.epochs.transactions(Purpose.COMMIT, 2)
        paid = await settled.chain.balance(payout_of(0))

    assert [one.state for one in dead] == [PublisherState.WAITING] * 2
    assert epoch is not None
    assert epoch.number == 2
    assert len(commits) == 1
    assert paid == 10_000


async def test_a_start_without_the_node_goes_on_with_a_notice(node: Anvil, tmp_path: Path) -> None:
    rpc, book = await deployed(node), MemoryEarnings()
    earn(book)
    node.stop()
    async with opened(rpc, tmp_path, book) as (settled, publisher, stores):
        assert (await publisher.tick()).state is PublisherState.WAITING
        statement = await EarningsStatements(
            chain=settled.chain, store=stores.epochs, earnings=book
        ).statement(twin_id(0))
        (notice,) = settled.notices
        node.start()
        assert await publisher.settle_now(timeout_s=20) is not None

    assert "does not answer now" in notice
    assert "replies and their fees go on" in notice
    assert (statement.earned_nano, statement.claimed_units) == (5_000_000, None)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"chain_id": 1}, "The RPC serves chain 31337, and [settlement] chain_id is 1"),
        ({"contract": b"n" * 20}, "There is no contract at 0x6e6e6e6e6e6E"),
        ({"token": b"n" * 20}, "and [settlement] token is 0x6e6e6e6e6e6E"),
        ({"settler": b"\x09" * 32}, "and the settler's key is of 0x"),
    ],
    ids=["chain", "no contract", "token", "settler"],
)
async def test_what_is_configured_wrong_is_refused_at_the_start_in_one_sentence(
    node: Anvil, tmp_path: Path, wrong: dict[str, object], sentence: str
) -> None:
    rpc = replace(await deployed(node), **wrong)  # type: ignore[arg-type]

    with pytest.raises(ConfigurationError) as refused:
        async with opened(rpc, tmp_path, MemoryEarnings()):
            pass

    assert sentence in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


async def test_another_contract_at_the_address_is_told_from_none(
    node: Anvil, tmp_path: Path
) -> None:
    rpc = await deployed(node)

    with pytest.raises(ConfigurationError, match="there is another contract"):
        async with opened(replace(rpc, contract=rpc.token), tmp_path, MemoryEarnings()):
            pass


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        # It answers every call with 18, as a token of 18 decimals answers `decimals()`.
        ("69601260005260206000f3600052600a6016f3", "has 18 decimals"),
        # It stops and answers nothing.
        ("60016000f3", "There is no token at"),
    ],
    ids=["18 decimals", "no token"],
)
async def test_a_token_that_can_not_be_paid_in_units_is_refused(
    node: Anvil, tmp_path: Path, code: str, sentence: str
) -> None:
    token = node.send(RELAYER_KEY, data=f"0x{code}")["contractAddress"]
    contract = await deployed(node)
    rpc = await with_token(node, contract, bytes.fromhex(token[2:]))

    with pytest.raises(ConfigurationError, match=sentence):
        async with opened(rpc, tmp_path, MemoryEarnings()):
            pass


async def with_token(node: Anvil, rpc: RpcChain, token: bytes) -> RpcChain:
    """Put the contract's immutable token, which stands in its code, in place of the real one."""
    address = f"0x{rpc.contract.hex()}"
    code = node.ask("eth_getCode", address, "latest")
    assert code.count(rpc.token.hex()) == 1
    node.ask("anvil_setCode", address, code.replace(rpc.token.hex(), token.hex()))
    return replace(rpc, token=token)


async def test_a_chain_that_becomes_another_one_halts_settlement_and_not_the_service(
    node: Anvil, tmp_path: Path
) -> None:
    rpc, book = await deployed(node), MemoryEarnings()
    earn(book)
    async with opened(rpc, tmp_path, book) as (settled, publisher, stores):
        await publisher.settle_now(timeout_s=20)
        earn(book)
        node.reset()
        gone = await publisher.tick()
        again = await deployed(node)
        reset = await publisher.tick()
        statement = await EarningsStatements(
            chain=settled.chain, store=stores.epochs, earnings=book
        ).statement(twin_id(0))
    async with opened(rpc, tmp_path, book) as (settled, publisher, stores):
        restarted = await publisher.tick()
        notices = settled.notices
        second = await stores.epochs.epoch(2)

    assert again.contract == rpc.contract, "the same address on both chains"
    assert gone.state is reset.state is restarted.state is PublisherState.HALTED
    assert "There is no contract at" in gone.reason
    assert "not the one that this book was settled on" in reset.reason
    assert ["the chain was reset" in one for one in notices] == [True]
    assert second is None
    assert statement.earned_nano == 10_000_000


async def test_an_epoch_is_final_only_when_it_can_not_be_vetoed_any_more(
    node: Anvil, tmp_path: Path
) -> None:
    rpc, book = await deployed(node, delay_s=DELAY_S), MemoryEarnings()
    earn(book)
    async with opened(rpc, tmp_path, book) as (_, publisher, stores):
        early = await publisher.tick()
        none = await stores.epochs.anchoring(0)
        node.ask("evm_increaseTime", DELAY_S + 1)
        node.mine(1)
        epoch = await publisher.settle_now(timeout_s=20)

    assert early.reason == "epoch 1 can still be vetoed"
    assert none is None
    assert epoch is not None


async def test_a_log_that_grew_without_fees_waits_for_its_veto_as_well(
    node: Anvil, tmp_path: Path
) -> None:
    rpc, book = await deployed(node, delay_s=DELAY_S), MemoryEarnings()
    book.log_size = 3
    async with opened(rpc, tmp_path, book) as (_, publisher, _stores):
        early = await publisher.tick()

    assert early.reason == "epoch 1 can still be vetoed"


async def test_without_a_relayer_epochs_are_committed_and_creators_claim_by_themselves(
    node: Anvil, tmp_path: Path
) -> None:
    rpc, book = replace(await deployed(node), relayer=None), MemoryEarnings()
    earn(book)
    async with opened(rpc, tmp_path, book) as (settled, publisher, _):
        epoch = await publisher.settle_now(timeout_s=20)
        claimed = await settled.chain.claimed([twin_id(0)])

    assert epoch is not None
    assert claimed == (0,)


def _database(folder: Path) -> bytes:
    found = [path.read_bytes() for path in folder.glob("twinproof.db*")]
    assert found
    return b"".join(found)


async def test_no_key_reaches_the_database_or_a_log(
    node: Anvil, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rpc, book = await deployed(node), MemoryEarnings()
    earn(book)
    async with opened(rpc, tmp_path, book) as (_, publisher, _stores):
        await publisher.settle_now(timeout_s=20)
        node.stop()
        await publisher.tick()

    written = _database(tmp_path)
    out, err = capsys.readouterr()
    for key in (SETTLER_KEY, RELAYER_KEY):
        assert key not in written
        assert key.hex().encode() not in written
        assert key.hex() not in out + err
    assert repr(rpc) == "RpcChain(31337)"


async def test_what_the_configuration_names_is_read_with_keys_of_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keystore, bare, password = (tmp_path / name for name in ("k.json", "k.hex", "password"))
    encrypted = await asyncio.to_thread(Account.encrypt, SETTLER_KEY, "secret", "scrypt", 4096)
    keystore.write_text(json.dumps(encrypted))
    bare.write_text(RELAYER_KEY.hex())
    password.write_text("secret\n")
    for path in (bare, password):
        path.chmod(0o600)
    settings = SettlementSettings(
        rpc_url="http://127.0.0.1:1",
        chain_id=CHAIN_ID,
        contract="0x" + "11" * 20,
        token="0x" + "22" * 20,
        settler_key=str(keystore),
        relayer_key=str(bare),
        password_file=str(password),
    )

    from_files = await read_rpc_chain(settings)
    monkeypatch.setenv("TWINPROOF_SETTLER_KEY", f"0x{TREASURY_KEY.hex()}")
    from_environment = await read_rpc_chain(settings)

    assert from_files is not None
    assert (from_files.settler, from_files.relayer) == (SETTLER_KEY, RELAYER_KEY)
    assert (from_files.contract, from_files.finality) == (b"\x11" * 20, BlockTag.FINALIZED)
    assert from_environment is not None
    assert from_environment.settler == TREASURY_KEY
