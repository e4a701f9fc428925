"""The embedded chain's own promises: one file, any kill, a copy for readers."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from eth_account import Account

from adapters.evm.chain_file import ChainFile
from adapters.evm.client import EvmSettlementChain
from adapters.evm.deploy import ALLOWANCE_UNITS, SUPPLY_UNITS, deployed_by
from adapters.evm.embedded import EmbeddedChain
from adapters.evm.machine import CHAIN_ID
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.settlement import Commitment
from bot.domain.transactions import Purpose, SignedTransaction
from bot.settlement.publish import EpochPublisher, PublisherState
from tests.fakes.epochs import MemoryEarnings
from tests.fakes.settlement_rig import (
    RELAYER_KEY,
    SETTLER_KEY,
    TREASURY_KEY,
    Opener,
    Rig,
    StoppedClock,
    address_of,
    payout_of,
    twin_id,
)

COMMITMENT = Commitment(1, b"f" * 32, 5, b"l" * 32, 3, b"d" * 32)


@pytest.fixture
async def open_rig() -> AsyncIterator[Opener]:
    async with Rig.opener() as opener:
        yield opener


async def test_a_fresh_chain_has_its_accounts_and_contracts(
    tmp_path: Path, open_rig: Opener
) -> None:
    rig = await open_rig(tmp_path)
    token = rig.contract("token", rig.embedded.deployment.token)

    assert await rig.web3.eth.chain_id == CHAIN_ID
    assert await rig.web3.eth.block_number == 4
    assert await token.functions.symbol().call() == "tUSD"
    assert await token.functions.decimals().call() == 6
    assert await rig.chain.balance(address_of(TREASURY_KEY)) == SUPPLY_UNITS
    treasury, settlement = (
        rig.web3.to_checksum_address(address)
        for address in (address_of(TREASURY_KEY), rig.embedded.deployment.settlement)
    )
    assert await token.functions.allowance(treasury, settlement).call() == ALLOWANCE_UNITS
    for key in (SETTLER_KEY, RELAYER_KEY):
        address = rig.web3.to_checksum_address(address_of(key))
        assert await rig.web3.eth.get_balance(address) == 1_000 * 10**18


async def test_a_reopened_chain_is_the_same_chain(tmp_path: Path, open_rig: Opener) -> None:
    rig = await open_rig(tmp_path)
    identity, deployment = await rig.chain.identity(), rig.embedded.deployment
    signed = await rig.chain.sign_commit(COMMITMENT, nonce=0)
    assert isinstance(signed, SignedTransaction)
    await rig.chain.send(signed)
    await rig.close()

    rig = await open_rig(tmp_path)
    assert await rig.chain.identity() == identity
    assert rig.embedded.deployment == deployment
    assert (await rig.chain.contract()).commitment == COMMITMENT
    inclusion = await rig.chain.inclusion(signed.hash)
    assert inclusion is not None
    assert inclusion.block_number == 5


async def test_a_chain_that_is_made_again_is_another_chain(
    tmp_path: Path, open_rig: Opener
) -> None:
    clock = StoppedClock()
    identities = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        clock.advance(1)
        rig = await open_rig(tmp_path / name, clock=clock)
        identities.append(await rig.chain.identity())
        await rig.close()

    assert identities[0].genesis_hash != identities[1].genesis_hash
    assert identities[0].settlement == identities[1].settlement


async def test_other_keys_are_refused(tmp_path: Path, open_rig: Opener) -> None:
    await (await open_rig(tmp_path)).close()

    with pytest.raises(ConfigurationError, match="other keys"):
        await EmbeddedChain.open(
            tmp_path / "chain.sqlite",
            settler_key=b"\x09" * 32,
            relayer_key=RELAYER_KEY,
            treasury_key=TREASURY_KEY,
            clock=StoppedClock(),
        )


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, open_rig: Opener) -> None:
    (tmp_path / "chain.sqlite").write_bytes(b"no database" * 100)

    with pytest.raises(ConfigurationError, match="embedded chain"):
        await open_rig(tmp_path)


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
async def test_an_interrupted_deployment_is_finished(
    tmp_path: Path, open_rig: Opener, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("adapters.evm.deploy._STEPS", steps)
        rig = await open_rig(tmp_path)
        with pytest.raises(ConfigurationError):
            await rig.chain.identity() if steps < 3 else await _refused(rig)
        await rig.close()

    rig = await open_rig(tmp_path)
    assert await rig.web3.eth.block_number == 4
    assert rig.embedded.deployment == deployed_by(address_of(TREASURY_KEY))
    assert isinstance(await rig.chain.sign_commit(COMMITMENT, nonce=0), SignedTransaction)


async def _refused(rig: Rig) -> None:
    # Deployed without an allowance: the rehearsal says so, and the chain is not usable yet.
    if not isinstance(await rig.chain.sign_commit(COMMITMENT, nonce=0), SignedTransaction):
        raise ConfigurationError("no allowance")


async def test_a_snapshot_reads_while_the_owner_writes(tmp_path: Path, open_rig: Opener) -> None:
    rig = await open_rig(tmp_path)
    copy = await EmbeddedChain.open_snapshot(tmp_path / "chain.sqlite")
    reader = EvmSettlementChain(provider=copy.provider, settlement=copy.deployment.settlement)
    signed = await rig.chain.sign_commit(COMMITMENT, nonce=0)
    assert isinstance(signed, SignedTransaction)

    await rig.chain.send(signed)

    assert await reader.identity() == await rig.chain.identity()
    assert (await reader.contract()).commitment.epoch == 0
    later = await EmbeddedChain.open_snapshot(tmp_path / "chain.sqlite")
    state = await EvmSettlementChain(
        provider=later.provider, settlement=later.deployment.settlement
    ).contract()
    assert state.commitment == COMMITMENT
    with pytest.raises(ConfigurationError, match="key was not given"):
        await reader.sign_commit(COMMITMENT, nonce=0)
    for chain in (copy, later):
        await chain.close()


async def test_a_snapshot_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Can't read"):
        await EmbeddedChain.open_snapshot(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    ChainFile.open(tmp_path / "empty.sqlite").close()
    with pytest.raises(ConfigurationError, match="no embedded chain"):
        await EmbeddedChain.open_snapshot(tmp_path / "empty.sqlite")


async def test_a_failed_write_leaves_the_chain_at_the_block_before(
    tmp_path: Path, open_rig: Opener
) -> None:
    rig = await open_rig(tmp_path)
    signed = await rig.chain.sign_commit(COMMITMENT, nonce=0)
    assert isinstance(signed, SignedTransaction)
    machine = rig.embedded._machine
    assert machine is not None
    connection = machine._file._connection

    async def run(statement: str) -> None:
        await rig.embedded._run(lambda: connection.execute(statement))

    await run(
        "CREATE TRIGGER full BEFORE INSERT ON chain_state BEGIN SELECT raise(ABORT, 'full'); END"
    )
    with pytest.raises(ChainUnavailableError, match="full"):
        await rig.chain.send(signed)
    await run("DROP TRIGGER full")

    assert (await rig.chain.contract()).commitment.epoch == 0
    await rig.chain.send(signed)
    assert (await rig.chain.contract()).commitment == COMMITMENT


async def test_the_event_loop_is_not_blocked(tmp_path: Path, open_rig: Opener) -> None:
    rig = await open_rig(tmp_path)
    threads = set()
    machine = rig.embedded._machine
    assert machine is not None
    answer = machine.request

    def watched(method: str, params: object) -> object:
        threads.add(threading.current_thread())
        return answer(method, params)

    machine.request = watched  # type: ignore[method-assign,assignment]
    await rig.chain.contract()

    assert threads
    assert threading.current_thread() not in threads


async def test_a_closed_chain_says_so(tmp_path: Path, open_rig: Opener) -> None:
    rig = await open_rig(tmp_path)
    await rig.close()

    with pytest.raises(ChainUnavailableError, match="closed"):
        await rig.chain.contract()


async def test_no_gas_money_is_waited_for(tmp_path: Path, open_rig: Opener) -> None:
    rig = await open_rig(tmp_path)
    poor = EvmSettlementChain(
        provider=rig.embedded.provider,
        settlement=rig.embedded.deployment.settlement,
        settler_key=b"\x07" * 32,
        relayer_key=b"\x08" * 32,
    )
    book = MemoryEarnings()
    book.earn(twin_id(0), 5_000_000, payout=payout_of(0))

    status = await EpochPublisher(chain=poor, store=rig.store, earnings=book).tick()

    assert status.state is PublisherState.WAITING
    assert await rig.store.in_flight(Purpose.COMMIT) is None
    good = await EpochPublisher(chain=rig.chain, store=rig.store, earnings=book).tick()
    assert good.state is PublisherState.IDLE


async def test_fees_above_the_limit_are_waited_for(tmp_path: Path, open_rig: Opener) -> None:
    rig = await open_rig(tmp_path)
    frugal = EvmSettlementChain(
        provider=rig.embedded.provider,
        settlement=rig.embedded.deployment.settlement,
        settler_key=SETTLER_KEY,
        max_fee_per_gas_wei=1,
    )

    assert "more than the limit" in str(await frugal.sign_commit(COMMITMENT, nonce=0))


async def test_an_address_without_our_contract_is_a_configuration_error(
    tmp_path: Path, open_rig: Opener
) -> None:
    rig = await open_rig(tmp_path)
    wrong = EvmSettlementChain(
        provider=rig.embedded.provider, settlement=rig.embedded.deployment.token
    )

    with pytest.raises(ConfigurationError, match="no settlement contract"):
        await wrong.identity()
    with pytest.raises(ConfigurationError, match="does not answer"):
        await wrong.contract()


async def test_keys_are_not_in_any_representation(tmp_path: Path, open_rig: Opener) -> None:
    rig = await open_rig(tmp_path)
    signed = await rig.chain.sign_commit(COMMITMENT, nonce=0)

    text = repr([rig.chain, rig.embedded, signed, vars(rig.chain)])
    assert SETTLER_KEY.hex() not in text
    assert Account.from_key(SETTLER_KEY).key.hex() not in text
