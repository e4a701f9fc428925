"""Relaying a creator's signed binding to a registry by RPC URL."""

from datetime import UTC, datetime
from typing import Any

from web3 import AsyncWeb3
from web3.exceptions import ContractLogicError

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import rpc_provider
from adapters.evm.mapping import reading
from adapters.evm.registry import EvmTwinRegistry
from adapters.evm.rpc_account import RpcAccount
from bot.crypto.eip712 import encode_address
from bot.crypto.registry_data import RegistryDomain
from bot.domain.bindings import BindingRequest
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
        account = RpcAccount(web3, key)
        await _check_length(web3, request, signature)
        await _rehearse(call, account.address, request)
        await account.send(call)
        return await reader.standing(data.twin)
    finally:
        await provider.disconnect()


async def _check_length(web3: AsyncWeb3[Any], request: BindingRequest, signature: bytes) -> None:
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
    request: BindingRequest,
) -> None:
    """Say in words what the registry would say against it."""
    with reading():
        try:
            await call.call({"from": sender})
        except ContractLogicError as error:
            raise ConfigurationError(_why_not(str(error.message), request)) from error


def _why_not(message: str, request: BindingRequest) -> str:
    data = request.data
    reasons = {
        "signature": f"The signature is not {encode_address(request.creator)}'s over this request: "
        "let that account sign this very file.",
        "number": f"Binding {data.number} of this twin, or one with a newer number, is in the "
        "registry already: make a new request with `twinproof chain binding`.",
        "deadline": "The request could be relayed until "
        f"{encode_time(datetime.fromtimestamp(data.deadline, UTC))}, and its deadline is over: "
        "make a new one with `twinproof chain binding`.",
        "revoked": "Its creator has revoked this twin in the registry: that is final.",
    }
    reason = message.rpartition(": ")[2].strip("'\" ")
    return reasons.get(reason, f"The registry does not take the binding: {message}.")
