"""From a call to signed bytes: rehearse it, ask the market, and let its account sign."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.exceptions import ContractLogicError, Web3RPCError
from web3.types import TxParams

from adapters.evm.mapping import parse_rejection, reading
from adapters.evm.signers import TransactionSigner, Unsigned
from bot.domain.errors import ConfigurationError
from bot.domain.fees import Fees, Market, offer, raised
from bot.domain.transactions import Purpose, Refusal, SignedTransaction

_LEAST_GAS = 21_000  # of any transaction
_GAS_MARGIN = 1.25  # state may change between the rehearsal and the block


@dataclass(frozen=True, slots=True)
class Job:
    """What a transaction is signed for."""

    purpose: Purpose
    epoch: int
    chunk: int


class CallSigner:
    """Signs calls at what the chain asks now; sends nothing."""

    def __init__(self, web3: AsyncWeb3[Any], max_fee_wei: int | None) -> None:
        self._web3 = web3
        self._max_fee_wei = max_fee_wei

    async def market(self) -> Market:
        """Return what the chain asks for gas now.

        Raises:
            ConfigurationError: it has no base fee.
            ChainUnavailableError: it does not answer.
        """
        with reading():
            newest = await self._web3.eth.get_block("latest")
            if "baseFeePerGas" not in newest:
                raise ConfigurationError("This chain has no base fee (EIP-1559).")
            bases = [int(newest["baseFeePerGas"])]
            # Some nodes do not say what the next block will ask.
            with suppress(Web3RPCError, KeyError, IndexError):
                history = await self._web3.eth.fee_history(1, "latest")
                bases.append(int(history["baseFeePerGas"][-1]))
            tip = int(await self._web3.eth.max_priority_fee)
        return Market(max(bases), tip, int(newest["timestamp"]))

    async def rehearse(self, sender: bytes, to: bytes, data: bytes) -> int | Refusal:
        """Run a call on the newest state; return its gas, or why it would fail.

        Raises:
            ChainUnavailableError: the chain does not answer.
        """
        call: TxParams = {
            "from": self._web3.to_checksum_address(sender),
            "to": self._web3.to_checksum_address(to),
            "data": HexBytes(data),
        }
        with reading():
            try:
                gas = int(await self._web3.eth.estimate_gas(call))
            except ContractLogicError as error:
                return Refusal(str(error))
            except Web3RPCError as error:
                answer = parse_rejection(error)
                if isinstance(answer, Refusal):
                    return answer
                raise
            if gas < _LEAST_GAS:
                raise ValueError(f"{gas} gas for a call")
        return gas

    async def sign(
        self, job: Job, call: Unsigned, signer: TransactionSigner, *, over: Fees | None
    ) -> SignedTransaction | Refusal:
        """Rehearse and sign a call.

        Args:
            job: what it is for.
            call: with its nonce; its gas is not lowered, its fees are chosen here.
            signer: of its account.
            over: fees of the attempt that it replaces; None for the first one.

        Raises:
            ConfigurationError: there is no key, or it signs something else.
            ChainUnavailableError: the chain does not answer.
        """
        gas = await self.rehearse(signer.address, call.to, call.data)
        if isinstance(gas, Refusal):
            return Refusal(f"{job.purpose} of epoch {job.epoch}: {gas.reason}")
        market = await self.market()
        fees = self._choose(market, over)
        if fees is None:
            return Refusal(
                f"gas costs {market.lowest} wei now, and a {job.purpose} may not offer more than "
                f"the limit of {self._max_fee_wei} ([settlement] max_fee_gwei)"
            )
        gas_limit = max(call.gas, int(gas * _GAS_MARGIN))
        poor = await self._lacks(signer, gas_limit * fees.max_fee_wei)
        if poor is not None:
            return Refusal(f"the {job.purpose.signer}'s account {poor}")
        full = replace(call, gas=gas_limit, max_fee_wei=fees.max_fee_wei, tip_wei=fees.tip_wei)
        raw = await signer.sign(full)
        if isinstance(raw, Refusal):
            return raw
        return SignedTransaction(
            purpose=job.purpose,
            epoch=job.epoch,
            chunk=job.chunk,
            nonce=call.nonce,
            hash=bytes(keccak(raw)),
            raw=raw,
            fees=fees,
            signed_at=market.time,
            sender=signer.address,
        )

    def _choose(self, market: Market, over: Fees | None) -> Fees | None:
        limit = self._max_fee_wei
        return offer(market, limit) if over is None else raised(over, market, limit)

    async def _lacks(self, signer: TransactionSigner, wei: int) -> str | None:
        """Return that an account can't pay so much; None where it can."""
        sender = self._web3.to_checksum_address(signer.address)
        with reading():
            funds = await self._web3.eth.get_balance(sender)
        if funds >= wei:
            return None
        return f"{sender} can't pay the gas: it holds {funds} wei, and {wei} may be needed"
