"""Putting registry and settlement contract, on test chains a token too, on a chain by RPC URL.

Every step is a transaction of one account and is reported as soon as it is mined, so that an
interrupted deployment loses nothing that was not said: contracts that stand are never needed twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from web3 import AsyncWeb3
from web3.exceptions import BadFunctionCallOutput, ContractLogicError

from adapters.evm.artefacts import load_artefact
from adapters.evm.checks import TOKEN_DECIMALS
from adapters.evm.client import rpc_provider
from adapters.evm.deploy import SUPPLY_UNITS
from adapters.evm.mapping import reading
from adapters.evm.rpc_account import RpcAccount
from bot.domain.errors import ConfigurationError

MAIN_CHAINS = frozenset(
    {1, 10, 14, 25, 30, 56, 100, 130, 137, 146, 250, 252, 288, 324, 480, 1101, 1329, 5000, 8453}
    | {34443, 42161, 42220, 43114, 57073, 59144, 80094, 81457, 534352, 7777777}
)
"""Public main networks: a token that is worth nothing has no place there."""

PAYOUT_DELAY_S = 48 * 3600
"""How long a creator's new payout address waits: time to see that a key was stolen, and to act."""


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
        registry: one that stands already, of whomever: it has no owner; None deploys one.
        payout_delay_s: of a registry that is deployed.
    """

    token: bytes | None
    settler: bytes
    owner: bytes | None
    guardian: bytes | None
    treasury: bytes | None
    delay_s: int
    allowance_units: int
    registry: bytes | None = None
    payout_delay_s: int = PAYOUT_DELAY_S


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
    registry: str


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
        self._account = RpcAccount(web3, key)
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
        # Before the first transaction: what is wrong must not have cost any gas.
        if plan.token is not None:
            await self._check_token(web3.to_checksum_address(plan.token), chain_id)
        if plan.registry is not None:
            await self._check_registry(web3.to_checksum_address(plan.registry))
        owner, guardian, treasury = (
            own if address is None else web3.to_checksum_address(address)
            for address in (plan.owner, plan.guardian, plan.treasury)
        )
        if plan.token is None:
            token = await self._create("token", [treasury, SUPPLY_UNITS])
        else:
            token = web3.to_checksum_address(plan.token)
        if plan.registry is None:
            registry = await self._create("registry", [plan.payout_delay_s])
        else:
            registry = web3.to_checksum_address(plan.registry)
        settler = web3.to_checksum_address(plan.settler)
        arguments = [token, treasury, owner, settler, guardian, plan.delay_s, registry]
        settlement = await self._create("settlement", arguments)
        is_allowed = treasury == own
        if is_allowed:
            contract = web3.eth.contract(
                address=web3.to_checksum_address(token), abi=load_artefact("token").abi
            )
            await self._account.send(contract.functions.approve(settlement, plan.allowance_units))
            self._report(f"The contract may take {plan.allowance_units} units from {treasury}")
        return Deployed(chain_id, settlement, token, treasury, is_allowed, registry)

    async def _check_token(self, token: str, chain_id: int) -> None:
        contract = self._web3.eth.contract(
            address=self._web3.to_checksum_address(token), abi=load_artefact("token").abi
        )
        with reading():
            try:
                decimals = await contract.functions.decimals().call()
            except (BadFunctionCallOutput, ContractLogicError):
                decimals = None
        if decimals != TOKEN_DECIMALS:
            raise ConfigurationError(
                f"There is no token with {TOKEN_DECIMALS} decimals at {token} on chain {chain_id}: "
                "correct --token, or the RPC's address."
            )

    async def _check_registry(self, registry: str) -> None:
        # The vault keeps it for ever, and a registry that stops answering stops every claim.
        with reading():
            code = bytes(await self._web3.eth.get_code(self._web3.to_checksum_address(registry)))
        if not code.startswith(load_artefact("registry").runtime):
            raise ConfigurationError(
                f"There is no registry of this version at {registry}: leave --registry out, and "
                "one is deployed."
            )

    async def _create(self, name: str, arguments: list[object]) -> str:
        artefact = load_artefact(name)
        contract = self._web3.eth.contract(abi=artefact.abi, bytecode=artefact.bytecode)
        receipt = await self._account.send(contract.constructor(*arguments))
        address = str(receipt["contractAddress"])
        self._report(f"The {name} contract stands at {address}")
        return address
