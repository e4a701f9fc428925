"""What every registry of twins must do, over the fake and over the contract on a chain."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from web3 import AsyncHTTPProvider, AsyncWeb3

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import rpc_provider
from adapters.evm.deploy_rpc import DeploymentPlan, deploy_by_rpc
from adapters.evm.registry import EvmTwinRegistry, find_registry
from bot.crypto.eip712 import encode_address, parse_address
from bot.domain.ids import derive_twin_id
from bot.domain.payment import RegistryBlock
from bot.ports.registry import RegistryStanding, TwinRegistry
from tests.anvil import NEEDS_ANVIL, Anvil, anvil
from tests.fakes.registry import MemoryRegistry
from tests.fakes.settlement_rig import (
    RELAYER_KEY,
    SETTLER_KEY,
    TREASURY_KEY,
    Rig,
    StoppedClock,
    address_of,
    payout_of,
)

CREATOR = address_of(RELAYER_KEY)
TWIN = derive_twin_id(CREATOR, "mira")
MANIFEST, NEXT = b"\xaa" * 32, b"\xbb" * 32
PLAN = DeploymentPlan(
    token=None,
    settler=address_of(SETTLER_KEY),
    owner=None,
    guardian=None,
    treasury=None,
    delay_s=0,
    allowance_units=10**10,
    payout_delay_s=0,
)


class House(Protocol):
    """A registry, and a creator who writes to it."""

    registry: TwinRegistry

    async def bind(self, number: int, payout: bytes, manifest: bytes = MANIFEST) -> bool: ...

    async def revoke(self) -> bool: ...


class MemoryHouse(House):
    def __init__(self) -> None:
        self.registry = self.memory = MemoryRegistry(StoppedClock())

    async def bind(self, number: int, payout: bytes, manifest: bytes = MANIFEST) -> bool:
        return self.memory.bind(CREATOR, "mira", manifest, payout, number)

    async def revoke(self) -> bool:
        return self.memory.revoke(CREATOR, "mira")


class EmbeddedHouse(House):
    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        address = rig.embedded.deployment.registry
        self.contract = rig.contract("registry", address)
        self.registry = EvmTwinRegistry(provider=rig.embedded.provider, registry=address)

    async def bind(self, number: int, payout: bytes, manifest: bytes = MANIFEST) -> bool:
        call = self.contract.functions.bind("mira", manifest, encode_address(payout), number)
        return bool((await self.rig.transact(call, RELAYER_KEY))["status"])

    async def revoke(self) -> bool:
        call = self.contract.functions.revoke("mira")
        return bool((await self.rig.transact(call, RELAYER_KEY))["status"])


class AnvilHouse(House):
    """A real node, and the contracts as `chain deploy` makes them, but for the delay."""

    def __init__(self, node: Anvil, provider: AsyncHTTPProvider, address: bytes) -> None:
        self.node = node
        self.address = encode_address(address)
        abi = load_artefact("registry").abi
        self.contract: Any = AsyncWeb3(provider).eth.contract(abi=abi)
        self.registry = EvmTwinRegistry(provider=provider, registry=address)

    async def bind(self, number: int, payout: bytes, manifest: bytes = MANIFEST) -> bool:
        arguments = ["mira", manifest, encode_address(payout), number]
        return self.send(self.contract.encode_abi("bind", args=arguments))

    async def revoke(self) -> bool:
        return self.send(self.contract.encode_abi("revoke", args=["mira"]))

    def send(self, data: str) -> bool:
        sent = self.node.send(RELAYER_KEY, to=self.address, data=data, gas=hex(10**6))
        return bool(sent["status"] == "0x1")


@pytest.fixture(
    params=["memory", "embedded", pytest.param("anvil", marks=NEEDS_ANVIL)],
)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    if request.param == "memory":
        yield MemoryHouse()
        return
    if request.param == "anvil":
        with anvil(tmp_path) as node:
            done = await deploy_by_rpc(node.url, key=TREASURY_KEY, plan=PLAN, report=lambda _: None)
            provider = rpc_provider(node.url)
            found = await find_registry(provider, parse_address(done.settlement))
            assert found == parse_address(done.registry)
            yield AnvilHouse(node, provider, found)
            await provider.disconnect()
        return
    rig = await Rig.open(tmp_path)
    yield EmbeddedHouse(rig)
    await rig.close()


def standing_of(
    block: RegistryBlock, number: int = 0, payout: bytes | None = None, *, is_revoked: bool = False
) -> RegistryStanding:
    return RegistryStanding(
        active=number > 0 and not is_revoked,
        is_revoked=is_revoked,
        payout=payout,
        manifest=MANIFEST if number else None,
        number=number,
        block=block,
    )


async def read(house: House) -> RegistryStanding:
    return await house.registry.standing(TWIN)


async def test_what_was_never_bound_has_a_block_and_nothing_else(house: House) -> None:
    found = await read(house)

    assert found == standing_of(found.block)
    assert isinstance(found.block, RegistryBlock)
    assert len(found.block.hash) == 32


async def test_a_binding_is_read_in_a_later_block(house: House) -> None:
    before = (await read(house)).block
    assert await house.bind(3, payout_of(0))

    found = await read(house)
    assert found == standing_of(found.block, 3, payout_of(0))
    assert found.block.chain == before.chain
    assert found.block.number > before.number
    assert found.block.hash != before.hash


async def test_the_newest_binding_counts_and_old_numbers_do_not(house: House) -> None:
    assert await house.bind(1, payout_of(0))
    assert await house.bind(2, payout_of(1), NEXT)
    assert not await house.bind(2, payout_of(2))
    assert not await house.bind(3, bytes(20))
    assert not await house.bind(3, payout_of(2), bytes(32))

    found = await read(house)
    assert (found.payout, found.manifest, found.number) == (payout_of(1), NEXT, 2)


async def test_a_revoked_twin_keeps_its_payout_and_is_active_no_more(house: House) -> None:
    assert await house.bind(1, payout_of(0))
    assert await house.revoke()
    assert not await house.revoke()
    assert not await house.bind(2, payout_of(1))

    found = await read(house)
    assert found == standing_of(found.block, 1, payout_of(0), is_revoked=True)


async def test_a_twin_is_revoked_before_it_was_bound(house: House) -> None:
    assert await house.revoke()

    found = await read(house)
    assert found == standing_of(found.block, is_revoked=True)


async def test_of_another_twin_nothing_is_known(house: House) -> None:
    assert await house.bind(1, payout_of(0))

    found = await house.registry.standing(derive_twin_id(CREATOR, "theo"))
    assert found.number == 0
