"""What the accounts around a settlement contract hold, for the operator's check-up."""

from dataclasses import dataclass
from typing import Any

from web3 import AsyncWeb3

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import rpc_provider
from adapters.evm.mapping import reading


@dataclass(frozen=True, slots=True)
class Funds:
    """What can be paid now.

    Attributes:
        height: number of the newest block.
        epoch: of the newest commitment.
        held_units: what the treasury holds, in token units.
        allowed_units: what the contract may take of it.
        gas_wei: what the settler's account holds; None where its address is not known.
    """

    height: int
    epoch: int
    held_units: int
    allowed_units: int
    gas_wei: int | None

    @property
    def payable_units(self) -> int:
        """What the contract can still take from the treasury."""
        return min(self.held_units, self.allowed_units)


async def read_funds(url: str, settlement: bytes, settler: bytes | None) -> Funds:
    """Ask a node.

    Args:
        url: the node's.
        settlement: 20-byte address of a contract that was checked.
        settler: 20-byte address of the account that commits.

    Raises:
        ChainUnavailableError: it does not answer.
        ConfigurationError: the contract does not answer as ours would.
    """
    provider = rpc_provider(url)
    web3: AsyncWeb3[Any] = AsyncWeb3(provider)
    address = web3.to_checksum_address(settlement)
    contract = web3.eth.contract(address=address, abi=load_artefact("settlement").abi)
    try:
        with reading():
            height = await web3.eth.block_number
            state = await contract.functions.state().call()
            treasury = await contract.functions.TREASURY().call()
            token = web3.eth.contract(
                address=web3.to_checksum_address(await contract.functions.TOKEN().call()),
                abi=load_artefact("token").abi,
            )
            held = await token.functions.balanceOf(treasury).call()
            allowed = await token.functions.allowance(treasury, address).call()
            gas = None
            if settler is not None:
                gas = await web3.eth.get_balance(web3.to_checksum_address(settler))
    finally:
        await provider.disconnect()
    return Funds(height=height, epoch=state[0], held_units=held, allowed_units=allowed, gas_wei=gas)
