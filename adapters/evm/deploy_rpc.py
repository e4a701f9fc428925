"""Putting the settlement contract, and on test chains a worthless token, on a chain by RPC URL.

Every step is a transaction of one account and is reported as soon as it is mined, so that an
interrupted deployment loses nothing that was not said: contracts that stand are never needed twice.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from web3 import AsyncWeb3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError
from web3.types import TxParams, Wei

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import rpc_provider
from adapters.evm.deploy import SUPPLY_UNITS
from adapters.evm.mapping import parse_rejection, reading
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.settlement import Refusal

MAIN_CHAINS = frozenset(
    {1, 10, 14, 25, 30, 56, 100, 130, 137, 146, 250, 252, 288, 324, 480, 1101, 1329, 5000, 8453}
    | {34443, 42161, 42220, 43114, 57073, 59144, 80094, 81457, 534352, 7777777}
)
"""Public main networks: a token that is worth nothing has no place there."""

_POLL_S = 0.2
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What to deploy; addresses are 20 bytes.

    Attributes:
        token: what creators are paid; None deploys a worthless one, all of it the treasury's.
        settler: the only account that may commit.
        owner: may name another settler; the deployer where None.
        guardian: may veto a commitment within the delay; the deployer where None.
        treasury: whose tokens are paid out; the deployer where None.
        delay_s: how long a commitment can be vetoed; 0 makes it claimable at once.
        allowance_units: what the contract may take from the treasury, where the deployer is that.
    """

    token: bytes | None
    settler: bytes
    owner: bytes | None
    guardian: bytes | None
    treasury: bytes | None
    delay_s: int
    allowance_units: int


@dataclass(frozen=True, slots=True)
class Deployed:
    """What stands now; EIP-55 addresses.

    Attributes:
        is_allowed: whether the treasury has allowed the contract to take what it owes.
    """

    chain_id: int
    settlement: str
    token: str
    treasury: str
    is_allowed: bool


async def deploy_by_rpc(
    url: str, *, key: bytes, plan: DeploymentPlan, report: Callable[[str], None]
) -> Deployed:
    """Deploy, step by step.

    Args:
        url: the node's.
        key: 32-byte key of the account that pays the gas.
        plan: what to deploy.
        report: told of each step that is done.

    Raises:
        ConfigurationError: the chain takes a step not, or it is no place for this plan.
        ChainUnavailableError: it does not answer, or a step takes five minutes.
    """
    provider = rpc_provider(url)
    try:
        return await _Deployer(AsyncWeb3(provider), key, report).run(plan)
    finally:
        await provider.disconnect()


class _Deployer:
    """One deployment."""

    def __init__(self, web3: AsyncWeb3[Any], key: bytes, report: Callable[[str], None]) -> None:
        self._web3 = web3
        self._account = Account.from_key(key)
        self._report = report

    async def run(self, plan: DeploymentPlan) -> Deployed:
        web3, own = self._web3, self._account.address
        with reading():
            chain_id = await web3.eth.chain_id
        if plan.token is None and chain_id in MAIN_CHAINS:
            raise ConfigurationError(
                f"Chain {chain_id} is a main network, where a test token has no place: name the "
                "token with --token."
            )
        owner, guardian, treasury = (
            own if address is None else web3.to_checksum_address(address)
            for address in (plan.owner, plan.guardian, plan.treasury)
        )
        if plan.token is None:
            token = await self._create("token", [treasury, SUPPLY_UNITS])
        else:
            token = web3.to_checksum_address(plan.token)
        settler = web3.to_checksum_address(plan.settler)
        arguments = [token, treasury, owner, settler, guardian, plan.delay_s]
        settlement = await self._create("settlement", arguments)
        is_allowed = treasury == own
        if is_allowed:
            contract = web3.eth.contract(
                address=web3.to_checksum_address(token), abi=load_artefact("token").abi
            )
            await self._send(contract.functions.approve(settlement, plan.allowance_units))
            self._report(f"The contract may take {plan.allowance_units} units from {treasury}")
        return Deployed(chain_id, settlement, token, treasury, is_allowed)

    async def _create(self, name: str, arguments: list[object]) -> str:
        artefact = load_artefact(name)
        contract = self._web3.eth.contract(abi=artefact.abi, bytecode=artefact.bytecode)
        receipt = await self._send(contract.constructor(*arguments))
        address = str(receipt["contractAddress"])
        self._report(f"The {name} contract stands at {address}")
        return address

    async def _send(self, call: Any) -> Any:  # noqa: ANN401 - web3 makes calls at run time
        try:
            with reading():
                signed = self._account.sign_transaction(await self._built(call))
                await self._web3.eth.send_raw_transaction(signed.raw_transaction)
                async with asyncio.timeout(_PATIENCE_S):
                    receipt = await self._mined(signed.hash)
        except ChainUnavailableError as error:
            cause = error.__cause__
            if isinstance(cause, Web3RPCError) and isinstance(parse_rejection(cause), Refusal):
                raise ConfigurationError(
                    f"The chain does not take a transaction of {self._account.address}: put some "
                    f"of its own coin there for gas ({error})."
                ) from error
            raise
        if receipt["status"] != 1:
            raise ConfigurationError("A deployment transaction was reverted by the chain.")
        return receipt

    async def _built(self, call: Any) -> TxParams:  # noqa: ANN401 - web3 makes calls at run time
        eth, address = self._web3.eth, self._account.address
        block = await eth.get_block("latest")
        tip = await eth.max_priority_fee
        fee = Wei(2 * block.get("baseFeePerGas", 0) + tip)
        basis: TxParams = {
            "from": address,
            "nonce": await eth.get_transaction_count(address, "pending"),
            "chainId": await eth.chain_id,
            "maxFeePerGas": fee,
            "maxPriorityFeePerGas": tip,
        }
        try:
            built: TxParams = await call.build_transaction(basis)
        except ContractLogicError as error:
            raise ConfigurationError(f"The chain would revert a step: {error}.") from error
        return built

    async def _mined(self, transaction_hash: bytes) -> Any:  # noqa: ANN401 - a receipt
        while True:
            try:
                return await self._web3.eth.get_transaction_receipt(transaction_hash)  # type: ignore[arg-type]
            except TransactionNotFound:
                await asyncio.sleep(_POLL_S)
