"""From a creator's signature to their money: registry and vault on the embedded chain and anvil."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import AsyncWeb3
from web3.logs import DISCARD
from web3.providers import AsyncBaseProvider

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import rpc_provider
from adapters.evm.deploy import Deployment, deploy
from adapters.evm.registry import EvmTwinRegistry
from bot.crypto.eip712 import encode_address, sign_digest
from bot.crypto.registry_data import TwinBindingData
from bot.domain.ids import derive_twin_id
from bot.domain.settlement import ClaimLeaf
from bot.settlement.claims import ClaimTree
from tests.anvil import NEEDS_ANVIL, anvil
from tests.fakes.settlement_rig import (
    RELAYER_KEY,
    SETTLER_KEY,
    TREASURY_KEY,
    Rig,
    address_of,
    payout_of,
)

CREATOR_KEY = b"\x21" * 32
CREATOR = address_of(CREATOR_KEY)
TWIN, UNBOUND = derive_twin_id(CREATOR, "mira"), derive_twin_id(CREATOR, "theo")
NAMED, IN_LEAF = payout_of(50), payout_of(51)


class Place:
    """A chain with the contracts, and what the test sends."""

    def __init__(self, provider: AsyncBaseProvider, deployment: Deployment) -> None:
        self.provider, self.deployment = provider, deployment
        self.web3: AsyncWeb3[Any] = AsyncWeb3(provider)

    def contract(self, name: str) -> Any:  # noqa: ANN401 - web3 makes it at run time
        address = encode_address(getattr(self.deployment, name))
        abi = load_artefact(name).abi
        return self.web3.eth.contract(address=self.web3.to_checksum_address(address), abi=abi)

    async def send(self, call: Any, key: bytes) -> Any:  # noqa: ANN401 - web3's
        account = Account.from_key(key)
        transaction = await call.build_transaction(
            {
                "from": account.address,
                "nonce": await self.web3.eth.get_transaction_count(account.address),
                "gas": 3_000_000,
                "maxFeePerGas": 3 * 10**9,
                "maxPriorityFeePerGas": 10**9,
            }
        )
        signed = account.sign_transaction(transaction)
        await self.web3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = await self.web3.eth.wait_for_transaction_receipt(signed.hash, timeout=20)
        assert receipt["status"] == 1
        return receipt


@pytest.fixture(params=["embedded", pytest.param("anvil", marks=NEEDS_ANVIL)])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "embedded":
        rig = await Rig.open(tmp_path)
        yield Place(rig.embedded.provider, rig.embedded.deployment)
        await rig.close()
        return
    with anvil(tmp_path) as node:
        provider = rpc_provider(node.url)
        web3: AsyncWeb3[Any] = AsyncWeb3(provider)
        made = await deploy(web3, treasury_key=TREASURY_KEY, settler=address_of(SETTLER_KEY))
        yield Place(provider, made)
        await provider.disconnect()


async def test_a_relayed_signature_decides_where_a_relayed_claim_is_paid(place: Place) -> None:
    reader = EvmTwinRegistry(provider=place.provider, registry=place.deployment.registry)
    deadline = (await place.web3.eth.get_block("latest"))["timestamp"] + 3_600
    data = TwinBindingData(TWIN, "mira", b"\xaa" * 32, NAMED, 1, deadline)
    signature = sign_digest(CREATOR_KEY, data.digest(await reader.domain()))
    leaves = [ClaimLeaf(twin, IN_LEAF, 700, bytes(32)) for twin in sorted((TWIN, UNBOUND))]
    tree = ClaimTree(leaves)

    bind = place.contract("registry").functions.bind_signed(
        encode_address(CREATOR), "mira", b"\xaa" * 32, encode_address(NAMED), 1, deadline, signature
    )
    await place.send(bind, RELAYER_KEY)
    vault = place.contract("settlement")
    commit = vault.functions.commit(1, tree.root, 1_400, b"l" * 32, 5, b"d" * 32)
    await place.send(commit, SETTLER_KEY)
    words = [(leaf.twin, encode_address(IN_LEAF), 700, bytes(32)) for leaf in leaves]
    paid = await place.send(vault.functions.claim_chunk(words, []), RELAYER_KEY)

    assert (await reader.standing(TWIN)).payout == NAMED
    told = {
        bytes(event["args"]["twin"]): event["args"]["payout"]
        for event in vault.events.Claimed().process_receipt(paid, errors=DISCARD)
    }
    assert told == {TWIN: encode_address(NAMED), UNBOUND: encode_address(IN_LEAF)}
    token = place.contract("token")
    for payee in (NAMED, IN_LEAF):
        assert await token.functions.balanceOf(encode_address(payee)).call() == 700
