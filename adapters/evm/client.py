"""The settlement chain over web3: the embedded chain or any JSON-RPC node, by the same class."""

from collections.abc import Sequence
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError
from web3.providers import AsyncBaseProvider
from web3.types import TxParams, Wei

from adapters.evm.artefacts import load_artefact
from adapters.evm.checks import (
    ExpectedChain,
    check_chain_id,
    check_code,
    check_settler,
    check_token,
)
from adapters.evm.mapping import parse_rejection, reading, sending
from bot.domain.errors import ConfigurationError
from bot.domain.settlement import (
    ChainIdentity,
    ClaimChunk,
    Commitment,
    ContractState,
    Inclusion,
    Purpose,
    Refusal,
    SignedTransaction,
    Signer,
)
from bot.ports.chain import Broadcast, SettlementChain

CLAIMED_BATCH = 64
"""Twins in one `claimed_of` call; the contract's own limit."""

_REQUEST_TIMEOUT_S = 10
_GAS_MARGIN = 1.25  # state may change between the rehearsal and the block


class EvmSettlementChain(SettlementChain):
    """One deployed settlement contract, through one provider.

    It owns the two signing keys; they leave it only as signatures.
    """

    def __init__(
        self,
        *,
        provider: AsyncBaseProvider,
        settlement: bytes,
        settler_key: bytes | None = None,
        relayer_key: bytes | None = None,
        max_fee_per_gas_wei: int | None = None,
        expected: ExpectedChain | None = None,
    ) -> None:
        """Prepare; nothing is asked of the chain yet.

        Args:
            provider: the embedded chain's, or `rpc_provider(url)`.
            settlement: 20-byte address of the contract.
            settler_key: 32 bytes; None for reading only.
            relayer_key: 32 bytes; None for reading only.
            max_fee_per_gas_wei: nothing is signed above it; None means no limit.
            expected: what `identity` compares the chain with; None for one that is our own.
        """
        self._web3: AsyncWeb3[Any] = AsyncWeb3(provider)
        self._provider = provider
        self._address = self._web3.to_checksum_address(settlement)
        self._settlement = self._web3.eth.contract(
            address=self._address, abi=load_artefact("settlement").abi
        )
        keys = {Signer.SETTLER: settler_key, Signer.RELAYER: relayer_key}
        self._accounts = {
            signer: Account.from_key(key) for signer, key in keys.items() if key is not None
        }
        self._max_fee_wei = max_fee_per_gas_wei
        self._expected = expected
        # The identity whose token and settler were looked at: asked again when it changes.
        self._identity: ChainIdentity | None = None

    async def close(self) -> None:
        """Close the sessions of an RPC provider."""
        if isinstance(self._provider, AsyncHTTPProvider):
            await self._provider.disconnect()

    async def identity(self) -> ChainIdentity:
        """See the port. The genesis hash is asked anew every time: a node may have been reset."""
        with reading():
            chain_id = await self._web3.eth.chain_id
            check_chain_id(chain_id, self._expected)
            genesis = await self._web3.eth.get_block(0)
            code = bytes(await self._web3.eth.get_code(self._address))
            check_code(code, self._address, chain_id)
            token = await self._settlement.functions.TOKEN().call()
        identity = ChainIdentity(
            chain_id=chain_id,
            genesis_hash=bytes(genesis["hash"]),
            settlement=_address_bytes(self._address),
            token=_address_bytes(token),
            code_hash=bytes(keccak(code)),
        )
        if self._expected is not None and identity != self._identity:
            await self._check(token, self._expected)
        self._identity = identity
        return identity

    async def _check(self, token: str, expected: ExpectedChain) -> None:
        """Look at what can't change as long as the identity does not, and at who may commit."""
        await check_token(self._web3, token, expected)
        settler = self._accounts.get(Signer.SETTLER)
        if settler is not None:
            with reading():
                allowed = await self._settlement.functions.settler().call()
            check_settler(allowed, settler.address)

    async def contract(self) -> ContractState:
        """See the port."""
        with reading():
            state = await self._settlement.functions.state().call()
            claimable_root = await self._settlement.functions.claimable_root().call()
            epoch, fee_total, log_size, fee_root, log_root, data_hash, claimed_total, due = state
            waits = due != 0 and bytes(claimable_root) != bytes(fee_root)
            if due != 0 and not waits:
                # One fee root after the other may be the same: only the time tells them apart.
                newest = await self._web3.eth.get_block("latest")
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
        )

    async def nonce(self, signer: Signer, *, depth: int = 1) -> int:
        """See the port."""
        address = self._account(signer).address
        with reading():
            if depth == 1:
                return int(await self._web3.eth.get_transaction_count(address, "latest"))
            head = await self._web3.eth.block_number
            block = max(0, head - depth + 1)
            return int(await self._web3.eth.get_transaction_count(address, block))

    async def sign_commit(
        self, commitment: Commitment, *, nonce: int
    ) -> SignedTransaction | Refusal:
        """See the port."""
        arguments = [
            commitment.epoch,
            commitment.fee_root,
            commitment.fee_total,
            commitment.log_root,
            commitment.log_size,
            commitment.data_hash,
        ]
        data = self._settlement.encode_abi("commit", args=arguments)
        return await self._sign(Purpose.COMMIT, commitment.epoch, 0, nonce=nonce, data=data)

    async def sign_claims(self, chunk: ClaimChunk, *, nonce: int) -> SignedTransaction | Refusal:
        """See the port."""
        leaves = [
            (
                leaf.twin,
                self._web3.to_checksum_address(leaf.payout),
                leaf.cumulative_units,
                leaf.audit,
            )
            for leaf in chunk.leaves
        ]
        data = self._settlement.encode_abi("claim_chunk", args=[leaves, list(chunk.proof)])
        return await self._sign(Purpose.CLAIM, chunk.epoch, chunk.index, nonce=nonce, data=data)

    async def send(self, transaction: SignedTransaction) -> Broadcast | Refusal:
        """See the port."""
        with sending():
            try:
                await self._web3.eth.send_raw_transaction(transaction.raw)
            except Web3RPCError as error:
                answer = parse_rejection(error)
                if answer is None:
                    raise
                return answer
        return Broadcast.ACCEPTED

    async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
        """See the port."""
        with reading():
            try:
                receipt = await self._web3.eth.get_transaction_receipt(HexBytes(transaction_hash))
            except TransactionNotFound:
                return None
            head = await self._web3.eth.block_number
        number = receipt["blockNumber"]
        return Inclusion(
            block_number=number,
            block_hash=bytes(receipt["blockHash"]),
            succeeded=receipt["status"] == 1,
            gas_used=receipt["gasUsed"],
            depth=max(0, head - number + 1),
        )

    async def claimed(self, twins: Sequence[bytes]) -> tuple[int, ...]:
        """See the port."""
        amounts: list[int] = []
        with reading():
            for start in range(0, len(twins), CLAIMED_BATCH):
                batch = list(twins[start : start + CLAIMED_BATCH])
                amounts.extend(await self._settlement.functions.claimed_of(batch).call())
        return tuple(amounts)

    async def balance(self, address: bytes) -> int:
        """See the port."""
        identity = self._identity or await self.identity()
        token = self._web3.eth.contract(
            address=self._web3.to_checksum_address(identity.token), abi=load_artefact("token").abi
        )
        with reading():
            holder = self._web3.to_checksum_address(address)
            return int(await token.functions.balanceOf(holder).call())

    async def _sign(
        self, purpose: Purpose, epoch: int, chunk: int, *, nonce: int, data: str
    ) -> SignedTransaction | Refusal:
        account = self._account(purpose.signer)
        call: TxParams = {"from": account.address, "to": self._address, "data": data}  # type: ignore[typeddict-item]
        with reading():
            try:
                gas = await self._web3.eth.estimate_gas(call)
            except ContractLogicError as error:
                return Refusal(f"{purpose} of epoch {epoch}: {error}")
            except Web3RPCError as error:
                answer = parse_rejection(error)
                if isinstance(answer, Refusal):
                    return answer
                raise
            block = await self._web3.eth.get_block("latest")
            tip = await self._web3.eth.max_priority_fee
            chain_id = await self._web3.eth.chain_id
            funds = await self._web3.eth.get_balance(account.address)
        if "baseFeePerGas" not in block:
            raise ConfigurationError(f"Chain {chain_id} has no base fee (EIP-1559).")
        fee = Wei(2 * block["baseFeePerGas"] + tip)
        limit = int(gas * _GAS_MARGIN)
        if self._max_fee_wei is not None and fee > self._max_fee_wei:
            return Refusal(f"gas costs {fee} wei now, more than the limit of {self._max_fee_wei}")
        if funds < limit * fee:
            return Refusal(f"the {purpose.signer}'s account can't pay the gas of a {purpose}")
        signed = account.sign_transaction(
            {
                "chainId": chain_id,
                "nonce": nonce,
                "to": self._address,
                "value": 0,
                "data": data,
                "gas": limit,
                "maxFeePerGas": fee,
                "maxPriorityFeePerGas": tip,
            }
        )
        return SignedTransaction(
            purpose=purpose,
            epoch=epoch,
            chunk=chunk,
            nonce=nonce,
            hash=bytes(signed.hash),
            raw=bytes(signed.raw_transaction),
        )

    def _account(self, signer: Signer) -> Any:  # noqa: ANN401 - eth-account's LocalAccount
        account = self._accounts.get(signer)
        if account is None:
            raise ConfigurationError(f"The {signer}'s key was not given.")
        return account


def rpc_provider(url: str) -> AsyncHTTPProvider:
    """Return a provider for a node's JSON-RPC address; retrying is left to the publisher."""
    return AsyncHTTPProvider(
        url,
        request_kwargs={"timeout": _REQUEST_TIMEOUT_S},
        exception_retry_configuration=None,
    )


def _address_bytes(address: str) -> bytes:
    return bytes.fromhex(address.removeprefix("0x"))
