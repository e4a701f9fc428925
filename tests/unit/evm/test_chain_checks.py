"""The operator's check-up of a real chain, on a real node."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.config import MoneySettings, SettlementSettings
from bot.crypto.eip712 import encode_address
from bot.domain.errors import ConfigurationError
from bot.domain.settlement import ChainIdentity
from bot.ports.checks import Finding, State
from bot.wiring.chain_checks import look_at_rpc_chain
from bot.wiring.settlement import open_chain_to_read
from bot.wiring.stores import open_stores
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.chain import IDENTITY
from tests.fakes.settlement_rig import SETTLER_KEY, address_of
from tests.unit.evm.rpc_rig import deployed

pytestmark = NEEDS_ANVIL
PROMISED_NANO = 1_000 * 10**9


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Anvil]:
    with anvil(tmp_path) as started:
        yield started


@pytest.fixture
async def settings(node: Anvil, monkeypatch: pytest.MonkeyPatch) -> SettlementSettings:
    monkeypatch.setenv("TWINPROOF_SETTLER_KEY", SETTLER_KEY.hex())
    rpc = await deployed(node)
    return SettlementSettings(
        rpc_url=node.url,
        chain_id=rpc.chain_id,
        contract=encode_address(rpc.contract),
        token=encode_address(rpc.token),
    )


async def look(settings: SettlementSettings, folder: Path, promised: int = 0) -> list[Finding]:
    found = await look_at_rpc_chain(settings, folder, promised)
    assert found is not None
    return found


async def test_the_embedded_chain_is_none_of_its_business(tmp_path: Path) -> None:
    assert await look_at_rpc_chain(SettlementSettings(), tmp_path, 0) is None


async def test_a_reply_that_can_not_be_anchored_in_time_is_a_fault(
    settings: SettlementSettings, tmp_path: Path
) -> None:
    enough = MoneySettings(anchor_hours=4, epoch_seconds=3_600)
    short = MoneySettings(anchor_hours=3, epoch_seconds=3_600)

    fine = await look_at_rpc_chain(settings, tmp_path, PROMISED_NANO, enough)
    found = await look_at_rpc_chain(settings, tmp_path, PROMISED_NANO, short)

    assert fine is not None
    assert [one.state for one in fine] == [State.OK]
    assert found is not None
    assert [one.state for one in found] == [State.OK, State.FAULT]
    assert found[1].sentence == (
        "[money] anchor_hours is 3, and a paid reply may be on the chain only after 3.0 hours: "
        "twice the contract's 0 s for a veto and epoch_seconds, and an hour for finality."
    )
    assert found[1].remedy.endswith("set anchor_hours to 4 or more.")


async def test_what_can_be_paid_is_held_against_what_was_promised(
    settings: SettlementSettings, tmp_path: Path
) -> None:
    (rich,) = await look(settings, tmp_path, PROMISED_NANO)
    (poor,) = await look(settings, tmp_path, PROMISED_NANO * 100)

    assert rich.state is State.OK
    assert "chain 31337" in rich.sentence
    assert "10000.00 can be taken" in rich.sentence
    assert poor.state is State.WARNING
    assert "allowance" in poor.remedy
    assert "holds 1000000.00, and the contract may take 10000.00" in poor.sentence


async def test_a_settler_without_coin_is_a_fault(
    settings: SettlementSettings, node: Anvil, tmp_path: Path
) -> None:
    node.ask("anvil_setBalance", f"0x{address_of(SETTLER_KEY).hex()}", "0x0")

    (found,) = await look(settings, tmp_path)

    assert found.state is State.FAULT
    assert encode_address(address_of(SETTLER_KEY)) in found.sentence


async def test_a_node_that_is_away_is_a_warning_and_a_wrong_chain_is_refused(
    settings: SettlementSettings, node: Anvil, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="chain_id is 5"):
        await look(settings.model_copy(update={"chain_id": 5}), tmp_path)
    node.stop()

    (found,) = await look(settings, tmp_path)

    assert found.state is State.WARNING
    assert "does not answer now" in found.sentence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain_id": 0, "token": ""}, "needs chain_id, token"),
        ({"contract": "0x" + "aB" * 20}, r"contract 0xaB.*is not a valid checksummed address"),
        ({"contract": "zoe.eth"}, r"\[settlement\] contract 'zoe.eth' is no address"),
        ({"rpc_url": ""}, "means nothing without rpc_url"),
        ({"contract": "0x" + "00" * 20}, r"\[settlement\] contract is the zero address"),
        ({"token": "0x" + "00" * 20}, r"\[settlement\] token is the zero address"),
        ({"relayer_account": "0x" + "11" * 20}, "means nothing without relayer_command"),
        ({"relayer_command": ("sign",)}, "needs relayer_account beside it"),
        (
            {"settler_command": ("sign",), "settler_account": "0x" + "11" * 20},
            "has a key and a command that signs",
        ),
        (
            {
                "relayer_command": ("sign",),
                "relayer_account": f"0x{address_of(SETTLER_KEY).hex()}",
            },
            "Settler and relayer are both 0x",
        ),
    ],
)
async def test_a_configuration_that_is_not_whole_is_one_sentence(
    settings: SettlementSettings, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await look(settings.model_copy(update=change), tmp_path)


async def test_a_missing_or_doubled_key_is_one_sentence(
    settings: SettlementSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINPROOF_RELAYER_KEY", SETTLER_KEY.hex())
    with pytest.raises(ConfigurationError, match="Settler and relayer are both 0x"):
        await look(settings, tmp_path)
    monkeypatch.delenv("TWINPROOF_RELAYER_KEY")
    monkeypatch.delenv("TWINPROOF_SETTLER_KEY")
    with pytest.raises(ConfigurationError, match="set TWINPROOF_SETTLER_KEY"):
        await look(settings, tmp_path)
    keystore = tmp_path / "settler.json"
    keystore.write_text('{"version": 3}')
    with pytest.raises(ConfigurationError, match="is a keystore: name its"):
        await look(settings.model_copy(update={"settler_key": str(keystore)}), tmp_path)
    for text in ("zz" * 32, "00" * 32, "ab"):
        monkeypatch.setenv("TWINPROOF_SETTLER_KEY", text)
        with pytest.raises(ConfigurationError, match="The settler's key can't be used"):
            await look(settings, tmp_path)


async def test_the_same_node_twice_is_no_second_opinion(
    settings: SettlementSettings, tmp_path: Path
) -> None:
    same = settings.model_copy(update={"second_rpc_url": settings.rpc_url})

    with pytest.raises(ConfigurationError, match="second_rpc_url is rpc_url once more"):
        await look(same, tmp_path)


async def test_a_second_node_of_another_chain_is_said_and_waited_for(
    settings: SettlementSettings, tmp_path: Path
) -> None:
    away = settings.model_copy(update={"second_rpc_url": "http://127.0.0.1:9/"})

    found = await look(away, tmp_path)

    assert [one.state for one in found] == [State.OK, State.WARNING]
    assert "second RPC" in found[1].sentence


async def pin(folder: Path, identity: ChainIdentity) -> None:
    async with open_stores(folder) as stores:
        await stores.epochs.pin(identity)


async def test_a_book_of_another_chain_is_a_fault_and_its_audit_wants_that_chain(
    settings: SettlementSettings, tmp_path: Path
) -> None:
    await pin(tmp_path, replace(IDENTITY, chain_id=7))

    findings = await look(settings, tmp_path)

    assert [one.state for one in findings] == [State.OK, State.FAULT]
    async with open_stores(tmp_path) as stores:
        with pytest.raises(ConfigurationError, match="This book is settled on chain 7"):
            async with open_chain_to_read(SettlementSettings(), tmp_path, stores):
                pass
        async with open_chain_to_read(settings, tmp_path, stores) as read:
            assert read.chain is not None
            assert read.payouts_stay is False
