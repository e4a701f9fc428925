"""Whether a chain by RPC URL is the one that was configured; one sentence for each way not.

The embedded chain needs none of it: it makes its own contracts.
"""

from dataclasses import dataclass
from typing import Any

from web3 import AsyncWeb3
from web3.exceptions import BadFunctionCallOutput, ContractLogicError

from adapters.evm.artefacts import load_artefact
from adapters.evm.mapping import reading
from bot.domain.errors import ConfigurationError

TOKEN_DECIMALS = 6
"""Claims are in units of 1e-6: a token with others would pay creators another sum."""


NO_SETTLER = (
    "the contract lets nobody commit: its guardian has removed the settler with a veto, and its "
    "owner has to name one again (set_settler)"
)


@dataclass(frozen=True, slots=True)
class ExpectedChain:
    """What the configuration says.

    Attributes:
        chain_id: of the chain.
        token: 20 bytes; what the contract pays.
    """

    chain_id: int
    token: bytes


def check_chain_id(found: int, expected: ExpectedChain | None) -> None:
    """Refuse another chain.

    Raises:
        ConfigurationError: it is one.
    """
    if expected is not None and found != expected.chain_id:
        raise ConfigurationError(
            f"The RPC serves chain {found}, and [settlement] chain_id is {expected.chain_id}: "
            "correct one of them."
        )


def check_code(code: bytes, address: str, chain_id: int) -> None:
    """Refuse an address without our contract.

    Raises:
        ConfigurationError: there is nothing, or something else.
    """
    if not code:
        raise ConfigurationError(f"There is no contract at {address} on chain {chain_id}.")
    if not code.startswith(load_artefact("settlement").runtime):
        raise ConfigurationError(
            f"There is no settlement contract of this version at {address} on chain {chain_id}: "
            "there is another contract."
        )


async def check_token(web3: AsyncWeb3[Any], token: str, expected: ExpectedChain) -> None:
    """Refuse a contract that pays something else than what was configured.

    Args:
        web3: connected to the chain.
        token: what the contract pays.
        expected: from the configuration.

    Raises:
        ConfigurationError: another token, none, or one with other decimals.
        ChainUnavailableError: the chain does not answer.
    """
    wanted = web3.to_checksum_address(expected.token)
    if token != wanted:
        raise ConfigurationError(
            f"The settlement contract pays the token {token}, and [settlement] token is {wanted}."
        )
    contract = web3.eth.contract(
        address=web3.to_checksum_address(token), abi=load_artefact("token").abi
    )
    with reading():
        try:
            decimals = await contract.functions.decimals().call()
        except (BadFunctionCallOutput, ContractLogicError) as error:
            raise ConfigurationError(f"There is no token at {token}.") from error
    if decimals != TOKEN_DECIMALS:
        raise ConfigurationError(
            f"The token {token} has {decimals} decimals; claims need one with {TOKEN_DECIMALS}."
        )


def is_nobody(address: str) -> bool:
    """Whether an address is zero, as the contract's settler is after a veto."""
    return not any(bytes.fromhex(address.removeprefix("0x")))


def check_settler(allowed: str, ours: str) -> None:
    """Refuse a key that may not commit.

    Where nobody may, a veto was the reason: nothing is wrong with the key, and the publisher says
    it once it has something to commit.

    Raises:
        ConfigurationError: the contract's owner has named another settler.
    """
    if allowed != ours and not is_nobody(allowed):
        raise ConfigurationError(
            f"The settlement contract lets {allowed} commit, and the settler's key is of {ours}: "
            "its owner can change that with set_settler."
        )
