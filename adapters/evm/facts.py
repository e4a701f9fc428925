"""What stands around a settlement contract: roles, token, funds, and what a commit would cost.

For an operator's dry run: reads, and rehearses; signs and sends nothing.
"""

from dataclasses import dataclass
from typing import Any

from web3 import AsyncWeb3
from web3.exceptions import BadFunctionCallOutput, ContractLogicError
from web3.providers import AsyncBaseProvider

from adapters.evm.artefacts import load_artefact
from adapters.evm.mapping import reading
from adapters.evm.signing import CallSigner
from bot.domain.fees import Market
from bot.domain.settlement import Commitment
from bot.domain.transactions import Refusal


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What a chain says now; addresses in EIP-55, amounts of the token in its units.

    Attributes:
        symbol: of the token; empty where it says none.
        treasury_units: what the treasury holds; `allowance_units` what the contract may take of it.
        vault_units: what the contract holds.
        coins: wei of each account that was asked for, by its 20 bytes.
    """

    chain_id: int
    height: int
    contract: str
    owner: str
    guardian: str
    settler: str
    treasury: str
    delay_s: int
    token: str
    symbol: str
    decimals: int
    treasury_units: int
    allowance_units: int
    vault_units: int
    claimed_units: int
    coins: dict[bytes, int]
    market: Market


class FactReader:
    """Reads them through one provider."""

    def __init__(self, *, provider: AsyncBaseProvider, settlement: bytes) -> None:
        self._web3: AsyncWeb3[Any] = AsyncWeb3(provider)
        self._to = settlement
        self._address = self._web3.to_checksum_address(settlement)
        self._contract = self._web3.eth.contract(
            address=self._address, abi=load_artefact("settlement").abi
        )

    async def read(self, accounts: tuple[bytes, ...]) -> ChainFacts:
        """Read what stands now.

        Args:
            accounts: 20 bytes each; whose coin is asked for.

        Raises:
            ConfigurationError: the contract does not answer as ours would.
            ChainUnavailableError: the chain does not answer.
        """
        with reading():
            eth, ask = self._web3.eth, self._contract.functions
            treasury, token_at = await ask.TREASURY().call(), await ask.TOKEN().call()
            token = eth.contract(address=token_at, abi=load_artefact("token").abi)
            try:
                symbol = str(await token.functions.symbol().call())
            except (BadFunctionCallOutput, ContractLogicError):
                symbol = ""
            coins = {
                account: int(await eth.get_balance(self._web3.to_checksum_address(account)))
                for account in accounts
            }
            return ChainFacts(
                chain_id=await eth.chain_id,
                height=await eth.block_number,
                contract=self._address,
                owner=await ask.OWNER().call(),
                guardian=await ask.GUARDIAN().call(),
                settler=await ask.settler().call(),
                treasury=treasury,
                delay_s=await ask.DELAY().call(),
                token=token_at,
                symbol=symbol,
                decimals=await token.functions.decimals().call(),
                treasury_units=await token.functions.balanceOf(treasury).call(),
                allowance_units=await token.functions.allowance(treasury, self._address).call(),
                vault_units=await token.functions.balanceOf(self._address).call(),
                claimed_units=await ask.claimed_total().call(),
                coins=coins,
                market=await CallSigner(self._web3, None).market(),
            )

    async def rehearse(self, commitment: Commitment, settler: str) -> int | Refusal:
        """Run a commit on the newest state; return its gas, or why it would fail now.

        Raises:
            ChainUnavailableError: the chain does not answer.
        """
        said = commitment
        arguments = [
            *(said.epoch, said.fee_root, said.fee_total),
            *(said.log_root, said.log_size, said.data_hash),
        ]
        data = self._contract.encode_abi("commit", args=arguments)
        sender = bytes.fromhex(settler[2:])
        return await CallSigner(self._web3, None).rehearse(
            sender, self._to, bytes.fromhex(data[2:])
        )
