"""Relaying what a creator has signed to a registry by RPC URL."""

from datetime import UTC, datetime
from typing import Any

from web3 import AsyncWeb3
from web3.exceptions import ContractLogicError

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import rpc_provider
from adapters.evm.mapping import reading
from adapters.evm.registry import EvmTwinRegistry, find_registry
from adapters.evm.rpc_account import RpcAccount
from bot.crypto.eip712 import encode_address
from bot.crypto.registry_data import RegistryDomain, TwinBindingData
from bot.domain.bindings import RegistryRequest
from bot.domain.errors import ConfigurationError
from bot.domain.times import encode_time
from bot.ports.registry import RegistryStanding

_SIGNATURE_BYTES = 65


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


async def registry_of(url: str, settlement: bytes) -> bytes:
    """Return the 20-byte address of the registry that a settlement contract asks.

    Raises:
        ConfigurationError: there is no settlement contract of ours at the address, or it asks none.
        ChainUnavailableError: the chain does not answer.
    """
    provider = rpc_provider(url)
    try:
        found = await find_registry(provider, settlement)
    finally:
        await provider.disconnect()
    if found is None:
        raise ConfigurationError("The settlement contract asks no registry of twins.")
    return found


async def relay_request(
    url: str, *, key: bytes, request: RegistryRequest, signature: bytes
) -> RegistryStanding:
    """Send a signed request from any account that pays the gas, and return what stands then.

    Raises:
        ConfigurationError: the registry is on another chain, or does not take the request.
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
        call = _call(contract, request, signature)
        account = RpcAccount(web3, key)
        await _check_length(web3, request, signature)
        await _rehearse(call, account.address, request)
        await account.send(call)
        return await reader.standing(request.data.twin)
    finally:
        await provider.disconnect()


def _call(
    contract: Any,  # noqa: ANN401 - web3 makes contracts at run time
    request: RegistryRequest,
    signature: bytes,
) -> Any:  # noqa: ANN401
    creator, data = encode_address(request.creator), request.data
    if isinstance(data, TwinBindingData):
        return contract.functions.bind_signed(
            creator,
            data.slug,
            data.manifest,
            encode_address(data.payout),
            data.number,
            data.deadline,
            signature,
        )
    return contract.functions.revoke_signed(creator, data.slug, data.deadline, signature)


async def _check_length(web3: AsyncWeb3[Any], request: RegistryRequest, signature: bytes) -> None:
    """Refuse a key's signature that is cut; a contract (ERC-1271) takes what it likes."""
    if len(signature) == _SIGNATURE_BYTES:
        return
    creator = encode_address(request.creator)
    with reading():
        code = await web3.eth.get_code(web3.to_checksum_address(creator))
    if not code:
        raise ConfigurationError(
            f"A signature of {creator} has {_SIGNATURE_BYTES} bytes (0x and "
            f"{2 * _SIGNATURE_BYTES} digits), and --signature has {len(signature)}: copy all of "
            "what the wallet gave."
        )


async def _rehearse(
    call: Any,  # noqa: ANN401 - web3 makes calls at run time
    sender: str,
    request: RegistryRequest,
) -> None:
    """Say in words what the registry would say against it."""
    with reading():
        try:
            await call.call({"from": sender})
        except ContractLogicError as error:
            raise ConfigurationError(_why_not(str(error.message), request)) from error


def _why_not(message: str, request: RegistryRequest) -> str:
    data = request.data
    is_binding = isinstance(data, TwinBindingData)
    again = f"make a new one with `twinproof chain {'binding' if is_binding else 'revocation'}`."
    reasons = {
        "signature": f"The signature is not {encode_address(request.creator)}'s over this request: "
        "let that account sign this very file.",
        "deadline": "The request could be relayed until "
        f"{encode_time(datetime.fromtimestamp(data.deadline, UTC))}, and its deadline is over: "
        f"{again}",
        "revoked": "Its creator has revoked this twin in the registry: that is final.",
    }
    if isinstance(data, TwinBindingData):
        reasons["number"] = (
            f"Binding {data.number} of this twin, or one with a newer number, is in the registry "
            "already: make a new request with `twinproof chain binding`."
        )
    reason = message.rpartition(": ")[2].strip("'\" ")
    return reasons.get(reason, f"The registry does not take the request: {message}.")
