"""Relaying a creator's signed binding to a registry by RPC URL."""

from typing import Any

from web3 import AsyncWeb3

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import rpc_provider
from adapters.evm.registry import EvmTwinRegistry
from adapters.evm.rpc_account import RpcAccount
from bot.crypto.eip712 import encode_address
from bot.crypto.registry_data import RegistryDomain
from bot.domain.bindings import BindingRequest
from bot.domain.errors import ConfigurationError
from bot.ports.registry import RegistryStanding


async def look_up(
    url: str, registry: bytes, twin: bytes
) -> tuple[RegistryDomain, RegistryStanding]:
    """Return what signatures for a registry are bound to, and what it says of a twin.

    Raises:
        ConfigurationError: there is no registry of ours at the address.
        ChainUnavailableError: the chain does not answer.
    """
    provider = rpc_provider(url)
    try:
        reader = EvmTwinRegistry(provider=provider, registry=registry)
        return await reader.domain(), await reader.standing(twin)
    finally:
        await provider.disconnect()


async def relay_binding(
    url: str, *, key: bytes, request: BindingRequest, signature: bytes
) -> RegistryStanding:
    """Send a signed binding from any account that pays the gas, and return what stands then.

    Raises:
        ConfigurationError: the registry is on another chain, or does not take the binding.
        ChainUnavailableError: the chain does not answer.
    """
    provider = rpc_provider(url)
    try:
        reader = EvmTwinRegistry(provider=provider, registry=request.domain.contract)
        here = await reader.domain()
        if here != request.domain:
            raise ConfigurationError(
                f"The request is for chain {request.domain.chain_id}, and the RPC serves chain "
                f"{here.chain_id}."
            )
        web3: AsyncWeb3[Any] = AsyncWeb3(provider)
        contract = web3.eth.contract(
            address=web3.to_checksum_address(request.domain.contract),
            abi=load_artefact("registry").abi,
        )
        data = request.data
        call = contract.functions.bind_signed(
            encode_address(request.creator),
            data.slug,
            data.manifest,
            encode_address(data.payout),
            data.number,
            data.deadline,
            signature,
        )
        await RpcAccount(web3, key).send(call)
        return await reader.standing(data.twin)
    finally:
        await provider.disconnect()
