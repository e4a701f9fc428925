"""One account that sends calls to a chain by RPC and waits for each to be mined.

For commands that a person runs and watches. Settlement keeps its transactions on disk instead.
"""

import asyncio
from typing import Any

from eth_account import Account
from web3 import AsyncWeb3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError
from web3.types import TxParams, Wei

from adapters.evm.mapping import parse_rejection, reading
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.transactions import Refusal

_POLL_S = 0.2
_PATIENCE_S = 300.0


class RpcAccount:
    """An account with its 32-byte key."""

    def __init__(self, web3: AsyncWeb3[Any], key: bytes) -> None:
        self._web3 = web3
        self._account = Account.from_key(key)

    @property
    def address(self) -> str:
        """Its EIP-55 address."""
        return str(self._account.address)

    async def send(self, call: Any) -> Any:  # noqa: ANN401 - web3 makes calls at run time
        """Send a contract call, or creation, and return its receipt.

        Raises:
            ConfigurationError: the chain does not take it, or it was reverted.
            ChainUnavailableError: the chain does not answer, or takes five minutes.
        """
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
                    f"The chain does not take a transaction of {self.address}: put some of its "
                    f"own coin there for gas ({error})."
                ) from error
            raise
        if receipt["status"] != 1:
            raise ConfigurationError("A transaction was reverted by the chain.")
        return receipt

    async def _built(self, call: Any) -> TxParams:  # noqa: ANN401 - web3 makes calls at run time
        eth = self._web3.eth
        block = await eth.get_block("latest")
        tip = await eth.max_priority_fee
        fee = Wei(2 * block.get("baseFeePerGas", 0) + tip)
        basis: TxParams = {
            "from": self._account.address,
            "nonce": await eth.get_transaction_count(self._account.address, "pending"),
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
