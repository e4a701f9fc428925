"""What the settlement contract says as of one block."""

from typing import Any

from web3 import AsyncWeb3
from web3.contract.async_contract import AsyncContract, AsyncContractFunction
from web3.exceptions import BadFunctionCallOutput
from web3.types import BlockIdentifier

from bot.domain.errors import ChainUnavailableError
from bot.domain.settlement import Commitment, ContractState


async def read_state(
    web3: AsyncWeb3[Any], contract: AsyncContract, block: BlockIdentifier, delay_s: int
) -> ContractState:
    """Read it; `delay_s` is the contract's time for vetoes. The caller maps the errors of web3.

    Raises:
        ChainUnavailableError: at that block there was no contract yet.
    """
    ask = contract.functions
    state = await call_at(ask.state(), block)
    claimable_root = await call_at(ask.claimable_root(), block)
    epoch, fee_total, log_size, fee_root, log_root, data_hash, claimed_total, due = state
    waits = due != 0 and bytes(claimable_root) != bytes(fee_root)
    if due != 0 and not waits:
        # One fee root after the other may be the same: only the time tells them apart.
        newest = await web3.eth.get_block(block)
        waits = newest["timestamp"] < due
    return ContractState(
        commitment=Commitment(
            epoch=epoch,
            fee_root=bytes(fee_root),
            fee_total=fee_total,
            log_root=bytes(log_root),
            log_size=log_size,
            data_hash=bytes(data_hash),
        ),
        claimed_total=claimed_total,
        claimable_root=bytes(claimable_root),
        may_be_vetoed=waits,
        # Where there is a delay, a commit leaves a time there, and only a veto clears it.
        was_vetoed=epoch != 0 and due == 0 and delay_s != 0,
    )


async def call_at(call: AsyncContractFunction, block: BlockIdentifier) -> Any:  # noqa: ANN401
    """Ask the contract something as of a block.

    Raises:
        ChainUnavailableError: at that block there was no contract yet.
    """
    try:
        return await call.call(block_identifier=block)
    except BadFunctionCallOutput:
        if block == "latest":
            raise
        raise ChainUnavailableError("the contract itself is not final yet") from None
