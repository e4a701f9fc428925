"""The registry of a real chain's contract, as the service asks it before a reply."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import AsyncWeb3

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import rpc_provider
from adapters.evm.deploy import deploy
from bot.crypto.eip712 import encode_address
from bot.domain.errors import AdmissionError
from bot.domain.ids import derive_twin_id
from bot.wiring.registry import open_registered
from bot.wiring.rpc_chain import RpcChain
from scripts.vector_parts import MANIFEST
from tests.anvil import NEEDS_ANVIL, anvil
from tests.fakes.clock import SetClock
from tests.fakes.settlement_rig import SETTLER_KEY, TREASURY_KEY, address_of

SLOW, IF_THERE = NEEDS_ANVIL
CREATOR_KEY = TREASURY_KEY  # it has gas
CREATOR = address_of(CREATOR_KEY)
TWIN = replace(
    MANIFEST,
    creator=encode_address(CREATOR),
    slug="mira",
    twin=derive_twin_id(CREATOR, "mira"),
)


@dataclass(frozen=True, slots=True)
class Node:
    """A chain with a vault and its registry."""

    rpc: RpcChain
    web3: AsyncWeb3[Any]
    registry: bytes

    async def call(self, name: str, *words: object) -> None:
        """Let the creator call the registry."""
        contract = self.web3.eth.contract(
            address=self.web3.to_checksum_address(self.registry), abi=load_artefact("registry").abi
        )
        account = Account.from_key(CREATOR_KEY)
        nonce = await self.web3.eth.get_transaction_count(account.address)
        call = contract.functions[name](*words)
        sent = await call.build_transaction({"from": account.address, "nonce": nonce})
        raw = account.sign_transaction(sent).raw_transaction
        made = await self.web3.eth.send_raw_transaction(raw)
        assert (await self.web3.eth.wait_for_transaction_receipt(made, timeout=20))["status"] == 1


@SLOW
@IF_THERE
async def test_a_twin_revoked_on_the_chain_is_silent_within_a_minute(tmp_path: Path) -> None:
    clock = SetClock()
    with anvil(tmp_path) as started:
        provider = rpc_provider(started.url)
        web3: AsyncWeb3[Any] = AsyncWeb3(provider)
        made = await deploy(web3, treasury_key=TREASURY_KEY, settler=address_of(SETTLER_KEY))
        chain_id = await web3.eth.chain_id
        rpc = RpcChain(started.url, chain_id, made.settlement, made.token, None, None, 1, 10**12)
        node = Node(rpc, web3, made.registry)
        async with open_registered(rpc, clock) as registered:
            await registered.check(TWIN)
            before = registered.block(TWIN.twin)
            await node.call("bind", "mira", b"\x01" * 32, encode_address(CREATOR), 1)
            await node.call("revoke", "mira")
            clock.advance(timedelta(seconds=60))

            with pytest.raises(AdmissionError, match="revoked it for good"):
                await registered.check(TWIN)

            after = registered.block(TWIN.twin)
        await provider.disconnect()
    assert before is not None
    assert after is not None
    assert (before.chain, after.number - before.number) == (chain_id, 2)


async def test_the_embedded_chain_is_not_asked() -> None:
    async with open_registered(None, SetClock()) as registered:
        await registered.check(TWIN)

        assert registered.block(TWIN.twin) is None


async def test_a_node_that_is_away_stops_nobody() -> None:
    rpc = RpcChain("http://127.0.0.1:9", 1, bytes(20), bytes(20), None, None, 1, 1)

    async with open_registered(rpc, SetClock()) as registered:
        await registered.check(TWIN)

        assert registered.block(TWIN.twin) is None
